/* Models that an engine does not take: each is bad input (exit code 2), told with its place, and leaves nothing. */
#include "scenario/badinput/engines.h"
#include "support/directory.h"
#include "support/unit.h"

#include <stdio.h>
#include <string.h>

#define DATA "tests/scenario/badinput/data/"
#define UNIT "tests/unit/"

typedef struct refused {
  const char *framework, *file, *shape;
  const char *parts[3];  /* of what is said */
  const char *from, *to; /* text that is replaced in the file; NULL: none */
  const char *spec;      /* io specification beside it; NULL: none */
} refused;

#define IO(inputs, outputs) "{\"input\": [" inputs "], \"output\": [" outputs "]}"
#define VALUE(name, shape, dtype) "{\"name\": \"" name "\", \"shape\": [" shape "], \"dtype\": \"" dtype "\"}"

static const refused table[] = {
    /* of a version of the future */
    {"tensorflow", DATA "newer.savedmodel", "2", .parts = {"consumer version 99999"}},
    {"tflite", DATA "newer.tflite", "2", .parts = {"operator MUL, which makes '", "version '99'"}},
    {"litert", DATA "newer.tflite", "2", .parts = {"does not take the model"}},
    {"onnxruntime", UNIT "onnxruntime/data/newer.onnx", "2", .parts = {"operator set 99", "opset_version"}},
    {"onnxruntime", DATA "newer-format.onnx", "2", .parts = {"format version 99"}},
    {"openvino", UNIT "onnxruntime/data/newer.onnx", "2", .parts = {"operator set 99", "export the model"}},
    {"openvino", DATA "newer-format.onnx", "2", .parts = {"file format 99", "export the model"}},
    {"openvino", UNIT "openvino/data/fp32.xml", "1, 6, 6", .parts = {"opset99"}, .from = "\"opset1\"",
     .to = "\"opset99\""},
    {"openvino", UNIT "openvino/data/fp32.xml", "1, 6, 6", .parts = {"IR", "version 99"}, .from = "version=\"11\"",
     .to = "version=\"99\""},
    {"pytorch", DATA "newer.pt", "2", .parts = {"version 99", "upgrade PyTorch"}},
    {"mxnet", DATA "newer.params", "2", .parts = {"MXNet 2.9", "older"}},
    /* an operator that nobody defines, named with its layer */
    {"tensorflow", DATA "unknown.savedmodel", "2",
     .parts = {"'Frobnicate'\n    at the operator Frobnicate of the layer 'Softmax'"}},
    {"tflite", DATA "unknown.tflite", "2", .parts = {"unknown operator", "300"}},
    {"tflite", DATA "custom.tflite", "2", .parts = {"custom operator Frobnicate, which makes '"}},
    {"litert", DATA "unknown.tflite", "2", .parts = {"unknown operator, which makes '"}},
    {"litert", DATA "custom.tflite", "2", .parts = {"custom operator Frobnicate, which makes '"}},
    {"onnxruntime", UNIT "onnxruntime/data/unknown.onnx", "2", .parts = {"Frobnicate", "layer7"}},
    {"onnxruntime", UNIT "onnxruntime/data/custom.onnx", "2",
     .parts = {"org.example.Frobnicate of the layer 'layer7'"}},
    {"openvino", UNIT "onnxruntime/data/unknown.onnx", "2",
     .parts = {"at the operator Frobnicate of the layer 'layer7'"}},
    {"openvino", UNIT "onnxruntime/data/custom.onnx", "2",
     .parts = {"org.example.Frobnicate\n    at the operator Frobnicate of the layer 'layer7'"}},
    {"openvino", UNIT "openvino/data/fp32.xml", "1, 6, 6",
     .parts = {"at the operator Frobnicate of the layer 'conv/WithoutBiases'"}, .from = "\"Convolution\"",
     .to = "\"Frobnicate\""},
    {"openvino", DATA "custom.tflite", "2", .parts = {"at the operator Frobnicate, which makes 'mul'"}},
    {"openvino", DATA "unknown.tflite", "2", .parts = {"at the operator 300, which makes 'mul'"}},
    {"openvino", DATA "unknown.savedmodel", "2", .parts = {"at the operator Frobnicate of the layer 'Softmax'"}},
    {"pytorch", DATA "unknown.pt", "2",
     .parts = {"Unknown builtin op: aten::frobnicate (code/__torch__.py, line ", "torch.frobnicate(",
               "in the layer 'block.0'"}},
    {"mxnet", DATA "unknown.params", "2", .parts = {"operator 'Frobnicate' of the layer 'layer7'"}},
    {"mxnet", DATA "misfit.params", "2", .parts = {"shape"}},
    /* a dimension that nobody tells */
    {"onnxruntime", UNIT "onnxruntime/data/free.onnx", "3, 2",
     .parts = {"dimension 1 of the input 'x'", "io specification"}},
    {"openvino", UNIT "openvino/data/dynamic.xml", "3, 2", .parts = {"open", "io specification"}},
    {"pytorch", UNIT "pytorch/data/silent.pt", "2",
     .parts = {"does not say the shapes of its inputs", "io specification"}},
    {"mxnet", DATA "free.params", "3, 2", .parts = {"shape of its input 'x'", "io specification"}},
    /* two inputs, where a data set gives one */
    {"tensorflow", DATA "two.savedmodel", "2", .parts = {"2 inputs"}},
    {"tvm", DATA "two.tar", "2", .parts = {"2 inputs"}},
    {"tflite", DATA "two.tflite", "2", .parts = {"2 inputs"}},
    {"litert", DATA "two.tflite", "2", .parts = {"2 inputs"}},
    {"onnxruntime", UNIT "onnxruntime/data/two.onnx", "2", .parts = {"2 inputs"}},
    {"openvino", UNIT "onnxruntime/data/two.onnx", "2", .parts = {"2 inputs"}},
    {"iree", UNIT "iree/data/two.vmfb", "2", .parts = {"2 inputs"}},
    {"pytorch", UNIT "pytorch/data/two.pt", "2", .parts = {"2 inputs"}},
    {"mxnet", DATA "two.params", "2", .parts = {"2 inputs"}},
    /* the model and what stands beside it disagree */
    {"onnxruntime", UNIT "onnxruntime/data/two.onnx", "2",
     .parts = {"'b' is float32 [1,2], but the model's 'b' is", "json"},
     .spec = IO(VALUE("b", "1, 2", "float32") ", " VALUE("a", "1, 3", "float32"),
                VALUE("sum", "1, 1", "float32") ", " VALUE("signs", "1, 3", "bool"))},
    {"iree", UNIT "iree/data/fp32.vmfb", "4, 4, 1", .parts = {"but the model's"},
     .spec = IO(VALUE("x", "1, 5", "float32"), VALUE("y", "1, 3", "float32"))},
    {"tvm", UNIT "tvm/data/relax.tar", "4, 4, 1", .parts = {"but the model's"},
     .spec = IO(VALUE("x", "1, 5", "float32"), VALUE("y", "1, 3", "float32"))},
    {"tflite", UNIT "tflite/data/fp32.tflite", "4, 4, 1", .parts = {"2 output(s), the model 1"},
     .spec = IO(VALUE("x", "1, 4, 4, 1", "float32"), VALUE("y", "1, 3", "float32") ", " VALUE("z", "1, 3", "float32"))},
    /* types that a data set does not give; outputs that an engine cannot hand out */
    {"tflite", DATA "int64.tflite", "2", .parts = {"type int64, the data set gives float32"}},
    {"tflite", DATA "bool.tflite", "2", .parts = {"type bool, the data set gives float32"}},
    {"litert", DATA "int64.tflite", "2", .parts = {"type int64, the data set gives float32"}},
    {"litert", DATA "bool.tflite", "2", .parts = {"type bool, the data set gives float32"}},
    {"onnxruntime", UNIT "onnxruntime/data/ids.onnx", "2", .parts = {"type int64, the data set gives float32"}},
    {"onnxruntime", DATA "half.onnx", "2", .parts = {"type float16, the data set gives float32"}},
    {"onnxruntime", DATA "bool.onnx", "2", .parts = {"type bool, the data set gives float32"}},
    {"onnxruntime", UNIT "onnxruntime/data/text.onnx", "2", .parts = {"'x' is STRING"}},
    {"openvino", UNIT "onnxruntime/data/ids.onnx", "2", .parts = {"type int64, the data set gives float32"}},
    {"openvino", DATA "half.onnx", "2", .parts = {"type float16, the data set gives float32"}},
    {"openvino", DATA "bool.onnx", "2", .parts = {"type bool, the data set gives float32"}},
    {"pytorch", UNIT "pytorch/data/ids.pt", "2", .parts = {"type int64, the data set gives float32"}},
    {"pytorch", DATA "half.pt", "2", .parts = {"type float16, the data set gives float32"}},
    {"pytorch", DATA "bool.pt", "2", .parts = {"type bool, the data set gives float32"}},
    {"mxnet", DATA "int64.params", "2", .parts = {"output 'y' is not float32"}},
    {"mxnet", DATA "half.params", "2", .parts = {"output 'y' is not float32"}},
    /* an output without elements */
    {"tflite", DATA "empty.tflite", "2", .parts = {"is empty"}},
    {"onnxruntime", DATA "empty.onnx", "2", .parts = {"the output 'y' is empty"}},
    {"onnxruntime", UNIT "onnxruntime/data/empty.onnx", "2", .parts = {"the output 'y' is empty"}},
    {"openvino", DATA "empty.onnx", "2", .parts = {"output 'y' is empty"}},
    {"pytorch", UNIT "pytorch/data/empty.pt", "2", .parts = {"output 'y' is empty"}},
    /* several functions */
    {"iree", UNIT "iree/data/several.vmfb", "2", .parts = {"add, scale"}},
};

/* Engines that take seconds to start show one in three; all of them with KENNING_TEST_ALL. */
static bool enough(const engine *one, size_t tried) { return one->slow && tried % 3 && !getenv("KENNING_TEST_ALL"); }

static void replace(const char *path, const char *from, const char *to) {
  size_t bytes;
  char *content = kt_file_read(path, &bytes), *found = strstr(content, from);
  assert_non_null(found);
  size_t before = (size_t)(found - content), after = bytes - before - strlen(from);
  char *changed = malloc(bytes + strlen(to) + 1);
  assert_non_null(changed);
  memcpy(changed, content, before);
  memcpy(changed + before, to, strlen(to));
  memcpy(changed + before + strlen(to), found + strlen(from), after);
  kt_file_write(path, changed, before + strlen(to) + after);
  free(changed);
  free(content);
}

static const char *last_part(const char *path) { return strrchr(path, '/') + 1; }

static void try_refused(const engine *one, const refused *row) {
  char *directory = kt_directory_make(), name[64];
  const char *file = last_part(row->file);
  char *path = copy_in(row->file, directory, file);
  size_t more = 1; /* the model */
  if (row->from) replace(path, row->from, row->to);
  const char *dot = strrchr(file, '.');
  if (!strcmp(dot, ".xml")) { /* weights beside it */
    char source[256];
    snprintf(source, sizeof source, "%.*s.bin", (int)(strlen(row->file) - strlen(".xml")), row->file);
    snprintf(name, sizeof name, "%.*s.bin", (int)(dot - file), file);
    free(copy_in(source, directory, name));
    more++;
  }
  if (row->spec) {
    snprintf(name, sizeof name, "%s.json", file);
    char *spec = kt_path(directory, name);
    kt_file_write_text(spec, row->spec);
    free(spec);
    more++;
  }
  print_message("%s, %s\n", one->framework, row->file);
  kt_run run = run_model(one, directory, file, row->shape, false, NULL);
  kt_assert_contains(run.err, "s.json:");
  assert_refused(&run, 2, row->parts, directory, more);
  free(path);
  kt_directory_remove(directory);
}

static void what_it_does_not_take_is_named(void **state) {
  const engine *one = *state;
  need(one);
  size_t tried = 0;
  for (size_t i = 0; i < sizeof table / sizeof *table; i++)
    if (!strcmp(table[i].framework, one->framework) && !enough(one, tried++)) try_refused(one, &table[i]);
}

/* Engines that run what a compiler made: there it is the compiler that names the layer. */
static void compilers_name_the_layer_too(void **state) {
  static const struct {
    const char *framework, *file, *out, *part;
  } rows[] = {
      {"tvm", UNIT "onnxruntime/data/unknown.onnx", "out.tar", "at the operator Frobnicate of the layer 'layer7'"},
      {"tvm", UNIT "onnxruntime/data/custom.onnx", "out.tar", "at the operator Frobnicate of the layer 'layer7'"},
      {"tvm", DATA "custom.tflite", "out.tar", "at the operator Frobnicate, which makes 'mul'"},
      {"iree", UNIT "onnxruntime/data/unknown.onnx", "out.vmfb", "at the operator Frobnicate of the layer 'layer7'"},
      {"iree", UNIT "onnxruntime/data/custom.onnx", "out.vmfb", "at the operator Frobnicate of the layer 'layer7'"},
      {"iree", DATA "unknown.tflite", "out.vmfb", "the operator 300, which makes 'mul'"},
      {"iree", DATA "custom.tflite", "out.vmfb", "at the operator Frobnicate, which makes 'mul'"}};
  const engine *one = *state;
  need(one);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    if (strcmp(rows[i].framework, one->framework) != 0) continue;
    char *directory = kt_directory_make(), *in = copy_in(rows[i].file, directory, last_part(rows[i].file));
    print_message("%s, %s\n", one->framework, rows[i].file);
    kt_run run = kt_run_program((const char *const[]){kt_kenning_release(), "convert", in, rows[i].out, NULL},
                                &(kt_run_options){.directory = directory, .timeout_s = 120});
    assert_refused(&run, 2, (const char *const[]){rows[i].part, NULL}, directory, 0);
    free(in);
    kt_directory_remove(directory);
  }
}

/* ---- models of others ---- */

static const struct {
  const char *file, *words;
  const char *takers; /* frameworks that read it */
} foreign[] = {{UNIT "tflite/data/fp32.tflite", "is a TensorFlow Lite model", "tflite litert openvino"},
               {UNIT "onnxruntime/data/fp32.onnx", "is an ONNX model", "onnxruntime openvino"},
               {UNIT "openvino/data/fp32.xml", "is an OpenVINO IR", "openvino"},
               {UNIT "tensorflow/data/keras3.h5", "is an HDF5 file", "tensorflow"},
               {DATA "newer.savedmodel", "is a SavedModel", "tensorflow openvino"},
               {UNIT "pytorch/data/small.pt", "is a zip archive, as PyTorch writes them", "pytorch"},
               {UNIT "mxnet/data/small.params", "is a list of arrays, as MXNet writes them", "mxnet"},
               {UNIT "mxnet/data/pair-symbol.json", "is a graph of MXNet", "mxnet"},
               {UNIT "iree/data/fp32.vmfb", "is a module of IREE", "iree"},
               {UNIT "tvm/data/relax.tar", "relax.tar is ", "tvm"}};

static void models_of_others_are_recognized(void **state) {
  const engine *one = *state;
  need(one);
  char *directory = kt_directory_make();
  for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
    if (strstr(foreign[i].takers, one->framework)) continue;
    char *path = kt_source_path(foreign[i].file);
    kt_run run = run_model(one, directory, path, one->shape, false, NULL);
    kt_assert_exit(&run, 2);
    kt_assert_contains(run.err, foreign[i].words);
    kt_assert_contains(run.err, "s.json:");
    kt_run_free(&run);
    free(path);
  }
  kt_directory_remove(directory);
}

/* ---- damage ---- */

static void run_damaged(const engine *one, const char *directory, const char *name, const char *what, bool must_fail) {
  static const char *const nothing[] = {NULL};
  kt_run run = run_model(one, directory, name, one->shape, false, NULL);
  if (run.exit_code != 2 && (must_fail || run.exit_code != 0))
    kt_fail("%s, %s: exit code %d, signal %d: %s", one->framework, what, run.exit_code, run.signal, run.err);
  if (run.exit_code) {
    assert_refused(&run, 2, nothing, directory, 1);
  } else {
    char *out = kt_path(directory, "out.json");
    assert_int_equal(remove(out), 0);
    free(out);
    kt_run_free(&run);
  }
}

/* Cut anywhere, noise, and flipped bits: refused or run, never a crash. */
static void damaged_models_are_refused_or_run(void **state) {
  const engine *one = *state;
  need(one);
  bool all = getenv("KENNING_TEST_ALL");
  size_t bytes;
  char *directory = kt_directory_make(), *source = kt_source_path(one->model), *content = kt_file_read(source, &bytes),
       what[64];
  const char *name = last_part(one->model);
  char *path = kt_path(directory, name);
  for (size_t i = 0; i < 5; i++) {
    const size_t lengths[] = {0, 1, bytes / 8, bytes / 2, bytes - bytes / 8};
    snprintf(what, sizeof what, "the first %zu of %zu bytes", lengths[i], bytes);
    kt_file_write(path, content, lengths[i]);
    run_damaged(one, directory, name, what, true);
  }
  uint64_t next = 7;
  for (int i = 0; i < (all ? 40 : one->slow ? 2 : 6); i++) {
    next = next * 6364136223846793005U + 1442695040888963407U;
    size_t at = (size_t)(next >> 20) % bytes;
    char before = content[at];
    content[at] = (char)(before ^ 1 << i % 8);
    snprintf(what, sizeof what, "bit %d of byte %zu", i % 8, at);
    kt_file_write(path, content, bytes);
    content[at] = before;
    run_damaged(one, directory, name, what, false);
  }
  for (size_t i = 0; i < bytes; i++) content[i] = (char)(next >> (i % 7 * 8)), next = next * 25214903917U + 11;
  kt_file_write(path, content, bytes);
  run_damaged(one, directory, name, "noise", true);
  free(content);
  free(source);
  free(path);
  kt_directory_remove(directory);
}

/* The way out that is named where an engine or a model ends the program. */
static void a_process_of_its_own_runs_it_too(void **state) {
  const engine *one = *state;
  need(one);
  if (one->native) return; /* model wrappers run their models themselves */
  char *directory = kt_directory_make(), name[64], spec[512];
  const char *file = last_part(one->model);
  char *path = copy_in(one->model, directory, file);
  snprintf(name, sizeof name, "%s.json", file);
  snprintf(spec, sizeof spec,
           IO("{\"name\": \"x\", \"shape\": [1, %s], \"dtype\": \"float32\"}", VALUE("y", "1, 3", "float32")),
           one->shape);
  char *beside = kt_path(directory, name);
  kt_file_write_text(beside, spec);
  kt_run run = run_model(one, directory, file, one->shape, true, NULL);
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  free(beside);
  free(path);
  kt_directory_remove(directory);
}

int main(int count, char **arguments) {
  if (count != 2) return 2;
  void *one = (void *)(uintptr_t)engine_of(arguments[1]);
  const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(what_it_does_not_take_is_named, one),
                                     cmocka_unit_test_prestate(compilers_name_the_layer_too, one),
                                     cmocka_unit_test_prestate(models_of_others_are_recognized, one),
                                     cmocka_unit_test_prestate(damaged_models_are_refused_or_run, one),
                                     cmocka_unit_test_prestate(a_process_of_its_own_runs_it_too, one),
                                     cmocka_unit_test_prestate(what_was_installed_is_what_runs, one),
                                     cmocka_unit_test_prestate(libraries_of_ones_own_are_judged, one)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
