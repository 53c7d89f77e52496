/* A scenario of fakes in a directory of its own. */
#ifndef TESTS_UNIT_PIPELINE_SETTING_H
#define TESTS_UNIT_PIPELINE_SETTING_H

#include "fake.h"
#include "measurements/results.h"
#include "pipeline/pipeline.h"

typedef struct setting {
  kn_scenario scenario;
  kn_run_options options;
  kn_measurements *measurements;
  kn_results results; /* the measurements, written and read again */
  char *directory, *model, *compiled[2];
} setting;

fake_dataset *dataset_of(setting *s);
fake_wrapper *wrapper_of(setting *s);
fake_runtime *runtime_of(setting *s);
fake_optimizer *optimizer_of(setting *s, size_t i);

/* Data set and model wrapper; the shares of the split are 0. For cmocka: the setting is the test's state. */
int set_up(void **state);
/* Checks that everything that was opened was closed. */
int tear_down(void **state);
void add_runtime(setting *s);
void add_optimizers(setting *s, size_t count);
enum { BOTH = KN_STEP_OPTIMIZE | KN_STEP_TEST };
kn_status run(setting *s, unsigned steps);
/* Forgets the measurements of a run. */
void forget(setting *s);

/* Fills `results` from the measurements. */
void read_back(setting *s);
/* A value of the results by JSON pointer. */
yyjson_val *at(const setting *s, const char *pointer);
const char *text_at(const setting *s, const char *pointer);
int64_t int_at(const setting *s, const char *pointer);

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
