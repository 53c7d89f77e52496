/* Scenarios whose models and data are elsewhere. */
#include "support/directory.h"
#include "support/http_server.h"
#include "support/program.h"
#include "support/unit.h"
#include "unit/resources/tar_writer.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char *served, *work;
static kt_http_server *server;
static kt_run_options options;

static int start(void **state) {
  (void)state;
  served = kt_directory_make();
  work = kt_directory_make();
  char *archive = kt_path(served, "set.tar.gz"), *model = kt_path(served, "model.bin");
  char *image = kt_source_path("tests/unit/imaging/data/rgb.jpg");
  size_t bytes;
  char *content = kt_file_read(image, &bytes);
  char names[2][10][24];
  kt_tar_entry entries[21] = {0};
  for (int i = 0; i < 20; i++) {
    char *name = names[i / 10][i % 10];
    snprintf(name, sizeof names[0][0], "%s/%d.jpg", i < 10 ? "cat" : "dog", i);
    entries[i] = (kt_tar_entry){.name = name, .type = '0', .content = content, .bytes = bytes};
  }
  kt_tar_write(archive, entries);
  kt_file_write_text(model, "model");
  free(content);
  free(image);
  free(model);
  free(archive);
  server = kt_http_server_start(served);
  return 0;
}

static int stop(void **state) {
  (void)state;
  kt_http_server_stop(server);
  kt_directory_remove(served);
  kt_directory_remove(work);
  return 0;
}

static void write_scenario(const char *name, const char *model, const char *root) {
  char *path = kt_path(work, name), *text = NULL;
  if (asprintf(&text,
               "{\"model_wrapper\": {\"type\": \"NullModelWrapper\", \"parameters\": {\"model_path\": \"%s\"}},"
               " \"dataset\": {\"type\": \"ImageFolderDataset\", \"parameters\": {\"dataset_root\": \"%s\","
               " \"image_width\": 8, \"image_height\": 8}}, \"runtime\": {\"type\": \"NullRuntime\"}}",
               model, root) < 0)
    kt_fail("no memory");
  kt_file_write_text(path, text);
  free(text);
  free(path);
}

static kt_run run_scenario(const char *scenario, const char *flag) {
  return kt_run_kenning(&options, "test", "--json-cfg", scenario, "--measurements", "out.json", flag);
}

static void a_scenario_reads_from_elsewhere(void **state) {
  (void)state;
  char *cache = kt_path(work, "cache"), *variable = NULL, *base = NULL, *uri = kt_http_server_uri(server, "");
  if (asprintf(&variable, "KENNING_CACHE_DIR=%s", cache) < 0 || asprintf(&base, "--resources-uri=%s", uri) < 0)
    kt_fail("no memory");
  options = (kt_run_options){
      .directory = work, .environment = (const char *const[]){variable, "KENNING_OFFLINE", NULL}, .timeout_s = 60};
  write_scenario("s.json", "kenning:///model.bin", "kenning:///set.tar.gz");

  /* Judging opens nothing. */
  kt_run run = kt_run_kenning(&options, "check", "--files", "s.json");
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  char *requests = kt_http_server_requests(server);
  assert_string_equal(requests, "");
  free(requests);

  /* What is not there is not there offline. */
  run = kt_run_kenning(&options, "test", "--json-cfg", "s.json", "--measurements", "out.json", "--offline", base);
  kt_assert_exit(&run, 2);
  kt_assert_contains(run.err, "nothing is downloaded offline");
  kt_assert_contains(run.err, "dataset_root");
  kt_run_free(&run);

  run = run_scenario("s.json", base);
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  requests = kt_http_server_requests(server);
  kt_assert_contains(requests, "/set.tar.gz -\n");
  kt_assert_contains(requests, "/model.bin -\n");
  free(requests);
  char *output = kt_path(work, "out.json"), *text = kt_file_read(output, NULL);
  kt_assert_contains(text, "kenning:///set.tar.gz"); /* the scenario as it was given */
  free(text);
  free(output);

  /* The second time nobody is asked. */
  run = kt_run_kenning(&options, "test", "--json-cfg", "s.json", "--measurements", "out.json", "--offline", base);
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  requests = kt_http_server_requests(server);
  assert_string_equal(requests, "");
  free(requests);

  run = kt_run_kenning(&options, "cache", "list");
  kt_assert_exit(&run, 0);
  kt_assert_contains(run.out, "set.tar.gz\n");
  kt_run_free(&run);
  run = kt_run_kenning(&options, "cache", "list", "--json");
  kt_assert_exit(&run, 0);
  kt_assert_contains(run.out, "\"bytes\": 5");
  kt_run_free(&run);
  char *model = kt_http_server_uri(server, "model.bin");
  run = kt_run_kenning(&options, "cache", "clear", model);
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  run = kt_run_kenning(&options, "cache", "clear", model);
  kt_assert_exit(&run, 2);
  kt_run_free(&run);
  run = kt_run_kenning(&options, "cache", "clear");
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  run = kt_run_kenning(&options, "cache", "size", "--json");
  kt_assert_exit(&run, 0);
  kt_assert_contains(run.out, "\"resources\": 0");
  kt_run_free(&run);
  free(model);
  free(base);
  free(uri);
  free(variable);
  free(cache);
}

static void paths_that_cannot_be_fetched_are_told(void **state) {
  (void)state;
  options = (kt_run_options){.directory = work, .timeout_s = 60};
  write_scenario("ftp.json", "ftp://host/model.bin", ".");
  kt_run run = run_scenario("ftp.json", "--offline");
  kt_assert_exit(&run, 2);
  kt_assert_contains(run.err, "file, https, http and kenning");
  kt_run_free(&run);
  write_scenario("missing.json", "m.bin", "file:///nonexistent/set");
  run = run_scenario("missing.json", "--offline");
  kt_assert_exit(&run, 2);
  kt_assert_contains(run.err, "/nonexistent/set");
  kt_run_free(&run);
  /* A result is written to a path. */
  char *keras = kt_source_path("tests/contract/data/images28.h5");
  run = kt_run_kenning(&options, "optimize", "--modelwrapper-cls", "TensorFlowClassifier", "--dataset-cls",
                       "RandomizedClassificationDataset", "--runtime-cls", "TFLiteRuntime", "--compiler-cls",
                       "TFLiteCompiler", "--model-path", keras, "--compiled-model-path", "https://host/model.tflite");
  kt_assert_exit(&run, 2);
  kt_assert_contains(run.err, "takes a path on this machine");
  kt_run_free(&run);
  free(keras);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_scenario_reads_from_elsewhere),
      cmocka_unit_test(paths_that_cannot_be_fetched_are_told),
  };
  return cmocka_run_group_tests(tests, start, stop);
}
