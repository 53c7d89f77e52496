/* Where results go: directories are made, and what cannot be written is told. */
#include "support/directory.h"
#include "support/program.h"
#include "support/unit.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char scenario[] =
    "{\"model_wrapper\": {\"type\": \"NullModelWrapper\"}, \"runtime\": {\"type\": \"NullRuntime\"},"
    " \"dataset\": {\"type\": \"RandomizedClassificationDataset\", \"parameters\": {\"num_samples\": 100}}}";

static char *make_place(kt_run_options *options) {
  char *directory = kt_directory_make(), *path = kt_path(directory, "s.json");
  kt_file_write_text(path, scenario);
  free(path);
  *options = (kt_run_options){.directory = directory};
  return directory;
}

static void missing_directories_are_made(void **state) {
  (void)state;
  static const struct {
    const char *words[10];
    const char *made;
  } cases[] = {
      {{"json_inference_tester", "s.json", "a/b/out.json"}, "a/b/out.json"},
      {{"test", "--json-cfg", "s.json", "--measurements", "c/d/out.json"}, "c/d/out.json"},
      {{"render_report", "NAME", "e/f/r.md", "--measurements", "a/b/out.json"}, "e/f/r.md"},
      {{"report", "--measurements", "a/b/out.json", "--to-html", "g/h"}, "g/h/index.html"},
      {{"psk", "i/j/board.psk"}, "i/j/board.psk"},
  };
  kt_run_options options;
  char *directory = make_place(&options);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *arguments[12] = {kt_kenning()};
    for (size_t k = 0; k < 10; k++) arguments[k + 1] = cases[i].words[k];
    kt_run run = kt_run_program(arguments, &options);
    kt_assert_exit(&run, 0);
    char *path = kt_path(directory, cases[i].made);
    if (access(path, R_OK) != 0) kt_fail("%s was not made", cases[i].made);
    free(path);
    kt_run_free(&run);
  }
  kt_directory_remove(directory);
}

/* Nothing that is no measurement file, and nothing that a block names. */
static void nothing_else_is_written_over(void **state) {
  (void)state;
  static const char with_model[] =
      "{\"model_wrapper\": {\"type\": \"NullModelWrapper\"}, \"runtime\": {\"type\": \"TFLiteRuntime\", "
      "\"parameters\": "
      "{\"save_model_path\": \"m.tflite\"}}, \"dataset\": {\"type\": \"RandomizedClassificationDataset\"}}";
  static const struct {
    const char *scenario, *file, *content, *words;
  } cases[] = {
      {"s.json", "labels.gz", "\x1f\x8b", "is there and no measurement file"},
      {"s.json", "instances.json", "{\"images\": [1, 2, 3]}", "is there and no measurement file"},
      {"s.json", "list.json", " [0.1]", "is there and no measurement file"},
      {"s.json", "cut.json", "{\"target_inference_step\": [0.1", "is there and no measurement file"},
      {"m.json", "m.tflite", "{a model}", "is an input of this run"},
      {"m.json", "m.tflite.json", "{\"input\": []}", "is an input of this run"},
  };
  kt_run_options options;
  char *directory = make_place(&options), *path = kt_path(directory, "m.json");
  kt_file_write_text(path, with_model);
  free(path);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    path = kt_path(directory, cases[i].file);
    kt_file_write_text(path, cases[i].content);
    kt_run run = kt_run_kenning(&options, "json_inference_tester", cases[i].scenario, cases[i].file);
    kt_assert_exit(&run, 2);
    kt_assert_contains(run.err, cases[i].words);
    kt_run_free(&run);
    char *after = kt_file_read(path, NULL);
    assert_string_equal(after, cases[i].content);
    free(after);
    free(path);
  }
  kt_directory_remove(directory);
}

static void add_model(const char *directory) {
  char *model = kt_source_path("tests/unit/tensorflow/data/keras2.h5"), *path = kt_path(directory, "m.h5");
  assert_int_equal(symlink(model, path), 0);
  free(path);
  free(model);
}

static void measurements_are_written_over(void **state) {
  (void)state;
  static const char *const before[] = {"", "{\"kenning_schema\": \"1.0\"}",
                                       "{\"command\": [], \"target_inference_step\": [0.1]}"};
  kt_run_options options;
  char *directory = make_place(&options), *path = kt_path(directory, "out.json");
  for (size_t i = 0; i < 3; i++) {
    kt_file_write_text(path, before[i]);
    kt_run run = kt_run_kenning(&options, "json_inference_tester", "s.json", "out.json");
    kt_assert_exit(&run, 0);
    kt_run_free(&run);
    char *after = kt_file_read(path, NULL);
    kt_assert_contains(after, "\"build_cfg\"");
    free(after);
  }
  free(path);
  kt_directory_remove(directory);
}

/* Nothing waits for a pipe's reader, and nothing is found out at the end of a run. */
static void pipes_are_refused_before_the_run(void **state) {
  (void)state;
  static const struct {
    const char *words[8];
  } cases[] = {{{"json_inference_tester", "s.json", "fifo"}},
               {{"test", "--json-cfg", "s.json", "--measurements", "fifo"}},
               {{"render_report", "NAME", "fifo.rst", "--measurements", "out.json"}},
               {{"report", "--measurements", "out.json", "--to-html", "html"}},
               {{"json_inference_tester", "c.json", "other.json"}},
               {{"json_inference_tester", "d.json", "other.json"}},
               {{"convert", "m.h5", "fifo", "--to", "tflite"}}};
  static const char compiles[] =
      "{\"model_wrapper\": {\"type\": \"TensorFlowClassifier\", \"parameters\": {\"model_path\": \"m.h5\"}}, "
      "\"runtime\": {\"type\": \"TFLiteRuntime\"}, \"optimizers\": [{\"type\": \"TFLiteCompiler\", \"parameters\": "
      "{\"compiled_model_path\": \"%s\", \"target\": \"default\"}}], "
      "\"dataset\": {\"type\": \"RandomizedClassificationDataset\"}}";
  kt_run_options options;
  char *directory = make_place(&options);
  add_model(directory);
  static const char *const files[] = {"fifo", "fifo.rst", "html/index.html", "below.tflite.json"};
  char *path = kt_path(directory, "html"), text[2048];
  assert_int_equal(mkdir(path, 0700), 0);
  free(path);
  for (size_t i = 0; i < 4; i++) {
    path = kt_path(directory, files[i]);
    assert_int_equal(mkfifo(path, 0600), 0);
    free(path);
  }
  for (size_t i = 0; i < 2; i++) {
    path = kt_path(directory, i ? "d.json" : "c.json");
    snprintf(text, sizeof text, compiles, i ? "below.tflite" : "fifo");
    kt_file_write_text(path, text);
    free(path);
  }
  kt_run made = kt_run_kenning(&options, "json_inference_tester", "s.json", "out.json");
  kt_assert_exit(&made, 0);
  kt_run_free(&made);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *arguments[10] = {kt_kenning()};
    for (size_t k = 0; k < 8; k++) arguments[k + 1] = cases[i].words[k];
    kt_run run = kt_run_program(arguments, &options);
    kt_assert_exit(&run, 2);
    kt_assert_contains(run.err, "is a pipe: nothing is written to it; name a file");
    assert_null(strstr(run.err, "inference")); /* nothing was run */
    kt_run_free(&run);
  }
  kt_directory_remove(directory);
}

/* What is open already is written to: /dev/stdout. A model is renamed into its place, so it cannot be a device. */
static void devices_are_written_in_place(void **state) {
  (void)state;
  kt_run_options options;
  char *directory = make_place(&options);
  add_model(directory);
  kt_run run = kt_run_kenning(&options, "json_inference_tester", "s.json", "/dev/stdout");
  kt_assert_exit(&run, 0);
  assert_int_equal(run.out[0], '{');
  kt_assert_contains(run.out, "\"kenning_schema\"");
  kt_run_free(&run);
  const char *between[] = {"sh", "-c",
                           "(echo before; \"$0\" json_inference_tester s.json /dev/stdout; echo after) >all",
                           kt_kenning(), NULL};
  run = kt_run_program(between, &options);
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  char *path = kt_path(directory, "all"), *all = kt_file_read(path, NULL);
  assert_int_equal(strncmp(all, "before\n{", 8), 0);
  kt_assert_contains(all, "\"kenning_schema\"");
  kt_assert_contains(all, "after\n");
  free(all);
  free(path);
  run = kt_run_kenning(&options, "json_inference_tester", "s.json", "/dev/null");
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  run = kt_run_kenning(&options, "convert", "m.h5", "/dev/null", "--to", "tflite");
  kt_assert_exit(&run, 2);
  kt_assert_contains(run.err, "/dev/null is not a regular file: nothing is written over it");
  kt_run_free(&run);
  kt_directory_remove(directory);
}

/* ---- a crash ---- */

/* The signal comes from outside: whoever sends it, the line is the same. Sanitizers have handlers of their own, so this
 * is the program that users run. */
static void a_crash_names_phase_block_and_model(void **state) {
  (void)state;
  static const struct {
    int number;
    const char *name, *words;
  } signals[] = {{SIGSEGV, "SEGV", "crashed by SIGSEGV"},
                 {SIGILL, "ILL", "crashed by SIGILL"},
                 {SIGABRT, "ABRT", "ended by SIGABRT"}};
  kt_run_options options;
  char *directory = make_place(&options), *path = kt_path(directory, "long.json");
  kt_file_write_text(
      path,
      "{\"model_wrapper\": {\"type\": \"NullModelWrapper\", \"parameters\": {\"model_path\": \"s.json\"}}, "
      "\"runtime\": {\"type\": \"NullRuntime\"}, \"dataset\": {\"type\": "
      "\"RandomizedClassificationDataset\", \"parameters\": {\"num_samples\": 5000000, \"input_dims\": [4]}}}");
  free(path);
  path = kt_path(directory, "out.json");
  static const char script[] =
      "rm -f err; " /* that of the run before says what is waited for */
      "\"$0\" json_inference_tester long.json out.json 2>err & until grep -qs inference err; do sleep 0.1; done; "
      "kill -$1 $!; wait $!; code=$?; cat err >&2; exit $code";
  for (size_t i = 0; i < 3; i++) {
    kt_run run = kt_run_program(
        (const char *const[]){"/bin/sh", "-c", script, kt_kenning_release(), signals[i].name, NULL}, &options);
    kt_assert_exit(&run, 128 + signals[i].number);
    kt_assert_contains(run.err, signals[i].words);
    kt_assert_contains(run.err,
                       "in the phase \"inference\" of kenning.runtimes.null.NullRuntime, with the model s.json; with "
                       "\"isolate\": true it is an error of the run\n");
    kt_run_free(&run);
    assert_int_not_equal(access(path, F_OK), 0); /* no half of a result */
  }
  free(path);
  kt_directory_remove(directory);
}

static void a_full_disk_is_told_with_a_way_out(void **state) {
  (void)state;
  kt_run_options options;
  char *directory = make_place(&options);
  kt_run run = kt_run_kenning(&options, "json_inference_tester", "s.json", "/dev/full");
  kt_assert_exit(&run, 1);
  kt_assert_contains(run.err, "/dev/full: cannot write: the disk is full; free some space or choose another place");
  kt_run_free(&run);
  kt_directory_remove(directory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(missing_directories_are_made),      cmocka_unit_test(nothing_else_is_written_over),
      cmocka_unit_test(measurements_are_written_over),     cmocka_unit_test(pipes_are_refused_before_the_run),
      cmocka_unit_test(devices_are_written_in_place),      cmocka_unit_test(a_crash_names_phase_block_and_model),
      cmocka_unit_test(a_full_disk_is_told_with_a_way_out)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
