/* The reader of .onnx files: what it says of good ones, and that it refuses every other. */
#include "support/unit.h"

#include <stdio.h>
#include <string.h>

#include <kenning/services.h>

#include "core/memory.h"
#include "onnxruntime/model_file.h"
#include "support/status.h"

typedef struct bytes {
  unsigned char *data;
  size_t count;
} bytes;

static bytes read_model(const char *name) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", ONNX_DATA, name);
  char *data;
  size_t count;
  kt_assert_ok(kn_file_read(path, 0, &data, &count));
  return (bytes){(unsigned char *)data, count};
}

static void assert_text(kn_onnx_text text, const char *wanted) { assert_true(kn_onnx_text_is(text, wanted)); }

static void describes_a_classifier(void **state) {
  (void)state;
  bytes file = read_model("fp32.onnx");
  kn_onnx_model model;
  kt_assert_ok(kn_onnx_model_read(file.data, file.count, &model));
  assert_int_equal(model.ir_version, 8);
  assert_int_equal(kn_onnx_model_opset(&model), 13);
  assert_text(model.producer, "kenning-tests");
  assert_int_equal(model.inputs.count, 1);
  const kn_onnx_value *input = kn_onnx_inputs(&model);
  assert_text(input->name, "x");
  assert_int_equal(input->dtype, KN_FLOAT32);
  assert_int_equal(input->rank, 4);
  assert_int_equal(input->shape[0], -1);
  assert_text(input->symbols[0], "N");
  assert_int_equal(input->shape[3], 6);
  assert_int_equal(model.operators, 6);
  assert_int_equal(kn_onnx_model_count(&model, "Conv"), 1);
  assert_int_equal(model.weights[KN_ONNX_FLOAT], 4);
  assert_int_equal(model.weight_bytes, 4 * (4 * 9 + 4 + 4 * 3 + 3));
  assert_null(kn_onnx_model_foreign(&model));
  kn_iospec spec;
  kt_assert_ok(kn_onnx_model_iospec(&model, &spec));
  assert_string_equal(spec.output.entries[0].name, "y");
  assert_int_equal(spec.output.entries[0].shape[1], 3);
  kn_iospec_clear(&spec);
  kn_onnx_model_clear(&model);
  kn_free(file.data);
}

static void describes_quantized_weights(void **state) {
  (void)state;
  bytes file = read_model("int8.onnx");
  kn_onnx_model model;
  kt_assert_ok(kn_onnx_model_read(file.data, file.count, &model));
  assert_int_equal(model.inputs.count, 1); /* without the initializers */
  assert_true(kn_onnx_model_count(&model, "DequantizeLinear") > 0);
  assert_int_equal(model.weights[KN_ONNX_INT8], 4);
  char *text = kn_onnx_census_text(model.weights);
  assert_string_equal(text, "10 FLOAT, 6 UINT8, 4 INT8, 4 INT32");
  kn_free(text);
  kn_onnx_model_clear(&model);
  kn_free(file.data);
}

static void names_operators_of_nobody(void **state) {
  (void)state;
  bytes file = read_model("custom.onnx");
  kn_onnx_model model;
  kt_assert_ok(kn_onnx_model_read(file.data, file.count, &model));
  const kn_onnx_operator *foreign = kn_onnx_model_foreign(&model);
  assert_non_null(foreign);
  assert_text(foreign->domain, "org.example");
  assert_text(foreign->type, "Frobnicate");
  assert_text(foreign->layer, "layer7");
  kn_onnx_model_clear(&model);
  kn_free(file.data);
}

static void texts_are_no_inputs(void **state) {
  (void)state;
  bytes file = read_model("text.onnx");
  kn_onnx_model model;
  kt_assert_fault(kn_onnx_model_read(file.data, file.count, &model), KN_INCOMPATIBLE, "'x' is STRING");
  kn_free(file.data);
}

/* A cut file never passes for a whole one; every copy has memory of its own, so that sanitizers see a step beyond. */
static void every_cut_is_noticed(void **state) {
  (void)state;
  bytes file = read_model("fp32.onnx");
  for (size_t count = 0; count < file.count; count++) {
    unsigned char *copy = malloc(count ? count : 1);
    assert_non_null(copy);
    memcpy(copy, file.data, count);
    kn_onnx_model model;
    kn_status status = kn_onnx_model_read(copy, count, &model);
    kt_assert_fault(status, KN_BAD_DATA, NULL);
    free(copy);
  }
  kn_free(file.data);
}

static void damage_is_noticed_or_harmless(void **state) {
  (void)state;
  bytes file = read_model("int8.onnx");
  uint64_t next = 1;
  for (int i = 0; i < 20000; i++) {
    unsigned char *copy = malloc(file.count);
    assert_non_null(copy);
    memcpy(copy, file.data, file.count);
    for (int k = 0; k < 3; k++) {
      next = next * 6364136223846793005u + 1442695040888963407u;
      copy[(next >> 20) % file.count] = (unsigned char)(next >> 56);
    }
    kn_onnx_model model;
    kn_status status = kn_onnx_model_read(copy, file.count, &model);
    kn_code code = kn_status_code(status);
    assert_true(code == KN_OK || code == KN_BAD_DATA || code == KN_INCOMPATIBLE);
    kn_status_free(status);
    kn_onnx_model_clear(&model);
    free(copy);
  }
  kn_free(file.data);
}

static void memory_may_run_out(void **state) {
  (void)state;
  bytes file = read_model("two.onnx");
  for (uint64_t n = 0;; n++) {
    kn_onnx_model model;
    kn_memory_fail_after(n);
    kn_status status = kn_onnx_model_read(file.data, file.count, &model);
    kn_memory_fail_after(UINT64_MAX);
    if (!status) {
      kn_onnx_model_clear(&model);
      assert_true(n > 2);
      break;
    }
    kt_assert_fault(status, KN_OUT_OF_MEMORY, NULL);
  }
  kn_free(file.data);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(describes_a_classifier),    cmocka_unit_test(describes_quantized_weights),
      cmocka_unit_test(names_operators_of_nobody), cmocka_unit_test(texts_are_no_inputs),
      cmocka_unit_test(every_cut_is_noticed),      cmocka_unit_test(damage_is_noticed_or_harmless),
      cmocka_unit_test(memory_may_run_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
