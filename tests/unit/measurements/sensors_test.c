/* Temperatures and frequencies from a tree of files as Linux makes it; virtual machines have none of their own. */
#include "measurements/sensors.h"
#include "core/record_json.h"
#include "measurements/results.h"
#include "measurements/sampler.h"
#include "support/directory.h"
#include "support/status.h"
#include "support/unit.h"

#include <kenning/services.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void put(const char *root, const char *name, const char *text) {
  char *path = kt_path(root, name);
  kt_assert_ok(kn_file_write(path, text, strlen(text)));
  free(path);
}

static char *make_board(void) {
  char *root = kt_directory_make();
  put(root, "class/thermal/thermal_zone0/type", "cpu-thermal\n");
  put(root, "class/thermal/thermal_zone0/temp", "54500\n");
  put(root, "class/thermal/thermal_zone1/type", "cpu-thermal\n");
  put(root, "class/thermal/thermal_zone1/temp", "-1250\n");
  put(root, "class/thermal/thermal_zone2/type", "bad \x1b name\n");
  put(root, "class/thermal/thermal_zone2/temp", "61000\n");
  put(root, "class/thermal/thermal_zone3/temp", "not a number\n");
  put(root, "class/thermal/thermal_zone4/temp", "999999999\n");
  put(root, "class/thermal/thermal_zone10/temp", "20000\n");
  put(root, "class/thermal/cooling_device0/type", "fan\n");
  put(root, "devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "1500000\n");
  put(root, "devices/system/cpu/cpu1/cpufreq/scaling_cur_freq", "600000\n");
  put(root, "devices/system/cpu/cpufreq/boost", "1\n");
  put(root, "devices/system/cpu/cpu2/online", "0\n");
  return root;
}

static void what_a_board_tells_is_found(void **state) {
  (void)state;
  static const struct {
    kn_sensor_kind kind;
    const char *name;
    double value;
  } expected[] = {{KN_SENSOR_TEMPERATURE, "cpu-thermal", 54.5}, {KN_SENSOR_TEMPERATURE, "cpu-thermal-2", -1.25},
                  {KN_SENSOR_TEMPERATURE, "bad___name", 61},    {KN_SENSOR_TEMPERATURE, "thermal_zone10", 20},
                  {KN_SENSOR_FREQUENCY, "cpu0", 1.5e9},         {KN_SENSOR_FREQUENCY, "cpu1", 6e8}};
  char *root = make_board();
  kn_sensors sensors;
  kt_assert_ok(kn_sensors_open(root, &sensors));
  assert_int_equal(sensors.count, sizeof expected / sizeof *expected);
  for (size_t i = 0; i < sensors.count; i++) {
    assert_int_equal(sensors.items[i].kind, expected[i].kind);
    assert_string_equal(sensors.items[i].name, expected[i].name);
    assert_true(kn_sensor_read(&sensors.items[i]) == expected[i].value);
  }
  put(root, "class/thermal/thermal_zone0/temp", "70000\n");
  assert_true(kn_sensor_read(&sensors.items[0]) == 70);
  put(root, "class/thermal/thermal_zone0/temp", "broken");
  assert_true(kn_sensor_read(&sensors.items[0]) == 70);
  kn_sensors_clear(&sensors);
  kt_directory_remove(root);
}

static void a_machine_without_sensors_has_none(void **state) {
  (void)state;
  char *root = kt_directory_make();
  kn_sensors sensors;
  kt_assert_ok(kn_sensors_open(root, &sensors));
  assert_int_equal(sensors.count, 0);
  kt_directory_remove(root);
}

/* From the files into the measurements, and read again. */
static void they_are_sampled(void **state) {
  (void)state;
  char *root = make_board();
  kn_sampler *sampler;
  kn_record *record;
  assert_int_equal(setenv("KENNING_SYSFS", root, 1), 0);
  kt_assert_ok(kn_sampler_start(0.02, &sampler));
  nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
  kn_sampler_stop(sampler);
  assert_int_equal(unsetenv("KENNING_SYSFS"), 0);
  kt_assert_ok(kn_record_create(&record));
  kt_assert_ok(kn_sampler_put(sampler, "session_utilization", record));
  kn_sampler_destroy(sampler);
  char *text = yyjson_mut_write(kn_record_document(record), 0, NULL);
  assert_non_null(text);
  kn_results results;
  kt_assert_ok(kn_results_parse("test", text, strlen(text), &results));
  assert_true(results.session.count >= 2);
  assert_int_equal(results.temperatures.count, results.session.count);
  assert_int_equal(results.frequencies.count, results.session.count);
  for (size_t i = 0; i < results.session.count; i++) {
    assert_true(results.temperatures.values[i] == 61);
    assert_true(results.frequencies.values[i] == 1.05e9);
  }
  kn_results_clear(&results);
  free(text);
  kn_record_destroy(record);
  kt_directory_remove(root);
}

static void malformed_ones_are_told(void **state) {
  (void)state;
  static const char *const wrong[] = {"[1]", "{\"a\": 1}", "{\"a\": [1, 2]}", "{\"a\": [\"x\"]}", "{\"a\": [1e300]}"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    kn_results results;
    char *text = kn_format(
        "{\"session_utilization_cpus_percent\": [[1]], \"session_utilization_mem_percent\": [1], "
        "\"session_utilization_timestamp\": [1], \"session_utilization_temperature_celsius\": %s}",
        wrong[i]);
    assert_non_null(text);
    kt_assert_fault(kn_results_parse("test", text, strlen(text), &results), KN_BAD_DATA,
                    "session_utilization_temperature_celsius");
    kn_free(text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_a_board_tells_is_found),
      cmocka_unit_test(a_machine_without_sensors_has_none),
      cmocka_unit_test(they_are_sampled),
      cmocka_unit_test(malformed_ones_are_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
