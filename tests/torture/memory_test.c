/* Lets the first allocation of an operation fail, its second, ..., until none is left to fail. Every attempt ends with
 * the status for it, leaks nothing (the sanitizer looks), and leaves whole files or none.
 *
 * KENNING_TEST_ALL=1 tries every allocation; otherwise a sample, drawn with KENNING_TEST_SEED (default 1). */
#include "torture/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "contract/fake/fake.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/registry.h"
#include "core/scenario.h"
#include "measurements/results.h"
#include "pipeline/pipeline.h"
#include <kenning/report.h>
#include "support/directory.h"
#include "support/status.h"

enum { FIRST = 50, SAMPLE_SECONDS = 6 };

static run_place place;

/* ---- what is left behind ---- */

/* A file that is whole when it is there. */
static void assert_whole_text(const char *path, const char *content) {
  if (access(path, F_OK) != 0) return;
  char *text = kt_file_read(path, NULL);
  assert_string_equal(text, content);
  free(text);
}

static void assert_whole_page(const char *path) {
  if (access(path, F_OK) != 0) return;
  char *text = kt_file_read(path, NULL);
  assert_non_null(strstr(text, "</html>"));
  free(text);
}

static void assert_whole_measurements(const char *path) {
  if (access(path, F_OK) != 0) return;
  kn_results results;
  kt_assert_ok(kn_results_read(path, &results));
  kn_results_clear(&results);
}

static char *page_path(void) { return kt_path(place.directory, "report/index.html"); }

static void assert_whole_files(void) {
  char *page = page_path();
  assert_whole_text(place.compiled, FAKE_COMPILED);
  assert_whole_text(place.model, FAKE_MODEL);
  assert_whole_measurements(place.measurements);
  assert_whole_page(page);
  free(page);
  assert_int_equal(run_open_blocks(), 0);
}

/* ---- the driver ---- */

static bool all_wanted(void) {
  const char *all = getenv("KENNING_TEST_ALL");
  return all && !strcmp(all, "1");
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* `code` is what the operation gives when memory lasts. */
static void attempt(const char *what, kn_status (*operation)(void), kn_code code, uint64_t n, uint64_t needed) {
  kn_memory_fail_after(n);
  kn_status status = operation();
  kn_memory_fail_after(UINT64_MAX);
  kn_code got = kn_status_code(status);
  char text[512];
  kt_status_text(status, text, sizeof text);
  kn_status_free(status);
  /* Threads take turns differently each time, so that the last ones may not come to fail. */
  bool late = n + 20 >= needed;
  if (got != KN_OUT_OF_MEMORY && !(late && got == code))
    kt_fail("%s, allocation %llu of %llu: %s: %s", what, (unsigned long long)n, (unsigned long long)needed,
            kn_code_name(got), text);
  assert_whole_files();
}

static void torture(const char *what, kn_status (*operation)(void), kn_code code) {
  kt_assert_fault(operation(), code, NULL); /* what is set up once is set up */
  uint64_t before = kn_memory_allocations();
  kt_assert_fault(operation(), code, NULL);
  uint64_t needed = kn_memory_allocations() - before, tried = 0;
  assert_true(needed > 0);
  const char *seed_text = getenv("KENNING_TEST_SEED");
  uint64_t seed = seed_text ? strtoull(seed_text, NULL, 10) : 1, next = seed;
  double start = seconds();
  for (uint64_t n = 0; n < needed && (all_wanted() || n < FIRST); n++, tried++)
    attempt(what, operation, code, n, needed);
  while (!all_wanted() && needed > FIRST && seconds() - start < SAMPLE_SECONDS && tried < needed) {
    next = next * 6364136223846793005u + 1442695040888963407u;
    attempt(what, operation, code, FIRST + (next >> 16) % (needed - FIRST), needed);
    tried++;
  }
  kt_assert_fault(operation(), code, NULL); /* as good as before */
  print_message("%s: %llu of %llu allocations failed, seed %llu\n", what, (unsigned long long)tried,
                (unsigned long long)needed, (unsigned long long)seed);
}

/* ---- operations ---- */

static kn_status load_registry(void) {
  kn_registry_unload();
  return kn_registry_load();
}

static kn_status read_scenario(void) {
  kn_scenario scenario;
  KN_TRY(kn_scenario_read(place.scenario, &scenario));
  kn_scenario_clear(&scenario);
  return NULL;
}

static kn_status run_all_steps(void) { return run_scenario(&place, KN_STEP_TRAIN | KN_STEP_OPTIMIZE | KN_STEP_TEST); }

static kn_status read_measurements(void) {
  kn_results results;
  KN_TRY(kn_results_read(place.measurements, &results));
  kn_results_clear(&results);
  return NULL;
}

static kn_status render_report(void) {
  char *directory = kt_path(place.directory, "report");
  char *files[] = {place.measurements, place.measurements};
  char first[] = "first", second[] = "second", *names[] = {first, second};
  const kn_report_request request = {.name = "torture",
                                     .html_directory = directory,
                                     .measurements = {.items = files, .count = 2},
                                     .model_names = {.items = names, .count = 2}};
  kn_status status = kn_report_render(&request);
  free(directory);
  return status;
}

static kn_status render_document(void) {
  char *document = kt_path(place.directory, "report/document.rst");
  char *files[] = {place.measurements};
  const kn_report_request request = {.name = "torture", .path = document, .measurements = {.items = files, .count = 1}};
  kn_status status = kn_report_render(&request);
  free(document);
  return status;
}

static void the_registry(void **state) {
  (void)state;
  torture("load the registry", load_registry, KN_OK);
}

static void scenarios(void **state) {
  (void)state;
  torture("read a scenario", read_scenario, KN_OK);
  kt_file_write_text(place.scenario,
                     "{\"dataset\": {\"type\": \"FakeDatset\", \"parameters\": {\"x\": [1,\n"
                     " {\"y\": 2}]}}, \"optimizers\": [{\"type\": \"FakeOptimizer\", \"parameters\":"
                     "{\"target\": \"fourth\", \"fast\": 1}}]}");
  torture("read a faulty scenario", read_scenario, KN_NOT_FOUND);
  run_write_scenario(&place, &(run_failures){0});
}

static void whole_runs(void **state) {
  (void)state;
  torture("train, optimize and test", run_all_steps, KN_OK);
}

static void measurement_files(void **state) {
  (void)state;
  kt_assert_ok(run_all_steps());
  torture("read measurements", read_measurements, KN_OK);
}

static void reports(void **state) {
  (void)state;
  kt_assert_ok(run_all_steps());
  torture("render a page", render_report, KN_OK);
  kn_status status = render_document();
  if (kn_status_code(status) == KN_NOT_INSTALLED) {
    char why[512];
    snprintf(why, sizeof why, "%s", kn_status_message(status, 0));
    kn_status_free(status);
    kt_skip("%s", why);
  }
  kt_assert_ok(status);
  torture("render a document with images", render_document, KN_OK);
}

static int set_up(void **state) {
  (void)state;
  kn_log_set_level(KN_LOG_CRITICAL + 1);
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
      cmocka_unit_test(the_registry),      cmocka_unit_test(scenarios), cmocka_unit_test(whole_runs),
      cmocka_unit_test(measurement_files), cmocka_unit_test(reports),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
