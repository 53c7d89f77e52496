#include "core/memory.h"
#include "measurements/results.h"

#include "support/directory.h"
#include "support/near.h"
#include "support/status.h"

#include <math.h>

static kn_status parse(const char *json, kn_results *results) {
  return kn_results_parse("m.json", json, strlen(json), results);
}

static void read_golden(const char *name, kn_results *results) {
  char *path = kt_source_path(name);
  kt_assert_ok(kn_results_read(path, results));
  free(path);
  assert_false(results->own);
  assert_true(results->complete);
  assert_int_equal(results->warmup, 0);
  assert_int_equal(kn_results_utilization_skip(results), 1);
  assert_true(results->session.count > 1 && results->session.cores == 2);
}

static void a_file_of_2022_is_read(void **state) {
  (void)state;
  kn_results r;
  read_golden("tests/golden/measurements/2022/tflite-int8.json", &r);
  assert_string_equal(r.model_framework, "tensorflow");
  assert_string_equal(r.model_version, "2.11.0");
  assert_int_equal(r.compiler_count, 1);
  assert_string_equal(r.compilers[0].framework, "tensorflow");
  assert_int_equal(r.class_name_count, 37);
  assert_string_equal(r.class_names[1], "american_bulldog");
  assert_string_equal(r.step_key, "target_inference_step");
  assert_int_equal(r.steps.count, 740);
  assert_int_equal(r.step_timestamps.count, 740);
  assert_int_equal(r.session.count, 109);
  assert_int_equal(r.full_run.count, 23);
  kt_assert_near(r.session.cpus[7 * 2], 9.1, 1e-12);
  assert_int_equal(r.classes, 37);
  kt_assert_near(r.compiled_model_size, 4596872, 0);
  assert_null(r.predictions);
  /* Figures computed from the file with another program. */
  kn_summary s;
  kt_assert_ok(kn_results_summary(&r, &s));
  kt_assert_near(s.accuracy, 0.525675675675676, 1e-12);
  kt_assert_near(s.mean_precision, 0.566060190831253, 1e-12);
  kt_assert_near(s.mean_sensitivity, 0.525675675412838, 1e-12);
  kt_assert_near(s.g_mean, 0.484900387330139, 1e-12);
  kt_assert_near(s.mean_f1, 0.51853804400187, 1e-12);
  kt_assert_near(s.top_5_accuracy, 628.0 / 740, 1e-15);
  kt_assert_near(s.inference.mean, 0.00926583269596621, 1e-15);
  kt_assert_near(s.inference.median, 0.00666055349938688, 1e-15);
  kt_assert_near(s.inference.std, 0.00490376557495388, 1e-15);
  assert_true(s.accuracy_ci95[0] < s.accuracy && s.accuracy < s.accuracy_ci95[1]);
  kn_results_clear(&r);
}

static void native_and_remote_files_are_read(void **state) {
  (void)state;
  kn_results r;
  read_golden("tests/golden/measurements/2022/native.json", &r);
  assert_int_equal(r.compiler_count, 0);
  assert_int_equal(r.full_run.count, 0);
  kn_results_clear(&r);
  read_golden("tests/golden/measurements/2022/tflite-fp32.json", &r);
  kn_results_clear(&r);
  /* Both kinds of step: that of the target counts. */
  read_golden("tests/golden/measurements/2022/remote.json", &r);
  assert_string_equal(r.step_key, "target_inference_step");
  assert_int_equal(r.steps.count, 5);
  kn_results_clear(&r);
}

static void files_of_today_are_read(void **state) {
  (void)state;
  kn_results r;
  read_golden("tests/golden/measurements/2026/tflite-int8.json", &r);
  assert_string_equal(r.compilers[0].framework, "tflite");
  assert_string_equal(r.cfg_path, "cfg/tflite-int8.json");
  assert_int_equal(r.steps.count, 148);
  assert_int_equal(r.preprocess_steps.count, 148);
  kt_assert_near(r.compiled_model_size, 16486656, 0); /* written as 16486656.0 */
  kn_summary s;
  kt_assert_ok(kn_results_summary(&r, &s));
  kt_assert_near(s.accuracy, 1, 0);
  kt_assert_near(s.inference.median, 0.0158545380004398, 1e-15);
  kn_results_clear(&r);
  read_golden("tests/golden/measurements/2026/native.json", &r);
  assert_int_equal(r.compiler_count, 0);
  kn_results_clear(&r);
  read_golden("tests/golden/measurements/2026/remote-plain.json", &r);
  assert_string_equal(r.step_key, "protocol_inference_step");
  assert_int_equal(r.steps.count, 5);
  kn_results_clear(&r);
}

static void nothing_is_demanded_and_unknown_keys_stay(void **state) {
  (void)state;
  kn_results r;
  kt_assert_ok(
      parse("{\"model_framework\": null, \"optimizers\": [{}], \"something\": {\"new\": [1]}, "
            "\"predictions\": [{\"prediction\": \"a text\"}]}",
            &r));
  assert_null(r.model_framework);
  assert_null(r.step_key);
  assert_null(r.confusion);
  assert_null(r.predictions);
  assert_string_equal(r.compilers[0].version, "");
  kt_assert_near(r.top_5_count, -1, 0);
  assert_true(yyjson_is_obj(yyjson_obj_get(r.root, "something")));
  kn_summary s;
  kt_assert_ok(kn_results_summary(&r, &s));
  assert_false(s.has_inference || s.has_classification || s.has_top_5);
  kn_results_clear(&r);
}

static void predictions_are_unpacked(void **state) {
  (void)state;
  kn_results r;
  kt_assert_ok(
      parse("{\"kenning_schema\": \"1.7\", \"predictions\": [{\"target\": 2, \"prediction\": 0}, "
            "{\"prediction\": 1, \"target\": 1}]}",
            &r));
  assert_true(r.own);
  assert_int_equal(kn_results_utilization_skip(&r), 0);
  assert_int_equal(r.prediction_count, 2);
  assert_int_equal(r.targets[0], 2);
  assert_int_equal(r.predictions[1], 1);
  kn_results_clear(&r);
}

static void outputs_are_unpacked(void **state) {
  (void)state;
  kn_results r;
  kt_assert_ok(
      parse("{\"predictions\": [{\"target\": 2, \"prediction\": 0}, {\"target\": 1, \"prediction\": 1}], "
            "\"model_outputs\": [[-3.5, null, 1e30]]}",
            &r));
  assert_int_equal(r.output_rows, 1);
  assert_int_equal(r.output_columns, 3);
  kt_assert_near(r.outputs[0], -3.5, 0);
  assert_true(isnan(r.outputs[1]));
  kt_assert_near(r.outputs[2], 1e30, 0);
  kn_results_clear(&r);
}

static void faults_name_the_key(void **state) {
  (void)state;
  static const struct {
    const char *json, *part;
  } faulty[] = {
      {"[1]", "JSON object"},
      {"{\"class_names\": [1]}", "'class_names' must be a list of strings"},
      {"{\"command\": 1}", "'command'"},
      {"{\"model_framework\": 7}", "'model_framework' must be a string"},
      {"{\"compilers\": [7]}", "'compilers'"},
      {"{\"optimizers\": [{\"compiler_version\": 7}]}", "'optimizers'"},
      {"{\"target_inference_step\": [1, -1]}", "'target_inference_step' must be a list of numbers from 0 to 1e18"},
      {"{\"target_inference_step\": [1e308]}", "'target_inference_step' must be a list of numbers from 0 to 1e18"},
      {"{\"target_inference_step\": [NaN]}", "'target_inference_step'"},
      {"{\"target_inference_step\": [\"1\"]}", "'target_inference_step'"},
      {"{\"target_inference_step\": 3}", "'target_inference_step' must be a list of numbers"},
      {"{\"target_inference_step\": [1], \"target_inference_step_timestamp\": [1, 2]}",
       "'target_inference_step_timestamp' has 2 entries, but 'target_inference_step' has 1"},
      {"{\"target_inference_step\": [1], \"warmup_inferences\": 2}", "'warmup_inferences'"},
      {"{\"warmup_inferences\": 0.5}", "'warmup_inferences'"},
      {"{\"eval_confusion_matrix\": [[1, 2], [3]]}", "'eval_confusion_matrix' must be a list of equally long"},
      {"{\"eval_confusion_matrix\": [[1, 2]]}", "'eval_confusion_matrix' must be square"},
      {"{\"eval_confusion_matrix\": [[-1]]}", "'eval_confusion_matrix'"},
      {"{\"eval_confusion_matrix\": []}", "'eval_confusion_matrix' must be square"},
      {"{\"eval_confusion_matrix\": [[1]], \"class_names\": [\"a\", \"b\"]}",
       "'class_names' has 2 entries, but 'eval_confusion_matrix' has 1"},
      {"{\"top_5_count\": 3, \"total\": 2}", "'top_5_count' is larger"},
      {"{\"total\": \"2\"}", "'total' must be a number"},
      {"{\"compiled_model_size\": -1}", "'compiled_model_size'"},
      {"{\"session_utilization_cpus_percent\": [[1]], \"session_utilization_mem_percent\": [], "
       "\"session_utilization_timestamp\": [1]}",
       "'session_utilization_mem_percent' has 0 entries"},
      {"{\"session_utilization_cpus_percent\": [[], []]}", "'session_utilization_cpus_percent' must be a list"},
      {"{\"process_rss_bytes\": [1]}", "'process_cpu_percent' has 0 entries"},
      {"{\"predictions\": [{\"prediction\": 1}]}", "'predictions'"},
      {"{\"predictions\": [{\"target\": 1, \"prediction\": 1}], \"model_outputs\": [[\"1\"]]}",
       "'model_outputs' must be a list of equally long"},
      {"{\"predictions\": [{\"target\": 1, \"prediction\": 1}], \"model_outputs\": [[]]}", "'model_outputs'"},
      {"{\"predictions\": [{\"target\": 1, \"prediction\": 1}], \"model_outputs\": [7]}", "'model_outputs'"},
      {"{\"model_outputs\": 7}", "'model_outputs'"},
      {"{\"complete\": 1}", "'complete' must be true or false"},
      {"{\"kenning_schema\": \"one\"}", "'kenning_schema'"},
  };
  for (size_t i = 0; i < sizeof faulty / sizeof *faulty; i++) {
    kn_results r;
    kt_assert_fault(parse(faulty[i].json, &r), KN_BAD_DATA, faulty[i].part);
    kt_assert_fault(parse(faulty[i].json, &r), KN_BAD_DATA, "m.json: ");
    assert_null(r.doc);
  }
  kn_results r;
  kt_assert_fault(parse("{\"a\": ", &r), KN_BAD_DATA, "not valid JSON");
  kt_assert_fault(parse("{\"kenning_schema\": \"2.0\"}", &r), KN_INCOMPATIBLE, "schema 2.0");
  kt_assert_fault(kn_results_read("/no/such/file.json", &r), KN_NOT_FOUND, "/no/such/file.json");
}

/* ---- what can be true by itself, but not together ---- */

static void contradictions_are_told(void **state) {
  (void)state;
  static const struct {
    const char *json, *part;
  } faulty[] = {
      {"{\"eval_confusion_matrix\": [[1, 0], [0, 1]], \"predictions\": [{\"target\": 0, \"prediction\": 0}, "
       "{\"target\": 1, \"prediction\": 2}]}",
       "'predictions', entry 1: prediction 2 is no class; there are 2, counted from 0"},
      {"{\"class_names\": [\"a\"], \"predictions\": [{\"target\": 1, \"prediction\": 0}]}",
       "'predictions', entry 0: target 1 is no class; there are 1"},
      {"{\"predictions\": [{\"target\": 1, \"prediction\": -1}]}", "prediction -1 is no class"},
      {"{\"eval_confusion_matrix\": [[1, 0], [0.5, 1]]}",
       "'eval_confusion_matrix', [1][0]: 0.5 is no number of samples"},
      {"{\"eval_confusion_matrix\": [[1, 0], [0, 1]], \"total\": 3}",
       "'eval_confusion_matrix' has 2 samples, but 'total' 3"},
      {"{\"total\": 2, \"predictions\": [{\"target\": 1, \"prediction\": 1}]}",
       "'predictions' has 1 samples, but 'total' 2"},
      {"{\"eval_confusion_matrix\": [[1, 0], [0, 1]], \"predictions\": [{\"target\": 1, \"prediction\": 1}]}",
       "'predictions' has 1 samples, but 'eval_confusion_matrix' 2"},
      {"{\"eval_confusion_matrix\": [[1, 0], [0, 0]], \"predictions\": [{\"target\": 1, \"prediction\": 1}]}",
       "'eval_confusion_matrix', [1][1]: 0 samples, but 'predictions' has 1"},
      {"{\"total\": 2, \"run\": {\"samples\": 3}}", "'run.samples' has 3 samples, but 'total' 2"},
      {"{\"total\": 2.5}", "'total': 2.5 is no number"},
      {"{\"top_5_count\": 1}", "'total', which is missing"},
      {"{\"kenning_schema\": \"1.0\", \"eval_confusion_matrix\": [[1, 0], [0, 1]], \"total\": 2, \"top_5_count\": 1}",
       "'top_5_count' is 1, less than the 2"},
      {"{\"predictions\": [{\"target\": 1, \"prediction\": 1}], \"model_outputs\": [[1, 2], [1, 2]]}",
       "'model_outputs' has 2 samples, but 'predictions' 1"},
  };
  for (size_t i = 0; i < sizeof faulty / sizeof *faulty; i++) {
    kn_results r;
    kt_assert_fault(parse(faulty[i].json, &r), KN_BAD_DATA, faulty[i].part);
    assert_null(r.doc);
  }
}

static void all_faults_are_told_at_once(void **state) {
  (void)state;
  kn_results r;
  kn_status status = parse(
      "{\"date\": 1, \"optimizers\": 2, \"target_inference_step\": [\"1\", \"2\"], "
      "\"warmup_inferences\": 5, \"eval_confusion_matrix\": [[1, 0], [0, 0]], \"total\": 4, "
      "\"predictions\": [{\"target\": 7, \"prediction\": 9}]}",
      &r);
  static const char *const parts[] = {"'date'",
                                      "'optimizers'",
                                      "'target_inference_step'",
                                      "target 7",
                                      "prediction 9",
                                      "'eval_confusion_matrix' has 1 samples",
                                      "'predictions' has 1 samples"};
  assert_int_equal(kn_status_count(status), sizeof parts / sizeof *parts);
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    assert_non_null(strstr(kn_status_message(status, i), parts[i]));
  kn_status_free(status);
}

static void of_many_alike_the_first_are_told(void **state) {
  (void)state;
  char json[2048] = "{\"predictions\": [";
  for (int i = 0; i < 30; i++)
    strcat(json, i ? ", {\"target\": 1, \"prediction\": -1}" : "{\"target\": 1, \"prediction\": -1}");
  strcat(json, "]}");
  kn_results r;
  kn_status status = parse(json, &r);
  assert_int_equal(kn_status_count(status), 6);
  assert_non_null(strstr(kn_status_message(status, 5), "25 more faults"));
  kn_status_free(status);
}

static void memory_may_run_out(void **state) {
  (void)state;
  char *path = kt_source_path("tests/golden/measurements/2022/remote.json");
  bool finished = false;
  for (uint64_t allowed = 0; !finished; allowed++) {
    assert_true(allowed < 1000);
    kn_results r;
    kn_memory_fail_after(allowed);
    kn_status status = kn_results_read(path, &r);
    kn_memory_fail_after(UINT64_MAX);
    finished = !status;
    if (!finished) kt_assert_fault(status, KN_OUT_OF_MEMORY, NULL);
    kn_results_clear(&r);
  }
  free(path);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_file_of_2022_is_read),      cmocka_unit_test(native_and_remote_files_are_read),
      cmocka_unit_test(files_of_today_are_read),     cmocka_unit_test(nothing_is_demanded_and_unknown_keys_stay),
      cmocka_unit_test(predictions_are_unpacked),    cmocka_unit_test(outputs_are_unpacked),
      cmocka_unit_test(faults_name_the_key),         cmocka_unit_test(contradictions_are_told),
      cmocka_unit_test(all_faults_are_told_at_once), cmocka_unit_test(of_many_alike_the_first_are_told),
      cmocka_unit_test(memory_may_run_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
