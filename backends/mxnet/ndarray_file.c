#include "ndarray_file.h"

#include <string.h>

enum { LIST_MAGIC = 0x112, SMALLEST_ARRAY = 24 };
static const uint32_t array_magic = 0xF993FAC9u, array_magic_numpy = 0xF993FACAu;

typedef struct reader {
  const char *path;
  const unsigned char *data;
  size_t bytes, at;
} reader;

static bool take(reader *r, void *out, size_t bytes) {
  if (bytes > r->bytes - r->at) return false;
  memcpy(out, r->data + r->at, bytes);
  r->at += bytes;
  return true;
}

static kn_status cut(const reader *r) {
  return kn_status_make(KN_BAD_DATA, "%s ends in the middle: it is no whole file of MXNet arrays", r->path);
}

/* mshadow's TypeFlag. */
static kn_dtype dtype_of(int32_t type) {
  static const kn_dtype dtypes[] = {KN_FLOAT32, KN_FLOAT64, KN_FLOAT16, KN_UINT8,
                                    KN_INT32,   KN_INT8,    KN_INT64,   KN_BOOL8};
  return type >= 0 && (size_t)type < sizeof dtypes / sizeof *dtypes ? dtypes[type] : KN_DTYPE_NONE;
}

static kn_status read_array(reader *r, size_t index, ndarray *out) {
  uint32_t magic;
  int32_t storage, rank, device[2], type;
  if (!take(r, &magic, 4) || !take(r, &storage, 4) || !take(r, &rank, 4)) return cut(r);
  if (magic != array_magic && magic != array_magic_numpy)
    return kn_status_make(KN_INCOMPATIBLE,
                          "%s: array %zu has a form that is not supported (%08x); MXNet 1.0 to 1.9 write others",
                          r->path, index, magic);
  if (storage != 0)
    return kn_status_make(KN_INCOMPATIBLE, "%s: array %zu is sparse, which is not supported", r->path, index);
  if (rank < 0 || rank > KN_MAX_RANK)
    return kn_status_make(KN_BAD_DATA, "%s: array %zu has %d dimensions", r->path, index, rank);
  out->rank = (uint32_t)rank;
  if (!take(r, out->shape, (size_t)rank * sizeof *out->shape)) return cut(r);
  if (!take(r, device, 8) || !take(r, &type, 4)) return cut(r);
  out->dtype = dtype_of(type);
  if (out->dtype == KN_DTYPE_NONE)
    return kn_status_make(KN_BAD_DATA, "%s: array %zu has the unknown element type %d", r->path, index, type);
  KN_TRY(kn_status_annotate(kn_tensor_bytes(out->dtype, out->rank, out->shape, &out->bytes), "array %zu of %s", index,
                            r->path));
  if (out->bytes > r->bytes - r->at) return cut(r);
  out->data = r->data + r->at;
  r->at += out->bytes;
  return NULL;
}

static kn_status read_names(reader *r, ndarray_list *list) {
  uint64_t count, length;
  if (!take(r, &count, 8)) return cut(r);
  if (count != list->count)
    return kn_status_make(KN_BAD_DATA, "%s has %zu arrays and %llu names", r->path, list->count,
                          (unsigned long long)count);
  for (size_t i = 0; i < list->count; i++) {
    if (!take(r, &length, 8) || length > r->bytes - r->at) return cut(r);
    list->items[i].name = (const char *)r->data + r->at;
    list->items[i].name_length = (size_t)length;
    r->at += (size_t)length;
  }
  return r->at == r->bytes ? NULL : kn_status_make(KN_BAD_DATA, "%s goes on after its end", r->path);
}

static kn_status read_list(reader *r, ndarray_list *list) {
  uint64_t magic, reserved, count;
  if (!take(r, &magic, 8) || magic != LIST_MAGIC)
    return kn_status_make(KN_BAD_DATA, "%s is no file of MXNet arrays (.params)", r->path);
  if (!take(r, &reserved, 8) || !take(r, &count, 8)) return cut(r);
  if (count > (r->bytes - r->at) / SMALLEST_ARRAY) return cut(r);
  list->items = kn_alloc_array((size_t)count, sizeof *list->items);
  if (!list->items) return kn_status_out_of_memory();
  list->count = (size_t)count;
  for (size_t i = 0; i < list->count; i++) {
    kn_status status = read_array(r, i, &list->items[i]);
    if (kn_status_code(status) == KN_INVALID_ARGUMENT) { /* a negative dimension, or too many elements */
      kn_status_free(status);
      status = kn_status_make(KN_BAD_DATA, "%s: array %zu has an impossible shape", r->path, i);
    }
    KN_TRY(status);
  }
  return read_names(r, list);
}

kn_status ndarray_list_parse(const char *path, const void *data, size_t bytes, ndarray_list *out_list) {
  *out_list = (ndarray_list){0};
  reader r = {.path = path, .data = data, .bytes = bytes};
  kn_status status = read_list(&r, out_list);
  if (status) ndarray_list_clear(out_list);
  return status;
}

void ndarray_list_clear(ndarray_list *list) {
  kn_free(list->items);
  *list = (ndarray_list){0};
}

const ndarray *ndarray_list_find(const ndarray_list *list, const char *name) {
  size_t length = strlen(name);
  for (size_t i = 0; i < list->count; i++)
    if (list->items[i].name_length == length && memcmp(list->items[i].name, name, length) == 0) return &list->items[i];
  return NULL;
}
