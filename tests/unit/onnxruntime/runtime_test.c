/* ONNXRuntime with the real engine: what is particular to it beyond the contract of runtimes. Without the engine every
 * test is skipped, which shows. */
#include "support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/record_json.h"
#include "onnxruntime/onnxruntime.h"
#include "support/directory.h"
#include "support/runtime.h"

static kn_status load(const kt_runtime *f, const char *name, int64_t batch, const kn_iospec *spec) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", ONNX_DATA, name);
  return kt_runtime_load(f, path, batch, spec);
}

/* ---- several inputs and outputs ---- */

static void check_two(const kt_runtime *f, bool swapped) {
  float a[2] = {1, 2}, b[3] = {-10, 20, 30}, sum = 0;
  bool signs[3] = {false};
  kn_tensor_view inputs[2] = {kt_floats(a, 2), kt_floats(b, 3)}, swapped_inputs[2] = {inputs[1], inputs[0]};
  kn_tensor_view outputs[2] = {kt_floats(&sum, 1),
                               {.data = signs, .bytes = 3, .dtype = KN_BOOL8, .rank = 1, .shape = {3}}};
  kn_tensor_view swapped_outputs[2] = {outputs[1], outputs[0]};
  kt_assert_ok(f->ops->set_input(f->self, swapped ? swapped_inputs : inputs, 2));
  kt_assert_fault(f->ops->output(f->self, swapped ? swapped_outputs : outputs, 2), KN_INVALID_ARGUMENT, "has not run");
  kt_assert_ok(f->ops->invoke(f->self));
  kt_assert_ok(f->ops->output(f->self, swapped ? swapped_outputs : outputs, 2));
  assert_true(sum == 43);
  assert_true(!signs[0] && signs[1] && signs[2]);
}

static void inputs_and_outputs_go_by_name(void **state) {
  (void)state;
  kt_runtime f = kt_runtime_open(&kn_onnx_runtime_class, NULL, NULL);
  kt_assert_ok(load(&f, "two.onnx", 1, NULL));
  check_two(&f, false);
  static const char json[] =
      "{\"input\": [{\"name\": \"b\", \"dtype\": \"float32\", \"shape\": [1, 3]},"
      " {\"name\": \"a\", \"dtype\": \"float32\", \"shape\": [1, 2]}],"
      " \"output\": [{\"name\": \"signs\", \"dtype\": \"bool\", \"shape\": [1, 3]},"
      " {\"name\": \"sum\", \"dtype\": \"float32\", \"shape\": [1, 1]}]}";
  kn_iospec spec;
  kt_assert_ok(kn_iospec_parse(json, sizeof json - 1, "spec", &spec));
  kt_assert_ok(load(&f, "two.onnx", 1, &spec));
  check_two(&f, true);
  kn_iospec_clear(&spec);
  kt_runtime_close(&f);
}

static void integers_stay_integers(void **state) {
  (void)state;
  kt_runtime f = kt_runtime_open(&kn_onnx_runtime_class, NULL, NULL);
  kt_assert_ok(load(&f, "ids.onnx", 1, NULL));
  int64_t ids[2] = {7, -3};
  float wrong[2] = {0}, result[2];
  kn_tensor_view input = {.data = ids, .bytes = sizeof ids, .dtype = KN_INT64, .rank = 2, .shape = {1, 2}};
  kn_tensor_view refused = kt_floats(wrong, 2), output = kt_floats(result, 2);
  kt_assert_fault(f.ops->set_input(f.self, &refused, 1), KN_INVALID_ARGUMENT, "'x' is int64");
  kt_assert_ok(f.ops->set_input(f.self, &input, 1));
  kt_assert_ok(f.ops->invoke(f.self));
  kt_assert_ok(f.ops->output(f.self, &output, 1));
  assert_true(result[0] == 7 && result[1] == -3);
  kt_runtime_close(&f);
}

/* ---- shapes ---- */

static void free_dimensions_come_from_the_specification(void **state) {
  (void)state;
  kt_runtime f = kt_runtime_open(&kn_onnx_runtime_class, NULL, NULL);
  kt_assert_fault(load(&f, "free.onnx", 1, NULL), KN_INCOMPATIBLE, "dimension 1 of the input 'x' is free, called T");
  static const char json[] =
      "{\"input\": [{\"name\": \"x\", \"dtype\": \"float32\", \"shape\": [1, 5, 2]}],"
      " \"output\": [{\"name\": \"y\", \"dtype\": \"float32\", \"shape\": [1, 2]}]}";
  kn_iospec spec, found;
  kt_assert_ok(kn_iospec_parse(json, sizeof json - 1, "spec", &spec));
  kt_assert_ok(load(&f, "free.onnx", 3, &spec));
  kt_assert_ok(f.ops->iospec(f.self, &found));
  assert_int_equal(found.input.entries[0].shape[0], 3);
  assert_int_equal(found.input.entries[0].shape[1], 5);
  assert_int_equal(found.output.entries[0].shape[0], 3);
  assert_int_equal(found.output.entries[0].shape[1], 2);
  kn_iospec_clear(&found);
  spec.input.entries[0].shape[2] = 4;
  kt_assert_fault(load(&f, "free.onnx", 1, &spec), KN_INCOMPATIBLE, "remove or mend the .json file");
  kn_iospec_clear(&spec);
  kt_runtime_close(&f);
}

static void empty_outputs_are_refused(void **state) {
  (void)state;
  kt_runtime f = kt_runtime_open(&kn_onnx_runtime_class, NULL, NULL);
  kt_assert_fault(load(&f, "empty.onnx", 1, NULL), KN_INCOMPATIBLE, "the output 'y' is empty");
  kt_runtime_close(&f);
}

/* ---- what the engine does not have ---- */

static void unknown_operators_are_named(void **state) {
  (void)state;
  kt_runtime f = kt_runtime_open(&kn_onnx_runtime_class, NULL, NULL);
  kt_assert_fault(load(&f, "custom.onnx", 1, NULL), KN_INCOMPATIBLE,
                  "the operator org.example.Frobnicate of the layer 'layer7'");
  kt_assert_fault(load(&f, "unknown.onnx", 1, NULL), KN_INCOMPATIBLE, "Frobnicate");
  kt_assert_fault(load(&f, "newer.onnx", 1, NULL), KN_INCOMPATIBLE, "operator set 99");
  kt_assert_fault(load(&f, "text.onnx", 1, NULL), KN_INCOMPATIBLE, "'x' is STRING");
  kt_assert_ok(load(&f, "fp32.onnx", 1, NULL)); /* none of it has left a trace */
  kt_runtime_close(&f);
}

static void missing_providers_are_told(void **state) {
  (void)state;
  kt_runtime f = kt_runtime_open(&kn_onnx_runtime_class, "execution_providers", "NoSuchExecutionProvider");
  kt_assert_fault(load(&f, "fp32.onnx", 1, NULL), KN_NOT_INSTALLED, "CPUExecutionProvider");
  kt_runtime_close(&f);
}

static void other_libraries_are_refused(void **state) {
  (void)state;
  kt_runtime f = kt_runtime_open(&kn_onnx_runtime_class, "library", "libm.so.6");
  char path[512];
  snprintf(path, sizeof path, "%s/fp32.onnx", ONNX_DATA);
  kn_status status = load(&f, "fp32.onnx", 1, NULL);
  kn_code code = kn_status_code(status);
  kn_status_free(status);
  assert_true(code == KN_INCOMPATIBLE || code == KN_NOT_INSTALLED || code == KN_NOT_FOUND);
  kt_runtime_close(&f);
}

/* ---- privacy, facts ---- */

static void nothing_is_left_in_the_home(void **state) {
  (void)state;
  kt_need_library("onnxruntime");
  char *home = kt_directory_make(), *library;
  kt_assert_ok(kn_framework_file("onnxruntime", "library", NULL, &library));
  setenv("KENNING_ONNXRUNTIME_LIBRARY", library, 1); /* it is found with another home too */
  kn_free(library);
  setenv("HOME", home, 1);
  unsetenv("ORT_DISABLE_TELEMETRY");
  kt_runtime f = kt_runtime_open(&kn_onnx_runtime_class, NULL, NULL);
  kt_assert_ok(load(&f, "fp32.onnx", 1, NULL));
  assert_string_equal(getenv("ORT_DISABLE_TELEMETRY"), "1");
  kt_runtime_close(&f);
  assert_int_equal(rmdir(home), 0); /* still empty */
  free(home);
}

static void facts_tell_what_ran(void **state) {
  (void)state;
  kt_runtime f = kt_runtime_open(&kn_onnx_runtime_class, "num_threads", "2");
  kt_assert_ok(load(&f, "int8.onnx", 1, NULL));
  kn_record *record;
  kt_assert_ok(kn_record_create(&record));
  kt_assert_ok(f.ops->statistics(f.self, record));
  yyjson_mut_val *facts = kn_record_value(record);
  assert_int_equal(yyjson_mut_get_sint(yyjson_mut_obj_get(facts, "threads")), 2);
  assert_int_equal(yyjson_mut_get_sint(yyjson_mut_obj_get(facts, "operator_set")), 13);
  assert_string_equal(yyjson_mut_get_str(yyjson_mut_obj_get(facts, "constant_types")),
                      "10 FLOAT, 6 UINT8, 4 INT8, 4 INT32");
  yyjson_mut_val *delegate = yyjson_mut_arr_get_first(yyjson_mut_obj_get(facts, "delegates"));
  assert_string_equal(yyjson_mut_get_str(yyjson_mut_obj_get(delegate, "name")), "CPUExecutionProvider");
  kn_record_destroy(record);
  kt_runtime_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_is_left_in_the_home), /* the first: it loads the library */
      cmocka_unit_test(inputs_and_outputs_go_by_name),
      cmocka_unit_test(integers_stay_integers),
      cmocka_unit_test(free_dimensions_come_from_the_specification),
      cmocka_unit_test(empty_outputs_are_refused),
      cmocka_unit_test(unknown_operators_are_named),
      cmocka_unit_test(missing_providers_are_told),
      cmocka_unit_test(other_libraries_are_refused),
      cmocka_unit_test(facts_tell_what_ran),
  };
  return kt_library_result("onnxruntime", cmocka_run_group_tests(tests, NULL, NULL));
}
