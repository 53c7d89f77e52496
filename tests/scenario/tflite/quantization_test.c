/* Quantization-aware training for real: the same network with weights that nobody trained, once quantized after
 * training and once trained while quantization is simulated, on Fashion-MNIST. Only training explains the difference.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <yyjson.h>

#include "support/directory.h"
#include "support/program.h"
#include "support/unit.h"

static const char images[] = "/usr/share/datasets/fashion-mnist";

typedef struct result {
  yyjson_doc *document;
  char *model; /* the .tflite file */
  size_t bytes;
} result;

static void drop(result *r) {
  yyjson_doc_free(r->document);
  free(r->model);
}

/* Compiles the network, with `training` among the compiler's parameters, runs it on the 10,000 test images. */
static result measure(const char *directory, const char *training) {
  static const char pattern[] =
      "{\"model_wrapper\": {\"type\": \"TensorFlowFashionMNISTCNN\", \"parameters\": {\"model_path\": \"%s\"}},\n"
      "\"dataset\": {\"type\": \"FashionMNISTDataset\", \"parameters\": {\"dataset_root\": \"%s\",\n"
      /* 6,000 images to train on, 1,200 to validate, and of the rest one in five hundred to calibrate */
      "\"split_fraction_val\": 0.02, \"split_fraction_calibration\": 0.88}},\n"
      "\"optimizers\": [{\"type\": \"TFLiteCompiler\", \"parameters\": {\"target\": \"int8\", \"dataset_percentage\": "
      "0.002,\n\"inference_input_type\": \"int8\", \"inference_output_type\": \"int8\", \"compiled_model_path\": "
      "\"m.tflite\"%s}}],\n"
      "\"runtime\": {\"type\": \"TFLiteRuntime\", \"parameters\": {\"save_model_path\": \"m.tflite\", \"num_threads\": "
      "1}}}\n";
  char text[2048], *network = kt_source_path("tests/contract/data/images28.h5");
  char *scenario = kt_path(directory, "s.json"), *output = kt_path(directory, "out.json"),
       *model = kt_path(directory, "m.tflite");
  assert_in_range(snprintf(text, sizeof text, pattern, network, images, training), 1, sizeof text - 1);
  kt_file_write_text(scenario, text);
  char cache[1024]; /* its own: nothing that was trained before is taken */
  snprintf(cache, sizeof cache, "KENNING_CACHE_DIR=%s/cache", directory);
  const char *const environment[] = {"KENNING_PLUGIN_PATH", cache, NULL};
  kt_run run = kt_run_program((const char *const[]){kt_kenning_release(), "json_inference_tester", scenario, output,
                                                    "--verbosity", "WARNING", NULL},
                              &(kt_run_options){.directory = directory, .environment = environment, .timeout_s = 240});
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  result r = {.document = yyjson_read_file(output, 0, NULL, NULL)};
  assert_non_null(r.document);
  r.model = kt_file_read(model, &r.bytes);
  free(network);
  free(scenario);
  free(output);
  free(model);
  return r;
}

static yyjson_val *record_of(const result *r) {
  return yyjson_arr_get_first(yyjson_obj_get(yyjson_doc_get_root(r->document), "optimizer_records"));
}

/* Share of right answers, from the confusion matrix. */
static double accuracy(const result *r) {
  yyjson_val *rows = yyjson_obj_get(yyjson_doc_get_root(r->document), "eval_confusion_matrix"), *row, *value;
  double right = 0, all = 0;
  size_t i, k, rows_count, columns;
  yyjson_arr_foreach(rows, i, rows_count, row) yyjson_arr_foreach(row, k, columns, value) {
    all += yyjson_get_num(value);
    if (i == k) right += yyjson_get_num(value);
  }
  assert_true(all == 10000);
  return right / all;
}

static void assert_integer(const result *r) {
  yyjson_val *record = record_of(r), *facts = yyjson_obj_get(yyjson_doc_get_root(r->document), "runtime_statistics");
  assert_string_equal(yyjson_get_str(yyjson_obj_get(record, "layer_weights")), "2 INT8");
  assert_string_equal(yyjson_get_str(yyjson_obj_get(record, "layer_inputs")), "2 INT8");
  assert_null(strstr(yyjson_get_str(yyjson_obj_get(facts, "activation_types")), "FLOAT"));
  assert_null(strstr(yyjson_get_str(yyjson_obj_get(facts, "constant_types")), "FLOAT"));
}

static void training_with_simulated_quantization_trains(void **state) {
  (void)state;
  if (access(images, R_OK) != 0) kt_skip("apt-get install dataset-fashion-mnist");
  kt_need("tflite");
  char *directory = kt_directory_make();
  result plain = measure(directory, "");
  result trained = measure(directory,
                           ", \"quantization_aware_training\": true, \"epochs\": 10, \"batch_size\": 16, "
                           "\"optimizer\": \"RMSprop\"");
  assert_integer(&plain);
  assert_integer(&trained);
  yyjson_val *training = yyjson_obj_get(record_of(&trained), "training");
  assert_int_equal(yyjson_get_sint(yyjson_obj_get(training, "samples")), 6000);
  assert_null(yyjson_obj_get(record_of(&plain), "training"));
  assert_true(plain.bytes != trained.bytes || memcmp(plain.model, trained.model, plain.bytes) != 0);
  double before = accuracy(&plain), after = accuracy(&trained);
  print_message("right answers of 10 classes: %.4f before training, %.4f after\n", before, after);
  if (!(before < 0.3 && after > 0.5)) kt_fail("%.4f right answers before training, %.4f after", before, after);
  drop(&plain);
  drop(&trained);
  kt_directory_remove(directory);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(training_with_simulated_quantization_trains)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
