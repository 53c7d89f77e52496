/* A board with sensors: what it measures stands in the host's report, beside where the time went. */
#include "core/file.h"
#include "support/directory.h"
#include "support/program.h"
#include "support/status.h"
#include "support/unit.h"

#include <kenning/services.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

static void put(const char *directory, const char *name, const char *text) {
  char *path = kt_path(directory, name);
  kt_assert_ok(kn_file_write(path, text, strlen(text)));
  free(path);
}

static const char target_json[] =
    "{\"runtime_protocol\": {\"type\": \"UnixSocketProtocol\", \"parameters\": {\"socket_path\": \"s.sock\"}}, "
    "\"runtime\": {\"type\": \"FaultyRuntime\", \"parameters\": {\"fault\": \"slow\"}}, "
    "\"model_wrapper\": {\"type\": \"NullModelWrapper\", \"parameters\": {\"model_path\": \"model.bin\"}}, "
    "\"dataset\": {\"type\": \"RandomizedClassificationDataset\", \"parameters\": {\"split\": \"all\", "
    "\"num_samples\": 30, \"input_dims\": [4, 4, 3]}}}";

static void expect_measurements(const char *directory) {
  char *path = kt_path(directory, "out.json"), *text = kt_file_read(path, NULL);
  yyjson_doc *doc = yyjson_read(text, strlen(text), 0);
  yyjson_val *root = yyjson_doc_get_root(doc);
  size_t samples = yyjson_arr_size(yyjson_obj_get(root, "session_utilization_timestamp"));
  assert_true(samples > 2);
  yyjson_val *heat = yyjson_ptr_get(root, "/session_utilization_temperature_celsius/soc-thermal");
  assert_int_equal(yyjson_arr_size(heat), samples);
  assert_true(yyjson_get_num(yyjson_arr_get_first(heat)) == 71.5);
  assert_true(yyjson_get_num(yyjson_ptr_get(root, "/session_utilization_frequency_hz/cpu0/0")) == 1.2e9);
  yyjson_doc_free(doc);
  free(text);
  free(path);
}

static void expect_report(const char *directory) {
  static const char *const words[] = {"Hottest sensor, highest",
                                      "71.5 °C",
                                      "Clock of the cores, mean",
                                      "1.200 GHz",
                                      "Share of the wire",
                                      "Of that, on the wire",
                                      "Mean with the way to the target and back"};
  char *path = kt_path(directory, "report.md"), *text = kt_file_read(path, NULL);
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) kt_assert_contains(text, words[i]);
  free(text);
  free(path);
}

static void what_a_board_tells_is_in_the_report(void **state) {
  (void)state;
  char *directory = kt_directory_make(), *sysfs = kt_path(directory, "sys"),
       *variable = kn_format("KENNING_SYSFS=%s", sysfs);
  put(directory, "sys/class/thermal/thermal_zone0/type", "soc-thermal\n");
  put(directory, "sys/class/thermal/thermal_zone0/temp", "71500\n");
  put(directory, "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "1200000\n");
  put(directory, "s.json", target_json);
  put(directory, "model.bin", "a model");
  const kt_run_options board = {.directory = directory, .environment = (const char *const[]){variable, NULL}};
  const kt_run_options host = {.directory = directory, .timeout_s = 60};
  kt_process *server = kt_start((const char *const[]){kt_kenning(), "json_inference_server", "s.json", NULL}, &board);
  assert_true(kt_wait_output(server, "serving on", 30));
  kt_run run = kt_run_kenning(&host, "json_inference_tester", "s.json", "out.json");
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  kt_signal(server, SIGTERM);
  run = kt_finish(server);
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  expect_measurements(directory);
  run = kt_run_kenning(&host, "report", "--measurements", "out.json", "--report-path", "report.md");
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  expect_report(directory);
  kn_free(variable);
  free(sysfs);
  kt_directory_remove(directory);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(what_a_board_tells_is_in_the_report)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
