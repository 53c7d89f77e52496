/* Whole runs with --convert-to-onnx, by a scenario's file and by flags: the model that is written, and run, gives the
 * outputs that were recorded of the framework's own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenario/conversion/engine.h"

static const char dataset[] = "RandomizedClassificationDataset";

static void run_scenario(const char *directory, const char *wrapper, const recorded *of) {
  char text[2048], *model = recorded_path(of->file), *path = kt_path(directory, "scenario.json");
  int length =
      snprintf(text, sizeof text,
               "{\"model_wrapper\": {\"type\": \"%s\", \"parameters\": {\"model_path\": \"%s\"}},\n"
               "\"dataset\": {\"type\": \"%s\", \"parameters\": {\"num_samples\": 100,\n"
               "\"num_classes\": %d, \"input_dims\": [%s], \"dataset_root\": \".\"}},\n"
               "\"runtime\": {\"type\": \"ONNXRuntime\", \"parameters\": {\"save_model_path\": \"%s/file.onnx\"}}}\n",
               wrapper, model, dataset, of->classes, of->shape, directory);
  assert_in_range(length, 1, sizeof text - 1);
  kt_file_write_text(path, text);
  kt_run run = kt_run_program((const char *const[]){kt_kenning_release(), "json_inference_tester", path, "file.json",
                                                    "--convert-to-onnx", "file.onnx", NULL},
                              &(kt_run_options){.directory = directory, .timeout_s = 300});
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  char *result = kt_path(directory, "file.json"), *measured = kt_file_read(result, NULL);
  kt_assert_contains(measured, "ONNXCompiler");
  kt_assert_contains(measured, "target_inference_step");
  free(measured);
  free(result);
  free(path);
  free(model);
}

static void run_flags(const char *directory, const char *wrapper, const recorded *of) {
  char shape[64], classes[8], *model = recorded_path(of->file);
  snprintf(shape, sizeof shape, "%s", of->shape);
  snprintf(classes, sizeof classes, "%d", of->classes);
  char *first = strtok(shape, ", "), *second = strtok(NULL, ", "), *third = strtok(NULL, ", ");
  const char *const arguments[] = {kt_kenning_release(),
                                   "inference_tester",
                                   wrapper,
                                   dataset,
                                   "flags.json",
                                   "--runtime-cls",
                                   "ONNXRuntime",
                                   "--model-path",
                                   model,
                                   "--num-samples",
                                   "100",
                                   "--num-classes",
                                   classes,
                                   "--input-dims",
                                   first,
                                   second,
                                   third,
                                   "--dataset-root",
                                   ".",
                                   "--save-model-path",
                                   "flags.onnx",
                                   "--convert-to-onnx",
                                   "flags.onnx",
                                   NULL};
  kt_run run = kt_run_program(arguments, &(kt_run_options){.directory = directory, .timeout_s = 300});
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  free(model);
}

static void converted_in_a_run(const char *wrapper, const recorded *of) {
  kt_need("onnxruntime");
  char *directory = kt_directory_make(), *by_file = kt_path(directory, "file.onnx"),
       *by_flags = kt_path(directory, "flags.onnx");
  run_scenario(directory, wrapper, of);
  run_flags(directory, wrapper, of);
  assert_runs(directory, "onnxruntime", "ONNXRuntime", "onnx", by_file, of, NULL);
  size_t first, second;
  char *one = kt_file_read(by_file, &first), *other = kt_file_read(by_flags, &second);
  assert_int_equal(first, second);
  assert_memory_equal(one, other, first);
  free(one);
  free(other);
  free(by_file);
  free(by_flags);
  kt_directory_remove(directory);
}

static void tensorflow_models(void **state) {
  (void)state;
  kt_need("tensorflow");
  kt_need("onnx");
  converted_in_a_run("TensorFlowFashionMNISTCNN", &recorded_keras);
}

static void pytorch_models(void **state) {
  (void)state;
  kt_need("pytorch");
  kt_need("pytorch-tools");
  converted_in_a_run("PyTorchFashionMNISTCNN", &recorded_state);
  converted_in_a_run("PyTorchWrapper", &recorded_script);
}

static void mxnet_models(void **state) {
  (void)state;
  kt_need("mxnet");
  kt_need("onnx-mxnet");
  converted_in_a_run("MXNetWrapper", &recorded_mxnet);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(tensorflow_models), cmocka_unit_test(pytorch_models),
                                     cmocka_unit_test(mxnet_models)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
