/* install and doctor as a user calls them, on a machine where nothing is installed and nobody may be asked. */
#include "core/file.h"
#include "support/directory.h"
#include "support/program.h"
#include "support/status.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

static char *directory;
static char data[600], cache[600], state_dir[600];
static const char *environment[] = {data, cache, state_dir, NULL, NULL};

static int make_directory(void **state) {
  (void)state;
  directory = kt_directory_make();
  snprintf(data, sizeof data, "KENNING_DATA_DIR=%s/data", directory);
  snprintf(cache, sizeof cache, "KENNING_CACHE_DIR=%s/cache", directory);
  snprintf(state_dir, sizeof state_dir, "KENNING_STATE_DIR=%s/state", directory);
  environment[3] = NULL;
  return 0;
}

static int remove_directory(void **state) {
  (void)state;
  kt_directory_remove(directory);
  return 0;
}

#define run(...) kt_run_kenning((&(kt_run_options){.environment = environment, .timeout_s = 60}), __VA_ARGS__)

static int entries(void) {
  DIR *listing = opendir(directory);
  assert_non_null(listing);
  int count = -2;
  while (readdir(listing)) count++;
  closedir(listing);
  return count;
}

static void the_list_names_every_framework(void **state) {
  (void)state;
  kt_run result = run("install", "--list");
  kt_assert_exit(&result, 0);
  kt_assert_contains(result.out, "tensorflow     2.21.0");
  kt_assert_contains(result.out, "tflite         2.21.0");
  kt_assert_contains(result.out, "licence Apache-2.0");
  kt_run_free(&result);
  assert_int_equal(entries(), 0);
}

/* A plug-in's broken manifest is told and takes nothing else away. */
static void a_broken_manifest_is_left_out(void **state) {
  (void)state;
  char *path = kn_format("%s/plugins/backends/broken/manifest.json", directory);
  char *variable = kn_format("KENNING_PLUGIN_PATH=%s/plugins", directory);
  kt_assert_ok(kn_file_write(path, "{\"frameworks\": 7}", 17));
  environment[3] = variable;
  static const char *const commands[][3] = {{"install", "--list"}, {"doctor", NULL}, {"list", NULL}};
  for (size_t i = 0; i < 3; i++) {
    const char *arguments[] = {kt_kenning(), commands[i][0], commands[i][1], NULL};
    kt_run result = kt_run_program(arguments, &(kt_run_options){.environment = environment, .timeout_s = 60});
    kt_assert_exit(&result, i == 1 ? 3 : 0); /* doctor finds that nothing is installed */
    kt_assert_contains(result.out, "tflite");
    if (i == 1) kt_assert_contains(result.out, "manifest.json");
    if (i == 0) kt_assert_contains(result.err, "broken is left out: ");
    kt_run_free(&result);
  }
  environment[3] = NULL;
  kn_free(variable);
  kn_free(path);
}

static void wrong_names_are_arguments_to_mend(void **state) {
  (void)state;
  kt_run result = run("install", "tensorflw");
  kt_assert_exit(&result, 2);
  kt_assert_contains(result.err, "did you mean 'tensorflow'?; there is: ");
  kt_assert_contains(result.err, "tensorflow, tflite");
  kt_run_free(&result);
  result = run("install");
  kt_assert_exit(&result, 2);
  kt_assert_contains(result.err, "kenning install --list");
  kt_run_free(&result);
  result = run("install", "--ofline", "tflite");
  kt_assert_exit(&result, 2);
  kt_assert_contains(result.err, "offline");
  kt_run_free(&result);
  result = run("doctor", "tflight");
  kt_assert_exit(&result, 2);
  kt_assert_contains(result.err, "did you mean 'tflite'");
  kt_run_free(&result);
}

static void a_dry_run_tells_licence_packages_and_sizes(void **state) {
  (void)state;
  kt_run result = run("install", "--dry-run", "tensorflow");
  kt_assert_exit(&result, 0);
  kt_assert_contains(result.err, "licence Apache-2.0");
  kt_assert_contains(result.err, "libtensorflow_cc.so.2 2.21.0");
  kt_assert_contains(result.err, "tensorflow");
  kt_assert_contains(result.err, "to download: about");
  assert_string_equal(result.out, "");
  kt_run_free(&result);
  assert_int_equal(entries(), 0);
}

static void a_target_of_another_kind_has_a_directory_of_its_own(void **state) {
  (void)state;
  kt_run result = run("install", "--dry-run", "--arch", "aarch64", "tflite");
  kt_assert_exit(&result, 0);
  assert_true(strstr(result.err, "linux-arm64") || strstr(result.err, "by pip")); /* with Maven or without */
  kt_assert_contains(result.err, "data/aarch64");
  assert_null(strstr(result.err, "Python environment"));
  kt_run_free(&result);
  result = run("install", "--arch", "z80", "tflite");
  kt_assert_exit(&result, 2);
  kt_assert_contains(result.err, "aarch64");
  kt_run_free(&result);
}

static void what_must_be_installed_first_is_named(void **state) {
  (void)state;
  environment[3] = "PATH=/no/such/directory";
  kt_run result = run("install", "tensorflow");
  kt_assert_exit(&result, 3);
  kt_assert_contains(result.err, "apt-get install python3-pip");
  kt_run_free(&result);
  result = run("install", "--offline", "tensorflow");
  kt_assert_exit(&result, 2);
  kt_assert_contains(result.err, "is not among the downloads");
  kt_run_free(&result);
}

static void the_doctor_names_the_commands(void **state) {
  (void)state;
  kt_run result = run("doctor");
  kt_assert_exit(&result, 3);
  kt_assert_contains(result.out, "kenning install tensorflow");
  kt_assert_contains(result.out, "kenning install tflite");
  kt_assert_contains(result.out, "cores");
  kt_assert_contains(result.out, "libcrypto.so.3");
  kt_assert_contains(result.err, "checking frameworks"); /* hashing all that they have takes its time */
  kt_run_free(&result);
  result = run("doctor", "--json", "tflite");
  kt_assert_exit(&result, 3);
  yyjson_doc *json = yyjson_read(result.out, result.out_bytes, 0);
  assert_non_null(json);
  yyjson_val *root = yyjson_doc_get_root(json), *first = yyjson_arr_get_first(yyjson_obj_get(root, "findings"));
  assert_true(yyjson_is_false(yyjson_obj_get(root, "well")));
  assert_string_equal(yyjson_get_str(yyjson_obj_get(first, "group")), "tflite");
  assert_string_equal(yyjson_get_str(yyjson_obj_get(first, "health")), "missing");
  assert_string_equal(yyjson_get_str(yyjson_obj_get(first, "command")), "kenning install tflite");
  assert_true(yyjson_get_int(yyjson_obj_get(yyjson_obj_get(root, "machine"), "cpu_count")) > 0);
  yyjson_doc_free(json);
  kt_run_free(&result);
}

/* The part of the doctor that runs in a process of its own. */
static void libraries_tell_their_version(void **state) {
  (void)state;
  kt_run result = run("doctor", "--open-library", HANDLERS_LIBRARY, "fake_version");
  kt_assert_exit(&result, 0);
  assert_string_equal(result.out, "1.0\n");
  kt_run_free(&result);
  result = run("doctor", "--open-library", HANDLERS_LIBRARY, "no_function");
  kt_assert_exit(&result, 2);
  kt_run_free(&result);
  result = run("doctor", "--open-library", "/no/such.so", "fake_version");
  kt_assert_exit(&result, 3);
  kt_run_free(&result);
}

#define test(function) cmocka_unit_test_setup_teardown(function, make_directory, remove_directory)

int main(void) {
  const struct CMUnitTest tests[] = {
      test(the_list_names_every_framework),
      test(a_broken_manifest_is_left_out),
      test(wrong_names_are_arguments_to_mend),
      test(a_dry_run_tells_licence_packages_and_sizes),
      test(a_target_of_another_kind_has_a_directory_of_its_own),
      test(what_must_be_installed_first_is_named),
      test(the_doctor_names_the_commands),
      test(libraries_tell_their_version),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
