/* Faulty scenarios: exit 2, every fault with its place, nothing written. */
#include "support/directory.h"
#include "support/program.h"
#include "support/unit.h"

#include <stdio.h>
#include <unistd.h>

typedef struct fault {
  const char *json;
  const char *texts[6]; /* all stand in stderr */
} fault;

#define WRAPPER "\"model_wrapper\": {\"type\": \"NullModelWrapper\"}"
#define DATASET "\"dataset\": {\"type\": \"RandomizedClassificationDataset\"}"
#define RUNTIME "\"runtime\": {\"type\": \"NullRuntime\"}"
#define TFLITE(parameters) "\"optimizers\": [{\"type\": \"TFLiteCompiler\", \"parameters\": {" parameters "}}]"

static const fault faults[] = {
    {"", {"s.json:1:1", "the file is empty"}},
    {"{", {"s.json:1:", "not valid JSON"}},
    {"[]", {"s.json:1:1: error: a scenario is a JSON object"}},
    {"\n null", {"s.json:2:2: error: a scenario is a JSON object"}},
    {"{}", {"lacks 'model_wrapper'", "lacks 'dataset'"}},
    {"{\n  \"model_wraper\": 1\n}", {"s.json:2:3", "did you mean 'model_wrapper'", "lacks 'model_wrapper'"}},
    {"{" WRAPPER ",\n" WRAPPER ", " DATASET "}", {"s.json:2:1", "given twice"}},
    {"{\"model_wrapper\": {\"type\": \"NoSuchThing\"}, " DATASET "}",
     {"s.json:1:28", "there is no modelwrapper 'NoSuchThing'"}},
    {"{\"model_wrapper\": {\"type\": \"NullRuntime\"}, " DATASET "}", {"of the kind runtime"}},
    {"{\"model_wrapper\": {\"parameters\": {}}, " DATASET "}", {"needs 'type'"}},
    {"{" WRAPPER ", " DATASET ", " TFLITE("\"compiled_model_path\": \"x.tflite\"") "}", {"needs a 'runtime'"}},
    {"{" WRAPPER ", " DATASET ", " RUNTIME ", " TFLITE("") "}", {"TFLiteCompiler needs 'compiled_model_path'"}},
    {"{" WRAPPER ", " DATASET ", " RUNTIME ", " TFLITE("\"compiled_model_path\": \"x\", \"tagret\": \"int8\"") "}",
     {"no parameter 'tagret'; did you mean 'target'"}},
    {"{" WRAPPER ", " DATASET ", " RUNTIME ", " TFLITE("\"compiled_model_path\": \"x\", \"target\": \"int9\"") "}",
     {"'target' is \"int9\"", "did you mean \"int8\""}},
    {"{" WRAPPER ", " DATASET ", " RUNTIME ", " TFLITE("\"compiled_model_path\": \"x\", \"target\": 8") "}",
     {"'target' must be one of its choices, not a number"}},
    {"{" WRAPPER ", " DATASET ", " RUNTIME
     ", " TFLITE("\"compiled_model_path\": \"x\", \"dataset_percentage\": 30") "}",
     {"'dataset_percentage' is 30; it must lie between 0 and 1"}},
    {"{" WRAPPER ", " DATASET ", " RUNTIME
     ", " TFLITE("\"compiled_model_path\": \"x\", \"modelframework\": \"keras\", \"model_framework\": \"keras\"") "}",
     {"another spelling of 'modelframework'"}},
    {"{" WRAPPER ", " DATASET ", " RUNTIME ", \"optimizers\": {}}", {"'optimizers' must be a list"}},
    {"{" WRAPPER ", " DATASET
     ", \"runtime_protocol\": {\"type\": \"NetworkProtocol\", \"parameters\": {\"host\": \"x\", \"port\": 70000}}}",
     {"'port' is 70000", "needs a 'runtime'"}},
    /* options that do not go together */
    {"{" WRAPPER ", " DATASET ", " RUNTIME
     ", " TFLITE("\"compiled_model_path\": \"x\", \"inference_input_type\": \"int8\"") "}",
     {"s.json:1:", "inference_input_type int8 needs target int8"}},
    /* formats that do not meet */
    {"{\"model_wrapper\": {\"type\": \"TensorFlowClassifier\", \"parameters\": {\"model_path\": \"m.h5\"}}, " DATASET
     ", \"optimizers\": [{\"type\": \"TVMCompiler\", \"parameters\": {\"compiled_model_path\": \"x.tar\"}}], "
     "\"runtime\": {\"type\": \"TFLiteRuntime\"}}",
     {"TFLiteRuntime takes tflite", "TVMCompiler before it gives tvm"}},
    /* ranges of items, and what only fits together */
    {"{" WRAPPER ", \"dataset\": {\"type\": \"RandomizedClassificationDataset\", \"parameters\":\n"
     "{\"input_dims\": [-1, 3,\n0, 4000000000], \"split_seed\": -1}}}",
     {"s.json:2:17: error: 'input_dims' holds -1", "s.json:3:1: error: 'input_dims' holds 0",
      "s.json:3:4: error: 'input_dims' holds 4000000000",
      "'split_seed' is -1; it must lie between 0 and 9007199254740991"}},
    {"{" WRAPPER ", \"dataset\":\n{\"type\": \"RandomizedClassificationDataset\", \"parameters\": {\n"
     "\"input_dims\": [1000000000, 1000000000, 1000000000], \"split_fraction_val\": 0.6, "
     "\"split_fraction_calibration\": 0.5}}}",
     {"s.json:2:10", "split_fraction_val 0.6 and split_fraction_calibration 0.5 are together more than all",
      "these input_dims has more bytes than can be counted"}},
    {"{" WRAPPER ", \"dataset\": {\"type\": \"RandomizedClassificationDataset\", \"parameters\": {\"input_dims\": [1, "
     "1, 1, 1, 1, 1, 1, 1]}}}",
     {"input_dims has 8 dimensions"}},
    /* a runtime that is chosen: parameters of none, values that none takes, and what is no part of a block */
    {"{" WRAPPER ", " DATASET ",\n\"runtime\": {\"type\": \"auto\", \"paramters\": {}, \"parameters\": {\n"
     "\"num_thread\": 1, \"num_threads\": \"many\", \"delegates_list\": [], \"delegates_list\": []}}}",
     {"s.json:2:29: error: a block has 'type' and 'parameters' and nothing else",
      "s.json:3:1: error: no runtime that could be chosen has a parameter 'num_thread'; did you mean 'num_threads'?",
      "'num_threads' must be an integer, not a string", "'delegates_list' is given twice"}},
    /* no JSON at all */
    {"\x7f"
     "ELF\x02\x01",
     {"s.json:1:1", "not valid JSON: the file is a program or a library (ELF)"}},
    {"\xef\xbb\xbf{}", {"lacks 'model_wrapper'"}},
    {"{\"model_wrapper\": {\"type\": \"a\\u001b[31mb\"}, " DATASET "}", {"'a?[31mb'"}},
    /* all of them at once */
    {"{\"model_wrapper\": {\"type\": \"NullModelWrapper\", \"parameters\": {\"a\": 1}},\n"
     "\"dataset\": {\"type\": \"RandomizedClassificationDataset\", \"parameters\": {\"inference_batch_size\": 0,\n"
     "\"split\": \"tset\"}}}",
     {"s.json:1:", "no parameter 'a'", "s.json:2:", "'inference_batch_size' is 0",
      "s.json:3:", "did you mean \"test\""}},
};

static void faults_are_told_with_their_place(void **state) {
  (void)state;
  char *directory = kt_directory_make();
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
    char *scenario = kt_path(directory, "s.json"), *output = kt_path(directory, "out.json");
    kt_file_write_text(scenario, faults[i].json);
    kt_run_options options = {.directory = directory};
    kt_run run = kt_run_kenning(&options, "check", "s.json");
    kt_assert_exit(&run, 2);
    for (size_t k = 0; k < 6 && faults[i].texts[k]; k++) kt_assert_contains(run.err, faults[i].texts[k]);
    assert_int_equal(run.out_bytes, 0);
    kt_run_free(&run);
    run = kt_run_kenning(&options, "json_inference_tester", "s.json", "out.json");
    kt_assert_exit(&run, 2);
    for (size_t k = 0; k < 6 && faults[i].texts[k]; k++) kt_assert_contains(run.err, faults[i].texts[k]);
    assert_int_not_equal(access(output, F_OK), 0);
    kt_run_free(&run);
    free(scenario);
    free(output);
  }
  kt_directory_remove(directory);
}

static void a_missing_scenario_is_named(void **state) {
  (void)state;
  kt_run run = kt_run_kenning(NULL, "check", "/nonexistent/s.json");
  kt_assert_exit(&run, 2);
  kt_assert_contains(run.err, "/nonexistent/s.json");
  kt_run_free(&run);
}

/* With --files, data sets must be there unless they are to be downloaded. */
static void missing_data_are_told(void **state) {
  (void)state;
  static const char pattern[] = "{" WRAPPER
                                ", \"dataset\":\n{\"type\": \"ImageFolderDataset\", \"parameters\": "
                                "{\"dataset_root\": \"%s\", \"download_dataset\": %s}}}";
  static const struct {
    const char *root, *download;
    int code;
  } cases[] = {
      {"nowhere", "false", 2}, {"nowhere", "true", 0}, {".", "false", 0}, {"https://example.org/a.tar", "false", 0}};
  char *directory = kt_directory_make(), *scenario = kt_path(directory, "s.json");
  kt_run_options options = {.directory = directory};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[512];
    snprintf(text, sizeof text, pattern, cases[i].root, cases[i].download);
    kt_file_write_text(scenario, text);
    kt_run run = kt_run_kenning(&options, "check", "--files", "s.json");
    kt_assert_exit(&run, cases[i].code);
    if (cases[i].code)
      kt_assert_contains(run.err, "s.json:2:63: error: 'dataset_root': nowhere: cannot read: there is no such file");
    kt_run_free(&run);
    if (cases[i].code == 0) continue;
    run = kt_run_kenning(&options, "json_inference_tester", "s.json", "out.json");
    kt_assert_exit(&run, 2);
    kt_assert_contains(run.err, "\"download_dataset\": true fetches what can be fetched");
    kt_run_free(&run);
  }
  free(scenario);
  kt_directory_remove(directory);
}

/* inference_tester: classes and flags instead of JSON. */
static void faulty_flags_are_told(void **state) {
  (void)state;
  const struct {
    const char *words[12];
    const char *text;
  } cases[] = {
      {{"inference_tester", "NullModelWrapper"}, "a model wrapper and a data set are needed"},
      {{"inference_tester", "NullModelWraper", "RandomizedClassificationDataset", "o.json"},
       "did you mean 'NullModelWrapper'"},
      {{"inference_tester", "NullModelWrapper", "RandomizedClassificationDataset"}, "an argument is missing"},
      {{"inference_tester", "NullModelWrapper", "RandomizedClassificationDataset", "o.json", "--compiler-cls",
        "TFLiteCompiler", "--compiled-model-path", "x"},
       "needs a 'runtime'"},
      {{"inference_tester", "NullModelWrapper", "RandomizedClassificationDataset", "o.json", "--inference-batch-size",
        "many"},
       "must be an integer"},
      {{"inference_tester", "NullModelWrapper", "RandomizedClassificationDataset", "o.json", "--split-fraction-val",
        "0.6", "--split-fraction-calibration=0.5"},
       "together more than all training samples"},
      {{"model_training", "NullModelWrapper", "RandomizedClassificationDataset", "--batch-size", "4"},
       "needs 'learning_rate'"},
  };
  char *directory = kt_directory_make();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *arguments[14] = {kt_kenning()};
    for (size_t k = 0; k < 12; k++) arguments[k + 1] = cases[i].words[k];
    kt_run_options options = {.directory = directory};
    kt_run run = kt_run_program(arguments, &options);
    kt_assert_exit(&run, 2);
    kt_assert_contains(run.err, cases[i].text);
    kt_run_free(&run);
  }
  kt_directory_remove(directory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(faults_are_told_with_their_place),
      cmocka_unit_test(a_missing_scenario_is_named),
      cmocka_unit_test(missing_data_are_told),
      cmocka_unit_test(faulty_flags_are_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
