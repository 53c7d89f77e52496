/* TVMRuntime and libraries that are not TVM's, for both flavours; then the right one still loads. */
#include <stdio.h>
#include <string.h>

#include "support/runtime.h"
#include "support/unit.h"
#include "tvm/tvm.h"

static kn_status load(const char *library, const char *model) {
  kt_runtime runtime = kt_runtime_open(&kn_tvm_runtime_class, library ? "library" : NULL, library);
  kn_status status = kt_runtime_load(&runtime, model, 1, NULL);
  kt_runtime_close(&runtime);
  return status;
}

static void other_libraries_are_refused(void **state) {
  (void)state;
  static const char *const models[] = {TVM_DATA "/int8.tar", TVM_DATA "/relax.tar"};
  for (size_t i = 0; i < 2; i++) {
    kt_assert_fault(load(OTHER_LIBRARY, models[i]), KN_INCOMPATIBLE, "`kenning install tvm`");
    kt_assert_fault(load(TVM_DATA "/vm.tar", models[i]), KN_NOT_INSTALLED, "cannot be loaded");
    kt_assert_ok(load(NULL, models[i]));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(other_libraries_are_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
