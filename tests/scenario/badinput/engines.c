#include "scenario/badinput/engines.h"

#include "support/directory.h"
#include "support/unit.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

const engine engines[] = {
    {"tensorflow", "TensorFlowClassifier", "", "tests/unit/tensorflow/data/keras3.h5", "6, 6, 1",
     .variable = "KENNING_TENSORFLOW_LIBRARY", .native = true, .slow = true},
    {"tflite", "TFLiteRuntime", "\"num_threads\": 1, ", "tests/unit/tflite/data/fp32.tflite", "4, 4, 1",
     .variable = "KENNING_TFLITE_LIBRARY"},
    {"litert", "TFLiteRuntime", "\"num_threads\": 1, \"engine\": \"litert\", ", "tests/unit/tflite/data/fp32.tflite",
     "4, 4, 1", .variable = "KENNING_LITERT_LIBRARY"},
    {"onnxruntime", "ONNXRuntime", "\"num_threads\": 1, ", "tests/unit/onnxruntime/data/fp32.onnx", "1, 6, 6",
     .variable = "KENNING_ONNXRUNTIME_LIBRARY"},
    {"openvino", "OpenVINORuntime", "\"num_threads\": 1, ", "tests/unit/onnxruntime/data/fp32.onnx", "1, 6, 6",
     .variable = "KENNING_OPENVINO_LIBRARY"},
    {"tvm", "TVMRuntime", "", "tests/unit/tvm/data/relax.tar", "4, 4, 1", .variable = "KENNING_TVM_LIBRARY"},
    {"iree", "IREERuntime", "\"driver\": \"local-sync\", ", "tests/unit/iree/data/fp32.vmfb", "4, 4, 1",
     .variable = "KENNING_IREE_LIBRARY"},
    {"pytorch", "PyTorchRuntime", "\"num_threads\": 1, ", "tests/unit/pytorch/data/small.pt", "2, 6, 5",
     .variable = "KENNING_PYTORCH_LIBRARY", .slow = true},
    {"mxnet", "MXNetRuntime", "\"num_threads\": 1, ", "tests/unit/mxnet/data/small.params", "2, 6, 5",
     .variable = "KENNING_MXNET_LIBRARY", .slow = true},
};
const size_t engine_count = sizeof engines / sizeof *engines;

void need(const engine *one) {
  static bool installed;
  if (!installed) kt_need(one->framework);
  installed = true;
}

const engine *engine_of(const char *framework) {
  for (size_t i = 0; i < engine_count; i++)
    if (!strcmp(engines[i].framework, framework)) return &engines[i];
  kt_fail("there is no engine %s", framework);
}

kt_run run_model(const engine *one, const char *directory, const char *model, const char *shape, bool isolate,
                 const char *const *environment) {
  char text[2048];
  char *path = kt_path(directory, "s.json");
  snprintf(text, sizeof text,
           "{\"dataset\": {\"type\": \"RandomizedClassificationDataset\", \"parameters\": {\"num_samples\": 50, "
           "\"num_classes\": %d, \"input_dims\": [%s]}},\n"
           "\"model_wrapper\": {\"type\": \"%s\"%s%s%s},\n\"runtime\": ",
           strcmp(shape, "2") ? 3 : 2, shape, one->native ? one->cls : "NullModelWrapper",
           one->native ? ", \"parameters\": {\"model_path\": \"" : "", one->native ? model : "",
           one->native ? "\"}" : "");
  size_t used = strlen(text);
  if (one->native)
    snprintf(text + used - strlen(",\n\"runtime\": "), sizeof text - used, "}");
  else
    snprintf(text + used, sizeof text - used,
             "{\"type\": \"%s\", \"parameters\": {%s\"isolate\": %s, "
             "\"save_model_path\": \"%s\"}}}",
             one->cls, one->parameters, isolate ? "true" : "false", model);
  kt_file_write_text(path, text);
  free(path);
  const char *const arguments[] = {kt_kenning_release(), "json_inference_tester", "s.json", "out.json", NULL};
  return kt_run_program(arguments,
                        &(kt_run_options){.directory = directory, .environment = environment, .timeout_s = 120});
}

static size_t entries(const char *directory) {
  size_t count = 0;
  DIR *list = opendir(directory);
  assert_non_null(list);
  for (struct dirent *entry; (entry = readdir(list));)
    count += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
  closedir(list);
  return count;
}

void assert_refused(kt_run *run, int code, const char *const *parts, const char *directory, size_t more) {
  kt_assert_exit(run, code);
  kt_assert_contains(run->err, "kenning: error: ");
  for (; *parts; parts++) kt_assert_contains(run->err, *parts);
  assert_int_equal(run->out_bytes, 0);
  assert_int_equal(entries(directory), 1 + more);
  kt_run_free(run);
}

char *copy_in(const char *source, const char *directory, const char *name) {
  size_t bytes;
  char *from = kt_source_path(source), *to = kt_path(directory, name);
  if (strstr(source, ".savedmodel")) {
    kt_run copied = kt_run_program((const char *const[]){"cp", "-r", from, to, NULL}, NULL);
    kt_assert_exit(&copied, 0);
    kt_run_free(&copied);
  } else {
    char *content = kt_file_read(from, &bytes);
    kt_file_write(to, content, bytes);
    free(content);
  }
  free(from);
  return to;
}
