/* PyTorchRuntime with the real engine: what is particular to it beyond the contract of runtimes. Without the engine
 * every test is skipped, which shows. */
#include <stdio.h>
#include <string.h>

#include "pytorch/pytorch.h"
#include "support/directory.h"
#include "support/runtime.h"
#include "support/unit.h"

static kn_status load(const kt_runtime *f, const char *name, int64_t batch, const kn_iospec *spec) {
  char path[512];
  snprintf(path, sizeof path, PYTORCH_DATA "/%s", name);
  return kt_runtime_load(f, path, batch, spec);
}

static kn_tensor_view view(void *data, kn_dtype dtype, size_t bytes, int64_t columns) {
  return (kn_tensor_view){.data = data, .bytes = bytes, .dtype = dtype, .rank = 2, .shape = {1, columns}};
}

/* two.pt: (a [n, 2], b [n, 3]) -> (sums of a [n, 1], whether b is positive [n, 3]). TorchScript has no names. */
static void inputs_and_outputs_go_by_place(void **state) {
  (void)state;
  kt_runtime f = kt_runtime_open(&pytorch_runtime_class, NULL, NULL);
  kt_assert_ok(load(&f, "two.pt", 1, NULL));
  float a[2] = {10, 20}, b[3] = {1, -1, 0}, sum = 0;
  unsigned char signs[3] = {9, 9, 9};
  kn_tensor_view inputs[2] = {view(a, KN_FLOAT32, sizeof a, 2), view(b, KN_FLOAT32, sizeof b, 3)};
  kn_tensor_view outputs[2] = {view(&sum, KN_FLOAT32, sizeof sum, 1), view(signs, KN_BOOL8, sizeof signs, 3)};
  kt_assert_ok(f.ops->set_input(f.self, inputs, 2));
  kt_assert_ok(f.ops->invoke(f.self));
  kt_assert_ok(f.ops->output(f.self, outputs, 2));
  assert_true(sum == 30);
  assert_memory_equal(signs, ((unsigned char[]){1, 0, 0}), 3);
  kn_tensor_view swapped[2] = {inputs[1], inputs[0]};
  kt_assert_fault(f.ops->set_input(f.self, swapped, 2), KN_INVALID_ARGUMENT, "'a' has 2 elements");
  kt_assert_fault(f.ops->set_input(f.self, inputs, 1), KN_INVALID_ARGUMENT, "2 input(s), not 1");
  kt_runtime_close(&f);
}

static void integers_stay_integers(void **state) {
  (void)state;
  kt_runtime f = kt_runtime_open(&pytorch_runtime_class, NULL, NULL);
  kt_assert_ok(load(&f, "ids.pt", 1, NULL));
  int64_t ids[2] = {(1LL << 40) + 1, -3}, result[2] = {0};
  kn_tensor_view input = view(ids, KN_INT64, sizeof ids, 2), output = view(result, KN_INT64, sizeof result, 2);
  kt_assert_ok(f.ops->set_input(f.self, &input, 1));
  kt_assert_ok(f.ops->invoke(f.self));
  kt_assert_ok(f.ops->output(f.self, &output, 1));
  assert_true(result[0] == (1LL << 40) + 2 && result[1] == -2);
  float floats[2] = {1, 2};
  input = view(floats, KN_FLOAT32, sizeof floats, 2);
  kt_assert_fault(f.ops->set_input(f.self, &input, 1), KN_INVALID_ARGUMENT, "int64");
  kt_runtime_close(&f);
}

static void empty_outputs_are_refused(void **state) {
  (void)state;
  kt_runtime f = kt_runtime_open(&pytorch_runtime_class, NULL, NULL);
  kt_assert_fault(load(&f, "empty.pt", 1, NULL), KN_INCOMPATIBLE, "is empty");
  kt_runtime_close(&f);
}

static void shapes_must_be_known(void **state) {
  (void)state;
  kt_runtime f = kt_runtime_open(&pytorch_runtime_class, NULL, NULL);
  kt_assert_fault(load(&f, "silent.pt", 1, NULL), KN_INCOMPATIBLE, "does not say the shapes of its inputs");
  kn_iospec spec = {0};
  kt_iolist_add(&spec.input, "x", 4, (const int64_t[]){-1, 2, -1, 5});
  kt_assert_fault(load(&f, "silent.pt", 1, &spec), KN_INCOMPATIBLE, "dimension 2 of the input 'x' is open");
  kn_iospec_clear(&spec);
  kt_iolist_add(&spec.input, "x", 4, (const int64_t[]){-1, 3, 6, 5});
  kt_assert_fault(load(&f, "silent.pt", 1, &spec), KN_BACKEND_FAILED, "to have 2 channels");
  kn_iospec_clear(&spec);
  kt_iolist_add(&spec.input, "x", 4, (const int64_t[]){-1, 2, 6, 5});
  kt_assert_ok(load(&f, "silent.pt", 2, &spec)); /* nothing of it has left a trace */
  kn_iospec_clear(&spec);
  kt_runtime_close(&f);
}

static void other_files_are_refused(void **state) {
  (void)state;
  kt_runtime f = kt_runtime_open(&pytorch_runtime_class, NULL, NULL);
  kt_assert_fault(load(&f, "module.pth", 1, NULL), KN_INCOMPATIBLE, "torchvision.models.mobilenetv2.MobileNetV2");
  kt_assert_fault(load(&f, "attack.pth", 1, NULL), KN_INCOMPATIBLE, "posix.system");
  kt_assert_fault(load(&f, "nowhere.pt", 1, NULL), KN_NOT_FOUND, "nowhere.pt");
  kt_assert_ok(load(&f, "small.pt", 1, NULL));
  kt_runtime_close(&f);
}

static void other_libraries_are_refused(void **state) {
  (void)state;
  kt_runtime f = kt_runtime_open(&pytorch_runtime_class, "library", OTHER_LIBRARY);
  kt_assert_fault(load(&f, "small.pt", 1, NULL), KN_INCOMPATIBLE, "torch_shim");
  kt_runtime_close(&f);
  f = kt_runtime_open(&pytorch_runtime_class, "library", PYTORCH_DATA "/small.pt");
  kt_assert_fault(load(&f, "small.pt", 1, NULL), KN_NOT_INSTALLED, "cannot be loaded");
  kt_runtime_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(other_libraries_are_refused), cmocka_unit_test(inputs_and_outputs_go_by_place),
      cmocka_unit_test(integers_stay_integers),      cmocka_unit_test(empty_outputs_are_refused),
      cmocka_unit_test(shapes_must_be_known),        cmocka_unit_test(other_files_are_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
