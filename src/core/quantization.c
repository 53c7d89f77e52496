/* Built with -O3 (CMakeLists.txt): the loops become vectors, and every sample of a quantized model goes through one. */
#include <kenning/tensor.h>

#include <float.h>
#include <math.h>

_Static_assert(FLT_EVAL_METHOD == 0, "float arithmetic must not keep more bits than a float has");

static bool integer_range(kn_dtype dtype, int32_t *low, int32_t *high) {
  switch ((int)dtype) {
    case KN_INT8:
      *low = INT8_MIN, *high = INT8_MAX;
      return true;
    case KN_UINT8:
      *low = 0, *high = UINT8_MAX;
      return true;
    case KN_INT16:
      *low = INT16_MIN, *high = INT16_MAX;
      return true;
    default:
      return false;
  }
}

/* Parameters come from model files and io specifications: nothing about them is certain. */
static kn_status check(double scale, int64_t zero_point, kn_dtype dtype, int32_t *out_low, int32_t *out_high) {
  *out_low = *out_high = 0;
  if (!integer_range(dtype, out_low, out_high))
    return kn_status_make(KN_INVALID_ARGUMENT, "quantized values are int8, uint8 or int16, not %s",
                          kn_dtype_name(dtype));
  if (!(scale > 0) || !isfinite(scale))
    return kn_status_make(KN_INVALID_ARGUMENT, "quantization scale %g is not positive", scale);
  if (zero_point < *out_low || zero_point > *out_high)
    return kn_status_make(KN_INVALID_ARGUMENT, "zero point %lld does not fit %s", (long long)zero_point,
                          kn_dtype_name(dtype));
  return NULL;
}

/* From low to high, as integers less the zero point; clipped before it is rounded, which gives the same since both ends
 * are integers. */
static inline int32_t rounded(float value, float step, float low, float high) {
  /* Half to even: a float of this size has no bits left for a fraction. Good for less than 2^22 on both sides of 0. */
  const float integers = 0x1.8p23F;
  float q = value / step; /* in float32 as the frameworks do it, so that ties fall on the same side */
  q = q < low ? low : q;
  q = q > high ? high : q;
  q = q == q ? q : 0; /* NaN */
  return (int32_t)((q + integers) - integers);
}

kn_status kn_quantize(const float *values, size_t count, double scale, int64_t zero_point, kn_dtype dtype, void *out) {
  int32_t first, last, zero = (int32_t)zero_point;
  KN_TRY(check(scale, zero_point, dtype, &first, &last));
  float step = (float)scale, low = (float)(first - zero), high = (float)(last - zero);
  switch ((int)dtype) {
    case KN_INT8:
      for (size_t i = 0; i < count; i++) ((int8_t *)out)[i] = (int8_t)(rounded(values[i], step, low, high) + zero);
      break;
    case KN_UINT8:
      for (size_t i = 0; i < count; i++) ((uint8_t *)out)[i] = (uint8_t)(rounded(values[i], step, low, high) + zero);
      break;
    default:
      for (size_t i = 0; i < count; i++) ((int16_t *)out)[i] = (int16_t)(rounded(values[i], step, low, high) + zero);
  }
  return NULL;
}

kn_status kn_dequantize(const void *values, size_t count, double scale, int64_t zero_point, kn_dtype dtype,
                        float *out) {
  int32_t first, last, zero = (int32_t)zero_point;
  KN_TRY(check(scale, zero_point, dtype, &first, &last));
  float step = (float)scale;
  switch ((int)dtype) {
    case KN_INT8:
      for (size_t i = 0; i < count; i++) out[i] = step * (float)(((const int8_t *)values)[i] - zero);
      break;
    case KN_UINT8:
      for (size_t i = 0; i < count; i++) out[i] = step * (float)(((const uint8_t *)values)[i] - zero);
      break;
    default:
      for (size_t i = 0; i < count; i++) out[i] = step * (float)(((const int16_t *)values)[i] - zero);
  }
  return NULL;
}
