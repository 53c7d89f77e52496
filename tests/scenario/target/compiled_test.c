/* The whole of the smallest deployment: the host compiles a model to C by TVM, the static server for 64-bit Arm, which
 * has these sources inside, takes the archive for its own by its SHA-256 and runs the model under qemu-user. The
 * sources in the server are tests/unit/tvm/data/sources.tar: what TVMCompiler writes for
 * tests/unit/tflite/data/int8.tflite. That their results are right is seen in static_test.c. */
#include "core/file.h"
#include "support/directory.h"
#include "support/program.h"
#include "support/unit.h"

#include <kenning/process.h>
#include <kenning/services.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

static const char *const release[] = {"KENNING_PLUGIN_PATH", NULL}; /* the release finds its own */

/* NULL, or what is missing. */
static const char *missing(const char *server) {
  char *qemu = NULL;
  kn_status status = kn_process_find("qemu-aarch64", &qemu);
  bool emulated = !status;
  kn_status_free(status);
  kn_free(qemu);
  if (!emulated) return "qemu-aarch64 is missing: scripts/bootstrap cross";
  if (!kn_file_exists(server, NULL)) return "the static kenning-server is missing: make target";
  const kt_run_options options = {.environment = release};
  kt_run run = kt_run_program((const char *const[]){kt_kenning_release(), "doctor", "tvm", NULL}, &options);
  bool installed = run.exit_code == 0;
  kt_run_free(&run);
  return installed ? NULL : "TVM is missing: kenning install tvm";
}

static void copy(const char *from, const char *directory, const char *name) {
  size_t bytes;
  char *source = kt_source_path(from), *data = kt_file_read(source, &bytes), *path = kt_path(directory, name);
  kt_file_write(path, data, bytes);
  free(path);
  free(data);
  free(source);
}

static const char scenario[] =
    "{\"model_wrapper\": {\"type\": \"NullModelWrapper\", \"parameters\": {\"model_path\": \"int8.tflite\"}}, "
    "\"dataset\": {\"type\": \"RandomizedClassificationDataset\", \"parameters\": {\"split\": \"all\", "
    "\"num_samples\": 40, \"num_classes\": 3, \"input_dims\": [4, 4, 1]}}, "
    "\"optimizers\": [{\"type\": \"ModelInserter\", \"parameters\": {\"model_framework\": \"tflite\", "
    "\"input_model_path\": \"int8.tflite\", \"compiled_model_path\": \"inserted.tflite\"}}, "
    "{\"type\": \"TVMCompiler\", \"parameters\": {\"executor\": \"c\", \"compiled_model_path\": \"model.tar\"}}], "
    "\"runtime\": {\"type\": \"LinkedRuntime\"}, \"runtime_protocol\": {\"type\": \"UnixSocketProtocol\", "
    "\"parameters\": {\"socket_path\": \"s.sock\"}}}";

static yyjson_doc *measure(const char *directory) {
  char *path = kt_path(directory, "there.json"), *result = kt_path(directory, "out.json");
  kt_file_write_text(path, scenario);
  char *cache = kn_format("KENNING_CACHE_DIR=%s/cache", directory); /* an archive of an earlier run proves nothing */
  const char *const environment[] = {"KENNING_PLUGIN_PATH", cache, NULL};
  const kt_run_options options = {.directory = directory, .environment = environment, .timeout_s = 200};
  kt_run run = kt_run_program((const char *const[]){kt_kenning_release(), "json_inference_tester", path, result, NULL},
                              &options);
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  yyjson_doc *doc = yyjson_read_file(result, 0, NULL, NULL);
  assert_non_null(doc);
  kn_free(cache);
  free(result);
  free(path);
  return doc;
}

static void what_the_host_compiles_runs_on_the_board(void **state) {
  (void)state;
  char *server = kt_source_path("build/aarch64-static-tvm/kenning-server");
  const char *why = missing(server);
  if (why) {
    free(server);
    kt_skip("%s", why);
  }
  char *directory = kt_directory_make();
  copy("tests/unit/tflite/data/int8.tflite", directory, "int8.tflite");
  copy("tests/unit/openvino/data/int8.tflite.json", directory, "int8.tflite.json");
  const kt_run_options options = {.directory = directory, .timeout_s = 240};
  kt_process *process = kt_start((const char *const[]){"qemu-aarch64", server, "UnixSocketProtocol", "LinkedRuntime",
                                                       "--launcher", "qemu-aarch64", "--socket-path", "s.sock", NULL},
                                 &options);
  assert_true(kt_wait_output(process, "serving on", 60));
  yyjson_doc *there = measure(directory);
  kt_signal(process, SIGTERM);
  kt_run run = kt_finish(process);
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  yyjson_val *root = yyjson_doc_get_root(there);
  assert_true(yyjson_is_true(yyjson_obj_get(root, "complete")));
  assert_int_equal(yyjson_arr_size(yyjson_obj_get(root, "target_inference_step")), 41);
  assert_true(yyjson_is_true(yyjson_ptr_get(root, "/wire/model_sent")));
  yyjson_val *record = yyjson_ptr_get(root, "/optimizer_records/1");
  assert_string_equal(yyjson_get_str(yyjson_obj_get(record, "compiler_framework")), "tvm");
  yyjson_doc_free(there);
  kt_directory_remove(directory);
  free(server);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(what_the_host_compiles_runs_on_the_board)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
