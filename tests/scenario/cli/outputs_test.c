/* Where results go: directories are made, and what cannot be written is told. */
#include "support/directory.h"
#include "support/program.h"
#include "support/unit.h"

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
  const struct CMUnitTest tests[] = {cmocka_unit_test(missing_directories_are_made),
                                     cmocka_unit_test(nothing_else_is_written_over),
                                     cmocka_unit_test(a_full_disk_is_told_with_a_way_out)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
