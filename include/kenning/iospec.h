/* Input and output specification of a model: Kenning's io_spec. */
#ifndef KENNING_IOSPEC_H
#define KENNING_IOSPEC_H

#include <kenning/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kn_ioentry {
  char *name;
  kn_dtype dtype;             /* type of the tensor inside the compiled model */
  uint32_t rank;
  int64_t shape[KN_MAX_RANK]; /* -1: dynamic */
  int64_t order;              /* position among the runtime's tensors; -1: not given */
  bool quantized;             /* scale and zero_point apply */
  double scale;
  int64_t zero_point;
  kn_dtype prequantized_dtype; /* type of the data before quantization / after dequantization; NONE when not given */
  char *class_name;            /* or NULL */
} kn_ioentry;

typedef struct kn_iolist {
  kn_ioentry *entries;
  size_t count;
} kn_iolist;

typedef struct kn_iospec {
  kn_iolist input;           /* what the data set delivers / the model takes */
  kn_iolist processed_input; /* after the wrapper's preprocessing, where it differs (count 0: same as input) */
  kn_iolist output;
  kn_iolist processed_output;
} kn_iospec;

/* Appends a copy of `entry` (strings are copied). */
KN_API kn_status kn_iolist_add(kn_iolist *list, const kn_ioentry *entry) KN_MUST_USE;
/* Frees what a spec owns and zeroes it; a zeroed spec is allowed. */
KN_API void kn_iospec_clear(kn_iospec *spec);
KN_API kn_status kn_iospec_copy(const kn_iospec *from, kn_iospec *out_spec) KN_MUST_USE;
/* Reads / writes Kenning's JSON. `name` is used in messages only. Writing is atomic (temporary file, rename). */
KN_API kn_status kn_iospec_parse(const char *json, size_t length, const char *name, kn_iospec *out_spec) KN_MUST_USE;
KN_API kn_status kn_iospec_read(const char *path, kn_iospec *out_spec) KN_MUST_USE;
KN_API kn_status kn_iospec_write(const kn_iospec *spec, const char *path) KN_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
