#include "core/record_json.h"
#include "measurements/procfs.h"
#include "measurements/sampler.h"
#include "measurements/series.h"

#include <kenning/services.h>
#include <time.h>

#include "support/near.h"
#include "support/status.h"

/* ---- series ---- */

static void series_grow_up_to_their_limit(void **state) {
  (void)state;
  kn_series series;
  kt_assert_ok(kn_series_create(4, 10, &series));
  for (int i = 0; i < 10; i++) assert_true(kn_series_append(&series, i));
  assert_false(kn_series_append(&series, 10));
  assert_int_equal(series.count, 10);
  for (int i = 0; i < 10; i++) kt_assert_near(series.values[i], i, 0);
  kn_series_clear(&series);
  kn_series_clear(&series);
}

/* ---- /proc ---- */

static void cpu_times_are_read(void **state) {
  (void)state;
  static const char text[] =
      "cpu  400 40 200 2000 100 10 20 30 5 6\n"
      "cpu0 100 10 50 500 25 1 2 3 4 5\n"
      "cpu1 300 30 150 1500 75 9 18 27 1 1\n"
      "intr 12345 1 2 3\n"
      "ctxt 99\n";
  kn_cpu_time times[4];
  assert_int_equal(kn_procfs_cpu_times(text, times, 4), 2);
  assert_int_equal(times[0].total, 691); /* guests are in user already */
  assert_int_equal(times[0].busy, 691 - 525);
  assert_int_equal(times[1].total, 2109);
  assert_int_equal(kn_procfs_cpu_times(text, times, 1), 1);
  assert_int_equal(kn_procfs_cpu_times("cpu0 1 2 3 4 5 6 7 8 9 10", times, 4), 0); /* cut off: not trusted */
  assert_int_equal(kn_procfs_cpu_times("", times, 4), 0);
}

static void cpu_percent_is_of_the_time_between(void **state) {
  (void)state;
  kn_cpu_time before = {.busy = 100, .total = 1000};
  kt_assert_near(kn_cpu_percent(before, (kn_cpu_time){.busy = 125, .total = 1100}), 25, 1e-12);
  kt_assert_near(kn_cpu_percent(before, (kn_cpu_time){.busy = 200, .total = 1100}), 100, 0);
  kt_assert_near(kn_cpu_percent(before, (kn_cpu_time){.busy = 90, .total = 1100}), 0, 0);
  assert_true(kn_cpu_percent(before, before) < 0);
}

static void memory_and_fields_are_read(void **state) {
  (void)state;
  static const char text[] = "MemTotal:       8000 kB\nMemFree:  10 kB\nMemAvailable:   2000 kB\n";
  kt_assert_near(kn_procfs_memory_percent(text), 75, 1e-12);
  assert_true(kn_procfs_memory_percent("MemTotal: 8000 kB\n") < 0);
  char value[16];
  assert_true(kn_procfs_field("a: 1\nmodel name\t: Some CPU\nmodel\t: 7\n", "model", value, sizeof value));
  assert_string_equal(value, "7");
  assert_true(kn_procfs_field("flags\t\t:\nx: 1", "flags", value, sizeof value));
  assert_string_equal(value, "");
  assert_false(kn_procfs_field("xflags: 1", "flags", value, sizeof value));
  char cut[4];
  assert_true(kn_procfs_field("a: 123456", "a", cut, sizeof cut));
  assert_string_equal(cut, "123");
  assert_int_equal(kn_procfs_read("/proc/self/no-such-file", value, sizeof value), 0);
  assert_string_equal(value, "");
}

static void this_process_has_memory_and_time(void **state) {
  (void)state;
  uint64_t rss = kn_process_rss_bytes(), peak = kn_process_peak_rss_bytes();
  assert_in_range(rss, 100 << 10, (uint64_t)64 << 30);
  assert_true(peak >= rss || peak + (1 << 20) >= rss); /* the kernel counts pages in batches */
  assert_true(kn_process_cpu_ns() > 0);
}

/* ---- the thread ---- */

static void pause_ms(long ms) { nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL); }

static size_t length(const kn_record *record, const char *key) {
  yyjson_mut_val *list = yyjson_mut_obj_get(kn_record_value(record), key);
  assert_true(yyjson_mut_is_arr(list));
  return yyjson_mut_arr_size(list);
}

static void samples_have_equal_lengths_and_rising_times(void **state) {
  (void)state;
  kn_sampler *sampler;
  kn_record *record;
  double start = (double)kn_now_ns() / 1e9;
  kt_assert_ok(kn_sampler_start(0.02, &sampler));
  pause_ms(150);
  kn_sampler_stop(sampler);
  kn_sampler_stop(sampler);
  double end = (double)kn_now_ns() / 1e9;
  kt_assert_ok(kn_record_create(&record));
  kt_assert_ok(kn_sampler_put(sampler, "session_utilization", record));
  kt_assert_ok(kn_sampler_put_process(sampler, record));
  kn_sampler_destroy(sampler);
  size_t count = length(record, "session_utilization_timestamp");
  assert_in_range(count, 1, (size_t)((end - start) / 0.02) + 2); /* a busy machine may pause longer than asked */
  assert_int_equal(length(record, "session_utilization_cpus_percent"), count);
  assert_int_equal(length(record, "session_utilization_mem_percent"), count);
  assert_int_equal(length(record, "process_rss_bytes"), count);
  assert_int_equal(length(record, "process_cpu_percent"), count);
  assert_int_equal(length(record, "process_timestamp"), count);
  size_t i, entries;
  yyjson_mut_val *item, *cores;
  double before = start;
  yyjson_mut_val *root = kn_record_value(record);
  yyjson_mut_arr_foreach(yyjson_mut_obj_get(root, "process_timestamp"), i, entries, item) {
    assert_true(yyjson_mut_get_real(item) > before && yyjson_mut_get_real(item) <= end);
    before = yyjson_mut_get_real(item);
  }
  yyjson_mut_arr_foreach(yyjson_mut_obj_get(root, "session_utilization_cpus_percent"), i, entries, cores) {
    size_t j, width;
    yyjson_mut_arr_foreach(cores, j, width, item)
        assert_true(yyjson_mut_get_real(item) >= 0 && yyjson_mut_get_real(item) <= 100);
  }
  kn_record_destroy(record);
}

static void own_work_shows_in_own_cpu(void **state) {
  (void)state;
  kn_sampler *sampler;
  kn_record *record;
  kt_assert_ok(kn_sampler_start(0.1, &sampler));
  int64_t until = kn_now_ns() + 250000000, start = kn_process_cpu_ns();
  while (kn_now_ns() < until) continue;
  double busy = (double)(kn_process_cpu_ns() - start) / 250000000 * 100;
  kn_sampler_stop(sampler);
  kt_assert_ok(kn_record_create(&record));
  kt_assert_ok(kn_sampler_put_process(sampler, record));
  kn_sampler_destroy(sampler);
  double sum = 0;
  size_t i, count;
  yyjson_mut_val *item;
  yyjson_mut_arr_foreach(yyjson_mut_obj_get(kn_record_value(record), "process_cpu_percent"), i, count, item) sum +=
      yyjson_mut_get_real(item);
  assert_true(count > 0);
  kt_assert_near(sum / (double)count, busy, 30);
  kn_record_destroy(record);
}

static void stopping_does_not_wait_for_the_period(void **state) {
  (void)state;
  kn_sampler *sampler;
  int64_t start = kn_now_ns();
  kt_assert_ok(kn_sampler_start(30, &sampler));
  kn_sampler_destroy(sampler);
  assert_true(kn_now_ns() - start < 5000000000);
  kn_sampler_destroy(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(series_grow_up_to_their_limit),
      cmocka_unit_test(cpu_times_are_read),
      cmocka_unit_test(cpu_percent_is_of_the_time_between),
      cmocka_unit_test(memory_and_fields_are_read),
      cmocka_unit_test(this_process_has_memory_and_time),
      cmocka_unit_test(samples_have_equal_lengths_and_rising_times),
      cmocka_unit_test(own_work_shows_in_own_cpu),
      cmocka_unit_test(stopping_does_not_wait_for_the_period),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
