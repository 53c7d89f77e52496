#include "drawing/plot.h"

#include "core/file.h"
#include "drawing/script.h"

#include <errno.h>
#include <fcntl.h>
#include <kenning/process.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { TIMEOUT_S = 120, ROOM_BYTES = 1 << 20 };

/* A directory beside the first image, so that finished images can be renamed into place. */
static kn_status make_stage(const char *image, char **out_stage) {
  KN_TRY(kn_file_temporary(image, out_stage));
  if (mkdir(*out_stage, 0700) == 0) return NULL;
  kn_status status = kn_file_fault(*out_stage, "make", errno);
  kn_free(*out_stage);
  *out_stage = NULL;
  return status;
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

/* gnuplot does not notice when a write fails: a whole PNG ends with its IEND chunk (ISO/IEC 15948, 11.2.5). */
static kn_status check_image(const char *drawn, const char *path) {
  static const char end[8] = {'I', 'E', 'N', 'D', '\xae', 'B', '`', '\x82'};
  char last[sizeof end];
  int file = open(drawn, O_RDONLY | O_CLOEXEC);
  off_t bytes = file < 0 ? 0 : lseek(file, 0, SEEK_END);
  bool whole = bytes > (off_t)sizeof end && pread(file, last, sizeof last, bytes - (off_t)sizeof last) == sizeof last &&
               memcmp(last, end, sizeof end) == 0;
  if (file >= 0) close(file);
  if (whole) return NULL;
  struct statvfs room;
  char *stage = kn_strndup(drawn, (size_t)(strrchr(drawn, '/') - drawn));
  bool full = stage && statvfs(stage, &room) == 0 && room.f_bavail * room.f_frsize < ROOM_BYTES;
  kn_free(stage);
  if (full) return kn_file_fault(path, "write", ENOSPC);
  return kn_status_make(KN_BACKEND_FAILED, "gnuplot ended well but did not draw %s", path);
}

static kn_status check_drawn(const char *stage, const kn_plot *plots, size_t count) {
  for (size_t i = 0; i < count; i++) {
    char *output;
    KN_TRY(staged_path(stage, i, &output));
    kn_status status = check_image(output, plots[i].path);
    kn_free(output);
    KN_TRY(status);
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
