/* TVMRuntime and libraries that are not TVM's, for both flavours; then the right one still loads. */
#include <stdio.h>
#include <string.h>

#include <kenning/services.h>

#include "core/instance.h"
#include "support/status.h"
#include "support/unit.h"
#include "tvm/tvm.h"

static void need_engine(void) {
  char *path = NULL;
  kn_status status = kn_framework_file("tvm", "library", NULL, &path);
  kn_free(path);
  bool found = !status;
  kn_status_free(status);
  if (!found) kt_skip("kenning install tvm");
}

static kn_status load(const char *library, const char *model) {
  kn_instance instance;
  kt_assert_ok(kn_instance_create(&kn_tvm_runtime_class, &instance));
  size_t index;
  const kn_option *row = kn_option_find(&kn_tvm_runtime_class, "library", &index);
  if (library) kt_assert_ok(kn_instance_set_text(&instance, row, index, library, "library"));
  const kn_runtime_ops *ops = kn_tvm_runtime_class.ops;
  kt_assert_ok(ops->open(instance.self));
  kn_status status = ops->inference->load(instance.self, &(kn_load_request){.path = model, .batch = 1});
  ops->close(instance.self);
  kn_instance_destroy(&instance);
  return status;
}

static void other_libraries_are_refused(void **state) {
  (void)state;
  need_engine();
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
