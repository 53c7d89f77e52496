/* Input and output specification of a model: Kenning's io_spec. */
#ifndef KENNING_IOSPEC_H
#define KENNING_IOSPEC_H

#include <kenning/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kn_ioentry {
  char *name;
  kn_dtype dtype; /* type of the tensor inside the compiled model */
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
/* What kn_iospec_write writes, with a NUL behind it; free with kn_free. */
KN_API kn_status kn_iospec_text(const kn_iospec *spec, char **out_json, size_t *out_bytes) KN_MUST_USE;
/* Reads / writes Kenning's JSON. `name` is used in messages only. Writing is atomic (temporary file, rename). */
KN_API kn_status kn_iospec_parse(const char *json, size_t length, const char *name, kn_iospec *out_spec) KN_MUST_USE;
KN_API kn_status kn_iospec_read(const char *path, kn_iospec *out_spec) KN_MUST_USE;
KN_API kn_status kn_iospec_write(const kn_iospec *spec, const char *path) KN_MUST_USE;

/* For runtimes: the list of `spec` that speaks of the model's inputs: where the wrapper's input differs from the
 * model's, the model's is meant. NULL when `spec` is NULL or says nothing. */
static inline const kn_iolist *kn_iospec_model_input(const kn_iospec *spec) {
  if (!spec) return NULL;
  if (spec->processed_input.count) return &spec->processed_input;
  return spec->input.count ? &spec->input : NULL;
}

/* For runtimes: brings `found`, what a loaded model takes or gives (names, types, concrete shapes, quantization; in the
 * model's order), into the order of `given`, the list of an io specification (NULL or empty: says nothing). Entries
 * find each other by name, or by position where none of the names is the model's; a few of them are refused. Types and
 * dimensions must agree; the first dimension is the batch and -1 fits everything; float32 fits what is quantized. Where
 * the model does not tell how its integers are meant, the specification does. Appends to *out_list; out_places[i] is
 * the place of its entry i in `found`, which has found->count entries. `what` is "input" or "output", for messages.
 * KN_INCOMPATIBLE. */
KN_API kn_status kn_iolist_bind(const kn_iolist *given, const kn_iolist *found, const char *what, kn_iolist *out_list,
                                size_t *out_places) KN_MUST_USE;

/* Fills in `list`, inputs or outputs of a result, what the list `before` of the model that it was made of says beyond
 * that: names of classes, dimensions but the first that are free (-1) in it, and what integers of the same type mean.
 * Entries find each other by name, else by position. */
KN_API kn_status kn_iolist_inherit(kn_iolist *list, const kn_iolist *before) KN_MUST_USE;

/* For runtimes: whether as many tensors are handed over as there are. `what` as above. KN_INVALID_ARGUMENT. */
static inline kn_status kn_iolist_check_count(const kn_iolist *list, size_t count, const char *what) {
  if (count == list->count) return NULL;
  return kn_status_make(KN_INVALID_ARGUMENT, "the model has %zu %s(s), not %zu", list->count, what, count);
}

/* Copies a tensor into the model's memory for `entry`, or out of it; float32 is quantized, or dequantized, where the
 * entry says so. The shape of `entry` is concrete, the view must have as many elements; `out` and `from` hold that many
 * of the entry's type. KN_INVALID_ARGUMENT. */
KN_API kn_status kn_ioentry_store(const kn_ioentry *entry, const kn_tensor_view *view, void *out) KN_MUST_USE;
KN_API kn_status kn_ioentry_fetch(const kn_ioentry *entry, const void *from, const kn_tensor_view *out) KN_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
