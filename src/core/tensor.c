#include <kenning/tensor.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
  const char *name;
  size_t size;
} dtypes[] = {
    [KN_DTYPE_NONE] = {"none", 0}, [KN_FLOAT32] = {"float32", 4},   [KN_FLOAT16] = {"float16", 2},
    [KN_BFLOAT16] = {"bfloat16", 2}, [KN_FLOAT64] = {"float64", 8}, [KN_INT8] = {"int8", 1},
    [KN_UINT8] = {"uint8", 1},     [KN_INT16] = {"int16", 2},       [KN_UINT16] = {"uint16", 2},
    [KN_INT32] = {"int32", 4},     [KN_UINT32] = {"uint32", 4},     [KN_INT64] = {"int64", 8},
    [KN_UINT64] = {"uint64", 8},   [KN_BOOL8] = {"bool", 1},
};
enum { DTYPE_COUNT = sizeof dtypes / sizeof dtypes[0] };

size_t kn_dtype_size(kn_dtype dtype) { return (unsigned)dtype < DTYPE_COUNT ? dtypes[dtype].size : 0; }

const char *kn_dtype_name(kn_dtype dtype) { return (unsigned)dtype < DTYPE_COUNT ? dtypes[dtype].name : "none"; }

kn_dtype kn_dtype_from_name(const char *name) {
  for (unsigned i = 1; i < DTYPE_COUNT; i++)
    if (!strcmp(dtypes[i].name, name)) return (kn_dtype)i;
  return KN_DTYPE_NONE;
}

kn_status kn_tensor_bytes(kn_dtype dtype, uint32_t rank, const int64_t *shape, size_t *out_bytes) {
  *out_bytes = 0;
  size_t bytes = kn_dtype_size(dtype);
  if (!bytes) return kn_status_make(KN_INVALID_ARGUMENT, "a tensor needs a data type");
  if (rank > KN_MAX_RANK) return kn_status_make(KN_INVALID_ARGUMENT, "a tensor of rank %u: at most %d", rank, KN_MAX_RANK);
  for (uint32_t i = 0; i < rank; i++) {
    if (shape[i] < 0)
      return kn_status_make(KN_INVALID_ARGUMENT, "dimension %u of the tensor is %lld; a concrete size is needed", i,
                            (long long)shape[i]);
    if (!kn_mul_size(bytes, (size_t)shape[i], &bytes) || bytes > (size_t)PTRDIFF_MAX)
      return kn_status_make(KN_INVALID_ARGUMENT, "the tensor's size overflows");
  }
  *out_bytes = bytes;
  return NULL;
}

size_t kn_tensor_elements(const kn_tensor_view *view) {
  size_t size = kn_dtype_size(view->dtype);
  return size ? view->bytes / size : 0;
}

kn_status kn_tensor_create(kn_dtype dtype, uint32_t rank, const int64_t *shape, kn_tensor_view *out_tensor) {
  *out_tensor = (kn_tensor_view){0};
  size_t bytes, total;
  KN_TRY(kn_tensor_bytes(dtype, rank, shape, &bytes));
  /* The block's own address is kept in front of the aligned data so that kn_tensor_free finds it. */
  if (!kn_add_size(bytes, KN_TENSOR_ALIGNMENT + sizeof(void *), &total)) return kn_status_out_of_memory();
  char *block = kn_alloc(total);
  if (!block) return kn_status_out_of_memory();
  uintptr_t start = (uintptr_t)block + sizeof(void *);
  char *data = block + sizeof(void *) + (KN_TENSOR_ALIGNMENT - start % KN_TENSOR_ALIGNMENT) % KN_TENSOR_ALIGNMENT;
  memcpy(data - sizeof(void *), &block, sizeof block);
  out_tensor->data = data;
  out_tensor->bytes = bytes;
  out_tensor->dtype = dtype;
  out_tensor->rank = rank;
  if (rank) memcpy(out_tensor->shape, shape, rank * sizeof *shape);
  return NULL;
}

void kn_tensor_free(kn_tensor_view *tensor) {
  if (tensor->data) {
    void *block;
    memcpy(&block, (char *)tensor->data - sizeof(void *), sizeof block);
    kn_free(block);
  }
  *tensor = (kn_tensor_view){0};
}

static bool integer_range(kn_dtype dtype, double *low, double *high) {
  switch ((int)dtype) {
    case KN_INT8: *low = INT8_MIN, *high = INT8_MAX; return true;
    case KN_UINT8: *low = 0, *high = UINT8_MAX; return true;
    case KN_INT16: *low = INT16_MIN, *high = INT16_MAX; return true;
    default: return false;
  }
}

/* Parameters come from model files and io specifications: nothing about them is certain. */
static kn_status check_quantization(double scale, int64_t zero_point, kn_dtype dtype, double *out_low,
                                    double *out_high) {
  if (!integer_range(dtype, out_low, out_high))
    return kn_status_make(KN_INVALID_ARGUMENT, "quantized values are int8, uint8 or int16, not %s",
                          kn_dtype_name(dtype));
  if (!(scale > 0) || !isfinite(scale))
    return kn_status_make(KN_INVALID_ARGUMENT, "quantization scale %g is not positive", scale);
  if ((double)zero_point < *out_low || (double)zero_point > *out_high)
    return kn_status_make(KN_INVALID_ARGUMENT, "zero point %lld does not fit %s", (long long)zero_point,
                          kn_dtype_name(dtype));
  return NULL;
}

kn_status kn_quantize(const float *values, size_t count, double scale, int64_t zero_point, kn_dtype dtype, void *out) {
  double low, high, zero = (double)zero_point;
  KN_TRY(check_quantization(scale, zero_point, dtype, &low, &high));
  for (size_t i = 0; i < count; i++) {
    /* float32 division as the frameworks do it, so that ties fall on the same side. */
    double q = (double)rintf(values[i] / (float)scale) + zero;
    if (isnan(q)) q = zero;
    q = q < low ? low : q > high ? high : q;
    switch ((int)dtype) {
      case KN_INT8: ((int8_t *)out)[i] = (int8_t)q; break;
      case KN_UINT8: ((uint8_t *)out)[i] = (uint8_t)q; break;
      default: ((int16_t *)out)[i] = (int16_t)q; break;
    }
  }
  return NULL;
}

kn_status kn_dequantize(const void *values, size_t count, double scale, int64_t zero_point, kn_dtype dtype, float *out) {
  double low, high;
  KN_TRY(check_quantization(scale, zero_point, dtype, &low, &high));
  float step = (float)scale;
  for (size_t i = 0; i < count; i++) {
    int64_t q = dtype == KN_INT8    ? ((const int8_t *)values)[i]
                : dtype == KN_UINT8 ? ((const uint8_t *)values)[i]
                                    : ((const int16_t *)values)[i];
    out[i] = step * (float)(q - zero_point);
  }
  return NULL;
}
