/* Tensors: compact, row-major. A view never owns its data. */
#ifndef KENNING_TENSOR_H
#define KENNING_TENSOR_H

#include <kenning/status.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { KN_MAX_RANK = 8, KN_TENSOR_ALIGNMENT = 64 };

typedef enum kn_dtype {
  KN_DTYPE_NONE = 0,
  KN_FLOAT32,
  KN_FLOAT16,
  KN_BFLOAT16,
  KN_FLOAT64,
  KN_INT8,
  KN_UINT8,
  KN_INT16,
  KN_UINT16,
  KN_INT32,
  KN_UINT32,
  KN_INT64,
  KN_UINT64,
  KN_BOOL8
} kn_dtype;

/* Bytes of one element, 0 for KN_DTYPE_NONE. */
KN_API size_t kn_dtype_size(kn_dtype dtype);
/* numpy's name ("float32", "int8", "bool"), "none" for KN_DTYPE_NONE. */
KN_API const char *kn_dtype_name(kn_dtype dtype);
/* KN_DTYPE_NONE when the name is unknown. */
KN_API kn_dtype kn_dtype_from_name(const char *name);

typedef struct kn_tensor_view {
  void *data;   /* not owned */
  size_t bytes; /* size of `data`: product of the shape times the element size */
  kn_dtype dtype;
  uint32_t rank; /* 0: scalar */
  int64_t shape[KN_MAX_RANK];
} kn_tensor_view;

/* Product of the dimensions and the element size. KN_INVALID_ARGUMENT when a dimension is negative or the product
 * overflows. */
KN_API kn_status kn_tensor_bytes(kn_dtype dtype, uint32_t rank, const int64_t *shape, size_t *out_bytes) KN_MUST_USE;
/* Number of elements of a valid view. */
KN_API size_t kn_tensor_elements(const kn_tensor_view *view);
/* The dimensions with commas between them, "1,28,28"; free with kn_free. NULL: out of memory. */
KN_API char *kn_shape_text(uint32_t rank, const int64_t *shape);
/* Allocates zeroed, 64-byte aligned data for the given shape. Free with kn_tensor_free. */
KN_API kn_status kn_tensor_create(kn_dtype dtype, uint32_t rank, const int64_t *shape,
                                  kn_tensor_view *out_tensor) KN_MUST_USE;
/* Frees the data of a tensor made by kn_tensor_create and zeroes the struct; a zeroed struct is allowed. */
KN_API void kn_tensor_free(kn_tensor_view *tensor);

/* Affine quantization: q = clip(round_half_to_even(x / scale) + zero_point). `count` elements of float32 to int8,
 * uint8 or int16. Formula: Jacob et al., "Quantization and Training of Neural Networks for Efficient
 * Integer-Arithmetic-Only Inference", 2018, eq. 1. NaN becomes zero_point. */
KN_API kn_status kn_quantize(const float *values, size_t count, double scale, int64_t zero_point, kn_dtype dtype,
                             void *out) KN_MUST_USE;
/* x = scale * (q - zero_point), to float32. */
KN_API kn_status kn_dequantize(const void *values, size_t count, double scale, int64_t zero_point, kn_dtype dtype,
                               float *out) KN_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
