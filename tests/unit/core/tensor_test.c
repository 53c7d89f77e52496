#include "core/memory.h"
#include "support/status.h"

#include <kenning/random.h>
#include <kenning/tensor.h>
#include <math.h>
#include <string.h>

static void types_have_sizes_and_numpys_names(void **state) {
  (void)state;
  static const struct {
    kn_dtype dtype;
    size_t size;
    const char *name;
  } expected[] = {{KN_FLOAT32, 4, "float32"}, {KN_FLOAT16, 2, "float16"}, {KN_BFLOAT16, 2, "bfloat16"},
                  {KN_FLOAT64, 8, "float64"}, {KN_INT8, 1, "int8"},       {KN_UINT8, 1, "uint8"},
                  {KN_INT16, 2, "int16"},     {KN_UINT16, 2, "uint16"},   {KN_INT32, 4, "int32"},
                  {KN_UINT32, 4, "uint32"},   {KN_INT64, 8, "int64"},     {KN_UINT64, 8, "uint64"},
                  {KN_BOOL8, 1, "bool"}};
  for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
    assert_int_equal(kn_dtype_size(expected[i].dtype), expected[i].size);
    assert_string_equal(kn_dtype_name(expected[i].dtype), expected[i].name);
    assert_int_equal(kn_dtype_from_name(expected[i].name), expected[i].dtype);
  }
  assert_int_equal(kn_dtype_from_name("float31"), KN_DTYPE_NONE);
  assert_int_equal(kn_dtype_from_name("none"), KN_DTYPE_NONE);
  assert_int_equal(kn_dtype_from_name(""), KN_DTYPE_NONE);
  assert_int_equal(kn_dtype_size(KN_DTYPE_NONE), 0);
  assert_int_equal(kn_dtype_size((kn_dtype)1000), 0);
  assert_string_equal(kn_dtype_name((kn_dtype)1000), "none");
}

static kn_status bytes_of(kn_dtype dtype, uint32_t rank, const int64_t *shape, size_t *out) {
  return kn_tensor_bytes(dtype, rank, shape, out);
}

static void sizes_are_checked_products(void **state) {
  (void)state;
  size_t bytes;
  kt_assert_ok(bytes_of(KN_FLOAT32, 4, (const int64_t[]){1, 224, 224, 3}, &bytes));
  assert_int_equal(bytes, 602112);
  kt_assert_ok(bytes_of(KN_INT8, 0, NULL, &bytes)); /* a scalar */
  assert_int_equal(bytes, 1);
  kt_assert_ok(bytes_of(KN_FLOAT64, 2, (const int64_t[]){0, 5}, &bytes));
  assert_int_equal(bytes, 0);
  kt_assert_ok(bytes_of(KN_UINT8, 8, (const int64_t[]){1, 1, 1, 1, 1, 1, 1, 9}, &bytes));
  assert_int_equal(bytes, 9);

  kt_assert_fault(bytes_of(KN_FLOAT32, 1, (const int64_t[]){-1}, &bytes), KN_INVALID_ARGUMENT, "-1");
  assert_int_equal(bytes, 0);
  kt_assert_fault(bytes_of(KN_FLOAT32, 2, (const int64_t[]){1, INT64_MIN}, &bytes), KN_INVALID_ARGUMENT, NULL);
  kt_assert_fault(bytes_of(KN_FLOAT32, 1, (const int64_t[]){INT64_MAX}, &bytes), KN_INVALID_ARGUMENT, "overflow");
  kt_assert_fault(bytes_of(KN_UINT8, 2, (const int64_t[]){INT64_C(1) << 32, INT64_C(1) << 32}, &bytes),
                  KN_INVALID_ARGUMENT, "overflow");
  kt_assert_fault(bytes_of(KN_UINT8, 3, (const int64_t[]){INT64_C(1) << 32, INT64_C(1) << 31, 2}, &bytes),
                  KN_INVALID_ARGUMENT, "overflow"); /* beyond PTRDIFF_MAX */
  kt_assert_fault(bytes_of(KN_UINT8, 9, (const int64_t[]){1, 1, 1, 1, 1, 1, 1, 1, 1}, &bytes), KN_INVALID_ARGUMENT,
                  "rank 9");
  kt_assert_fault(bytes_of(KN_UINT8, UINT32_MAX, NULL, &bytes), KN_INVALID_ARGUMENT, "rank");
  kt_assert_fault(bytes_of(KN_DTYPE_NONE, 1, (const int64_t[]){1}, &bytes), KN_INVALID_ARGUMENT, "data type");
}

static void tensors_are_aligned_and_zeroed(void **state) {
  (void)state;
  for (int64_t n = 0; n < 200; n++) {
    kn_tensor_view tensor;
    kt_assert_ok(kn_tensor_create(KN_INT16, 2, (const int64_t[]){n, 3}, &tensor));
    assert_int_equal((uintptr_t)tensor.data % KN_TENSOR_ALIGNMENT, 0);
    assert_int_equal(tensor.bytes, (size_t)n * 6);
    assert_int_equal(kn_tensor_elements(&tensor), (size_t)n * 3);
    assert_int_equal(tensor.rank, 2);
    assert_int_equal(tensor.shape[0], n);
    assert_int_equal(tensor.shape[1], 3);
    for (size_t i = 0; i < tensor.bytes; i++) assert_int_equal(((char *)tensor.data)[i], 0);
    memset(tensor.data, 0xFF, tensor.bytes);
    kn_tensor_free(&tensor);
    assert_null(tensor.data);
    assert_int_equal(tensor.bytes, 0);
    kn_tensor_free(&tensor);
  }
}

static void a_tensor_that_cannot_be_made_is_empty(void **state) {
  (void)state;
  kn_tensor_view tensor = {.data = &tensor, .bytes = 5};
  kt_assert_fault(kn_tensor_create(KN_FLOAT32, 1, (const int64_t[]){-1}, &tensor), KN_INVALID_ARGUMENT, NULL);
  assert_null(tensor.data);
  kn_memory_fail_after(0);
  kn_status status = kn_tensor_create(KN_FLOAT32, 1, (const int64_t[]){4}, &tensor);
  kn_memory_fail_after(UINT64_MAX);
  kt_assert_fault(status, KN_OUT_OF_MEMORY, NULL);
  assert_null(tensor.data);
  assert_int_equal(tensor.bytes, 0);
}

/* Expected values worked out by hand from q = clip(round_half_to_even(x / scale) + zero_point). */
static void quantization_rounds_ties_to_even_and_clips(void **state) {
  (void)state;
  static const struct {
    float value;
    int expected;
  } cases[] = {{0.0F, 3},
               {0.5F, 4},
               {0.25F, 3} /* 0.5 -> 0 */,
               {0.75F, 5} /* 1.5 -> 2 */,
               {1.25F, 5} /* 2.5 -> 2 */,
               {-0.25F, 3},
               {-0.75F, 1},
               {-1.25F, 1},
               {0.26F, 4},
               {62.0F, 127},
               {62.25F, 127} /* 124.5 -> 124 */,
               {62.5F, 127} /* clipped */,
               {1e30F, 127},
               {-65.5F, -128},
               {-66.0F, -128},
               {-1e30F, -128},
               {INFINITY, 127},
               {-INFINITY, -128},
               {NAN, 3},
               {-NAN, 3},
               {-0.0F, 3},
               {1e-45F, 3}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    int8_t q = 99;
    kt_assert_ok(kn_quantize(&cases[i].value, 1, 0.5, 3, KN_INT8, &q));
    assert_int_equal(q, cases[i].expected);
  }
  const float values[] = {-1.0F, 0.0F, 0.5F / 255, 1.5F / 255, 1.0F, 2.0F};
  uint8_t bytes[6];
  kt_assert_ok(kn_quantize(values, 6, 1.0 / 255, 0, KN_UINT8, bytes));
  const uint8_t expected_bytes[] = {0, 0, 0, 2, 255, 255};
  assert_memory_equal(bytes, expected_bytes, 6);

  int16_t words[3];
  kt_assert_ok(kn_quantize((const float[]){-1e9F, 12.5F, 1e9F}, 3, 1, 0, KN_INT16, words));
  const int16_t expected_words[] = {INT16_MIN, 12, INT16_MAX};
  assert_memory_equal(words, expected_words, sizeof words);
}

/* The formula word by word, one value at a time. */
static int quantized(float value, float scale, int zero_point, int low, int high) {
  double q = (double)rintf(value / scale) + zero_point;
  if (isnan(q)) return zero_point;
  return (int)(q < low ? low : q > high ? high : q);
}

/* Whole vectors and what is left of them; ties, numbers of every size, infinities and not-a-numbers. */
static void many_values_are_quantized_as_one(void **state) {
  (void)state;
  enum { COUNT = 1003 };
  static float values[COUNT];
  static int8_t narrow[COUNT];
  static uint8_t positive[COUNT];
  static int16_t wide[COUNT];
  static const float scales[] = {0.25F, 1.0F / 255, 0.0173F, 3e-39F, 1e38F};
  for (size_t round = 0; round < 2 * sizeof scales / sizeof *scales; round++) {
    float scale = scales[round / 2];
    for (size_t i = 0; i < COUNT; i++) {
      uint32_t bits = (uint32_t)(kn_random_unit(round, i) * 4294967296.0);
      memcpy(&values[i], &bits, sizeof bits);
      if (round % 2) values[i] = scale / 2 * (float)((int)(bits % 70001) - 35000);
    }
    kt_assert_ok(kn_quantize(values, COUNT, (double)scale, -3, KN_INT8, narrow));
    kt_assert_ok(kn_quantize(values, COUNT, (double)scale, 200, KN_UINT8, positive));
    kt_assert_ok(kn_quantize(values, COUNT, (double)scale, 32767, KN_INT16, wide));
    for (size_t i = 0; i < COUNT; i++) {
      assert_int_equal(narrow[i], quantized(values[i], scale, -3, INT8_MIN, INT8_MAX));
      assert_int_equal(positive[i], quantized(values[i], scale, 200, 0, UINT8_MAX));
      assert_int_equal(wide[i], quantized(values[i], scale, 32767, INT16_MIN, INT16_MAX));
    }
  }
}

static void quantization_parameters_are_judged(void **state) {
  (void)state;
  const float value = 1;
  int16_t out = 7;
  static const double scales[] = {0, -1, INFINITY, -INFINITY, NAN};
  for (size_t i = 0; i < 5; i++) {
    kt_assert_fault(kn_quantize(&value, 1, scales[i], 0, KN_INT8, &out), KN_INVALID_ARGUMENT, "scale");
    float back;
    kt_assert_fault(kn_dequantize(&out, 1, scales[i], 0, KN_INT8, &back), KN_INVALID_ARGUMENT, "scale");
  }
  static const struct {
    kn_dtype dtype;
    int64_t zero_point;
  } faults[] = {{KN_INT8, 128},      {KN_INT8, -129},      {KN_UINT8, -1},      {KN_UINT8, 256},
                {KN_INT16, 1 << 15}, {KN_INT8, INT64_MAX}, {KN_INT8, INT64_MIN}};
  for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
    kt_assert_fault(kn_quantize(&value, 1, 1, faults[i].zero_point, faults[i].dtype, &out), KN_INVALID_ARGUMENT,
                    "zero point");
    float back;
    kt_assert_fault(kn_dequantize(&out, 1, 1, faults[i].zero_point, faults[i].dtype, &back), KN_INVALID_ARGUMENT,
                    "zero point");
  }
  kt_assert_fault(kn_quantize(&value, 1, 1, 0, KN_FLOAT32, &out), KN_INVALID_ARGUMENT, "float32");
  float back;
  kt_assert_fault(kn_dequantize(&value, 1, 1, 0, KN_INT32, &back), KN_INVALID_ARGUMENT, "int32");
  assert_int_equal(out, 7);
}

/* A scale below float32's range divides everything into infinities, which clip. */
static void scales_beyond_float32_clip(void **state) {
  (void)state;
  int8_t out[3];
  kt_assert_ok(kn_quantize((const float[]){1, -1, 0}, 3, 1e-300, 5, KN_INT8, out));
  assert_int_equal(out[0], 127);
  assert_int_equal(out[1], -128);
  assert_int_equal(out[2], 5);
  kt_assert_ok(kn_quantize((const float[]){1, -1, 0}, 3, 1e300, 5, KN_INT8, out));
  for (size_t i = 0; i < 3; i++) assert_int_equal(out[i], 5);
}

static void dequantization_undoes_quantization(void **state) {
  (void)state;
  static const struct {
    kn_dtype dtype;
    int low, high, zero;
  } types[] = {{KN_INT8, -128, 127, -7}, {KN_UINT8, 0, 255, 128}, {KN_INT16, -300, 300, 0}};
  for (size_t t = 0; t < 3; t++) {
    for (int q = types[t].low; q <= types[t].high; q++) {
      int8_t narrow = (int8_t)q;
      uint8_t positive = (uint8_t)q;
      int16_t wide = (int16_t)q;
      const void *in = types[t].dtype == KN_INT8    ? (void *)&narrow
                       : types[t].dtype == KN_UINT8 ? (void *)&positive
                                                    : &wide;
      float x;
      kt_assert_ok(kn_dequantize(in, 1, 0.125, types[t].zero, types[t].dtype, &x));
      assert_true(x == 0.125F * (float)(q - types[t].zero));
      int16_t again = 0;
      kt_assert_ok(kn_quantize(&x, 1, 0.125, types[t].zero, types[t].dtype, &again));
      int back = types[t].dtype == KN_INT8    ? *(int8_t *)&again
                 : types[t].dtype == KN_UINT8 ? *(uint8_t *)&again
                                              : again;
      assert_int_equal(back, q);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(types_have_sizes_and_numpys_names),
      cmocka_unit_test(sizes_are_checked_products),
      cmocka_unit_test(tensors_are_aligned_and_zeroed),
      cmocka_unit_test(a_tensor_that_cannot_be_made_is_empty),
      cmocka_unit_test(quantization_rounds_ties_to_even_and_clips),
      cmocka_unit_test(many_values_are_quantized_as_one),
      cmocka_unit_test(quantization_parameters_are_judged),
      cmocka_unit_test(scales_beyond_float32_clip),
      cmocka_unit_test(dequantization_undoes_quantization),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
