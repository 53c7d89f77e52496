/* Files of named arrays as MXNet saves them (.params), read without MXNet: every length is checked before the engine,
 * which trusts most of them, sees the file.
 *
 * Layout (little-endian): uint64 0x112, uint64 0; uint64 count, the arrays; uint64 count, the names as uint64 length
 * and bytes. An array: uint32 0xF993FAC9 (or ...CA), int32 storage (0: dense), int32 rank, int64 dimensions, int32
 * device type, int32 device, int32 element type, the elements. */
#ifndef MXNET_NDARRAY_FILE_H
#define MXNET_NDARRAY_FILE_H

#include <kenning/plugin.h>

typedef struct ndarray {
  const char *name; /* not NUL-terminated; points into the file */
  size_t name_length;
  kn_dtype dtype;
  uint32_t rank;
  int64_t shape[KN_MAX_RANK];
  const void *data; /* points into the file, not aligned */
  size_t bytes;
} ndarray;

typedef struct ndarray_list {
  ndarray *items;
  size_t count;
} ndarray_list;

/* Takes apart `bytes` of a file named `path` in messages; the result points into `data`. KN_BAD_DATA, KN_INCOMPATIBLE
 * (sparse arrays, files written before MXNet 1.0). */
kn_status ndarray_list_parse(const char *path, const void *data, size_t bytes, ndarray_list *out_list) KN_MUST_USE;
void ndarray_list_clear(ndarray_list *list);
/* The array called `name`, or NULL. */
const ndarray *ndarray_list_find(const ndarray_list *list, const char *name);

#endif
