#include "measurements/measurements.h"

#include "core/record_json.h"
#include "measurements/environment.h"
#include "measurements/unicode.h"

#include <kenning/services.h>
#include <string.h>
#include <time.h>

static kn_status put_date(kn_record *record) {
  time_t now = time(NULL);
  struct tm utc;
  char date[32];
  if (!gmtime_r(&now, &utc) || !strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &utc))
    return kn_status_make(KN_INTERNAL, "the clock shows no valid date");
  return kn_record_set_string(record, "date", date);
}

static kn_status begin(kn_measurements *measurements) {
  KN_TRY(kn_record_create(&measurements->record));
  kn_record *record = measurements->record, *environment;
  KN_TRY(kn_record_set_string(record, "kenning_schema", "1.0"));
  KN_TRY(kn_record_set_string(record, "kenning_version", KENNING_VERSION));
  KN_TRY(put_date(record));
  KN_TRY(kn_record_set_bool(record, "complete", false));
  KN_TRY(kn_record_object(record, "environment", &environment));
  return kn_environment_put(environment);
}

kn_status kn_measurements_create(kn_measurements **out_measurements) {
  *out_measurements = NULL;
  kn_measurements *measurements = kn_alloc(sizeof *measurements);
  if (!measurements) return kn_status_out_of_memory();
  kn_status status = begin(measurements);
  if (status)
    kn_measurements_destroy(measurements);
  else
    *out_measurements = measurements;
  return status;
}

void kn_measurements_destroy(kn_measurements *measurements) {
  if (!measurements) return;
  kn_record_destroy(measurements->record);
  kn_free(measurements);
}

kn_status kn_measurements_phase(kn_measurements *measurements, const char *name, int64_t ns) {
  yyjson_mut_val *phases = yyjson_mut_obj_get(kn_record_value(measurements->record), "phases"), *phase;
  size_t i, count;
  yyjson_mut_arr_foreach(phases, i, count, phase) {
    if (!yyjson_mut_equals_str(yyjson_mut_obj_get(phase, "name"), name)) continue;
    yyjson_mut_val *seconds = yyjson_mut_obj_get(phase, "seconds");
    yyjson_mut_set_real(seconds, yyjson_mut_get_real(seconds) + (double)ns / 1e9);
    return NULL;
  }
  kn_record *fresh;
  KN_TRY(kn_record_append_object(measurements->record, "phases", &fresh));
  KN_TRY(kn_record_set_string(fresh, "name", name));
  return kn_record_set_number(fresh, "seconds", (double)ns / 1e9);
}

/* ---- the command line ---- */

/* `argument` as a POSIX shell reads it; free with kn_free. */
static char *quoted(const char *argument) {
  static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
  if (*argument && !argument[strspn(argument, plain)]) return kn_strdup(argument);
  size_t length = strlen(argument), room;
  if (!kn_mul_size(length, 4, &room) || !kn_add_size(room, 3, &room)) return NULL;
  char *text = kn_alloc(room), *at = text;
  if (!text) return NULL;
  *at++ = '\'';
  for (const char *c = argument; *c; c++) {
    if (*c == '\'') {
      for (const char *way = "'\\''"; *way; way++) *at++ = *way;
    } else {
      *at++ = *c;
    }
  }
  *at = '\'';
  return text;
}

static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

/* Appends `indent`, the quoted argument and, unless it is the last, the mark that the next line belongs to it. */
static kn_status add_line(yyjson_mut_doc *doc, yyjson_mut_val *lines, const char *indent, const char *text, bool last) {
  char *line = kn_format("%s%s%s", indent, text, last ? "" : " \\");
  bool added = line && yyjson_mut_arr_add_strcpy(doc, lines, line);
  kn_free(line);
  return added ? NULL : kn_status_out_of_memory();
}

/* The program and everything before the first option, on one line. */
static char *first_line(const char *const *arguments, size_t count) {
  char *line = quoted(base_name(arguments[0]));
  for (size_t i = 1; line && i < count; i++) {
    char *word = quoted(arguments[i]);
    char *longer = word ? kn_format("%s %s", line, word) : NULL;
    kn_free(word);
    kn_free(line);
    line = longer;
  }
  return line;
}

kn_status kn_measurements_command(kn_measurements *measurements, const char *const *arguments, size_t count) {
  yyjson_mut_doc *doc = kn_record_document(measurements->record);
  yyjson_mut_val *lines = yyjson_mut_arr(doc);
  if (!lines) return kn_status_out_of_memory();
  size_t words = 0;
  while (words < count && (!words || arguments[words][0] != '-')) words++;
  if (count) {
    char *line = first_line(arguments, words);
    kn_status status = line ? add_line(doc, lines, "", line, words == count) : kn_status_out_of_memory();
    kn_free(line);
    KN_TRY(status);
  }
  for (size_t i = words; i < count; i++) {
    char *text = quoted(arguments[i]);
    const char *indent = arguments[i][0] == '-' ? "    " : "        ";
    kn_status status = text ? add_line(doc, lines, indent, text, i + 1 == count) : kn_status_out_of_memory();
    kn_free(text);
    KN_TRY(status);
  }
  return kn_record_set_value(measurements->record, "command", lines);
}

/* ---- the file ---- */

kn_status kn_measurements_complete(kn_measurements *measurements, const char *reason) {
  KN_TRY(kn_record_set_bool(measurements->record, "complete", !reason));
  return reason ? kn_record_set_string(measurements->record, "incomplete_reason", reason) : NULL;
}

/* NULL with the reason in `error`. */
static char *json_text(yyjson_mut_doc *doc, size_t *out_bytes, yyjson_write_err *error) {
  return yyjson_mut_write_opts(doc, YYJSON_WRITE_PRETTY_TWO_SPACES | YYJSON_WRITE_NEWLINE_AT_END, &kn_json_allocator,
                               out_bytes, error);
}

kn_status kn_measurements_text(const kn_measurements *measurements, char **out_text, size_t *out_bytes) {
  yyjson_mut_doc *doc = kn_record_document(measurements->record);
  yyjson_write_err error;
  *out_text = json_text(doc, out_bytes, &error);
  if (!*out_text && error.code == YYJSON_WRITE_ERROR_INVALID_STRING) {
    KN_TRY(kn_utf8_repair(doc, kn_record_value(measurements->record)));
    *out_text = json_text(doc, out_bytes, &error);
  }
  if (*out_text) return NULL;
  if (error.code == YYJSON_WRITE_ERROR_MEMORY_ALLOCATION) return kn_status_out_of_memory();
  return kn_status_make(KN_INTERNAL, "the measurements cannot be written as JSON: %s", error.msg);
}

kn_status kn_measurements_write(const kn_measurements *measurements, const char *path) {
  char *text;
  size_t bytes;
  KN_TRY(kn_measurements_text(measurements, &text, &bytes));
  kn_status status = kn_file_write(path, text, bytes);
  kn_free(text);
  return status;
}
