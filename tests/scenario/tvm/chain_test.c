/* Real compilations: the seed's chain (Keras, TensorFlow Lite int8, TVM for AVX2) on a small network, the official
 * flavour, and C sources built by the system's compiler. That results are right is checked by the contract suite, on
 * models with recorded results. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <yyjson.h>

#include "support/directory.h"
#include "support/program.h"
#include "support/unit.h"

static const kt_run_options *options_in(const char *directory, kt_run_options *options) {
  static const char *const environment[] = {"KENNING_PLUGIN_PATH", NULL};
  *options = (kt_run_options){.directory = directory, .environment = environment, .timeout_s = 300};
  return options;
}

/* Runs a scenario on random images and returns its measurements. */
static yyjson_doc *measure(const char *directory, const char *optimizers, const char *runtime) {
  static const char pattern[] =
      "{\"model_wrapper\": {\"type\": \"TensorFlowFashionMNISTCNN\", \"parameters\": {\"model_path\": \"%s\"}},\n"
      "\"dataset\": {\"type\": \"RandomizedClassificationDataset\", \"parameters\": {\"num_samples\": 400,\n"
      "\"num_classes\": 10, \"input_dims\": [28, 28, 1], \"dataset_root\": \".\"}},\n"
      "\"optimizers\": [%s], \"runtime\": %s}\n";
  char text[4096], *path = kt_path(directory, "scenario.json"), *result = kt_path(directory, "result.json"),
                   *model = kt_source_path("tests/contract/data/images28.h5");
  int length = snprintf(text, sizeof text, pattern, model, optimizers, runtime);
  assert_in_range(length, 1, sizeof text - 1);
  kt_file_write_text(path, text);
  kt_run_options options;
  kt_run run = kt_run_program((const char *const[]){kt_kenning_release(), "json_inference_tester", path, result, NULL},
                              options_in(directory, &options));
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  yyjson_doc *document = yyjson_read_file(result, 0, NULL, NULL);
  assert_non_null(document);
  free(path);
  free(result);
  free(model);
  return document;
}

static yyjson_val *statistics(yyjson_doc *document) {
  return yyjson_obj_get(yyjson_doc_get_root(document), "runtime_statistics");
}

static int64_t number(yyjson_val *object, const char *key) { return yyjson_get_sint(yyjson_obj_get(object, key)); }

#define TFLITE_INT8                                                                                 \
  "{\"type\": \"kenning.compilers.tflite.TFLiteCompiler\", \"parameters\": {\"target\": \"int8\", " \
  "\"compiled_model_path\": \"int8.tflite\", \"inference_input_type\": \"int8\", "                  \
  "\"inference_output_type\": \"int8\"}}"
#define TVM_RUNTIME \
  "{\"type\": \"kenning.runtimes.tvm.TVMRuntime\", \"parameters\": {\"save_model_path\": \"model.tar\"}}"

static void the_chain_of_the_seed_computes_on_integers(void **state) {
  (void)state;
  kt_need("tflite");
  kt_need("tvm");
  char *directory = kt_directory_make();
  yyjson_doc *tvm = measure(directory,
                            TFLITE_INT8
                            ", {\"type\": \"kenning.compilers.tvm.TVMCompiler\", \"parameters\": {\"target\": "
                            "\"llvm -mcpu=core-avx2\", \"opt_level\": 3, \"conv2d_data_layout\": \"NCHW\", "
                            "\"compiled_model_path\": \"model.tar\"}}",
                            TVM_RUNTIME);
  yyjson_val *facts = statistics(tvm);
  assert_string_equal(yyjson_get_str(yyjson_obj_get(facts, "flavour")), "relay");
  assert_string_equal(yyjson_get_str(yyjson_obj_get(facts, "layout")), "NCHW");
  assert_true(number(facts, "integer_layers") > 0);
  assert_int_equal(number(facts, "float32_layers"), 0);
  assert_true(number(facts, "int8_instructions") > 10);
  assert_int_equal(number(facts, "threads"), 1);
  yyjson_doc_free(tvm);
  kt_directory_remove(directory);
}

static void the_official_flavour_compiles_float32(void **state) {
  (void)state;
  kt_need("tflite");
  kt_need("tvm");
  char *directory = kt_directory_make();
  yyjson_doc *document =
      measure(directory,
              "{\"type\": \"TFLiteCompiler\", \"parameters\": {\"compiled_model_path\": \"fp32.tflite\"}}, "
              "{\"type\": \"TVMCompiler\", \"parameters\": {\"target_attrs\": \"-mcpu=x86-64\", "
              "\"compiled_model_path\": \"model.so\"}}",
              "{\"type\": \"TVMRuntime\", \"parameters\": {\"save_model_path\": \"model.so\"}}");
  yyjson_val *facts = statistics(document);
  assert_string_equal(yyjson_get_str(yyjson_obj_get(facts, "flavour")), "relax");
  assert_true(number(facts, "float32_layers") > 0);
  assert_true(number(facts, "functions_scheduled") > 0);
  yyjson_doc_free(document);
  kt_directory_remove(directory);
}

/* Both from the Keras model: TVMCompiler takes none, so a conversion is inserted. */
static void other_precisions_compute_as_asked(void **state) {
  (void)state;
  kt_need("onnx");
  kt_need("tvm");
  static const struct {
    const char *asked, *layers;
  } cases[] = {{"use_fp16_precision", "float16_layers"}, {"use_int8_precision", "integer_layers"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *directory = kt_directory_make(), optimizer[256];
    snprintf(optimizer, sizeof optimizer,
             "{\"type\": \"TVMCompiler\", \"parameters\": {\"%s\": true, \"target\": \"llvm -mcpu=core-avx2\", "
             "\"compiled_model_path\": \"model.tar\"}}",
             cases[i].asked);
    yyjson_doc *document = measure(directory, optimizer, TVM_RUNTIME);
    yyjson_val *facts = statistics(document);
    assert_true(number(facts, cases[i].layers) > 0);
    assert_int_equal(number(facts, "float32_layers"), 0);
    yyjson_doc_free(document);
    kt_directory_remove(directory);
  }
}

/* Builds the sources with the system's compiler around a main() that reads samples and writes results. */
static void c_sources_need_a_compiler_alone(void **state) {
  (void)state;
  static const char program[] =
      "#include <math.h>\n#include <stdio.h>\n#include \"kenning_model.h\"\n"
      "int main(void) {\n  float x[16];\n  _Alignas(16) signed char in[16], out[3];\n"
      "  const kenning_model_tensor *i = kenning_model_inputs, *o = kenning_model_outputs;\n"
      "  if (KENNING_MODEL_INPUTS != 1 || i->bytes != 16 || o->bytes != 3 || !i->quantized || i->rank != 4) return 2;\n"
      "  while (fread(x, sizeof x, 1, stdin) == 1) {\n"
      "    for (int k = 0; k < 16; k++)\n"
      "      in[k] = (signed char)fmax(-128, fmin(127, nearbyint(x[k] / i->scale) + (double)i->zero_point));\n"
      "    void *ins[] = {in}, *outs[] = {out};\n    if (kenning_model_run(ins, outs)) return 3;\n"
      "    for (int k = 0; k < 3; k++) printf(\"%.9g\\n\", o->scale * (double)(out[k] - o->zero_point));\n  }\n"
      "  return 0;\n}\n";
  char *directory = kt_directory_make(), *main_c = kt_path(directory, "main.c");
  kt_file_write_text(main_c, program);
  kt_run_options options;
  kt_run run = kt_run_program((const char *const[]){"tar", "xf", TVM_DATA "/sources.tar", NULL},
                              options_in(directory, &options));
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  run = kt_run_program(
      (const char *const[]){"sh", "-c",
                            "cc -std=c17 -O2 -I. *.c -o model -lm && ./model <'" TFLITE_DATA "/samples.f32'", NULL},
      options_in(directory, &options));
  kt_assert_exit(&run, 0);
  size_t bytes;
  char *at = run.out;
  float *expected = (float *)(void *)kt_file_read(TFLITE_DATA "/int8.f32", &bytes);
  for (size_t i = 0; i < bytes / sizeof *expected; i++) {
    double got = strtod(at, &at);
    if (fabs(got - (double)expected[i]) > 0.02) kt_fail("output %zu is %g, not %g", i, got, (double)expected[i]);
  }
  free(expected);
  kt_run_free(&run);
  free(main_c);
  kt_directory_remove(directory);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(the_chain_of_the_seed_computes_on_integers),
                                     cmocka_unit_test(the_official_flavour_compiles_float32),
                                     cmocka_unit_test(other_precisions_compute_as_asked),
                                     cmocka_unit_test(c_sources_need_a_compiler_alone)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
