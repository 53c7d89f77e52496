#include "setting.h"

#include "core/log.h"
#include "core/memory.h"

#include <kenning/services.h>
#include <unistd.h>

#include "support/directory.h"
#include "support/near.h"
#include "support/status.h"

/* ---- what goes wrong ---- */

static void faults_leave_nothing_behind(void **state) {
  setting *s = *state;
  add_runtime(s);
  add_optimizers(s, 1);
  dataset_of(s)->base.split = KN_SPLIT_ALL;
  dataset_of(s)->open_fault = KN_NOT_FOUND;
  kt_assert_fault(run(s, BOTH), KN_NOT_FOUND, "in test.FakeDataset");
  assert_null(s->measurements);
  dataset_of(s)->open_fault = KN_OK;
  optimizer_of(s, 0)->fault = KN_BACKEND_FAILED;
  kt_assert_fault(run(s, BOTH), KN_BACKEND_FAILED, "in test.FakeOptimizer");
  assert_null(s->measurements);
  optimizer_of(s, 0)->fault = KN_OK;
  dataset_of(s)->fail_at = 30;
  kt_assert_fault(run(s, BOTH), KN_BAD_DATA, "sample fake/30");
  assert_null(s->measurements); /* the input is wrong: there is no half result */
}

static void a_broken_engine_leaves_a_partial_file(void **state) {
  setting *s = *state;
  add_runtime(s);
  dataset_of(s)->base.split = KN_SPLIT_ALL;
  runtime_of(s)->fail_at = 42;
  kt_assert_fault(run(s, BOTH), KN_BACKEND_FAILED, "sample fake/40");
  read_back(s);
  assert_false(s->results.complete);
  assert_string_equal(s->results.incomplete_reason, "the engine broke");
  assert_int_equal(s->results.prediction_count, 40);
  kt_assert_near(s->results.total, 40, 0);
  assert_int_equal(s->results.steps.count, 41);
}

static void cancelling_leaves_a_partial_file(void **state) {
  setting *s = *state;
  add_runtime(s);
  dataset_of(s)->base.split = KN_SPLIT_ALL;
  runtime_of(s)->cancel_at = 11;
  kt_assert_fault(run(s, BOTH), KN_CANCELLED, "stopped after 10 samples");
  kn_cancel_reset();
  read_back(s);
  assert_false(s->results.complete);
  assert_string_equal(s->results.incomplete_reason, "stopped after 10 samples");
  assert_int_equal(s->results.prediction_count, 10);
  assert_int_equal(int_at(s, "/models/0/bytes"), 7);
}

static void what_cannot_run_here_says_so(void **state) {
  setting *s = *state;
  s->options.convert_to_onnx = "x.onnx";
  kt_assert_fault(run(s, BOTH), KN_INVALID_ARGUMENT, "ONNXCompiler");
  s->options.convert_to_onnx = NULL;
  s->options.warmup = -1;
  kt_assert_fault(run(s, BOTH), KN_INVALID_ARGUMENT, "negative");
}

static void memory_may_run_out(void **state) {
  setting *s = *state;
  add_runtime(s);
  add_optimizers(s, 1);
  dataset_of(s)->base.split = KN_SPLIT_ALL;
  dataset_of(s)->count = 12;
  kn_log_set_level(KN_LOG_CRITICAL);
  bool finished = false;
  for (uint64_t allowed = 0; !finished; allowed++) {
    assert_true(allowed < 100000);
    kn_memory_fail_after(allowed);
    kn_status status = run(s, BOTH);
    kn_memory_fail_after(UINT64_MAX);
    finished = !status;
    if (!finished) kt_assert_fault(status, KN_OUT_OF_MEMORY, NULL);
    forget(s);
    if (allowed > 100) allowed += 10;
  }
  kn_log_set_level(KN_LOG_INFO);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(faults_leave_nothing_behind),
      TEST(a_broken_engine_leaves_a_partial_file),
      TEST(cancelling_leaves_a_partial_file),
      TEST(what_cannot_run_here_says_so),
      TEST(memory_may_run_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
