#include "datasets/pet_annotations.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <kenning/services.h>

#include "datasets/faults.h"

enum { FILE_LIMIT_BYTES = 16 << 20, MAX_BREED = 1000, SPLIT_FILES = 2 };

/* The published split: both files or none. */
static const struct {
  const char *name;
  kn_split split;
} split_files[SPLIT_FILES] = {{"trainval.txt", KN_SPLIT_TRAIN}, {"test.txt", KN_SPLIT_TEST}};

/* The lines of one file. */
typedef struct rows {
  char *path;
  char *text;
  kn_pet *items;
  size_t count;
} rows;

static void rows_clear(rows *at) {
  kn_free(at->path);
  kn_free(at->text);
  kn_free(at->items);
  *at = (rows){0};
}

static kn_status fault(const char *path, size_t line, const char *format, ...) KN_PRINTF(3, 4);

static kn_status fault(const char *path, size_t line, const char *format, ...) {
  char where[512];
  snprintf(where, sizeof where, "%s:%zu", path, line);
  va_list arguments;
  va_start(arguments, format);
  kn_status status = kn_status_vmake_at(KN_BAD_DATA, where, format, arguments);
  va_end(arguments);
  return status;
}

static kn_status read_number(const rows *at, size_t line, char **rest, const char *what, int64_t max, int64_t *out) {
  const char *field = strtok_r(NULL, " \t\r", rest);
  if (!field) return fault(at->path, line, "the %s is missing: a line is \"image class-id species breed-id\"", what);
  char *end;
  errno = 0;
  *out = strtoll(field, &end, 10);
  if (*end || errno || *out < 1 || *out > max)
    return fault(at->path, line, "the %s is %s, it must be 1 to %lld", what, field, (long long)max);
  return NULL;
}

static kn_status parse_line(const rows *at, size_t line, char *text, kn_pet *out) {
  char *rest;
  *out = (kn_pet){.image = strtok_r(text, " \t\r", &rest), .line = line};
  if (!out->image) return NULL; /* blank */
  const char *underscore = strrchr(out->image, '_');
  if (!underscore || underscore == out->image || strchr(out->image, '/'))
    return fault(at->path, line, "%s is not the name of an image like Abyssinian_100", out->image);
  KN_TRY(read_number(at, line, &rest, "class id", KN_PET_BREEDS, &out->class_id));
  KN_TRY(read_number(at, line, &rest, "species", KN_PET_SPECIES, &out->species));
  KN_TRY(read_number(at, line, &rest, "breed id", MAX_BREED, &out->breed));
  const char *more = strtok_r(NULL, " \t\r", &rest);
  return more ? fault(at->path, line, "\"%s\" stands behind the four fields of a line", more) : NULL;
}

static size_t count_lines(const char *text, size_t bytes) {
  size_t lines = 1;
  for (size_t i = 0; i < bytes; i++) lines += text[i] == '\n';
  return lines;
}

/* All faults of a file; `status` is what ended the reading of it, if anything did. */
static kn_status give(kn_faults *faults, const rows *at, kn_status status) {
  return kn_status_join(kn_faults_take(faults, at->path, "lines are wrong"), status);
}

static kn_status parse_lines(rows *out) {
  kn_faults faults = {0};
  kn_status status = NULL;
  size_t line = 0;
  for (char *at = out->text; at && !status;) {
    char *end = strchr(at, '\n');
    if (end) *end = '\0';
    line++;
    kn_pet row = {0};
    kn_status fault = *at == '#' ? NULL : parse_line(out, line, at, &row);
    if (!fault && row.image) out->items[out->count++] = row;
    status = kn_faults_keep(&faults, fault);
    at = end ? end + 1 : NULL;
  }
  return give(&faults, out, status);
}

static kn_status read_rows(const char *root, const char *name, rows *out) {
  *out = (rows){.path = kn_format("%s/annotations/%s", root, name)};
  if (!out->path) return kn_status_out_of_memory();
  size_t bytes;
  KN_TRY(kn_file_read(out->path, FILE_LIMIT_BYTES, &out->text, &bytes));
  if (memchr(out->text, 0, bytes)) return kn_status_make_at(KN_BAD_DATA, out->path, "this is not a text file");
  out->items = kn_alloc_array(count_lines(out->text, bytes), sizeof *out->items);
  return out->items ? parse_lines(out) : kn_status_out_of_memory();
}

static size_t name_length(const kn_pet *row) { return (size_t)(strrchr(row->image, '_') - row->image); }

/* One id, one name, one species, one breed id. `first` is the row of each class that decides. */
static kn_status check_row(const rows *list, const kn_pet *row, const kn_pet *first) {
  size_t length = name_length(row), expected = name_length(first);
  if (length != expected || strncmp(first->image, row->image, length) != 0)
    return fault(list->path, row->line, "class id %lld is %.*s here and %.*s in line %zu", (long long)row->class_id,
                 (int)length, row->image, (int)expected, first->image, first->line);
  if (row->species != first->species || row->breed != first->breed)
    return fault(list->path, row->line, "%.*s has other numbers for species or breed than in line %zu", (int)length,
                 row->image, first->line);
  return NULL;
}

/* No id without a name, and no name for two ids. */
static kn_status check_class(const rows *list, const kn_pets *pets, const kn_pet *const *first, size_t id) {
  if (!first[id])
    return kn_status_make_at(KN_BAD_DATA, list->path, "no image has class id %zu, but ids go up to %zu", id + 1,
                             pets->classes);
  for (size_t other = 0; other < id; other++)
    if (first[other] && !strcmp(pets->class_names[other], pets->class_names[id]))
      return fault(list->path, first[id]->line, "%s has class id %zu here and %zu in line %zu", pets->class_names[id],
                   id + 1, other + 1, first[other]->line);
  return NULL;
}

static kn_status check_classes(const rows *list, kn_pets *pets) {
  const kn_pet *first[KN_PET_BREEDS] = {0};
  kn_faults faults = {0};
  kn_status status = NULL;
  for (size_t i = 0; i < list->count && !status; i++) {
    const kn_pet *row = &list->items[i];
    size_t id = (size_t)row->class_id - 1;
    if (first[id]) {
      status = kn_faults_keep(&faults, check_row(list, row, first[id]));
      continue;
    }
    first[id] = row;
    if (id >= pets->classes) pets->classes = id + 1;
    pets->class_names[id] = kn_strndup(row->image, name_length(row));
    if (!pets->class_names[id]) status = kn_status_out_of_memory();
  }
  for (size_t id = 0; id < pets->classes && !status; id++)
    status = kn_faults_keep(&faults, check_class(list, pets, first, id));
  return give(&faults, list, status);
}

static int by_image(const void *a, const void *b) {
  const kn_pet *const *left = a, *const *right = b;
  return strcmp((*left)->image, (*right)->image);
}

static int by_image_and_line(const void *a, const void *b) {
  const kn_pet *const *left = a, *const *right = b;
  int order = by_image(a, b);
  return order ? order : ((*left)->line > (*right)->line) - ((*left)->line < (*right)->line);
}

/* Pointers to the rows in the order of their names; free with kn_free. */
static kn_status index_by_image(const rows *list, kn_pet ***out_index) {
  *out_index = kn_alloc_array(list->count, sizeof **out_index);
  if (!*out_index) return kn_status_out_of_memory();
  for (size_t i = 0; i < list->count; i++) (*out_index)[i] = &list->items[i];
  qsort(*out_index, list->count, sizeof **out_index, by_image_and_line);
  kn_faults faults = {0};
  kn_status status = NULL;
  for (size_t i = 1; i < list->count && !status; i++) {
    const kn_pet *first = (*out_index)[i - 1], *row = (*out_index)[i];
    if (!strcmp(first->image, row->image))
      status = kn_faults_keep(&faults,
                              fault(list->path, row->line, "%s stands in line %zu already", row->image, first->line));
  }
  return give(&faults, list, status);
}

static kn_status assign_row(const rows *list, kn_pet **index, const rows *part, const kn_pet *row, kn_split split) {
  kn_pet **found = bsearch(&row, index, list->count, sizeof *index, by_image);
  if (!found) return fault(part->path, row->line, "%s is not in list.txt", row->image);
  if ((*found)->class_id != row->class_id || (*found)->species != row->species || (*found)->breed != row->breed)
    return fault(part->path, row->line, "%s has other numbers than in line %zu of list.txt", row->image,
                 (*found)->line);
  if ((*found)->split != KN_SPLIT_NONE)
    return fault(part->path, row->line, "%s is in the published split already", row->image);
  (*found)->split = split;
  return NULL;
}

static kn_status assign(const rows *list, kn_pet **index, const rows *part, kn_split split) {
  kn_faults faults = {0};
  kn_status status = NULL;
  for (size_t i = 0; i < part->count && !status; i++)
    status = kn_faults_keep(&faults, assign_row(list, index, part, &part->items[i], split));
  return give(&faults, part, status);
}

/* Adds to *there when the file exists. */
static kn_status look_for(const char *root, const char *name, bool *there) {
  struct stat found;
  char *path = kn_format("%s/annotations/%s", root, name);
  if (!path) return kn_status_out_of_memory();
  *there |= !stat(path, &found);
  kn_free(path);
  return NULL;
}

static kn_status read_split(const char *root, const rows *list, kn_pet **index) {
  kn_status status = NULL;
  for (size_t i = 0; i < SPLIT_FILES; i++) {
    rows part;
    kn_status read = read_rows(root, split_files[i].name, &part);
    if (!read) read = assign(list, index, &part, split_files[i].split);
    rows_clear(&part);
    status = kn_status_join(status, read);
  }
  KN_TRY(status);
  kn_faults faults = {0};
  for (size_t i = 0; i < list->count && !status; i++)
    if (list->items[i].split == KN_SPLIT_NONE)
      status = kn_faults_keep(&faults, fault(list->path, list->items[i].line,
                                             "%s is neither in trainval.txt nor in test.txt", list->items[i].image));
  return give(&faults, list, status);
}

static kn_status interpret(const char *root, const rows *list, kn_pets *pets) {
  if (!list->count) return kn_status_make_at(KN_BAD_DATA, list->path, "the data set is empty: no image is listed");
  KN_TRY(check_classes(list, pets));
  for (size_t i = 0; i < SPLIT_FILES; i++) KN_TRY(look_for(root, split_files[i].name, &pets->split_published));
  kn_pet **index;
  kn_status status = index_by_image(list, &index);
  if (!status && pets->split_published) status = read_split(root, list, index);
  kn_free(index);
  return status;
}

kn_status kn_pets_read(const char *root, kn_pets *out_pets) {
  *out_pets = (kn_pets){0};
  rows list;
  kn_status status = read_rows(root, "list.txt", &list);
  if (!status) status = interpret(root, &list, out_pets);
  if (status) {
    kn_pets_clear(out_pets);
  } else {
    out_pets->text = list.text;
    out_pets->items = list.items;
    out_pets->count = list.count;
    list.text = NULL;
    list.items = NULL;
  }
  rows_clear(&list);
  return status;
}

void kn_pets_clear(kn_pets *pets) {
  for (int i = 0; i < KN_PET_BREEDS; i++) kn_free(pets->class_names[i]);
  kn_free(pets->items);
  kn_free(pets->text);
  *pets = (kn_pets){0};
}
