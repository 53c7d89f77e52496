#include "core/memory.h"
#include "core/record_json.h"
#include "measurements/environment.h"
#include "measurements/measurements.h"
#include "measurements/results.h"
#include "measurements/timeline.h"
#include "measurements/unicode.h"

#include "support/directory.h"
#include "support/near.h"
#include "support/status.h"

static yyjson_mut_val *member(const kn_measurements *measurements, const char *key) {
  return yyjson_mut_obj_get(kn_record_value(measurements->record), key);
}

static const char *string_of(const kn_measurements *measurements, const char *key) {
  return yyjson_mut_get_str(member(measurements, key));
}

static void a_new_file_says_what_it_is(void **state) {
  (void)state;
  kn_measurements *m;
  kt_assert_ok(kn_measurements_create(&m));
  assert_string_equal(string_of(m, "kenning_schema"), "1.0");
  assert_string_equal(string_of(m, "kenning_version"), KENNING_VERSION);
  const char *date = string_of(m, "date");
  assert_int_equal(strlen(date), strlen("2026-01-02T03:04:05Z"));
  assert_true(date[10] == 'T' && date[19] == 'Z');
  assert_true(yyjson_mut_is_false(member(m, "complete")));
  yyjson_mut_val *environment = member(m, "environment");
  assert_true(yyjson_mut_get_sint(yyjson_mut_obj_get(environment, "cpu_count")) > 0);
  assert_true(yyjson_mut_get_sint(yyjson_mut_obj_get(environment, "memory_total_bytes")) > 1 << 20);
  assert_non_null(yyjson_mut_get_str(yyjson_mut_obj_get(environment, "kernel")));
  kn_measurements_destroy(m);
  kn_measurements_destroy(NULL);
}

static void processors_of_both_kinds_are_described(void **state) {
  (void)state;
  kn_record *record;
  kt_assert_ok(kn_record_create(&record));
  kt_assert_ok(
      kn_environment_put_cpu("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nflags\t\t: fpu avx2  vnni\n", record));
  yyjson_mut_val *root = kn_record_value(record);
  assert_string_equal(yyjson_mut_get_str(yyjson_mut_obj_get(root, "cpu_model")), "Some CPU @ 2 GHz");
  assert_int_equal(yyjson_mut_arr_size(yyjson_mut_obj_get(root, "cpu_flags")), 3);
  kt_assert_ok(kn_environment_put_cpu("processor\t: 0\nFeatures\t: fp asimd\nCPU part\t: 0xd08\n\nModel\t\t: A board\n",
                                      record));
  assert_string_equal(yyjson_mut_get_str(yyjson_mut_obj_get(root, "cpu_model")), "A board");
  assert_int_equal(yyjson_mut_arr_size(yyjson_mut_obj_get(root, "cpu_flags")), 2);
  kn_record_destroy(record);
}

static void phases_add_up(void **state) {
  (void)state;
  kn_measurements *m;
  kt_assert_ok(kn_measurements_create(&m));
  kt_assert_ok(kn_measurements_phase(m, "compile", 1500000000));
  kt_assert_ok(kn_measurements_phase(m, "inference", 1));
  kt_assert_ok(kn_measurements_phase(m, "compile", 500000000));
  yyjson_mut_val *phases = member(m, "phases");
  assert_int_equal(yyjson_mut_arr_size(phases), 2);
  kt_assert_near(yyjson_mut_get_real(yyjson_mut_obj_get(yyjson_mut_arr_get(phases, 0), "seconds")), 2, 1e-12);
  kn_measurements_destroy(m);
}

static void assert_command(const char *const *arguments, size_t count, const char *const *lines, size_t line_count) {
  kn_measurements *m;
  kt_assert_ok(kn_measurements_create(&m));
  kt_assert_ok(kn_measurements_command(m, arguments, count));
  yyjson_mut_val *list = member(m, "command");
  assert_int_equal(yyjson_mut_arr_size(list), line_count);
  for (size_t i = 0; i < line_count; i++)
    assert_string_equal(yyjson_mut_get_str(yyjson_mut_arr_get(list, i)), lines[i]);
  kn_measurements_destroy(m);
}

static void commands_are_wrapped_like_the_originals(void **state) {
  (void)state;
  assert_command((const char *const[]){"/usr/bin/kenning", "optimize", "test", "--json-cfg", "cfg/native.json",
                                       "--measurements", "out/native.json", "--verbosity", "INFO"},
                 9,
                 (const char *const[]){"kenning optimize test \\", "    --json-cfg \\", "        cfg/native.json \\",
                                       "    --measurements \\", "        out/native.json \\", "    --verbosity \\",
                                       "        INFO"},
                 7);
  assert_command((const char *const[]){"kenning", "json_inference_tester", "a b.json", "it's.json"}, 4,
                 (const char *const[]){"kenning json_inference_tester 'a b.json' 'it'\\''s.json'"}, 1);
  assert_command((const char *const[]){"kenning", "list", "-v"}, 3, (const char *const[]){"kenning list \\", "    -v"},
                 2);
  assert_command(NULL, 0, NULL, 0);
}

static void a_timeline_becomes_the_originals_lists(void **state) {
  (void)state;
  static const kn_inference_times times[] = {{.load_start = 1000000000,
                                              .load_end = 1000250000,
                                              .input_start = 2000000000,
                                              .run_start = 2000000001,
                                              .run_end = 2003000001,
                                              .output_end = 2003000011},
                                             {.load_start = 1100000000,
                                              .load_end = 1100250000,
                                              .input_start = 2004000000,
                                              .run_start = 2004000001,
                                              .run_end = 2004500001,
                                              .output_end = 2004500003}};
  kn_measurements *m;
  kt_assert_ok(kn_measurements_create(&m));
  kt_assert_ok(kn_timeline_put(times, 2, "target_inference_step", m->record));
  kt_assert_ok(kn_record_set_int(m->record, "warmup_inferences", 1));
  kt_assert_ok(kn_measurements_complete(m, NULL));
  char *text;
  size_t bytes;
  kt_assert_ok(kn_measurements_text(m, &text, &bytes));
  assert_int_equal(bytes, strlen(text));
  assert_int_equal(text[bytes - 1], '\n');
  assert_non_null(strstr(text, "\n      \"end\": 2.003000001")); /* as short as it can be */
  kn_results results;
  kt_assert_ok(kn_results_parse("m.json", text, bytes, &results));
  kn_free(text);
  assert_true(results.own && results.complete);
  assert_int_equal(results.steps.count, 2);
  assert_int_equal(results.warmup, 1);
  kt_assert_near(results.steps.values[0], 0.003, 1e-15);
  kt_assert_near(results.step_timestamps.values[1], 2.004500001, 1e-15);
  kt_assert_near(results.preprocess_steps.values[1], 0.00025, 1e-15);
  kt_assert_near(results.postprocess_steps.values[0], 1e-8, 1e-20);
  yyjson_val *tags = yyjson_obj_get(results.root, "tags");
  assert_int_equal(yyjson_arr_size(tags), 6);
  assert_string_equal(yyjson_get_str(yyjson_obj_get(yyjson_arr_get(tags, 4), "name")), "inference");
  kt_assert_near(yyjson_get_real(yyjson_obj_get(yyjson_arr_get(tags, 4), "start")), 2.004000001, 1e-15);
  kn_summary summary;
  kt_assert_ok(kn_results_summary(&results, &summary));
  assert_true(summary.has_inference && !summary.has_classification && !summary.has_top_5);
  assert_int_equal(summary.inference.count, 1); /* without the warm-up */
  kt_assert_near(summary.inference.mean, 0.0005, 1e-15);
  kn_results_clear(&results);
  kn_measurements_destroy(m);
}

static void partial_files_say_so(void **state) {
  (void)state;
  char *directory = kt_directory_make(), *path = kt_path(directory, "deep/er/m.json");
  kn_measurements *m;
  kt_assert_ok(kn_measurements_create(&m));
  kt_assert_ok(kn_measurements_complete(m, "stopped after 3 samples"));
  kt_assert_ok(kn_measurements_write(m, path));
  kn_measurements_destroy(m);
  kn_results results;
  kt_assert_ok(kn_results_read(path, &results));
  assert_false(results.complete);
  assert_string_equal(results.incomplete_reason, "stopped after 3 samples");
  assert_string_equal(results.path, path);
  kn_results_clear(&results);
  free(path);
  kt_directory_remove(directory);
}

static void names_that_are_not_utf8_do_not_cost_the_file(void **state) {
  (void)state;
  kn_measurements *m;
  kt_assert_ok(kn_measurements_create(&m));
  kt_assert_ok(kn_record_set_strings(m->record, "class_names", (const char *const[]){"caf\xe9", "d\xc3\xb6g"}, 2));
  kt_assert_ok(kn_record_set_int(m->record, "\xff", 1));
  char *text;
  size_t bytes;
  kt_assert_ok(kn_measurements_text(m, &text, &bytes));
  assert_non_null(strstr(text, "\"caf\xef\xbf\xbd\""));
  assert_non_null(strstr(text, "\"d\xc3\xb6g\""));
  kn_results results;
  kt_assert_ok(kn_results_parse("m.json", text, bytes, &results));
  kn_results_clear(&results);
  kn_free(text);
  kn_measurements_destroy(m);
}

static void utf8_is_told_from_other_bytes(void **state) {
  (void)state;
  static const struct {
    const char *text;
    size_t length;
  } known[] = {{"a", 1},    {"\x7f", 1},     {"\xc3\xa9", 2},         {"\xe2\x82\xac", 3},     {"\xf0\x9f\x98\x80", 4},
               {"\x80", 0}, {"\xc0\x80", 0}, {"\xc1\xbf", 0},         {"\xe0\x9f\xbf", 0},     {"\xed\xa0\x80", 0},
               {"\xc3", 0}, {"\xc3(", 0},    {"\xf4\x90\x80\x80", 0}, {"\xf0\x8f\xbf\xbf", 0}, {"\xf5\x80\x80\x80", 0},
               {"", 0}};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    assert_int_equal(kn_utf8_length(known[i].text, strlen(known[i].text)), known[i].length);
}

static void memory_may_run_out(void **state) {
  (void)state;
  static const kn_inference_times times[3] = {{.run_end = 1}, {.run_end = 2}, {.run_end = 3}};
  bool finished = false;
  for (uint64_t allowed = 0; !finished; allowed++) {
    assert_true(allowed < 10000);
    kn_memory_fail_after(allowed);
    kn_measurements *m = NULL;
    char *text = NULL;
    size_t bytes;
    kn_status status = kn_measurements_create(&m);
    if (!status) status = kn_timeline_put(times, 3, "target_inference_step", m->record);
    if (!status) status = kn_measurements_phase(m, "compile", 1);
    if (!status) status = kn_measurements_command(m, (const char *const[]){"kenning", "a b", "--c", "d"}, 4);
    if (!status) status = kn_record_set_string(m->record, "name", "caf\xe9");
    if (!status) status = kn_measurements_complete(m, "reason");
    if (!status) status = kn_measurements_text(m, &text, &bytes);
    kn_memory_fail_after(UINT64_MAX);
    finished = !status;
    if (!finished) kt_assert_fault(status, KN_OUT_OF_MEMORY, NULL);
    kn_free(text);
    kn_measurements_destroy(m);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_new_file_says_what_it_is),
      cmocka_unit_test(processors_of_both_kinds_are_described),
      cmocka_unit_test(phases_add_up),
      cmocka_unit_test(commands_are_wrapped_like_the_originals),
      cmocka_unit_test(a_timeline_becomes_the_originals_lists),
      cmocka_unit_test(partial_files_say_so),
      cmocka_unit_test(names_that_are_not_utf8_do_not_cost_the_file),
      cmocka_unit_test(utf8_is_told_from_other_bytes),
      cmocka_unit_test(memory_may_run_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
