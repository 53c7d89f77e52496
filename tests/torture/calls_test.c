/* Lets every function of every block of a run fail, at its first call, its second, ..., until the run succeeds. */
#include "torture/run.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/log.h"
#include "core/registry.h"
#include "measurements/results.h"
#include "pipeline/pipeline.h"
#include "support/directory.h"
#include "support/status.h"

enum { CALLS = 40 };
typedef enum block_kind { DATASET, WRAPPER, OPTIMIZER, RUNTIME } block_kind;

static run_place place;

static void let_fail(block_kind kind, const char *function, size_t k, kn_code code) {
  char calls[64];
  snprintf(calls, sizeof calls, "\"%s:%zu:%d\"", function, k, (int)code);
  const run_failures failures = {.dataset = kind == DATASET ? calls : NULL,
                                 .wrapper = kind == WRAPPER ? calls : NULL,
                                 .optimizer = kind == OPTIMIZER ? calls : NULL,
                                 .runtime = kind == RUNTIME ? calls : NULL};
  run_write_scenario(&place, &failures);
}

static void clear_outputs(void) {
  unlink(place.compiled);
  unlink(place.measurements);
}

/* A measurement file is whole, or says that it is not. */
static void assert_marked(kn_status status) {
  if (access(place.measurements, F_OK) != 0) return;
  kn_results results;
  kt_assert_ok(kn_results_read(place.measurements, &results));
  assert_int_equal(results.complete, !status);
  kn_results_clear(&results);
}

/* Returns how many calls there were to fail. */
static size_t fail_each_call(unsigned steps, block_kind kind, const char *function, kn_code code) {
  /* An optimizer's first opening is that of the check, which minds nothing but combinations of options. */
  size_t first = kind == OPTIMIZER && !strcmp(function, "open") ? 2 : 1;
  for (size_t k = first; k < first + CALLS; k++) {
    let_fail(kind, function, k, code);
    clear_outputs();
    kn_status status = run_scenario(&place, steps);
    assert_marked(status);
    run_assert_tidy(&place);
    if (!status) return k - first;
    if (code == KN_OUT_OF_MEMORY) {
      kt_assert_fault(status, code, NULL);
    } else {
      char part[128];
      snprintf(part, sizeof part, "call %zu of %s fails as it was asked to", k, function);
      kt_assert_fault(status, code, part);
    }
    if (kind == OPTIMIZER) assert_int_not_equal(access(place.compiled, F_OK), 0);
  }
  return CALLS;
}

static const struct {
  block_kind kind;
  const char *function;
  unsigned steps;
  size_t least; /* calls that a run makes at least */
} calls[] = {
    {DATASET, "open", KN_STEP_TEST, 1},        {DATASET, "info", KN_STEP_TEST, 1},
    {DATASET, "label", KN_STEP_TEST, CALLS},   {DATASET, "sample", KN_STEP_TEST, 30},
    {WRAPPER, "open", KN_STEP_TEST, 1},        {WRAPPER, "format", KN_STEP_TEST, 1},
    {WRAPPER, "spec", KN_STEP_TEST, 1},        {WRAPPER, "train", KN_STEP_TRAIN, 1},
    {OPTIMIZER, "open", KN_STEP_OPTIMIZE, 1},  {OPTIMIZER, "compile", KN_STEP_OPTIMIZE, 1},
    {RUNTIME, "open", KN_STEP_TEST, 1},        {RUNTIME, "load", KN_STEP_TEST, 1},
    {RUNTIME, "loaded_spec", KN_STEP_TEST, 1}, {RUNTIME, "set_input", KN_STEP_TEST, 30},
    {RUNTIME, "invoke", KN_STEP_TEST, 30},     {RUNTIME, "output", KN_STEP_TEST, 30},
    {RUNTIME, "statistics", KN_STEP_TEST, 1},
};

static void every_call_may_fail(void **state) {
  (void)state;
  static const kn_code codes[] = {KN_BACKEND_FAILED, KN_OUT_OF_MEMORY, KN_BAD_DATA, KN_NOT_INSTALLED};
  for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
    /* Training and optimizing have been seen to once where they are not what fails. */
    unsigned steps = calls[i].steps == KN_STEP_TEST ? KN_STEP_OPTIMIZE | KN_STEP_TEST : calls[i].steps;
    for (size_t c = 0; c < sizeof codes / sizeof codes[0]; c++) {
      size_t failed = fail_each_call(steps, calls[i].kind, calls[i].function, codes[c]);
      if (failed < calls[i].least && failed < CALLS)
        kt_fail("%s of block %d, code %s: %zu calls made the run fail, not at least %zu", calls[i].function,
                (int)calls[i].kind, kn_code_name(codes[c]), failed, calls[i].least);
    }
  }
}

/* Facts for the report: a run does not end over them, it says less. */
static void optional_facts_may_be_missing(void **state) {
  (void)state;
  let_fail(WRAPPER, "weights", 1, KN_BACKEND_FAILED);
  clear_outputs();
  kt_assert_ok(run_scenario(&place, KN_STEP_OPTIMIZE | KN_STEP_TEST));
  run_assert_tidy(&place);
}

/* Native inference: the wrapper's own framework runs the model. */
static void native_inference_may_fail(void **state) {
  (void)state;
  static const char *const functions[] = {"set_input",   "invoke",     "output",   "load",
                                          "loaded_spec", "statistics", "framework"};
  for (size_t f = 0; f < 7; f++) {
    for (size_t k = 1; k <= 3; k += 2) {
      char text[2048];
      snprintf(text, sizeof text,
               "{\"dataset\": {\"type\": \"FakeDataset\", \"parameters\": {\"dataset_root\": \".\", \"samples\": 12}},"
               "\"model_wrapper\": {\"type\": \"FakeModelWrapper\", \"parameters\": {\"model_path\": \"%s\","
               "\"fail\": [\"%s:%zu\"]}}}",
               place.model, functions[f], k);
      kt_file_write_text(place.scenario, text);
      clear_outputs();
      kn_status status = run_scenario(&place, KN_STEP_TEST);
      assert_marked(status);
      run_assert_tidy(&place);
      if (k == 1 || f < 3)
        kt_assert_fault(status, KN_BACKEND_FAILED, "fails as it was asked to");
      else
        kt_assert_ok(status); /* the others are called once */
    }
  }
}

static int set_up(void **state) {
  (void)state;
  kn_log_set_level(KN_LOG_CRITICAL);
  run_place_make(&place);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  kn_registry_unload();
  run_place_remove(&place);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_call_may_fail),
      cmocka_unit_test(optional_facts_may_be_missing),
      cmocka_unit_test(native_inference_may_fail),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
