#include "drawing/plot.h"

#include "core/file.h"
#include "drawing/script.h"

#include <errno.h>
#include <kenning/process.h>
#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_S = 120 };

/* A directory beside the first image, so that finished images can be renamed into place. */
static kn_status make_stage(const char *image, char **out_stage) {
  KN_TRY(kn_directory_make_parent(image));
  const char *slash = strrchr(image, '/');
  char *stage = slash ? kn_format("%.*s/.plots-XXXXXX", (int)(slash - image), image) : kn_strdup(".plots-XXXXXX");
  if (!stage) return kn_status_out_of_memory();
  if (!mkdtemp(stage)) {
    kn_status status = kn_file_fault(stage, "make", errno);
    kn_free(stage);
    return status;
  }
  *out_stage = stage;
  return NULL;
}

static kn_status not_installed(void) {
  return kn_status_make(KN_NOT_INSTALLED,
                        "gnuplot, which draws the images of RST and Markdown reports, is not installed: run apt-get "
                        "install gnuplot-nox (the HTML report does without)");
}

kn_status kn_plot_check(void) {
  char *path;
  kn_status status = kn_process_find("gnuplot", &path);
  kn_free(path);
  if (kn_status_code(status) != KN_NOT_INSTALLED) return status;
  kn_status_free(status);
  return not_installed();
}

static kn_status run_gnuplot(const char *script_path) {
  const char *arguments[] = {"gnuplot", "-d", script_path, NULL};
  kn_status status = kn_process_run(&(kn_process_request){.arguments = arguments, .timeout_s = TIMEOUT_S}, NULL);
  if (kn_status_code(status) != KN_NOT_INSTALLED) return status;
  kn_status_free(status);
  return not_installed();
}

static kn_status staged_path(const char *stage, size_t index, char **out_path) {
  *out_path = kn_format("%s/%zu.png", stage, index);
  return *out_path ? NULL : kn_status_out_of_memory();
}

static kn_status draw_into(const char *stage, const kn_plot *plots, size_t count) {
  kn_text script = {0};
  kn_script_begin(&script);
  for (size_t i = 0; i < count; i++) {
    char *output;
    kn_status status = staged_path(stage, i, &output);
    if (status) {
      kn_text_clear(&script);
      return status;
    }
    kn_script_plot(&script, &plots[i], output);
    kn_free(output);
  }
  char *path = kn_format("%s/script.gp", stage);
  kn_status status = path ? kn_text_status(&script) : kn_status_out_of_memory();
  if (!status) status = kn_file_write(path, script.data, script.length);
  if (!status) status = run_gnuplot(path);
  kn_free(path);
  kn_text_clear(&script);
  return status;
}

static kn_status check_drawn(const char *stage, const kn_plot *plots, size_t count) {
  for (size_t i = 0; i < count; i++) {
    char *output;
    KN_TRY(staged_path(stage, i, &output));
    uint64_t bytes = 0;
    bool there = kn_file_exists(output, &bytes) && bytes;
    kn_free(output);
    if (!there) return kn_status_make(KN_BACKEND_FAILED, "gnuplot ended well but did not draw %s", plots[i].path);
  }
  return NULL;
}

static kn_status publish(const char *stage, const kn_plot *plots, size_t count) {
  for (size_t i = 0; i < count; i++) {
    char *output;
    KN_TRY(staged_path(stage, i, &output));
    kn_status status = kn_directory_make_parent(plots[i].path);
    if (!status) status = kn_file_publish(output, plots[i].path);
    kn_free(output);
    KN_TRY(status);
  }
  return NULL;
}

kn_status kn_plot_draw(const kn_plot *plots, size_t count) {
  if (!count) return NULL;
  char *stage = NULL;
  KN_TRY(make_stage(plots[0].path, &stage));
  kn_status status = draw_into(stage, plots, count);
  if (!status) status = check_drawn(stage, plots, count);
  if (!status) status = publish(stage, plots, count);
  kn_status removed = kn_directory_remove(stage);
  kn_free(stage);
  return kn_status_join(status, removed);
}
