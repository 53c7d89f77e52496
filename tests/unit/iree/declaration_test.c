/* Declarations of functions, as IREE's compiler writes them. */
#include "support/unit.h"

#include "iree/declaration.h"
#include "support/status.h"

static void inputs_and_outputs_are_told(void **state) {
  (void)state;
  kn_iree_declaration d;
  kt_assert_ok(kn_iree_declaration_parse(
      "sync func @main(%input0: tensor<1x4x?x1xf32>, %input1: tensor<i64> {iree.abi.affinity = 1}) -> "
      "(%output0: tensor<1x3xi8>, %output1: tensor<2xi1>)",
      &d));
  assert_int_equal(d.input_count, 2);
  assert_string_equal(d.inputs[0].name, "input0");
  assert_int_equal(d.inputs[0].tensor.rank, 4);
  assert_int_equal(d.inputs[0].tensor.shape[1], 4);
  assert_int_equal(d.inputs[0].tensor.shape[2], -1);
  assert_int_equal(d.inputs[0].tensor.type, KENNING_IREE_F32);
  assert_int_equal(d.inputs[1].tensor.rank, 0);
  assert_int_equal(d.inputs[1].tensor.type, KENNING_IREE_I64);
  assert_int_equal(d.output_count, 2);
  assert_int_equal(d.outputs[0].tensor.type, KENNING_IREE_I8);
  assert_int_equal(d.outputs[1].tensor.type, KENNING_IREE_BOOL);
  kn_iree_declaration_clear(&d);
  kt_assert_ok(kn_iree_declaration_parse("sync func @f() -> ()", &d));
  assert_int_equal(d.input_count + d.output_count, 0);
  kn_iree_declaration_clear(&d);
}

static void refuse(const char *text, kn_code code, const char *part) {
  kn_iree_declaration d;
  kt_assert_fault(kn_iree_declaration_parse(text, &d), code, part);
  kn_iree_declaration_clear(&d);
}

static void others_are_refused(void **state) {
  (void)state;
  refuse("sync func @f(%input0: !vm.ref) -> ()", KN_INCOMPATIBLE, "'input0' is of type !vm.ref");
  refuse("sync func @f(%a: tensor<2xcomplex<f32>>) -> ()", KN_INCOMPATIBLE, "complex");
  refuse("sync func @f(%a: tensor<1x1x1x1x1x1x1x1x1xf32>) -> ()", KN_INCOMPATIBLE, "more than 8 dimensions");
  static const char *const damaged[] = {"",
                                        "func",
                                        "func(",
                                        "func(%",
                                        "func(%a",
                                        "func(a: tensor<f32>) -> ()",
                                        "func(%a: tensor<f32",
                                        "func(%a: tensor<1yf32>) -> ()",
                                        "func(%a: tensor<99999999999xf32>) -> ()",
                                        "func(%a: tensor<f32> {b) -> ()",
                                        "func(%a: tensor<f32>; %b: tensor<f32>) -> ()",
                                        "func(%a: tensor<f32>)",
                                        "func(%a: tensor<f32>) -> (%b: tensor<f32>"};
  for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) refuse(damaged[i], KN_BAD_DATA, "cannot be read");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(inputs_and_outputs_are_told),
                                     cmocka_unit_test(others_are_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
