/* The test support itself: a harness that misreports would make every other test worthless. */
#include "support/directory.h"
#include "support/program.h"
#include "support/unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHELL(script) ((const char *const[]){"/bin/sh", "-c", script, NULL})

static void streams_and_exit_code(void **state) {
  (void)state;
  kt_run run = kt_run_program(SHELL("cat; echo fault >&2; exit 7"), &(kt_run_options){.input = "text\n"});
  kt_assert_exit(&run, 7);
  assert_string_equal(run.out, "text\n");
  assert_string_equal(run.err, "fault\n");
  assert_int_equal(run.err_bytes, 6);
  assert_true(run.wall_ns > 0);
  kt_run_free(&run);
}

static void signals_are_reported(void **state) {
  (void)state;
  kt_run run = kt_run_program(SHELL("kill -SEGV $$"), NULL);
  assert_int_equal(run.exit_code, -1);
  assert_int_equal(run.signal, SIGSEGV);
  kt_run_free(&run);
}

static void environment_and_directory(void **state) {
  (void)state;
  char *directory = kt_directory_make();
  setenv("KT_GONE", "1", 1);
  setenv("KT_CHANGED", "old", 1);
  const char *const changes[] = {"KT_GONE", "KT_CHANGED=new", "KT_ADDED=a=b", NULL};
  kt_run run = kt_run_program(SHELL("pwd; echo ${KT_GONE-none} $KT_CHANGED $KT_ADDED"),
                              &(kt_run_options){.directory = directory, .environment = changes});
  kt_assert_exit(&run, 0);
  kt_assert_contains(run.out, directory);
  kt_assert_contains(run.out, "\nnone new a=b\n");
  kt_run_free(&run);
  kt_directory_remove(directory);
}

/* False also for a dead process that its parent has not taken note of. */
static bool alive(pid_t pid) {
  char path[64], state = 'X';
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  FILE *file = fopen(path, "r");
  if (!file) return false;
  if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1) state = 'X';
  fclose(file);
  return state != 'Z' && state != 'X';
}

/* A child that keeps running must not outlive the time-out. */
static void timeouts_kill_the_whole_group(void **state) {
  (void)state;
  kt_run run = kt_run_program(SHELL("sleep 60 & echo $!; wait"), &(kt_run_options){.timeout_s = 1});
  assert_true(run.timed_out);
  pid_t child = (pid_t)strtol(run.out, NULL, 10);
  assert_true(child > 1);
  for (int i = 0; i < 500 && alive(child); i++) usleep(10000);
  assert_false(alive(child));
  kt_run_free(&run);
}

static void peak_memory_is_that_of_the_program(void **state) {
  (void)state;
  size_t bytes = (size_t)64 << 20;
  char *ballast = malloc(bytes);
  assert_non_null(ballast);
  memset(ballast, 1, bytes);
  kt_run run = kt_run_program(SHELL(":"), NULL);
  kt_assert_exit(&run, 0);
  assert_in_range(run.peak_rss_kib, 100, 16 << 10);
  kt_run_free(&run);
  assert_int_equal(ballast[bytes - 1], 1);
  free(ballast);
}

static void servers(void **state) {
  (void)state;
  kt_process *process = kt_start(SHELL("trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.01; done"), NULL);
  assert_true(kt_wait_output(process, "ready", 10));
  assert_false(kt_wait_output(process, "never", 0));
  kt_signal(process, SIGTERM);
  kt_run run = kt_finish(process);
  kt_assert_exit(&run, 5);
  assert_string_equal(run.out, "ready\nbye\n");
  kt_run_free(&run);
}

static void files(void **state) {
  (void)state;
  char *directory = kt_directory_make();
  char *path = kt_path(directory, "file");
  char data[20000];
  memset(data, 'x', sizeof data);
  kt_file_write(path, data, sizeof data);
  size_t bytes = 0;
  char *text = kt_file_read(path, &bytes);
  assert_int_equal(bytes, sizeof data);
  assert_memory_equal(text, data, sizeof data);
  free(text);
  kt_directory_remove(directory);
  assert_int_not_equal(access(path, F_OK), 0);
  free(path);
}

/* What a test of this run has found whole is not asked for again; a framework of this name would skip this test else.
 */
static void frameworks_are_judged_once_in_a_run(void **state) {
  (void)state;
  const char *before = getenv("KENNING_TEST_CHECKED");
  char *directory = kt_directory_make(), *mark = kt_path(directory, "frobnicate"),
       *kept = before ? strdup(before) : NULL;
  kt_file_write_text(mark, "");
  assert_int_equal(setenv("KENNING_TEST_CHECKED", directory, 1), 0);
  kt_need("frobnicate");
  assert_int_equal(kept ? setenv("KENNING_TEST_CHECKED", kept, 1) : unsetenv("KENNING_TEST_CHECKED"), 0);
  free(kept);
  free(mark);
  kt_directory_remove(directory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(streams_and_exit_code),
      cmocka_unit_test(signals_are_reported),
      cmocka_unit_test(environment_and_directory),
      cmocka_unit_test(timeouts_kill_the_whole_group),
      cmocka_unit_test(peak_memory_is_that_of_the_program),
      cmocka_unit_test(servers),
      cmocka_unit_test(files),
      cmocka_unit_test(frameworks_are_judged_once_in_a_run),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
