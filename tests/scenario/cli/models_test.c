/* Models that are not what their names say, or are damaged: told by their content, before a tool sees them. */
#include "support/directory.h"
#include "support/program.h"
#include "support/unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void copy(const char *directory, const char *name, const char *source, size_t limit) {
  size_t bytes;
  char *from = kt_source_path(source), *to = kt_path(directory, name), *data = kt_file_read(from, &bytes);
  kt_file_write(to, data, limit && limit < bytes ? limit : bytes);
  free(from);
  free(to);
  free(data);
}

#define TFLITE "tests/unit/tflite/data/fp32.tflite"
#define ONNX "tests/unit/onnxruntime/data/fp32.onnx"
#define KERAS "tests/contract/data/images28.h5"
#define IR "tests/unit/openvino/data/fp32.xml"
#define TORCH "tests/unit/pytorch/data/small.pt"

static void convert_goes_by_content(void **state) {
  (void)state;
  static const struct {
    const char *name, *source; /* NULL: text */
    size_t limit;              /* bytes of it; 0: all */
    const char *out, *from;    /* NULL: by content */
    const char *text;
  } cases[] = {
      {"a.tflite", NULL, 0, "b.onnx", NULL, "a.tflite is no model of format tflite: it does not begin like one"},
      {"a.h5", NULL, 0, "b.tflite", NULL, "a.h5 is no model of format keras"},
      {"a.keras", NULL, 0, "b.tflite", NULL, "a.keras is no model of format keras"},
      {"a.xml", NULL, 0, "b.onnx", "openvino", "a.xml is no model of format openvino"},
      {"a.onnx", NULL, 0, "b.tar", NULL, "while reading a.onnx"},
      {"a.txt", NULL, 0, "b.onnx", NULL, "the format of a.txt is not known: give it with --from"},
      {"cut.tflite", TFLITE, 1500, "b.onnx", NULL, "(at byte 52 of 1500)"},
      {"cut.onnx", ONNX, 300, "b.tar", NULL, "while reading cut.onnx"},
      {"cut.h5", KERAS, 9000, "b.onnx", NULL, "cut.h5"},
      {"cut.xml", IR, 2000, "b.onnx", NULL, "cut off: it ends after 2000 bytes without </net>"},
      {"onnx.h5", ONNX, 0, "b.tflite", NULL, "onnx.h5 is an ONNX model, whatever its name says"},
      {"onnx.h5", ONNX, 0, "b.tflite", "keras", "not a model of format keras: leave --from out"},
      {"cut.pt", TORCH, 2000, "b.onnx", NULL, "cut.pt is a damaged zip archive: its end is missing"},
      {"torch.h5", TORCH, 0, "b.tflite", NULL, "there is no way from torch to tflite"},
      {"whole.onnx", ONNX, 0, "b.xml", NULL, "from onnx to openvino goes OpenVINOQuantizer"},
      {"page.onnx", "docs/datasets.md", 1, "b.tar", NULL, "while reading page.onnx"},
  };
  char *directory = kt_directory_make(), *before = kt_path(directory, "made");
  kt_run_options options = {.directory = directory};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *path = kt_path(directory, cases[i].name);
    if (cases[i].source)
      copy(directory, cases[i].name, cases[i].source, cases[i].limit);
    else
      kt_file_write_text(path, "no model at all\n");
    char out[64];
    snprintf(out, sizeof out, "made/%s", cases[i].out);
    const char *arguments[] = {kt_kenning(),  "convert", cases[i].name, out, cases[i].from ? "--from" : NULL,
                               cases[i].from, NULL};
    kt_run run = kt_run_program(arguments, &options);
    kt_assert_exit(&run, 2);
    kt_assert_contains(run.err, cases[i].text);
    assert_int_equal(run.out_bytes, 0);
    assert_int_not_equal(access(before, F_OK), 0); /* nothing was made for an output */
    kt_run_free(&run);
    free(path);
  }
  free(before);
  kt_directory_remove(directory);
}

#define CLASSIFIER(model) \
  "{\"model_wrapper\": {\"type\": \"TensorFlowClassifier\", \"parameters\": {\"model_path\": \"" model "\"}},\n"
#define DATASET                                                                                    \
  "\"dataset\": {\"type\": \"FashionMNISTDataset\", \"parameters\": {\"dataset_root\": \"data\", " \
  "\"download_dataset\": true}},\n"
#define TO_ONNX \
  "\"optimizers\": [{\"type\": \"ONNXCompiler\", \"parameters\": {\"compiled_model_path\": \"made/m.onnx\"}}],\n"
#define NULL_RUNTIME "\"runtime\": {\"type\": \"NullRuntime\"}}"

/* Nothing is downloaded, made or tried for a model that cannot be the one. */
static void a_scenario_judges_its_model_first(void **state) {
  (void)state;
  static const struct {
    const char *scenario, *text;
  } cases[] = {
      {CLASSIFIER("text.h5") DATASET TO_ONNX NULL_RUNTIME, "text.h5 is no model of format keras or saved_model"},
      {CLASSIFIER("cut.h5") DATASET TO_ONNX NULL_RUNTIME, "cut.h5"},
      {CLASSIFIER("onnx.h5") DATASET NULL_RUNTIME,
       "onnx.h5 is an ONNX model, whatever its name says, where a model of format keras or saved_model is wanted: name "
       "a class "
       "that reads onnx, or convert it"},
      {CLASSIFIER("missing.h5") DATASET NULL_RUNTIME, "missing.h5: cannot read: there is no such file"},
      {CLASSIFIER("empty") DATASET NULL_RUNTIME, "empty is a directory without saved_model.pb"},
      /* every runtime would find the same */
      {CLASSIFIER("cut.h5") DATASET "\"runtime\": {\"type\": \"auto\"}}", "cut.h5"},
      {CLASSIFIER("text.h5") DATASET "\"runtime\": {\"type\": \"auto\"}}", "text.h5 is no model of format keras"},
  };
  char *directory = kt_directory_make(), *scenario = kt_path(directory, "s.json"),
       *text = kt_path(directory, "text.h5"), *inside = kt_path(directory, "data");
  kt_run_options options = {.directory = directory};
  kt_file_write_text(text, "no model at all\n");
  copy(directory, "cut.h5", KERAS, 9000);
  copy(directory, "onnx.h5", ONNX, 0);
  kt_run made = kt_run_program((const char *const[]){"mkdir", "empty", NULL}, &options);
  kt_run_free(&made);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    kt_file_write_text(scenario, cases[i].scenario);
    kt_run run = kt_run_kenning(&options, "json_inference_tester", "s.json", "out.json");
    kt_assert_exit(&run, 2);
    kt_assert_contains(run.err, cases[i].text);
    kt_assert_contains(run.err, "s.json:1:");
    assert_null(strstr(run.err, "trying"));
    assert_int_not_equal(access(inside, F_OK), 0);
    kt_run_free(&run);
  }
  free(scenario);
  free(text);
  free(inside);
  kt_directory_remove(directory);
}

/* A model that comes into the chain from elsewhere: the converter would end by a signal. */
static void an_inserted_model_is_judged_too(void **state) {
  (void)state;
  static const char scenario[] =
      "{\"model_wrapper\": {\"type\": \"NullModelWrapper\", \"parameters\": {\"model_path\": \"cut.tflite\"}}, "
      "\"dataset\": {\"type\": "
      "\"RandomizedClassificationDataset\"},\n\"optimizers\": [{\"type\": \"ModelInserter\", \"parameters\": "
      "{\"model_framework\": \"tflite\", \"input_model_path\": \"cut.tflite\", \"compiled_model_path\": "
      "\"in.tflite\"}},\n"
      "{\"type\": \"ONNXCompiler\", \"parameters\": {\"compiled_model_path\": \"m.onnx\"}}], " NULL_RUNTIME;
  char *directory = kt_directory_make(), *path = kt_path(directory, "s.json");
  kt_file_write_text(path, scenario);
  copy(directory, "cut.tflite", TFLITE, 1500);
  kt_run_options options = {.directory = directory};
  kt_run run = kt_run_kenning(&options, "json_inference_tester", "s.json", "out.json");
  kt_assert_exit(&run, 2);
  kt_assert_contains(run.err, "(at byte 52 of 1500)");
  kt_assert_contains(run.err, "ONNXCompiler at s.json:3:");
  kt_run_free(&run);
  free(path);
  kt_directory_remove(directory);
}

/* An engine that reads formats of others does not judge them: those who know them do. */
static void a_runtime_gets_whole_models_only(void **state) {
  (void)state;
  static const char pattern[] =
      "{\"model_wrapper\": {\"type\": \"NullModelWrapper\"}, \"dataset\": {\"type\": "
      "\"RandomizedClassificationDataset\", \"parameters\": {\"num_samples\": 50}},\n\"runtime\": {\"type\": "
      "\"OpenVINORuntime\", \"parameters\": {\"save_model_path\": \"%s\"}}}";
  static const struct {
    const char *name, *text;
  } cases[] = {{"cut.onnx", "the file is cut or damaged at byte"}, {"cut.tflite", "(at byte 52 of 1500)"}};
  char *directory = kt_directory_make(), *path = kt_path(directory, "s.json"), text[512];
  kt_run_options options = {.directory = directory};
  copy(directory, "cut.onnx", ONNX, 300);
  copy(directory, "cut.tflite", TFLITE, 1500);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    snprintf(text, sizeof text, pattern, cases[i].name);
    kt_file_write_text(path, text);
    kt_run run = kt_run_kenning(&options, "json_inference_tester", "s.json", "out.json");
    kt_assert_exit(&run, 2);
    kt_assert_contains(run.err, cases[i].text);
    kt_assert_contains(run.err, cases[i].name);
    kt_run_free(&run);
  }
  free(path);
  kt_directory_remove(directory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(convert_goes_by_content), cmocka_unit_test(a_scenario_judges_its_model_first),
      cmocka_unit_test(an_inserted_model_is_judged_too), cmocka_unit_test(a_runtime_gets_whole_models_only)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
