/* OpenVINORuntime with the real engine: what is particular to it beyond the contract of runtimes. Without the engine
 * every test is skipped, which shows. */
#include "support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/record_json.h"
#include "openvino/openvino.h"
#include "support/directory.h"
#include "support/runtime.h"

/* ---- several inputs and outputs, and their types ---- */

static void inputs_and_outputs_go_by_name(void **state) {
  (void)state;
  kt_runtime f = kt_runtime_open(&kn_vino_runtime_class, NULL, NULL);
  kn_iospec spec = {0};
  kt_iolist_add(&spec.input, "b", 2, (const int64_t[]){1, 3});
  kt_iolist_add(&spec.input, "a", 2, (const int64_t[]){1, 2});
  kt_assert_ok(kt_runtime_load(&f, ONNX_DATA "/two.onnx", 1, &spec));
  float b[3] = {1, -1, 0}, a[2] = {10, 20}, sum = 0;
  unsigned char signs[3] = {9, 9, 9};
  kn_tensor_view inputs[2] = {kt_floats(b, 3), kt_floats(a, 2)};
  kn_tensor_view outputs[2] = {kt_floats(&sum, 1),
                               {.data = signs, .bytes = 3, .dtype = KN_BOOL8, .rank = 1, .shape = {3}}};
  kt_assert_ok(f.ops->set_input(f.self, inputs, 2));
  kt_assert_fault(f.ops->output(f.self, outputs, 2), KN_INVALID_ARGUMENT, "has not run");
  kt_assert_ok(f.ops->invoke(f.self));
  kt_assert_ok(f.ops->output(f.self, outputs, 2));
  assert_true(sum == 30);
  assert_memory_equal(signs, ((unsigned char[]){1, 0, 0}), 3);
  kn_tensor_view swapped[2] = {kt_floats(a, 2), kt_floats(b, 3)};
  kt_assert_fault(f.ops->set_input(f.self, swapped, 2), KN_INVALID_ARGUMENT, "'b' has 3 elements");
  float text[3];
  outputs[1] = kt_floats(text, 3);
  kt_assert_fault(f.ops->output(f.self, outputs, 2), KN_INVALID_ARGUMENT, "'signs' is bool in the model; float32");
  kn_iospec_clear(&spec);
  kt_iolist_add(&spec.input, "a", 2, (const int64_t[]){1, 4});
  kt_iolist_add(&spec.input, "b", 2, (const int64_t[]){1, 3});
  kt_assert_fault(kt_runtime_load(&f, ONNX_DATA "/two.onnx", 1, &spec), KN_INCOMPATIBLE,
                  "'a' is float32 [1,4], but the model's");
  kn_iospec_clear(&spec);
  kt_runtime_close(&f);
}

static void integers_stay_integers(void **state) {
  (void)state;
  kt_runtime f = kt_runtime_open(&kn_vino_runtime_class, NULL, NULL);
  kt_assert_ok(kt_runtime_load(&f, ONNX_DATA "/ids.onnx", 1, NULL));
  int64_t ids[2] = {5, -3};
  float result[2];
  kn_tensor_view input = {.data = ids, .bytes = sizeof ids, .dtype = KN_INT64, .rank = 1, .shape = {2}};
  kn_tensor_view output = kt_floats(result, 2);
  kt_assert_ok(f.ops->set_input(f.self, &input, 1));
  kt_assert_ok(f.ops->invoke(f.self));
  kt_assert_ok(f.ops->output(f.self, &output, 1));
  assert_true(result[0] == 5 && result[1] == -3);
  input = kt_floats(result, 2);
  kt_assert_fault(f.ops->set_input(f.self, &input, 1), KN_INVALID_ARGUMENT, "int64 in the model; float32");
  kt_runtime_close(&f);
}

/* ---- shapes ---- */

static void open_dimensions_come_from_the_specification(void **state) {
  (void)state;
  kt_runtime f = kt_runtime_open(&kn_vino_runtime_class, NULL, NULL);
  kt_assert_fault(kt_runtime_load(&f, VINO_DATA "/dynamic.xml", 2, NULL), KN_INCOMPATIBLE,
                  "leaves dimension 2 of its input 'x' open");
  kn_iospec spec = {0}, found;
  kt_iolist_add(&spec.input, "x", 4, (const int64_t[]){1, 1, 6, 6});
  kt_assert_ok(kt_runtime_load(&f, VINO_DATA "/dynamic.xml", 2, &spec));
  kt_assert_ok(f.ops->iospec(f.self, &found));
  assert_int_equal(found.input.entries[0].shape[0], 2);
  assert_int_equal(found.input.entries[0].shape[3], 6);
  assert_int_equal(found.output.entries[0].shape[0], 2);
  assert_int_equal(found.output.entries[0].shape[1], 3);
  kn_iospec_clear(&found);
  kn_iospec_clear(&spec);
  kt_runtime_close(&f);
}

static void outputs_without_a_size_are_refused(void **state) {
  (void)state;
  kt_runtime f = kt_runtime_open(&kn_vino_runtime_class, NULL, NULL);
  kt_assert_fault(kt_runtime_load(&f, ONNX_DATA "/empty.onnx", 1, NULL), KN_INCOMPATIBLE, "'y' is empty");
  kt_runtime_close(&f);
}

/* ---- what does not work ---- */

static void bad_models_are_named(void **state) {
  (void)state;
  kt_runtime f = kt_runtime_open(&kn_vino_runtime_class, NULL, NULL);
  kt_assert_fault(kt_runtime_load(&f, ONNX_DATA "/unknown.onnx", 1, NULL), KN_BAD_DATA, "Frobnicate");
  kt_assert_fault(kt_runtime_load(&f, ONNX_DATA "/custom.onnx", 1, NULL), KN_BAD_DATA, "Frobnicate");
  kt_assert_fault(kt_runtime_load(&f, ONNX_DATA "/newer.onnx", 1, NULL), KN_INCOMPATIBLE, "operator set 99");
  kt_assert_fault(kt_runtime_load(&f, ONNX_DATA "/text.onnx", 1, NULL), KN_INCOMPATIBLE, "type");
  kt_assert_fault(kt_runtime_load(&f, ONNX_DATA "/nowhere.onnx", 1, NULL), KN_NOT_FOUND, "nowhere.onnx");
  kt_runtime_close(&f);
}

static void missing_devices_are_told(void **state) {
  (void)state;
  kt_runtime f = kt_runtime_open(&kn_vino_runtime_class, "device", "GPU");
  kt_assert_fault(kt_runtime_load(&f, ONNX_DATA "/fp32.onnx", 1, NULL), KN_INCOMPATIBLE,
                  "cannot compile the model for device GPU");
  kt_runtime_close(&f);
}

static void other_libraries_are_refused(void **state) {
  (void)state;
  kt_runtime f = kt_runtime_open(&kn_vino_runtime_class, "library", OTHER_LIBRARY);
  kt_assert_fault(kt_runtime_load(&f, ONNX_DATA "/fp32.onnx", 1, NULL), KN_INCOMPATIBLE,
                  "has no function ov_version_free");
  kt_runtime_close(&f);
  f = kt_runtime_open(&kn_vino_runtime_class, "library", VINO_DATA "/fp32.xml");
  kt_assert_fault(kt_runtime_load(&f, ONNX_DATA "/fp32.onnx", 1, NULL), KN_NOT_INSTALLED, "cannot be loaded");
  kt_runtime_close(&f);
}

/* ---- facts ---- */

static void facts_tell_what_ran(void **state) {
  (void)state;
  kt_runtime f = kt_runtime_open(&kn_vino_runtime_class, "num_threads", "1");
  kt_assert_ok(kt_runtime_load(&f, VINO_DATA "/fp32.xml", 1, NULL));
  kn_record *record;
  kt_assert_ok(kn_record_create(&record));
  kt_assert_ok(f.ops->statistics(f.self, record));
  yyjson_mut_val *facts = kn_record_value(record);
  assert_int_equal(yyjson_mut_get_sint(yyjson_mut_obj_get(facts, "threads")), 1);
  assert_string_equal(yyjson_mut_get_str(yyjson_mut_obj_get(facts, "inference_precision")), "f32");
  assert_string_equal(yyjson_mut_get_str(yyjson_mut_obj_get(facts, "model_format")), "openvino");
  /* The kernels are those of the nodes that ran, each with its type. */
  yyjson_mut_val *kernels = yyjson_mut_obj_get(facts, "kernels"), *name, *count;
  int64_t nodes = 0;
  bool f32 = false;
  size_t i, most;
  yyjson_mut_obj_foreach(kernels, i, most, name, count) {
    nodes += yyjson_mut_get_sint(count);
    f32 = f32 || strstr(yyjson_mut_get_str(name), "_f32");
  }
  assert_true(f32);
  assert_int_equal(yyjson_mut_get_sint(yyjson_mut_obj_get(facts, "executed_nodes")), nodes);
  kn_record_destroy(record);
  kt_runtime_close(&f);
}

static void compiled_models_are_kept_where_asked(void **state) {
  (void)state;
  kt_need_library("openvino");
  char *cache = kt_directory_make();
  kt_runtime f = kt_runtime_open(&kn_vino_runtime_class, "cache_dir", cache);
  kt_assert_ok(kt_runtime_load(&f, ONNX_DATA "/fp32.onnx", 1, NULL));
  assert_int_not_equal(rmdir(cache), 0); /* not empty */
  kt_assert_ok(kt_runtime_load(&f, ONNX_DATA "/fp32.onnx", 1, NULL));
  kt_runtime_close(&f);
  kt_directory_remove(cache);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(inputs_and_outputs_go_by_name),
      cmocka_unit_test(integers_stay_integers),
      cmocka_unit_test(open_dimensions_come_from_the_specification),
      cmocka_unit_test(outputs_without_a_size_are_refused),
      cmocka_unit_test(bad_models_are_named),
      cmocka_unit_test(missing_devices_are_told),
      cmocka_unit_test(other_libraries_are_refused),
      cmocka_unit_test(facts_tell_what_ran),
      cmocka_unit_test(compiled_models_are_kept_where_asked),
  };
  return kt_library_result("openvino", cmocka_run_group_tests(tests, NULL, NULL));
}
