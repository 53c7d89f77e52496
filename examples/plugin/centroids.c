#include "centroids.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BYTES = 1 << 24 };

typedef struct reader {
  const char *path;
  char *line, *rest; /* line at hand, NUL-terminated; what follows it */
  size_t number;     /* of the line, from 1 */
} reader;

static kn_status fault(const reader *at, const char *format, ...) KN_PRINTF(2, 3);
static kn_status fault(const reader *at, const char *format, ...) {
  char *where = kn_format("%s:%zu", at->path, at->number);
  if (!where) return kn_status_out_of_memory();
  va_list arguments;
  va_start(arguments, format);
  kn_status status = kn_status_vmake_at(KN_BAD_DATA, where, format, arguments);
  va_end(arguments);
  kn_free(where);
  return status;
}

/* A line without its newline is a file that was cut. */
static kn_status next_line(reader *at) {
  at->number++;
  char *end = strchr(at->rest, '\n');
  if (!end) return fault(at, "the file ends too early; the last line of a model is 'end'");
  *end = 0;
  at->line = at->rest;
  at->rest = end + 1;
  return NULL;
}

static kn_status expect(reader *at, const char *line) {
  KN_TRY(next_line(at));
  return strcmp(at->line, line) ? fault(at, "the line should be '%s'", line) : NULL;
}

/* "name number"; a file of `most` bytes has no more than that of anything. */
static kn_status read_size(reader *at, const char *name, size_t most, size_t *out_size) {
  KN_TRY(next_line(at));
  size_t length = strlen(name);
  char *end = at->line;
  long long value = 0;
  if (!strncmp(at->line, name, length) && at->line[length] == ' ') value = strtoll(at->line + length + 1, &end, 10);
  if (*end || value < 1 || (unsigned long long)value > most)
    return fault(at, "the line should be '%s' and a number from 1 to %zu", name, most);
  *out_size = (size_t)value;
  return NULL;
}

static kn_status read_point(reader *at, const centroids *model, float *point, size_t *out_label) {
  KN_TRY(next_line(at));
  char *next = at->line, *end;
  long long label = strtoll(next, &end, 10);
  if (end == next || label < 0 || (unsigned long long)label >= model->classes)
    return fault(at, "the line should start with a class from 0 to %zu", model->classes - 1);
  for (size_t i = 0; i < model->values; i++) {
    next = end;
    point[i] = strtof(next, &end);
    if (end == next || !isfinite(point[i]))
      return fault(at, "the line should have %zu finite numbers behind the class", model->values);
  }
  if (*end) return fault(at, "there is more in the line than a class and %zu numbers", model->values);
  *out_label = (size_t)label;
  return NULL;
}

static kn_status check_classes(const reader *at, const centroids *model) {
  bool *found = kn_alloc_array(model->classes, sizeof *found);
  if (!found) return kn_status_out_of_memory();
  for (size_t i = 0; i < model->count; i++) found[model->labels[i]] = true;
  size_t missing = 0;
  while (missing < model->classes && found[missing]) missing++;
  kn_free(found);
  return missing < model->classes ? fault(at, "no point belongs to class %zu", missing) : NULL;
}

static kn_status parse(reader *at, size_t bytes, centroids *model) {
  KN_TRY(expect(at, "centroids 1"));
  KN_TRY(read_size(at, "classes", bytes, &model->classes));
  KN_TRY(read_size(at, "values", bytes, &model->values));
  /* Every number takes two bytes: what is allocated cannot be much more than what is there. */
  KN_TRY(read_size(at, "count", bytes / model->values, &model->count));
  model->points = kn_alloc_array(model->count, model->values * sizeof *model->points);
  model->labels = kn_alloc_array(model->count, sizeof *model->labels);
  if (!model->points || !model->labels) return kn_status_out_of_memory();
  for (size_t i = 0; i < model->count; i++)
    KN_TRY(read_point(at, model, model->points + i * model->values, &model->labels[i]));
  KN_TRY(expect(at, "end"));
  if (*at->rest) return fault(at, "something follows the last line");
  return check_classes(at, model);
}

kn_status centroids_read(const char *path, centroids *out_model) {
  *out_model = (centroids){0};
  char *text;
  size_t bytes;
  KN_TRY(kn_file_read(path, MAX_BYTES, &text, &bytes));
  reader at = {.path = path, .rest = text};
  kn_status status = parse(&at, bytes, out_model);
  kn_free(text);
  return status;
}

void centroids_clear(centroids *model) {
  kn_free(model->points);
  kn_free(model->labels);
  *model = (centroids){0};
}
