/* The commands that show something: exit codes, streams, and the main content. */
#include "support/directory.h"
#include "support/program.h"
#include "support/unit.h"

#include <kenning/base.h>
#include <string.h>
#include <unistd.h>
#include <yyjson.h>

static void help_is_on_stdout(void **state) {
  (void)state;
  kt_run run = kt_run_kenning(NULL, "--help");
  kt_assert_exit(&run, 0);
  kt_assert_contains(run.out, "usage: kenning COMMAND");
  kt_assert_contains(run.out, "json_inference_tester");
  assert_int_equal(run.err_bytes, 0);
  kt_run_free(&run);
}

static void every_command_has_help(void **state) {
  (void)state;
  static const char *const commands[] = {"train",
                                         "optimize",
                                         "test",
                                         "report",
                                         "check",
                                         "list",
                                         "info",
                                         "schema",
                                         "install",
                                         "doctor",
                                         "completion",
                                         "reference",
                                         "model_training",
                                         "json_inference_tester",
                                         "inference_tester",
                                         "inference_performance",
                                         "render_report"};
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    kt_run run = kt_run_kenning(NULL, commands[i], "--help");
    kt_assert_exit(&run, 0);
    kt_assert_contains(run.out, "usage: kenning ");
    kt_assert_contains(run.out, commands[i]);
    kt_run_free(&run);
  }
}

static void unknown_words_are_refused_with_a_hint(void **state) {
  (void)state;
  const struct {
    const char *words[4];
    const char *text;
  } cases[] = {{{"lst"}, "did you mean 'list'"},
               {{"list", "datasts"}, "did you mean 'dataset'"},
               {{"list", "foo"}, "the kinds are dataset, modelwrapper, optimizer, runtime,"},
               {{"schema", "foo"}, "usage: kenning schema\n"},
               {{"list", "--json", "--json"}, "'json' is given twice"},
               {{"list", "--jsn"}, "did you mean --json"},
               {{"info", "TFLiteCompilr"}, "did you mean 'TFLiteCompiler'"},
               {{"completion", "tcsh"}, "bash, zsh and fish"},
               {{"json_inference_tester", "a.json"}, "is missing"},
               {{"render_report", "name"}, "is missing"},
               {{"report", "--json-cfg", "x.json"}, "--measurements is needed"},
               {{"test", "--measurements", "m.json"}, "which scenario"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *arguments[6] = {kt_kenning()};
    for (size_t k = 0; k < 4; k++) arguments[k + 1] = cases[i].words[k];
    kt_run run = kt_run_program(arguments, NULL);
    kt_assert_exit(&run, 2);
    kt_assert_contains(run.err, cases[i].text);
    assert_int_equal(run.out_bytes, 0);
    kt_run_free(&run);
  }
}

/* A full disk is told; a reader that has seen enough is not. */
static void an_output_that_fails_is_no_success(void **state) {
  (void)state;
  static const char *const cases[][2] = {
      {"\"$0\" --help >/dev/full", "standard output could not be written: the disk is full"},
      {"\"$0\" --version >/dev/full", "standard output could not be written"},
      {"\"$0\" schema >/dev/full", "standard output could not be written"},
      {"set -o pipefail; \"$0\" reference | true", ""}};
  for (size_t i = 0; i < 4; i++) {
    const char *arguments[] = {"bash", "-c", cases[i][0], kt_kenning(), NULL};
    kt_run run = kt_run_program(arguments, NULL);
    if (i < 3) kt_assert_exit(&run, 1);
    if (i < 3)
      kt_assert_contains(run.err, cases[i][1]);
    else
      assert_string_equal(run.err, "");
    kt_run_free(&run);
  }
}

static void nothing_at_all_is_a_usage_error(void **state) {
  (void)state;
  const char *arguments[] = {kt_kenning(), NULL};
  kt_run run = kt_run_program(arguments, NULL);
  kt_assert_exit(&run, 2);
  kt_assert_contains(run.err, "usage: kenning");
  kt_run_free(&run);
}

static void bounds_are_shown_in_full(void **state) {
  (void)state;
  kt_run run = kt_run_kenning(NULL, "info", "RandomizedClassificationDataset");
  kt_assert_exit(&run, 0);
  kt_assert_contains(run.out, "from 0 to 9007199254740991;");
  kt_run_free(&run);
}

static void list_shows_blocks_and_what_they_lack(void **state) {
  (void)state;
  static const char *const nothing_installed[] = {"KENNING_DATA_DIR=/nonexistent", "KENNING_TFLITE_LIBRARY",
                                                  "KENNING_TENSORFLOW_LIBRARY", NULL};
  kt_run_options options = {.environment = nothing_installed};
  kt_run run = kt_run_kenning(&options, "list");
  kt_assert_exit(&run, 0);
  static const char *const names[] = {"FashionMNISTDataset",
                                      "ImageFolderDataset",
                                      "RandomizedClassificationDataset",
                                      "PetDataset",
                                      "TensorFlowFashionMNISTCNN",
                                      "TensorFlowClassifier",
                                      "TensorFlowPetDatasetMobileNetV2",
                                      "TFLiteCompiler",
                                      "TVMCompiler",
                                      "TFLiteRuntime",
                                      "TVMRuntime",
                                      "NullRuntime"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) kt_assert_contains(run.out, names[i]);
  kt_assert_contains(run.out, "kenning install tflite");
  kt_assert_contains(run.out, "kenning install tensorflow");
  kt_run_free(&run);
}

static void list_is_json_on_request(void **state) {
  (void)state;
  kt_run run = kt_run_kenning(NULL, "list", "--json");
  kt_assert_exit(&run, 0);
  yyjson_doc *doc = yyjson_read(run.out, run.out_bytes, 0);
  assert_non_null(doc);
  yyjson_val *blocks = yyjson_obj_get(yyjson_doc_get_root(doc), "blocks");
  assert_true(yyjson_arr_size(blocks) >= 12);
  yyjson_doc_free(doc);
  kt_run_free(&run);
}

static void info_takes_three_spellings(void **state) {
  (void)state;
  static const char *const names[] = {"TFLiteCompiler", "kenning.compilers.tflite.TFLiteCompiler",
                                      "kenning.optimizers.tflite.TFLiteCompiler"};
  for (size_t i = 0; i < 3; i++) {
    kt_run run = kt_run_kenning(NULL, "info", names[i]);
    kt_assert_exit(&run, 0);
    kt_assert_contains(run.out, "inference_input_type");
    kt_assert_contains(run.out, "also: inferenceinputtype");
    kt_assert_contains(run.out, "--dataset-percentage");
    kt_run_free(&run);
  }
}

static void schema_describes_every_block(void **state) {
  (void)state;
  kt_run run = kt_run_kenning(NULL, "schema");
  kt_assert_exit(&run, 0);
  yyjson_doc *doc = yyjson_read(run.out, run.out_bytes, 0);
  assert_non_null(doc);
  yyjson_val *root = yyjson_doc_get_root(doc);
  assert_string_equal(yyjson_get_str(yyjson_obj_get(root, "$schema")), "https://json-schema.org/draft/2020-12/schema");
  yyjson_val *optimizers = yyjson_ptr_get(root, "/$defs/optimizer/oneOf");
  assert_true(yyjson_arr_size(optimizers) >= 2);
  kt_assert_contains(run.out, "kenning.optimizers.tflite.TFLiteCompiler");
  /* "auto" is a runtime, and nothing else may be it. */
  static const char *const kinds[] = {"runtime", "modelwrapper", "dataset", "optimizer", "runtimeprotocol"};
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
    yyjson_val *choices = yyjson_obj_get(yyjson_obj_get(yyjson_obj_get(root, "$defs"), kinds[k]), "oneOf"), *choice;
    assert_true(yyjson_arr_size(choices) >= 1);
    size_t i, count, automatic = 0;
    yyjson_arr_foreach(choices, i, count, choice) {
      const char *type = yyjson_get_str(yyjson_ptr_get(choice, "/properties/type/const"));
      automatic += type && !strcmp(type, "auto");
    }
    assert_int_equal(automatic, k == 0);
  }
  yyjson_doc_free(doc);
  kt_run_free(&run);
}

static void the_seeds_scenarios_check(void **state) {
  (void)state;
  static const char *const names[] = {"scenarios/pets/native.json",
                                      "scenarios/pets/tflite-fp32.json",
                                      "scenarios/pets/tflite-int8.json",
                                      "scenarios/pets/tvm-avx2-int8.json",
                                      "scenarios/pets/tflite-float16.json",
                                      "scenarios/pets/litert-int8.json",
                                      "scenarios/pets/iree-int8.json",
                                      "scenarios/pets/onnxruntime-int8.json",
                                      "scenarios/pets/onnxruntime-vnni-int8.json",
                                      "scenarios/pets/openvino-int8.json",
                                      "scenarios/pets/openvino-vnni-int8.json",
                                      "scenarios/pets/tvm-vnni-int8.json",
                                      "scenarios/fashion-mnist/native.json",
                                      "scenarios/fashion-mnist/tflite-fp32.json",
                                      "scenarios/fashion-mnist/tflite-int8.json",
                                      "scenarios/pets/tflite-fp32-target.json",
                                      "scenarios/fashion-mnist/tflite-fp32-target.json"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char *path = kt_source_path(names[i]);
    kt_run run = kt_run_kenning(NULL, "check", path);
    kt_assert_exit(&run, 0);
    kt_assert_contains(run.out, ": ok");
    kt_run_free(&run);
    run = kt_run_kenning(NULL, "check", "--files", path);
    if (strstr(names[i], "pets")) kt_assert_exit(&run, 2); /* its model does not exist here */
    kt_run_free(&run);
    free(path);
  }
}

/* A class that this program knows by its parameters only. */
static void what_cannot_run_here_says_so(void **state) {
  (void)state;
  char *directory = kt_directory_make(), *path = kt_path(directory, "linked.json"),
       *out = kt_path(directory, "out.json");
  static const char scenario[] =
      "{\"model_wrapper\": {\"type\": \"NullModelWrapper\"},"
      " \"dataset\": {\"type\": \"RandomizedClassificationDataset\"},"
      " \"runtime\": {\"type\": \"LinkedRuntime\"}}";
  kt_file_write(path, scenario, strlen(scenario));
  kt_run run = kt_run_kenning(NULL, "json_inference_tester", path, out);
  kt_assert_exit(&run, 2);
  kt_assert_contains(run.err, "linked.json:1:");
  kt_assert_contains(run.err, "LinkedRuntime runs on a target only: add a 'runtime_protocol'");
  assert_int_not_equal(access(out, F_OK), 0);
  kt_run_free(&run);
  kt_directory_remove(directory);
  free(path);
  free(out);
}

static void the_reference_is_current(void **state) {
  (void)state;
  kt_run run = kt_run_kenning(NULL, "reference");
  kt_assert_exit(&run, 0);
  char *path = kt_source_path("docs/reference.md"), *text = kt_file_read(path, NULL);
  if (strcmp(text, run.out)) fail_msg("docs/reference.md is out of date: kenning reference >docs/reference.md");
  free(text);
  free(path);
  kt_run_free(&run);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(help_is_on_stdout),
      cmocka_unit_test(every_command_has_help),
      cmocka_unit_test(unknown_words_are_refused_with_a_hint),
      cmocka_unit_test(an_output_that_fails_is_no_success),
      cmocka_unit_test(nothing_at_all_is_a_usage_error),
      cmocka_unit_test(bounds_are_shown_in_full),
      cmocka_unit_test(list_shows_blocks_and_what_they_lack),
      cmocka_unit_test(list_is_json_on_request),
      cmocka_unit_test(info_takes_three_spellings),
      cmocka_unit_test(schema_describes_every_block),
      cmocka_unit_test(the_seeds_scenarios_check),
      cmocka_unit_test(what_cannot_run_here_says_so),
      cmocka_unit_test(the_reference_is_current),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
