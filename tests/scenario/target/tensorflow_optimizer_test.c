/* TensorFlow's converter on the target, where it is installed: the host sends a Keras model and gets what the target
 * made of it, which is what the host would have made; in every wire format. */
#include "scenario/target/pair.h"
#include "support/directory.h"
#include "support/unit.h"

#include <stdio.h>
#include <string.h>

static void write_scenario(const pair *p, const char *name, const char *protocol, const char *location,
                           const char *compiled) {
  static const char pattern[] =
      "{%s\"runtime\": {\"type\": \"TFLiteRuntime\", \"parameters\": {\"save_model_path\": \"%s\", \"num_threads\": "
      "1}}, \"optimizers\": [{\"type\": \"TFLiteCompiler\", \"parameters\": {\"location\": \"%s\", "
      "\"compiled_model_path\": \"%s\"}}], \"model_wrapper\": {\"type\": \"TensorFlowFashionMNISTCNN\", "
      "\"parameters\": {\"model_path\": \"model.h5\"}}, \"dataset\": {\"type\": \"RandomizedClassificationDataset\", "
      "\"parameters\": {\"split\": \"all\", \"num_samples\": 40, \"num_classes\": 10, \"input_dims\": [28, 28, 1]}}}";
  char text[2048];
  int length = snprintf(text, sizeof text, pattern, protocol, compiled, location, compiled);
  assert_in_range(length, 1, sizeof text - 1);
  write_in(p, name, text);
}

static yyjson_doc *run(const pair *p, const char *scenario) {
  kt_run run = kt_run_program(
      (const char *const[]){kt_kenning_release(), "json_inference_tester", scenario, "out.json", NULL}, &p->options);
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  return measured(p, "out.json");
}

static void copy_model(const pair *p) {
  size_t bytes;
  char *from = kt_source_path("tests/contract/data/images28.h5"), *data = kt_file_read(from, &bytes),
       *to = kt_path(p->directory, "model.h5");
  kt_file_write(to, data, bytes);
  free(to);
  free(data);
  free(from);
}

static void expect_same_file(const pair *p, const char *name, const char *other) {
  size_t bytes, other_bytes;
  char *path = kt_path(p->directory, name), *other_path = kt_path(p->directory, other);
  char *data = kt_file_read(path, &bytes), *other_data = kt_file_read(other_path, &other_bytes);
  assert_true(bytes > 8 && !memcmp(data + 4, "TFL3", 4));
  assert_int_equal(bytes, other_bytes);
  assert_memory_equal(data, other_data, bytes);
  free(data);
  free(other_data);
  free(path);
  free(other_path);
}

static void a_model_is_compiled_where_it_runs(void **state) {
  (void)state;
  static const char *const wires[] = {"12-byte", "8-byte"};
  kt_need("tensorflow");
  kt_need("tflite");
  pair p = {.directory = kt_directory_make()};
  char *cache = kt_path(p.directory, "cache"), variable[4096];
  snprintf(variable, sizeof variable, "KENNING_CACHE_DIR=%s", cache); /* a result of an earlier run proves nothing */
  const char *const environment[] = {"KENNING_PLUGIN_PATH", variable, NULL};
  p.options = (kt_run_options){.directory = p.directory, .environment = environment, .timeout_s = 200};
  copy_model(&p);
  for (size_t i = 0; i < 2; i++) {
    char link[512];
    snprintf(link, sizeof link,
             "\"runtime_protocol\": {\"type\": \"UnixSocketProtocol\", \"parameters\": {\"socket_path\": \"s.sock\", "
             "\"wire\": \"%s\", \"timeout\": 100}}, ",
             wires[i]);
    write_scenario(&p, "s.json", link, "target", "there.tflite");
    write_scenario(&p, "c.json", link, "target", "here.tflite");
    p.server =
        kt_start((const char *const[]){kt_kenning_release(), "json_inference_server", "s.json", NULL}, &p.options);
    assert_true(kt_wait_output(p.server, "serving on", 30));
    yyjson_doc *doc = run(&p, "c.json");
    stop_server(&p);
    yyjson_val *root = yyjson_doc_get_root(doc), *record = yyjson_ptr_get(root, "/optimizer_records/0");
    assert_string_equal(yyjson_get_str(yyjson_obj_get(record, "location")), "target");
    assert_int_equal(yyjson_arr_size(yyjson_obj_get(root, "target_inference_step")), 41);
    expect_same_file(&p, "here.tflite", "there.tflite");
    write_scenario(&p, "alone.json", "", "host", "alone.tflite");
    yyjson_doc_free(run(&p, "alone.json"));
    expect_same_file(&p, "here.tflite", "alone.tflite");
    yyjson_doc_free(doc);
  }
  free(cache);
  drop_pair(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_model_is_compiled_where_it_runs)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
