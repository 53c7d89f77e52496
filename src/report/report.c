#include <kenning/report.h>

#include "core/file.h"
#include "core/record_json.h"
#include "measurements/measurements.h"
#include "measurements/unicode.h"
#include "drawing/plot.h"
#include "report/figures.h"
#include "report/html.h"
#include "report/outline.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef enum kn_report_format {
  KN_FORMAT_NONE = 0,
  KN_FORMAT_RST,
  KN_FORMAT_MARKDOWN,
  KN_FORMAT_HTML
} kn_report_format;

static kn_status format_of(const char *path, kn_report_format *out_format) {
  static const struct {
    const char *suffix;
    kn_report_format format;
  } suffixes[] = {{".rst", KN_FORMAT_RST}, {".md", KN_FORMAT_MARKDOWN}, {".html", KN_FORMAT_HTML}};
  *out_format = KN_FORMAT_NONE;
  if (!path) return NULL;
  const char *dot = strrchr(path, '.');
  for (size_t i = 0; dot && i < sizeof suffixes / sizeof *suffixes; i++)
    if (strcmp(dot, suffixes[i].suffix) == 0) *out_format = suffixes[i].format;
  if (*out_format) return NULL;
  return kn_status_make(KN_INVALID_ARGUMENT, "%s: the name of a report ends in .rst, .md or .html", path);
}

/* ---- places ---- */

static kn_status directory_of(const char *path, char **out_directory) {
  const char *slash = strrchr(path, '/');
  *out_directory = !slash ? kn_strdup(".") : slash == path ? kn_strdup("/") : kn_strndup(path, (size_t)(slash - path));
  return *out_directory ? NULL : kn_status_out_of_memory();
}

/* The one true name of a directory, which is made when it is missing. */
static kn_status true_directory(const char *path, char out[PATH_MAX]) {
  KN_TRY(kn_directory_make(path));
  return realpath(path, out) ? NULL : kn_file_fault(path, "find", errno);
}

/* What stands in front of an image's name in the report: the way from the root directory to the images. Where the
 * report itself lies elsewhere below the root, it begins with a slash, which Sphinx takes for the root of its sources.
 */
static kn_status image_reference(const char *root, const char *images, const char *report, char **out_reference) {
  char true_root[PATH_MAX], true_images[PATH_MAX], true_report[PATH_MAX];
  KN_TRY(true_directory(root, true_root));
  KN_TRY(true_directory(images, true_images));
  KN_TRY(true_directory(report, true_report));
  size_t length = strcmp(true_root, "/") == 0 ? 0 : strlen(true_root);
  if (strncmp(true_images, true_root, length) != 0 || (true_images[length] != '/' && true_images[length] != '\0'))
    return kn_status_make(KN_INVALID_ARGUMENT,
                          "the images would go to %s, which is not below the root directory %s that their names in the "
                          "report are relative to: choose another --img-dir or --root-dir",
                          true_images, true_root);
  const char *way = true_images[length] == '/' ? true_images + length + 1 : "";
  *out_reference = kn_format("%s%s%s", strcmp(true_report, true_root) == 0 ? "" : "/", way, *way ? "/" : "");
  return *out_reference ? NULL : kn_status_out_of_memory();
}

/* Where the images go and how the report calls them. */
static kn_status place_images(const kn_report_request *request, char **out_directory, char **out_reference) {
  char *report = NULL;
  KN_TRY(directory_of(request->path, &report));
  const char *root = request->root_dir ? request->root_dir : report;
  *out_directory = request->img_dir ? kn_strdup(request->img_dir) : kn_format("%s/img", root);
  kn_status status =
      *out_directory ? image_reference(root, *out_directory, report, out_reference) : kn_status_out_of_memory();
  kn_free(report);
  return status;
}

/* ---- writing ---- */

static kn_status write_text(const char *path, const kn_text *text) {
  KN_TRY(kn_text_status(text));
  return kn_file_write(path, text->data, text->length);
}

static kn_status write_markup(const kn_report_request *request, const kn_report_model *model, const kn_markup *markup,
                              const char *command) {
  char *directory = NULL, *reference = NULL;
  kn_figures figures = {0};
  kn_text text = {0};
  kn_status status = place_images(request, &directory, &reference);
  if (!status) status = kn_figures_plan(model, directory, reference, &figures);
  if (!status) status = kn_outline_write(model, &figures, command, markup, &text);
  if (!status) status = kn_figures_draw(model, &figures);
  if (!status) status = write_text(request->path, &text);
  kn_text_clear(&text);
  kn_figures_clear(&figures);
  kn_free(directory);
  kn_free(reference);
  return status;
}

static kn_status write_page(const char *path, const kn_report_model *model, const char *command) {
  kn_text text = {0};
  kn_status status = kn_html_write(model, command, &text);
  if (!status) status = write_text(path, &text);
  kn_text_clear(&text);
  return status;
}

/* The command line as the measurement files keep theirs, joined to one text; NULL without arguments. */
static kn_status command_text(const kn_report_request *request, char **out_text) {
  *out_text = NULL;
  if (!request->argument_count) return NULL;
  kn_measurements lines = {0};
  KN_TRY(kn_record_create(&lines.record));
  kn_status status = kn_measurements_command(&lines, request->arguments, request->argument_count);
  kn_text text = {0};
  if (!status) status = kn_utf8_repair(kn_record_document(lines.record), kn_record_value(lines.record));
  if (!status) {
    yyjson_mut_val *list = yyjson_mut_obj_get(kn_record_value(lines.record), "command"), *line;
    size_t i, count;
    yyjson_mut_arr_foreach(list, i, count, line) {
      if (i) kn_text_add(&text, "\n");
      kn_text_add(&text, yyjson_mut_get_str(line));
    }
    status = kn_text_status(&text);
  }
  kn_record_destroy(lines.record);
  if (status)
    kn_text_clear(&text);
  else
    *out_text = text.data;
  return status;
}

static kn_status write_all(const kn_report_request *request, const kn_report_model *model, kn_report_format format) {
  char *command;
  KN_TRY(command_text(request, &command));
  kn_status status = NULL;
  if (format == KN_FORMAT_HTML)
    status = write_page(request->path, model, command);
  else if (format)
    status = write_markup(request, model, format == KN_FORMAT_RST ? &kn_markup_rst : &kn_markup_markdown, command);
  if (!status && request->html_directory) {
    char *page = kn_format("%s/index.html", request->html_directory);
    status = page ? write_page(page, model, command) : kn_status_out_of_memory();
    kn_free(page);
  }
  kn_free(command);
  return status;
}

/* ---- judging ---- */

static kn_report_sources sources_of(const kn_report_request *request) {
  return (kn_report_sources){.name = request->name,
                             .measurements = request->measurements,
                             .model_names = request->model_names,
                             .types = request->types};
}

static kn_status check_markup(const kn_report_request *request) {
  char *directory = NULL, *reference = NULL;
  kn_status status = place_images(request, &directory, &reference);
  if (!status) status = kn_plot_check();
  kn_free(directory);
  kn_free(reference);
  return status;
}

/* A report is never written over what it is made from. */
static kn_status check_place(const kn_report_request *request, const char *path) {
  struct stat own, other;
  bool there = stat(path, &own) == 0;
  for (size_t i = 0; i < request->measurements.count; i++) {
    const char *source = request->measurements.items[i];
    if (strcmp(source, path) == 0 ||
        (there && stat(source, &other) == 0 && own.st_dev == other.st_dev && own.st_ino == other.st_ino))
      return kn_status_make(KN_INVALID_ARGUMENT, "%s is a measurement file: name another one for the report", path);
  }
  return kn_file_check_output(path);
}

static kn_status check_page(const kn_report_request *request) {
  struct stat found;
  if (stat(request->html_directory, &found) == 0 && !S_ISDIR(found.st_mode))
    return kn_status_make(KN_INVALID_ARGUMENT,
                          "--to-html names a directory, which gets the page as index.html; %s is a file",
                          request->html_directory);
  char *page = kn_format("%s/index.html", request->html_directory);
  kn_status status = page ? check_place(request, page) : kn_status_out_of_memory();
  kn_free(page);
  return status;
}

static kn_status check_words(const kn_report_request *request, kn_report_format *out_format) {
  kn_status faults = format_of(request->path, out_format);
  if (!request->path && !request->html_directory)
    faults = kn_status_join(faults, kn_status_make(KN_INVALID_ARGUMENT,
                                                   "say where the report goes: a path that ends in .rst, .md or .html, "
                                                   "or --to-html DIRECTORY"));
  const kn_report_sources sources = sources_of(request);
  return kn_status_join(faults, kn_report_model_check(&sources));
}

/* Makes the directories. */
static kn_status check_places(const kn_report_request *request, kn_report_format format) {
  kn_status faults = request->html_directory ? check_page(request) : NULL;
  if (format) faults = kn_status_join(faults, check_place(request, request->path));
  if (format == KN_FORMAT_RST || format == KN_FORMAT_MARKDOWN) faults = kn_status_join(faults, check_markup(request));
  return faults;
}

/* ---- rendering ---- */

/* Reads unless `pending`, and judges all. */
static kn_status prepare(const kn_report_request *request, bool pending, kn_report_format *out_format,
                         kn_report_model *out_model) {
  *out_model = (kn_report_model){0};
  KN_TRY(check_words(request, out_format));
  const kn_report_sources sources = sources_of(request);
  if (!pending) KN_TRY(kn_report_model_read(&sources, out_model));
  return check_places(request, *out_format);
}

kn_status kn_report_check(const kn_report_request *request, bool pending) {
  kn_report_format format;
  kn_report_model model;
  kn_status status = prepare(request, pending, &format, &model);
  kn_report_model_clear(&model);
  return status;
}

kn_status kn_report_render(const kn_report_request *request) {
  kn_report_format format;
  kn_report_model model;
  kn_status status = prepare(request, false, &format, &model);
  if (!status) status = write_all(request, &model, format);
  kn_report_model_clear(&model);
  return status;
}
