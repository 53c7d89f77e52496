/* A model that is compiled to C and linked into the program: what its archive of sources declares (kenning_model.h), in
 * one struct. cmake/linked_model.c.in makes it when KENNING_LINKED_MODEL names an archive. */
#ifndef KENNING_RUNTIMES_LINKED_MODEL_H
#define KENNING_RUNTIMES_LINKED_MODEL_H

#include <stddef.h>
#include <stdint.h>

typedef struct kn_linked_tensor {
  const char *name;
  const char *dtype; /* "float32", "int8", ... */
  size_t bytes;
  uint32_t rank;
  const int64_t *shape;
  int quantized; /* real = scale * (stored - zero_point) */
  double scale;
  int64_t zero_point;
} kn_linked_tensor;

typedef struct kn_linked_model {
  const char *sha256; /* of the archive, in hexadecimal: hosts send that file */
  size_t input_count, output_count;
  kn_linked_tensor (*input)(size_t index);
  kn_linked_tensor (*output)(size_t index);
  /* Memory of the tensors' sizes, aligned to 16 bytes. 0: done. One inference at a time. */
  int (*run)(void *const *inputs, void *const *outputs);
} kn_linked_model;

extern const kn_linked_model kn_linked_model_here;

#endif
