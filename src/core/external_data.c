#include "core/external_data.h"

#include "core/content.h"
#include "core/file.h"

#include <kenning/protobuf.h>
#include <string.h>

enum { DEEPEST = 32, MOST_FILES = 4096, LONGEST_LOCATION = 4096 };

/* A decimal number written as text, as offset and length are. */
static bool number_of(kn_protobuf text, uint64_t *out_value) {
  *out_value = 0;
  for (; text.at < text.end; text.at++) {
    if (*text.at < '0' || *text.at > '9' || *out_value > UINT64_MAX / 10 - 1) return false;
    *out_value = *out_value * 10 + (uint64_t)(*text.at - '0');
  }
  return true;
}

/* ---- tensors ---- */

typedef struct tensor {
  kn_protobuf name, location, offset, length;
  uint64_t elements, type;
  bool external;
} tensor;

/* Of one element by TensorProto.DataType; 0: less than a byte, or not known. */
static uint64_t element_bytes(uint64_t type) {
  static const uint8_t bytes[] = {0, 4, 1, 1, 2, 2, 4, 8, 0, 1, 2, 8, 4, 8, 8, 16, 2};
  return type < sizeof bytes ? bytes[type] : 0;
}

static void take_entry(kn_protobuf message, tensor *t) { /* StringStringEntryProto: key, value */
  kn_protobuf_field f;
  kn_protobuf key = {0}, value = {0};
  while (kn_protobuf_next(&message, &f)) {
    if (f.type != KN_PROTOBUF_BYTES) continue;
    if (f.number == 1) key = f.bytes;
    if (f.number == 2) value = f.bytes;
  }
  if (kn_protobuf_is(key, "location")) t->location = value;
  if (kn_protobuf_is(key, "offset")) t->offset = value;
  if (kn_protobuf_is(key, "length")) t->length = value;
}

static void multiply(tensor *t, uint64_t size) {
  t->elements = size && t->elements > UINT64_MAX / size ? UINT64_MAX : t->elements * size;
}

static tensor tensor_of(kn_protobuf message) {
  tensor t = {.elements = 1};
  kn_protobuf_field f;
  while (kn_protobuf_next(&message, &f)) {
    uint64_t size;
    if (f.number == 1 && f.type == KN_PROTOBUF_VARINT) multiply(&t, f.value); /* dims, one by one or packed */
    while (f.number == 1 && kn_protobuf_varint(&f.bytes, &size)) multiply(&t, size);
    if (f.number == 2) t.type = f.value;           /* data_type */
    if (f.number == 8) t.name = f.bytes;           /* name */
    if (f.number == 13) take_entry(f.bytes, &t);   /* external_data */
    if (f.number == 14) t.external = f.value == 1; /* data_location */
  }
  return t;
}

/* A relative path whose parts stay below the model's directory. */
static bool stays_below(const char *location) {
  if (!*location || *location == '/') return false;
  for (const char *part = location; part; part = strchr(part, '/')) {
    part += *part == '/';
    size_t length = strcspn(part, "/");
    if (length == 2 && !strncmp(part, "..", 2)) return false;
  }
  return true;
}

/* Where the tensor ends in its file; without a length the shape tells. */
static kn_status end_of(const tensor *t, const char *name, uint64_t *out_end) {
  uint64_t offset, length;
  if (!number_of(t->offset, &offset) || !number_of(t->length, &length))
    return kn_status_make(KN_BAD_DATA, "the place of the values of the tensor '%.200s' is no number", name);
  uint64_t element = element_bytes(t->type);
  if (!t->length.at && element) length = t->elements > UINT64_MAX / element ? UINT64_MAX : t->elements * element;
  *out_end = offset > UINT64_MAX - length ? UINT64_MAX : offset + length;
  return NULL;
}

typedef struct walk {
  const char *model;
  kn_external_data *data;
  size_t room;
  unsigned depth;
} walk;

/* Takes `path` and `name`. */
static kn_status add_file(walk *w, char *path, char *name, uint64_t end) {
  kn_external_data *data = w->data;
  size_t i = 0;
  while (i < data->count && strcmp(data->files[i].path, path) != 0) i++;
  if (i < data->count) {
    kn_free(path);
    if (end > data->files[i].needed) {
      kn_free(data->files[i].tensor);
      data->files[i].tensor = name;
      data->files[i].needed = end;
    } else {
      kn_free(name);
    }
    return NULL;
  }
  kn_external_file *files = data->files;
  kn_status status = NULL;
  if (data->count == MOST_FILES) {
    status = kn_status_make(KN_INCOMPATIBLE, "%s has its weights in more than %d files", w->model, MOST_FILES);
  } else if (data->count == w->room) {
    w->room = w->room ? w->room * 2 : 4;
    files = kn_realloc(data->files, w->room * sizeof *files);
    if (!files) status = kn_status_out_of_memory();
  }
  if (status) {
    kn_free(path);
    kn_free(name);
    return status;
  }
  data->files = files;
  files[data->count++] = (kn_external_file){.path = path, .tensor = name, .needed = end};
  return NULL;
}

static char *text_of(kn_protobuf text) {
  return text.at ? kn_strndup((const char *)text.at, kn_protobuf_length(text)) : kn_strdup("");
}

static kn_status take_tensor(walk *w, kn_protobuf message) {
  tensor t = tensor_of(message);
  if (!t.external) return NULL;
  char *name = text_of(t.name), *location = text_of(t.location), *path = NULL;
  uint64_t end = 0;
  kn_status status = name && location ? NULL : kn_status_out_of_memory();
  if (!status && (!stays_below(location) || kn_protobuf_length(t.location) > LONGEST_LOCATION ||
                  strlen(location) != kn_protobuf_length(t.location)))
    status = kn_status_make(KN_BAD_DATA,
                            "%s: the values of the tensor '%.200s' are said to lie in '%.200s': only files below the "
                            "model's directory are read, neither absolute paths nor '..'",
                            w->model, name, location);
  if (!status) status = kn_status_annotate(end_of(&t, name, &end), "while reading %s", w->model);
  if (!status) {
    const char *slash = strrchr(w->model, '/');
    path = kn_format("%.*s%s", slash ? (int)(slash - w->model) + 1 : 0, w->model, location);
    if (!path) status = kn_status_out_of_memory();
  }
  kn_free(location);
  if (!status) return add_file(w, path, name, end);
  kn_free(name);
  return status;
}

/* ---- where tensors stand ---- */

static kn_status take_graph(walk *w, kn_protobuf message);

static kn_status take_node(walk *w, kn_protobuf message) {
  kn_protobuf_field f, inner;
  while (kn_protobuf_next(&message, &f))
    while (f.number == 5 && kn_protobuf_next(&f.bytes, &inner)) {                       /* attribute */
      if (inner.number == 5 || inner.number == 10) KN_TRY(take_tensor(w, inner.bytes)); /* t, tensors */
      if (inner.number == 6 || inner.number == 11) KN_TRY(take_graph(w, inner.bytes));  /* g, graphs */
    }
  return NULL;
}

static kn_status take_graph(walk *w, kn_protobuf message) {
  kn_protobuf_field f, inner;
  if (w->depth == DEEPEST) return NULL; /* refused by who reads the model */
  w->depth++;
  while (kn_protobuf_next(&message, &f)) {
    if (f.number == 1) KN_TRY(take_node(w, f.bytes));            /* node */
    if (f.number == 5) KN_TRY(take_tensor(w, f.bytes));          /* initializer */
    while (f.number == 15 && kn_protobuf_next(&f.bytes, &inner)) /* sparse_initializer: values, indices */
      if (inner.number <= 2) KN_TRY(take_tensor(w, inner.bytes));
  }
  w->depth--;
  return NULL;
}

static kn_status take_model(walk *w, kn_protobuf message) {
  kn_protobuf_field f, inner;
  while (kn_protobuf_next(&message, &f)) {
    if (f.number == 7) KN_TRY(take_graph(w, f.bytes));           /* graph */
    while (f.number == 25 && kn_protobuf_next(&f.bytes, &inner)) /* functions */
      if (inner.number == 7) KN_TRY(take_node(w, inner.bytes));
  }
  return NULL;
}

/* ---- files ---- */

void kn_external_data_clear(kn_external_data *data) {
  for (size_t i = 0; i < data->count; i++) {
    kn_free(data->files[i].path);
    kn_free(data->files[i].tensor);
  }
  kn_free(data->files);
  *data = (kn_external_data){0};
}

/* Mapped, so that of weights inside the file nothing is read. */
static kn_status read_mapped(const char *path, kn_external_data *data) {
  const void *bytes;
  size_t count;
  KN_TRY(kn_file_map(path, &bytes, &count));
  walk w = {.model = path, .data = data};
  kn_status status = take_model(&w, kn_protobuf_of(bytes, count));
  kn_file_unmap(bytes, count);
  return status;
}

kn_status kn_external_data_read(const char *path, kn_external_data *out_data) {
  kn_content content;
  *out_data = (kn_external_data){0};
  kn_status unreadable = kn_content_read(path, &content);
  if (unreadable || !content.format || strcmp(content.format, "onnx") != 0) {
    kn_status_free(unreadable);
    return NULL;
  }
  kn_status status = read_mapped(path, out_data);
  if (status) kn_external_data_clear(out_data);
  return status;
}

static kn_status check_file(const char *model, const kn_external_file *file) {
  uint64_t bytes;
  if (!kn_file_exists(file->path, &bytes))
    return kn_status_make(KN_NOT_FOUND,
                          "%s: no such file; %s has the values of the tensor '%.200s' there, and both belong side by "
                          "side",
                          file->path, model, file->tensor);
  if (bytes < file->needed)
    return kn_status_make(KN_BAD_DATA,
                          "%s is cut: it has %llu bytes, and the values of the tensor '%.200s' of %s end at byte %llu",
                          file->path, (unsigned long long)bytes, file->tensor, model, (unsigned long long)file->needed);
  return NULL;
}

kn_status kn_external_data_check(const char *path) {
  kn_external_data data;
  KN_TRY(kn_external_data_read(path, &data));
  kn_status status = NULL;
  for (size_t i = 0; i < data.count; i++) status = kn_status_join(status, check_file(path, &data.files[i]));
  kn_external_data_clear(&data);
  return status;
}
