/* IREERuntime with the real engine: what is particular to it beyond the contract of runtimes. Without the engine
 * every test is skipped, which shows. */
#include "support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/record_json.h"
#include "iree/iree.h"
#include "support/runtime.h"

/* ---- several inputs and outputs, and their types ---- */

static void inputs_and_outputs_go_by_name(void **state) {
  (void)state;
  kt_runtime f = kt_runtime_open(&kn_iree_runtime_class, NULL, NULL);
  kt_assert_ok(kt_runtime_load(&f, IREE_DATA "/two.vmfb", 1, NULL));
  float b[3] = {1, -1, 0}, a[2] = {10, 20}, sum = 0;
  unsigned char signs[3] = {9, 9, 9};
  kn_tensor_view inputs[2] = {kt_floats(a, 2), kt_floats(b, 3)};
  kn_tensor_view outputs[2] = {kt_floats(&sum, 1),
                               {.data = signs, .bytes = 3, .dtype = KN_BOOL8, .rank = 1, .shape = {3}}};
  kt_assert_ok(f.ops->set_input(f.self, inputs, 2));
  kt_assert_fault(f.ops->output(f.self, outputs, 2), KN_INVALID_ARGUMENT, "has not run");
  kt_assert_ok(f.ops->invoke(f.self));
  kt_assert_ok(f.ops->output(f.self, outputs, 2));
  assert_true(sum == 30);
  assert_memory_equal(signs, ((unsigned char[]){1, 0, 0}), 3);
  kn_tensor_view swapped[2] = {kt_floats(b, 3), kt_floats(a, 2)};
  kt_assert_fault(f.ops->set_input(f.self, swapped, 2), KN_INVALID_ARGUMENT, "'a' has 2 elements");
  float text[3];
  outputs[1] = kt_floats(text, 3);
  kt_assert_fault(f.ops->output(f.self, outputs, 2), KN_INVALID_ARGUMENT, "is bool in the model; float32");
  /* A specification may have them in another order. */
  kn_iospec spec = {0};
  kt_iolist_add(&spec.input, "b", 2, (const int64_t[]){1, 3});
  kt_iolist_add(&spec.input, "a", 2, (const int64_t[]){1, 2});
  kt_assert_ok(kt_runtime_load(&f, IREE_DATA "/two.vmfb", 1, &spec));
  kt_assert_ok(f.ops->set_input(f.self, swapped, 2));
  kn_iospec_clear(&spec);
  kt_iolist_add(&spec.input, "a", 2, (const int64_t[]){1, 4});
  kt_iolist_add(&spec.input, "b", 2, (const int64_t[]){1, 3});
  kt_assert_fault(kt_runtime_load(&f, IREE_DATA "/two.vmfb", 1, &spec), KN_INCOMPATIBLE,
                  "'a' is float32 [1,4], but the model's");
  kn_iospec_clear(&spec);
  kt_runtime_close(&f);
}

/* Declarations hold few characters; names of the model are others. */
static void names_that_a_declaration_cannot_hold_are_bound_all_the_same(void **state) {
  (void)state;
  kt_runtime f = kt_runtime_open(&kn_iree_runtime_class, NULL, NULL);
  kn_iospec spec = {0}, told;
  float a[2] = {10, 20}, b[2] = {1, 2}, difference[2];
  kt_iolist_add(&spec.input, "gr\u00f6\u00dfe:0", 2, (const int64_t[]){1, 2});
  kt_iolist_add(&spec.input, "plain", 2, (const int64_t[]){1, 2});
  kt_iolist_add(&spec.output, "difference:0", 2, (const int64_t[]){1, 2});
  kt_assert_ok(kt_runtime_load(&f, IREE_DATA "/names.vmfb", 1, &spec));
  kn_tensor_view inputs[2] = {kt_floats(b, 2), kt_floats(a, 2)}, output = kt_floats(difference, 2);
  kt_assert_ok(f.ops->set_input(f.self, inputs, 2));
  kt_assert_ok(f.ops->invoke(f.self));
  kt_assert_ok(f.ops->output(f.self, &output, 1));
  assert_true(difference[0] == 9 && difference[1] == 18);
  kt_assert_ok(f.ops->iospec(f.self, &told));
  assert_string_equal(told.input.entries[0].name, spec.input.entries[0].name);
  assert_string_equal(told.output.entries[0].name, "difference:0");
  kn_iospec_clear(&told);
  kn_iospec_clear(&spec);
  kt_iolist_add(&spec.input, "gr??e:0", 2, (const int64_t[]){1, 2});
  kt_iolist_add(&spec.input, "plainer", 2, (const int64_t[]){1, 2});
  kt_assert_fault(kt_runtime_load(&f, IREE_DATA "/names.vmfb", 1, &spec), KN_INCOMPATIBLE,
                  "'plainer', which the model");
  kn_iospec_clear(&spec);
  kt_runtime_close(&f);
}

static void integers_stay_integers(void **state) {
  (void)state;
  kt_runtime f = kt_runtime_open(&kn_iree_runtime_class, "function", "scale");
  kt_assert_ok(kt_runtime_load(&f, IREE_DATA "/several.vmfb", 1, NULL));
  int64_t values[2] = {5, -3}, twice[2];
  float wrong[2];
  kn_tensor_view input = {.data = values, .bytes = sizeof values, .dtype = KN_INT64, .rank = 1, .shape = {2}};
  kn_tensor_view output = input;
  output.data = twice;
  kt_assert_ok(f.ops->set_input(f.self, &input, 1));
  kt_assert_ok(f.ops->invoke(f.self));
  kt_assert_ok(f.ops->output(f.self, &output, 1));
  assert_true(twice[0] == 10 && twice[1] == -6);
  input = kt_floats(wrong, 2);
  kt_assert_fault(f.ops->set_input(f.self, &input, 1), KN_INVALID_ARGUMENT, "int64 in the model; float32");
  kt_runtime_close(&f);
}

static void several_functions_need_a_name(void **state) {
  (void)state;
  kt_runtime f = kt_runtime_open(&kn_iree_runtime_class, NULL, NULL);
  kt_assert_fault(kt_runtime_load(&f, IREE_DATA "/several.vmfb", 1, NULL), KN_INCOMPATIBLE,
                  "which function of the module? Set `function` to one of: add, scale");
  kt_runtime_close(&f);
  f = kt_runtime_open(&kn_iree_runtime_class, "function", "subtract");
  kt_assert_fault(kt_runtime_load(&f, IREE_DATA "/several.vmfb", 1, NULL), KN_INCOMPATIBLE,
                  "no function 'subtract'; it has: add");
  kt_runtime_close(&f);
}

/* ---- what does not work ---- */

static void other_files_are_refused(void **state) {
  (void)state;
  kt_runtime f = kt_runtime_open(&kn_iree_runtime_class, NULL, NULL);
  kt_assert_fault(kt_runtime_load(&f, TFLITE_DATA "/fp32.tflite", 1, NULL), KN_INCOMPATIBLE,
                  "a model of another framework");
  kt_assert_fault(kt_runtime_load(&f, IREE_DATA "/make_models.py", 1, NULL), KN_BAD_DATA, "no IREE module");
  kt_assert_fault(kt_runtime_load(&f, IREE_DATA "/nowhere.vmfb", 1, NULL), KN_NOT_FOUND, "nowhere.vmfb");
  kt_assert_fault(kt_runtime_load(&f, IREE_DATA, 1, NULL), KN_BAD_DATA, "is no file");
  kt_assert_fault(kt_runtime_load(&f, IREE_DATA "/fp32.vmfb", 3, NULL), KN_INCOMPATIBLE,
                  "takes 1 samples at a time and not 3");
  kt_runtime_close(&f);
}

static void other_libraries_are_refused(void **state) {
  (void)state;
  kt_runtime f = kt_runtime_open(&kn_iree_runtime_class, "library", OTHER_LIBRARY);
  kt_assert_fault(kt_runtime_load(&f, IREE_DATA "/fp32.vmfb", 1, NULL), KN_INCOMPATIBLE,
                  "kenning install --force iree");
  kt_runtime_close(&f);
  f = kt_runtime_open(&kn_iree_runtime_class, "library", IREE_DATA "/fp32.vmfb");
  kt_assert_fault(kt_runtime_load(&f, IREE_DATA "/fp32.vmfb", 1, NULL), KN_NOT_INSTALLED, "cannot be loaded");
  kt_runtime_close(&f);
}

static void drivers_are_judged(void **state) {
  (void)state;
  kn_instance instance = kt_instance_make(&kn_iree_runtime_class, KT_SETTINGS("driver", "vulkan"));
  kt_assert_fault(kn_iree_runtime_class.check(instance.self), KN_INVALID_ARGUMENT,
                  "driver vulkan is not in the runtime");
  kt_set(&instance, "driver", "dylib-sync");
  kt_assert_ok(kn_iree_runtime_class.check(instance.self));
  kt_set(&instance, "num_threads", "2");
  kt_assert_fault(kn_iree_runtime_class.check(instance.self), KN_INVALID_ARGUMENT, "needs local-task");
  kn_instance_destroy(&instance);
}

/* ---- facts ---- */

static void facts_tell_what_ran(void **state) {
  (void)state;
  static const struct {
    const char *driver, *name;
    int64_t least;
  } cases[] = {{"dylib", "local-task", 1}, {"dylib-sync", "local-sync", 1}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    kt_runtime f = kt_runtime_open(&kn_iree_runtime_class, "driver", cases[i].driver);
    kt_assert_ok(kt_runtime_load(&f, IREE_DATA "/fp32.vmfb", 1, NULL));
    kn_record *record;
    kt_assert_ok(kn_record_create(&record));
    kt_assert_ok(f.ops->statistics(f.self, record));
    yyjson_mut_val *facts = kn_record_value(record);
    assert_string_equal(yyjson_mut_get_str(yyjson_mut_obj_get(facts, "driver")), cases[i].name);
    assert_string_equal(yyjson_mut_get_str(yyjson_mut_obj_get(facts, "function")), "main");
    assert_true(yyjson_mut_get_sint(yyjson_mut_obj_get(facts, "threads")) >= cases[i].least);
    kn_record_destroy(record);
    kt_runtime_close(&f);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(inputs_and_outputs_go_by_name),
      cmocka_unit_test(names_that_a_declaration_cannot_hold_are_bound_all_the_same),
      cmocka_unit_test(integers_stay_integers),
      cmocka_unit_test(several_functions_need_a_name),
      cmocka_unit_test(other_files_are_refused),
      cmocka_unit_test(other_libraries_are_refused),
      cmocka_unit_test(drivers_are_judged),
      cmocka_unit_test(facts_tell_what_ran),
  };
  return kt_library_result("iree", cmocka_run_group_tests(tests, NULL, NULL));
}
