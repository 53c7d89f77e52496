/* "isolate": a runtime in a worker process of its own on this machine. */
#include "scenario/target/pair.h"
#include "support/directory.h"
#include "support/unit.h"

#include <stdio.h>
#include <string.h>

#define ALONE(fault) \
  "{\"type\": \"FaultyRuntime\", \"parameters\": {\"fault\": \"" fault "\", \"after\": 5, \"isolate\": true}}"

static pair make(const char *runtime) { return make_isolated(runtime, "512, 512, 8", 30); }

static void an_isolated_runtime_is_measured(void **state) {
  (void)state;
  pair p = make(ALONE("none"));
  kt_run run = run_client(&p, "out.json");
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  yyjson_doc *doc = measured(&p, "out.json");
  yyjson_val *root = yyjson_doc_get_root(doc);
  assert_int_equal(yyjson_arr_size(yyjson_obj_get(root, "target_inference_step")), 31);
  assert_true(yyjson_get_int(yyjson_obj_get(root, "process_peak_rss_bytes")) > 0);
  yyjson_doc_free(doc);
  drop_pair(&p);
}

static void an_isolated_crash_is_an_error_of_the_run(void **state) {
  (void)state;
  static const char *const runtimes[][2] = {
      {ALONE("crash"), "ended by signal 6"},
      {ALONE("exit"), "exit code 3"},
      {ALONE("spin\", \"isolate_processor\": 1, \"save_model_path\": \"faulty.bin"),
       "used up the 1 s of processor time"},
      {ALONE("spin\", \"isolate_timeout\": 1, \"save_model_path\": \"faulty.bin"), "the 1 s of isolate_timeout"},
      {ALONE("hang\", \"isolate_timeout\": 1, \"save_model_path\": \"faulty.bin"), "the 1 s of isolate_timeout"}};
  for (size_t i = 0; i < sizeof runtimes / sizeof *runtimes; i++) {
    pair p = make(runtimes[i][0]);
    kt_run run = run_client(&p, "out.json");
    kt_assert_exit(&run, 1);
    kt_assert_contains(run.err, runtimes[i][1]);
    kt_run_free(&run);
    expect_incomplete(&p, "out.json", 5);
    drop_pair(&p);
  }
}

/* What an earlier run measured is not given for nothing. */
static void a_run_without_an_inference_takes_nothing_away(void **state) {
  (void)state;
  static const char earlier[] = "{\"kenning_schema\": \"1.0\", \"target_inference_step\": [1, 2]}";
  pair p =
      make("{\"type\": \"FaultyRuntime\", \"parameters\": {\"fault\": \"crash\", \"after\": 0, \"isolate\": true}}");
  char *path = kt_path(p.directory, "out.json");
  kt_file_write_text(path, earlier);
  kt_run run = run_client(&p, "out.json");
  kt_assert_exit(&run, 1);
  kt_assert_contains(run.err, "nothing was measured: out.json holds what an earlier run measured");
  kt_run_free(&run);
  char *text = kt_file_read(path, NULL);
  assert_string_equal(text, earlier);
  free(text);
  free(path);
  drop_pair(&p);
}

/* Why it takes no model is said by the process that has tried. */
static void a_model_that_fails_in_isolation_is_explained(void **state) {
  (void)state;
  pair p = make(ALONE("none"));
  write_in(&p, "faulty.bin", "garbage model");
  kt_run run = run_client(&p, "out.json");
  kt_assert_exit(&run, 2);
  kt_assert_contains(run.err, "the runtime's process: ");
  kt_assert_contains(run.err, "bad data: faulty.bin is no model");
  kt_run_free(&run);
  drop_pair(&p);
}

/* However much it says: the pipe is bounded, nothing waits for it, and its end is told without control characters. */
static void an_isolated_runtime_is_heard(void **state) {
  (void)state;
  pair p = make(ALONE("talk"));
  kt_run run = run_client(&p, "out.json");
  kt_assert_exit(&run, 1);
  kt_assert_contains(run.err, "the runtime's process: bla bla bla");
  assert_string_equal(run.out, "");
  assert_true(run.err_bytes < 64 << 10);
  assert_null(strchr(run.err, '\033'));
  kt_run_free(&run);
  drop_pair(&p);
}

/* 8 MiB of input and as much of output do not fit into 4 MiB. The release build: sanitizers take far more by
 * themselves. */
static void an_isolated_runtime_has_no_more_memory_than_allowed(void **state) {
  (void)state;
  static const char *const limits[] = {"4", "512"};
  for (int i = 0; i < 2; i++) {
    char runtime[256];
    snprintf(runtime, sizeof runtime,
             "{\"type\": \"NullRuntime\", \"parameters\": {\"isolate\": true, \"isolate_memory\": %s}}", limits[i]);
    pair p = make(runtime);
    p.options.environment = (const char *const[]){"KENNING_PLUGIN_PATH", NULL}; /* it is built for the sanitizer */
    kt_run run = kt_run_program(
        (const char *const[]){kt_kenning_release(), "json_inference_tester", "c.json", "out.json", NULL}, &p.options);
    kt_assert_exit(&run, i ? 0 : 1);
    if (!i) kt_assert_contains(run.err, "out of memory");
    kt_run_free(&run);
    drop_pair(&p);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_isolated_runtime_is_measured),
      cmocka_unit_test(a_run_without_an_inference_takes_nothing_away),
      cmocka_unit_test(an_isolated_crash_is_an_error_of_the_run),
      cmocka_unit_test(a_model_that_fails_in_isolation_is_explained),
      cmocka_unit_test(an_isolated_runtime_is_heard),
      cmocka_unit_test(an_isolated_runtime_has_no_more_memory_than_allowed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
