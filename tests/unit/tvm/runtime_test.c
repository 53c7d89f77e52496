/* TVMRuntime and libraries that are not TVM's, for both flavours; then the right one still loads. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kenning/services.h>

#include "core/record_json.h"
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

/* ---- threads ---- */

static long threads_of(kt_runtime *runtime) {
  kn_record *record;
  kt_assert_ok(kn_record_create(&record));
  kt_assert_ok(runtime->ops->statistics(runtime->self, record));
  long threads = (long)yyjson_mut_get_int(yyjson_mut_obj_get(kn_record_value(record), "threads"));
  kn_record_destroy(record);
  return threads;
}

/* What the runtime says is what TVM takes: the installed relay never more than one. */
static void no_more_threads_than_processors(void **state) {
  (void)state;
  static const char *const models[] = {TVM_DATA "/int8.tar", TVM_DATA "/relax.tar"};
  char processors[24];
  (void)snprintf(processors, sizeof processors, "%lld", (long long)kn_thread_count(0));
  assert_string_equal(getenv("TVM_NUM_THREADS"), processors);
  for (size_t i = 0; i < 2; i++) {
    kt_runtime few = kt_runtime_open(&kn_tvm_runtime_class, "num_threads", "1");
    kt_runtime many = kt_runtime_open(&kn_tvm_runtime_class, "num_threads", "1024");
    kt_assert_ok(kt_runtime_load(&few, models[i], 1, NULL));
    kt_assert_ok(kt_runtime_load(&many, models[i], 1, NULL));
    assert_int_equal(threads_of(&few), 1);
    assert_int_equal(threads_of(&many), i == 0 ? 1 : kn_thread_count(0));
    kt_runtime_close(&few);
    kt_runtime_close(&many);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(other_libraries_are_refused),
                                     cmocka_unit_test(no_more_threads_than_processors)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
