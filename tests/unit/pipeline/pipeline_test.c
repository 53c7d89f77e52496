#include "setting.h"

#include <kenning/services.h>
#include <unistd.h>

#include "support/directory.h"
#include "support/near.h"
#include "support/status.h"

static bool has_phase(const setting *s, const char *name) {
  size_t i, count;
  yyjson_val *phase;
  yyjson_arr_foreach(at(s, "/phases"), i, count, phase) {
    if (yyjson_equals_str(yyjson_obj_get(phase, "name"), name)) return true;
  }
  return false;
}

/* ---- native ---- */

static void a_native_run_is_measured(void **state) {
  setting *s = *state;
  dataset_of(s)->base.split = KN_SPLIT_ALL;
  s->options.command = (const char *const[]){"kenning", "test", "--json-cfg", "s.json"};
  s->options.command_count = 4;
  s->options.cfg_path = "s.json";
  kt_assert_ok(run(s, BOTH));
  read_back(s);
  const kn_results *r = &s->results;
  assert_true(r->own && r->complete);
  assert_string_equal(r->model_framework, "fakework");
  assert_string_equal(r->model_version, "7.0");
  assert_string_equal(r->cfg_path, "s.json");
  assert_string_equal(r->command[0], "kenning test \\");
  assert_int_equal(r->compiler_count, 0);
  assert_non_null(at(s, "/compilers"));
  assert_int_equal(r->class_name_count, 4);
  assert_int_equal(r->steps.count, 101);
  assert_int_equal(r->warmup, 1);
  assert_int_equal(yyjson_arr_size(at(s, "/tags")), 303);
  assert_int_equal(yyjson_arr_size(at(s, "/inference")), 1);
  assert_int_equal(yyjson_arr_size(at(s, "/inference_timestamp")), 1);
  assert_null(at(s, "/full_run_statistics_timestamp"));
  assert_int_equal(r->prediction_count, 100);
  for (size_t i = 0; i < 100; i++) {
    assert_int_equal(r->targets[i], fake_label(i));
    assert_int_equal(r->predictions[i], fake_prediction(i));
  }
  kt_assert_near(r->total, 100, 0);
  kt_assert_near(r->top_5_count, 100, 0);
  for (size_t i = 0; i < 4; i++)
    for (size_t j = 0; j < 4; j++) {
      double expected = 0;
      for (size_t k = 0; k < 100; k++) expected += fake_label(k) == (int64_t)i && fake_prediction(k) == (int64_t)j;
      kt_assert_near(r->confusion[i * 4 + j], expected, 0);
    }
  kt_assert_near(r->compiled_model_size, 7, 0);
  assert_true(r->process_peak_rss_bytes > 0);
  assert_string_equal(text_at(s, "/run/dataset"), "test.FakeDataset");
  assert_string_equal(text_at(s, "/run/split"), "all");
  assert_int_equal(int_at(s, "/run/samples"), 100);
  assert_int_equal(int_at(s, "/run/batch_size"), 1);
  assert_string_equal(text_at(s, "/models/0/role"), "input");
  assert_string_equal(text_at(s, "/models/0/format"), "fake");
  assert_int_equal(int_at(s, "/models/0/bytes"), 7);
  assert_int_equal(int_at(s, "/models/0/weights_bytes"), 5);
  assert_int_equal(int_at(s, "/models/0/other_bytes"), 2);
  assert_true(yyjson_is_obj(at(s, "/build_cfg/dataset")));
  static const char *const phases[] = {"open data set", "load model",    "warm-up",
                                       "inference",     "preprocessing", "evaluation"};
  for (size_t i = 0; i < sizeof phases / sizeof *phases; i++) assert_true(has_phase(s, phases[i]));
  /* The summary in the file is what a reader computes from the lists. */
  kn_summary summary;
  kt_assert_ok(kn_results_summary(r, &summary));
  kt_assert_near(yyjson_get_real(at(s, "/summary/accuracy")), 0.9, 1e-15);
  kt_assert_near(summary.accuracy, 0.9, 1e-15);
  assert_int_equal(int_at(s, "/summary/inference/count"), 100);
  kt_assert_near(yyjson_get_real(at(s, "/summary/inference/median")), summary.inference.median, 0);
  kt_assert_near(yyjson_get_real(at(s, "/summary/inference/median_ci95/1")), summary.inference.median_ci95[1], 0);
}

static void the_test_split_is_what_runs(void **state) {
  setting *s = *state;
  dataset_of(s)->base.split = KN_SPLIT_TEST;
  dataset_of(s)->published = true;
  kt_assert_ok(run(s, KN_STEP_TEST));
  read_back(s);
  assert_int_equal(s->results.prediction_count, 20);
  for (size_t i = 0; i < 20; i++) assert_int_equal(s->results.targets[i], fake_label(80 + i));
  assert_string_equal(text_at(s, "/run/split"), "test");
  assert_true(yyjson_get_bool(at(s, "/run/split_published")));
  assert_int_equal(int_at(s, "/run/split_counts/test"), 20);
  assert_int_equal(int_at(s, "/run/split_counts/train"), 80);
}

static void an_empty_split_is_refused(void **state) {
  setting *s = *state;
  dataset_of(s)->base.split = KN_SPLIT_VALIDATION; /* its share is 0 */
  kt_assert_fault(run(s, BOTH), KN_INVALID_ARGUMENT, "the validation split holds no sample");
  assert_null(s->measurements);
}

static void data_without_task_has_times_alone(void **state) {
  setting *s = *state;
  dataset_of(s)->unlabelled = true;
  dataset_of(s)->base.split = KN_SPLIT_ALL;
  kt_assert_ok(run(s, BOTH));
  read_back(s);
  assert_int_equal(s->results.steps.count, 101);
  assert_null(s->results.confusion);
  assert_null(at(s, "/total"));
  assert_null(at(s, "/class_names"));
}

/* ---- runtime and optimizers ---- */

static void the_chain_passes_models_and_specifications(void **state) {
  setting *s = *state;
  add_runtime(s);
  add_optimizers(s, 2);
  fake_dataset *dataset = dataset_of(s);
  dataset->base.split = KN_SPLIT_TEST;
  dataset->base.split_fraction_test = 0.2;
  dataset->base.split_fraction_val = 0.1;
  dataset->base.split_fraction_calibration = 0.05;
  kt_assert_ok(run(s, BOTH));
  assert_string_equal(optimizer_of(s, 0)->input_name, "wrapped"); /* no model.fake.json: from the wrapper */
  assert_string_equal(optimizer_of(s, 1)->input_name, "from first");
  assert_string_equal(runtime_of(s)->loaded_path, s->compiled[1]);
  assert_string_equal(runtime_of(s)->loaded_spec, "from second");
  assert_int_equal(optimizer_of(s, 1)->calibration, 4);
  assert_int_equal(optimizer_of(s, 1)->validation, 8);
  assert_int_equal(optimizer_of(s, 1)->train, 68);
  char *result = kt_file_read(s->compiled[1], NULL);
  assert_string_equal(result, "seven b++");
  free(result);
  char *spec = kt_path(s->directory, "first.faked.json");
  assert_int_equal(access(spec, R_OK), 0);
  free(spec);
  spec = kt_path(s->directory, "model.fake.json");
  assert_int_not_equal(access(spec, F_OK), 0); /* nothing is written beside the user's model */
  free(spec);

  read_back(s);
  const kn_results *r = &s->results;
  assert_int_equal(r->compiler_count, 2);
  assert_string_equal(r->compilers[1].framework, "fakecc");
  assert_string_equal(r->compilers[1].version, "3.1");
  assert_int_equal(yyjson_arr_size(at(s, "/compilers")), 2);
  assert_string_equal(text_at(s, "/optimizer_records/0/type"), "test.FakeOptimizer");
  assert_int_equal(int_at(s, "/optimizer_records/1/weights_bytes"), 2);
  assert_int_equal(yyjson_arr_size(at(s, "/models")), 3);
  assert_string_equal(text_at(s, "/models/2/role"), "compiled");
  assert_int_equal(int_at(s, "/models/2/weights_bytes"), 2);
  kt_assert_near(r->compiled_model_size, 9, 0);
  assert_string_equal(text_at(s, "/runtime_statistics/library"), "libfake");
  assert_string_equal(text_at(s, "/libraries/0/name"), "libfake");
  assert_string_equal(text_at(s, "/libraries/0/version"), "1.2");
  assert_int_equal(int_at(s, "/run/threads"), 3);
  assert_string_equal(r->model_framework, "fakework"); /* told without opening it: the wrapper would complain */
  assert_int_equal(r->prediction_count, 20);
  assert_null(at(s, "/inference"));
  assert_non_null(at(s, "/full_run_statistics_timestamp"));
  assert_non_null(at(s, "/session_utilization_timestamp"));
  assert_true(has_phase(s, "compile"));
}

static void a_specification_beside_the_model_is_used(void **state) {
  setting *s = *state;
  add_runtime(s);
  add_optimizers(s, 1);
  char *path = kt_path(s->directory, "model.fake.json");
  kt_file_write_text(path,
                     "{\"input\": [{\"name\": \"beside\", \"shape\": [1, 4], \"dtype\": \"float32\"}], "
                     "\"output\": [{\"name\": \"o\", \"shape\": [1, 4], \"dtype\": \"float32\"}]}");
  free(path);
  kt_assert_ok(run(s, KN_STEP_OPTIMIZE));
  assert_string_equal(optimizer_of(s, 0)->input_name, "beside");
  assert_null(runtime_of(s)->loaded_path); /* nothing was run */
  read_back(s);
  assert_true(s->results.complete);
  assert_null(s->results.step_key);
}

static void benchmarks_only_uses_what_is_there(void **state) {
  setting *s = *state;
  add_runtime(s);
  add_optimizers(s, 2);
  dataset_of(s)->base.split = KN_SPLIT_ALL;
  kt_assert_fault(run(s, KN_STEP_TEST), KN_NOT_FOUND, s->compiled[1]);
  assert_null(s->measurements);
  kt_file_write_text(s->compiled[1], "compiled before");
  unlink(s->model); /* what it was made from is not needed */
  kt_assert_ok(run(s, KN_STEP_TEST));
  assert_string_equal(runtime_of(s)->loaded_path, s->compiled[1]);
  assert_null(runtime_of(s)->loaded_spec);
  read_back(s);
  assert_int_equal(s->results.compiler_count, 2);
  assert_string_equal(s->results.compilers[0].framework, "fakecc");
  assert_string_equal(s->results.compilers[0].version, "");
  assert_int_equal(yyjson_arr_size(at(s, "/models")), 1);
  kt_assert_near(s->results.compiled_model_size, 15, 0);
}

static void a_runtime_without_optimizers_loads_its_own_file(void **state) {
  setting *s = *state;
  add_runtime(s);
  dataset_of(s)->base.split = KN_SPLIT_ALL;
  kt_assert_ok(run(s, BOTH));
  assert_string_equal(runtime_of(s)->loaded_path, s->model);
  assert_string_equal(runtime_of(s)->loaded_spec, "wrapped");
  forget(s);
  char *own = kt_path(s->directory, "own.fake");
  runtime_of(s)->save_model_path = own;
  kt_assert_fault(run(s, BOTH), KN_NOT_FOUND, own);
  kt_file_write_text(own, "x");
  kt_assert_ok(run(s, BOTH));
  assert_string_equal(runtime_of(s)->loaded_path, own);
  assert_null(runtime_of(s)->loaded_spec);
  read_back(s);
  kt_assert_near(s->results.compiled_model_size, 1, 0);
  runtime_of(s)->save_model_path = NULL;
  free(own);
}

/* ---- models that something else writes to ---- */

static void the_hash_is_of_what_was_there(void **state) {
  setting *s = *state;
  dataset_of(s)->base.split = KN_SPLIT_ALL;
  char expected[65];
  kt_assert_ok(kn_sha256("seven b", 7, expected));
  kt_assert_ok(run(s, BOTH));
  read_back(s);
  assert_string_equal(text_at(s, "/models/0/sha256"), expected);
  assert_null(at(s, "/models/0/changed"));
}

static void a_model_that_is_replaced_keeps_its_hash(void **state) {
  setting *s = *state;
  dataset_of(s)->base.split = KN_SPLIT_ALL;
  char expected[65];
  add_runtime(s);
  add_optimizers(s, 1);
  kt_assert_ok(kn_sha256("seven b+", 8, expected));
  runtime_of(s)->replaces = s->compiled[0];
  kt_assert_ok(run(s, BOTH));
  read_back(s);
  assert_null(at(s, "/models/0/changed"));
  assert_int_equal(int_at(s, "/models/0/weights_bytes"), 5);
  assert_int_equal(int_at(s, "/models/1/bytes"), 8);
  assert_string_equal(text_at(s, "/models/1/sha256"), expected);
  assert_string_equal(text_at(s, "/models/1/changed"), "replaced");
  kt_assert_near(s->results.compiled_model_size, 8, 0);
}

static void a_model_that_is_written_to_has_no_hash(void **state) {
  setting *s = *state;
  dataset_of(s)->base.split = KN_SPLIT_ALL;
  add_runtime(s);
  runtime_of(s)->writes = s->model;
  kt_assert_ok(run(s, BOTH));
  read_back(s);
  assert_int_equal(int_at(s, "/models/0/bytes"), 7);
  assert_null(at(s, "/models/0/sha256"));
  assert_null(at(s, "/models/0/weights_bytes")); /* of another model */
  assert_string_equal(text_at(s, "/models/0/changed"), "written");
}

static void sampling_can_be_turned_off(void **state) {
  setting *s = *state;
  add_runtime(s);
  dataset_of(s)->base.split = KN_SPLIT_ALL;
  runtime_of(s)->base.disable_performance_measurements = true;
  kt_assert_ok(run(s, BOTH));
  read_back(s);
  assert_null(at(s, "/session_utilization_timestamp"));
  assert_null(at(s, "/full_run_statistics_timestamp"));
  assert_int_equal(s->results.steps.count, 101);
}

static void batches_are_run(void **state) {
  setting *s = *state;
  add_runtime(s);
  dataset_of(s)->base.split = KN_SPLIT_ALL;
  dataset_of(s)->base.inference_batch_size = 8;
  s->options.warmup = 2;
  s->options.loaders = 3;
  kt_assert_ok(run(s, BOTH));
  read_back(s);
  assert_int_equal(s->results.steps.count, 15); /* 2 + ceil(100 / 8) */
  assert_int_equal(s->results.warmup, 2);
  assert_int_equal(s->results.prediction_count, 100);
  assert_int_equal(int_at(s, "/run/loader_threads"), 3);
}

static void formats_must_meet(void **state) {
  setting *s = *state;
  add_runtime(s);
  add_optimizers(s, 1);
  wrapper_of(s)->format = "something else";
  kt_assert_fault(run(s, BOTH), KN_INCOMPATIBLE, "is a model of format something else");
}

static void external_files_calibrate(void **state) {
  setting *s = *state;
  add_runtime(s);
  add_optimizers(s, 1);
  char *directory = kt_path(s->directory, "external"), *missing = kt_path(s->directory, "missing");
  dataset_of(s)->base.external_calibration_dataset = missing;
  kt_assert_fault(run(s, KN_STEP_OPTIMIZE), KN_NOT_FOUND, missing);
  static const char *const names[] = {"external/a.jpg", "external/deep/b.jpg", "external/c.jpg", "external/.hidden"};
  for (size_t i = 0; i < 4; i++) {
    char *path = kt_path(s->directory, names[i]);
    kt_assert_ok(kn_file_write(path, "x", 1));
    free(path);
  }
  dataset_of(s)->base.external_calibration_dataset = directory;
  kt_assert_ok(run(s, KN_STEP_OPTIMIZE));
  assert_int_equal(optimizer_of(s, 0)->calibration, 3);
  dataset_of(s)->base.external_calibration_dataset = NULL;
  free(directory);
  free(missing);
}

static void the_identity_follows_the_samples(void **state) {
  setting *s = *state;
  add_runtime(s);
  add_optimizers(s, 1);
  fake_dataset *dataset = dataset_of(s);
  dataset->base.split_fraction_calibration = 0.2;
  char first[65], again[65];
  kt_assert_ok(run(s, KN_STEP_OPTIMIZE));
  snprintf(first, sizeof first, "%s", optimizer_of(s, 0)->identity);
  assert_int_equal(strlen(first), 64);
  forget(s);
  dataset->base.inference_batch_size = 7; /* says nothing about the samples */
  kt_assert_ok(run(s, KN_STEP_OPTIMIZE));
  snprintf(again, sizeof again, "%s", optimizer_of(s, 0)->identity);
  assert_string_equal(first, again);
  forget(s);
  dataset->base.split_seed = 99; /* others are drawn */
  kt_assert_ok(run(s, KN_STEP_OPTIMIZE));
  assert_string_not_equal(first, optimizer_of(s, 0)->identity);
}

/* ---- training ---- */

static void training_gets_the_training_samples(void **state) {
  setting *s = *state;
  dataset_of(s)->base.split_fraction_test = 0.25;
  dataset_of(s)->base.split_fraction_val = 0.2;
  s->options.seed = 11;
  kt_assert_ok(run(s, KN_STEP_TRAIN));
  assert_int_equal(wrapper_of(s)->trained_on, 60);
  read_back(s);
  kt_assert_near(yyjson_get_real(at(s, "/training/loss")), 0.5, 0);
  assert_int_equal(int_at(s, "/run/seeds/run"), 11);
  assert_true(has_phase(s, "training"));
  char *model = kt_file_read(s->model, NULL);
  assert_string_equal(model, "trained");
  free(model);
}

static void several_steps_share_one_opening(void **state) {
  setting *s = *state;
  add_runtime(s);
  add_optimizers(s, 1);
  dataset_of(s)->base.split = KN_SPLIT_ALL;
  kt_assert_ok(kn_pipeline_execute(&s->scenario, &s->options, KN_STEP_TRAIN | KN_STEP_OPTIMIZE | KN_STEP_TEST,
                                   &s->measurements));
  char *result = kt_file_read(s->compiled[0], NULL);
  assert_string_equal(result, "trained+");
  free(result);
  read_back(s);
  assert_non_null(at(s, "/training"));
  assert_int_equal(s->results.prediction_count, 100);
}

/* ---- without any framework ---- */

static void the_null_scenario_runs_on_a_bare_machine(void **state) {
  (void)state;
  static const char json[] =
      "{\"model_wrapper\": {\"type\": \"NullModelWrapper\"}, \"runtime\": {\"type\": \"NullRuntime\"},"
      " \"dataset\": {\"type\": \"RandomizedClassificationDataset\", \"parameters\": {\"dataset_root\": \"none\","
      " \"num_samples\": 50, \"num_classes\": 3, \"input_dims\": [8, 8, 3]}}}";
  char *directory = kt_directory_make(), *path = kt_path(directory, "null.json");
  kt_file_write_text(path, json);
  kn_scenario scenario;
  kn_measurements *measurements;
  kn_run_options options = kn_run_options_default();
  kt_assert_ok(kn_scenario_read(path, &scenario));
  kt_assert_ok(kn_pipeline_execute(&scenario, &options, BOTH, &measurements));
  char *out = kt_path(directory, "out.json");
  kt_assert_ok(kn_measurements_write(measurements, out));
  kn_results results;
  kt_assert_ok(kn_results_read(out, &results));
  assert_int_equal(results.steps.count, 11); /* a fifth of 50, and the warm-up */
  kn_results_clear(&results);
  kn_measurements_destroy(measurements);
  kn_scenario_clear(&scenario);
  free(out);
  free(path);
  kt_directory_remove(directory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(a_native_run_is_measured),
      TEST(the_test_split_is_what_runs),
      TEST(an_empty_split_is_refused),
      TEST(data_without_task_has_times_alone),
      TEST(the_chain_passes_models_and_specifications),
      TEST(a_specification_beside_the_model_is_used),
      TEST(benchmarks_only_uses_what_is_there),
      TEST(a_runtime_without_optimizers_loads_its_own_file),
      TEST(the_hash_is_of_what_was_there),
      TEST(a_model_that_is_replaced_keeps_its_hash),
      TEST(a_model_that_is_written_to_has_no_hash),
      TEST(sampling_can_be_turned_off),
      TEST(batches_are_run),
      TEST(formats_must_meet),
      TEST(external_files_calibrate),
      TEST(the_identity_follows_the_samples),
      TEST(training_gets_the_training_samples),
      TEST(several_steps_share_one_opening),
      cmocka_unit_test(the_null_scenario_runs_on_a_bare_machine),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
