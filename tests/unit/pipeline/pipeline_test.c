#include "core/log.h"
#include "core/memory.h"
#include "core/record_json.h"
#include "fake.h"
#include "measurements/results.h"
#include "pipeline/pipeline.h"

#include <kenning/services.h>
#include <unistd.h>

#include "support/directory.h"
#include "support/near.h"
#include "support/status.h"

extern const kn_class kn_null_runtime_class, kn_null_modelwrapper_class, kn_randomized_classification_dataset_class;

/* ---- a scenario of fakes in a directory of its own ---- */

typedef struct bench {
  kn_scenario scenario;
  kn_run_options options;
  kn_measurements *measurements;
  kn_results results; /* the measurements, written and read again */
  char *directory, *model, *compiled[2];
} bench;

static fake_dataset *dataset_of(bench *b) { return b->scenario.dataset.self; }
static fake_wrapper *wrapper_of(bench *b) { return b->scenario.model_wrapper.self; }
static fake_runtime *runtime_of(bench *b) { return b->scenario.runtime.self; }
static fake_optimizer *optimizer_of(bench *b, size_t i) { return b->scenario.optimizers[i].self; }

static int set_up(void **state) {
  bench *b = calloc(1, sizeof *b);
  *state = b;
  b->options = kn_run_options_default();
  b->directory = kt_directory_make();
  b->model = kt_path(b->directory, "model.fake");
  kt_file_write_text(b->model, "seven b");
  kt_assert_ok(kn_instance_create(&fake_dataset_class, &b->scenario.dataset));
  kt_assert_ok(kn_instance_create(&fake_wrapper_class, &b->scenario.model_wrapper));
  wrapper_of(b)->base.model_path = kn_strdup(b->model);
  kn_dataset_options *options = &dataset_of(b)->base;
  options->split_fraction_test = options->split_fraction_val = options->split_fraction_calibration = 0;
  return 0;
}

static void add_runtime(bench *b) { kt_assert_ok(kn_instance_create(&fake_runtime_class, &b->scenario.runtime)); }

static void add_optimizers(bench *b, size_t count) {
  static const char *const names[] = {"first.faked", "second.faked"}, *const marks[] = {"from first", "from second"};
  b->scenario.optimizers = kn_alloc_array(count, sizeof *b->scenario.optimizers);
  b->scenario.optimizer_count = count;
  for (size_t i = 0; i < count; i++) {
    b->compiled[i] = kt_path(b->directory, names[i]);
    kt_assert_ok(kn_instance_create(&fake_optimizer_class, &b->scenario.optimizers[i]));
    optimizer_of(b, i)->base.compiled_model_path = kn_strdup(b->compiled[i]);
    optimizer_of(b, i)->mark = marks[i];
  }
}

/* Forgets the measurements of a run. */
static void forget(bench *b) {
  kn_results_clear(&b->results);
  kn_measurements_destroy(b->measurements);
  b->measurements = NULL;
}

static int tear_down(void **state) {
  bench *b = *state;
  forget(b);
  if (b->scenario.runtime.cls == &fake_runtime_class) {
    fake_runtime_forget(runtime_of(b));
    assert_false(runtime_of(b)->open || runtime_of(b)->loaded);
  }
  /* What was opened was closed, in every test. */
  if (b->scenario.dataset.cls == &fake_dataset_class) assert_false(dataset_of(b)->open);
  if (b->scenario.model_wrapper.cls == &fake_wrapper_class) {
    assert_false(wrapper_of(b)->open || wrapper_of(b)->loaded);
  }
  for (size_t i = 0; i < b->scenario.optimizer_count; i++) {
    assert_false(optimizer_of(b, i)->open);
    free(b->compiled[i]);
  }
  kn_scenario_clear(&b->scenario);
  free(b->model);
  kt_directory_remove(b->directory);
  free(b);
  return 0;
}

static void read_back(bench *b) {
  char *text;
  size_t bytes;
  assert_non_null(b->measurements);
  kt_assert_ok(kn_measurements_text(b->measurements, &text, &bytes));
  kt_assert_ok(kn_results_parse("m.json", text, bytes, &b->results));
  kn_free(text);
}

static yyjson_val *at(const bench *b, const char *pointer) { return yyjson_ptr_get(b->results.root, pointer); }
static const char *text_at(const bench *b, const char *pointer) { return yyjson_get_str(at(b, pointer)); }
static int64_t int_at(const bench *b, const char *pointer) { return yyjson_get_sint(at(b, pointer)); }

static bool has_phase(const bench *b, const char *name) {
  size_t i, count;
  yyjson_val *phase;
  yyjson_arr_foreach(at(b, "/phases"), i, count, phase) {
    if (yyjson_equals_str(yyjson_obj_get(phase, "name"), name)) return true;
  }
  return false;
}

/* ---- native ---- */

static void a_native_run_is_measured(void **state) {
  bench *b = *state;
  dataset_of(b)->base.split = KN_SPLIT_ALL;
  b->options.command = (const char *const[]){"kenning", "test", "--json-cfg", "s.json"};
  b->options.command_count = 4;
  b->options.cfg_path = "s.json";
  kt_assert_ok(kn_pipeline_run(&b->scenario, &b->options, &b->measurements));
  read_back(b);
  const kn_results *r = &b->results;
  assert_true(r->own && r->complete);
  assert_string_equal(r->model_framework, "fakework");
  assert_string_equal(r->model_version, "7.0");
  assert_string_equal(r->cfg_path, "s.json");
  assert_string_equal(r->command[0], "kenning test \\");
  assert_int_equal(r->compiler_count, 0);
  assert_non_null(at(b, "/compilers"));
  assert_int_equal(r->class_name_count, 4);
  assert_int_equal(r->steps.count, 101);
  assert_int_equal(r->warmup, 1);
  assert_int_equal(yyjson_arr_size(at(b, "/tags")), 303);
  assert_int_equal(yyjson_arr_size(at(b, "/inference")), 1);
  assert_int_equal(yyjson_arr_size(at(b, "/inference_timestamp")), 1);
  assert_null(at(b, "/full_run_statistics_timestamp"));
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
  assert_string_equal(text_at(b, "/run/dataset"), "test.FakeDataset");
  assert_string_equal(text_at(b, "/run/split"), "all");
  assert_int_equal(int_at(b, "/run/samples"), 100);
  assert_int_equal(int_at(b, "/run/batch_size"), 1);
  assert_string_equal(text_at(b, "/models/0/role"), "input");
  assert_string_equal(text_at(b, "/models/0/format"), "fake");
  assert_int_equal(int_at(b, "/models/0/bytes"), 7);
  assert_int_equal(int_at(b, "/models/0/weights_bytes"), 5);
  assert_int_equal(int_at(b, "/models/0/other_bytes"), 2);
  assert_true(yyjson_is_obj(at(b, "/build_cfg/dataset")));
  static const char *const phases[] = {"open data set", "load model",    "warm-up",
                                       "inference",     "preprocessing", "evaluation"};
  for (size_t i = 0; i < sizeof phases / sizeof *phases; i++) assert_true(has_phase(b, phases[i]));
  /* The summary in the file is what a reader computes from the lists. */
  kn_summary s;
  kt_assert_ok(kn_results_summary(r, &s));
  kt_assert_near(yyjson_get_real(at(b, "/summary/accuracy")), 0.9, 1e-15);
  kt_assert_near(s.accuracy, 0.9, 1e-15);
  assert_int_equal(int_at(b, "/summary/inference/count"), 100);
  kt_assert_near(yyjson_get_real(at(b, "/summary/inference/median")), s.inference.median, 0);
  kt_assert_near(yyjson_get_real(at(b, "/summary/inference/median_ci95/1")), s.inference.median_ci95[1], 0);
}

static void the_test_split_is_what_runs(void **state) {
  bench *b = *state;
  dataset_of(b)->base.split = KN_SPLIT_TEST;
  dataset_of(b)->published = true;
  kt_assert_ok(kn_pipeline_test(&b->scenario, &b->options, &b->measurements));
  read_back(b);
  assert_int_equal(b->results.prediction_count, 20);
  for (size_t i = 0; i < 20; i++) assert_int_equal(b->results.targets[i], fake_label(80 + i));
  assert_string_equal(text_at(b, "/run/split"), "test");
  assert_true(yyjson_get_bool(at(b, "/run/split_published")));
  assert_int_equal(int_at(b, "/run/split_counts/test"), 20);
  assert_int_equal(int_at(b, "/run/split_counts/train"), 80);
}

static void an_empty_split_is_refused(void **state) {
  bench *b = *state;
  dataset_of(b)->base.split = KN_SPLIT_VALIDATION; /* its share is 0 */
  kt_assert_fault(kn_pipeline_run(&b->scenario, &b->options, &b->measurements), KN_INVALID_ARGUMENT,
                  "the validation split holds no sample");
  assert_null(b->measurements);
}

static void data_without_task_has_times_alone(void **state) {
  bench *b = *state;
  dataset_of(b)->unlabelled = true;
  dataset_of(b)->base.split = KN_SPLIT_ALL;
  kt_assert_ok(kn_pipeline_run(&b->scenario, &b->options, &b->measurements));
  read_back(b);
  assert_int_equal(b->results.steps.count, 101);
  assert_null(b->results.confusion);
  assert_null(at(b, "/total"));
  assert_null(at(b, "/class_names"));
}

/* ---- runtime and optimizers ---- */

static void the_chain_passes_models_and_specifications(void **state) {
  bench *b = *state;
  add_runtime(b);
  add_optimizers(b, 2);
  fake_dataset *dataset = dataset_of(b);
  dataset->base.split = KN_SPLIT_TEST;
  dataset->base.split_fraction_test = 0.2;
  dataset->base.split_fraction_val = 0.1;
  dataset->base.split_fraction_calibration = 0.05;
  kt_assert_ok(kn_pipeline_run(&b->scenario, &b->options, &b->measurements));
  assert_string_equal(optimizer_of(b, 0)->input_name, "wrapped"); /* no model.fake.json: from the wrapper */
  assert_string_equal(optimizer_of(b, 1)->input_name, "from first");
  assert_string_equal(runtime_of(b)->loaded_path, b->compiled[1]);
  assert_string_equal(runtime_of(b)->loaded_spec, "from second");
  assert_int_equal(optimizer_of(b, 1)->calibration, 4);
  assert_int_equal(optimizer_of(b, 1)->validation, 8);
  assert_int_equal(optimizer_of(b, 1)->train, 68);
  char *result = kt_file_read(b->compiled[1], NULL);
  assert_string_equal(result, "seven b++");
  free(result);
  char *spec = kt_path(b->directory, "first.faked.json");
  assert_int_equal(access(spec, R_OK), 0);
  free(spec);
  spec = kt_path(b->directory, "model.fake.json");
  assert_int_not_equal(access(spec, F_OK), 0); /* nothing is written beside the user's model */
  free(spec);

  read_back(b);
  const kn_results *r = &b->results;
  assert_int_equal(r->compiler_count, 2);
  assert_string_equal(r->compilers[1].framework, "fakecc");
  assert_string_equal(r->compilers[1].version, "3.1");
  assert_int_equal(yyjson_arr_size(at(b, "/compilers")), 2);
  assert_string_equal(text_at(b, "/optimizer_records/0/type"), "test.FakeOptimizer");
  assert_int_equal(int_at(b, "/optimizer_records/1/weights_bytes"), 2);
  assert_int_equal(yyjson_arr_size(at(b, "/models")), 3);
  assert_string_equal(text_at(b, "/models/2/role"), "compiled");
  assert_int_equal(int_at(b, "/models/2/weights_bytes"), 2);
  kt_assert_near(r->compiled_model_size, 9, 0);
  assert_string_equal(text_at(b, "/runtime_statistics/library"), "libfake");
  assert_string_equal(text_at(b, "/libraries/0/name"), "libfake");
  assert_string_equal(text_at(b, "/libraries/0/version"), "1.2");
  assert_int_equal(int_at(b, "/run/threads"), 3);
  assert_string_equal(r->model_framework, "fakework"); /* told without opening it: the wrapper would complain */
  assert_int_equal(r->prediction_count, 20);
  assert_null(at(b, "/inference"));
  assert_non_null(at(b, "/full_run_statistics_timestamp"));
  assert_non_null(at(b, "/session_utilization_timestamp"));
  assert_true(has_phase(b, "compile"));
}

static void a_specification_beside_the_model_is_used(void **state) {
  bench *b = *state;
  add_runtime(b);
  add_optimizers(b, 1);
  char *path = kt_path(b->directory, "model.fake.json");
  kt_file_write_text(path,
                     "{\"input\": [{\"name\": \"beside\", \"shape\": [1, 4], \"dtype\": \"float32\"}], "
                     "\"output\": [{\"name\": \"o\", \"shape\": [1, 4], \"dtype\": \"float32\"}]}");
  free(path);
  kt_assert_ok(kn_pipeline_optimize(&b->scenario, &b->options, &b->measurements));
  assert_string_equal(optimizer_of(b, 0)->input_name, "beside");
  assert_null(runtime_of(b)->loaded_path); /* nothing was run */
  read_back(b);
  assert_true(b->results.complete);
  assert_null(b->results.step_key);
}

static void benchmarks_only_uses_what_is_there(void **state) {
  bench *b = *state;
  add_runtime(b);
  add_optimizers(b, 2);
  dataset_of(b)->base.split = KN_SPLIT_ALL;
  b->options.run_benchmarks_only = true;
  kt_assert_fault(kn_pipeline_run(&b->scenario, &b->options, &b->measurements), KN_NOT_FOUND, b->compiled[1]);
  assert_null(b->measurements);
  kt_file_write_text(b->compiled[1], "compiled before");
  unlink(b->model); /* what it was made from is not needed */
  kt_assert_ok(kn_pipeline_run(&b->scenario, &b->options, &b->measurements));
  assert_string_equal(runtime_of(b)->loaded_path, b->compiled[1]);
  assert_null(runtime_of(b)->loaded_spec);
  read_back(b);
  assert_int_equal(b->results.compiler_count, 2);
  assert_string_equal(b->results.compilers[0].framework, "fakecc");
  assert_string_equal(b->results.compilers[0].version, "");
  assert_int_equal(yyjson_arr_size(at(b, "/models")), 1);
  kt_assert_near(b->results.compiled_model_size, 15, 0);
}

static void a_runtime_without_optimizers_loads_its_own_file(void **state) {
  bench *b = *state;
  add_runtime(b);
  dataset_of(b)->base.split = KN_SPLIT_ALL;
  kt_assert_ok(kn_pipeline_run(&b->scenario, &b->options, &b->measurements));
  assert_string_equal(runtime_of(b)->loaded_path, b->model);
  assert_string_equal(runtime_of(b)->loaded_spec, "wrapped");
  forget(b);
  char *own = kt_path(b->directory, "own.fake");
  runtime_of(b)->save_model_path = own;
  kt_assert_fault(kn_pipeline_run(&b->scenario, &b->options, &b->measurements), KN_NOT_FOUND, own);
  kt_file_write_text(own, "x");
  kt_assert_ok(kn_pipeline_run(&b->scenario, &b->options, &b->measurements));
  assert_string_equal(runtime_of(b)->loaded_path, own);
  assert_null(runtime_of(b)->loaded_spec);
  read_back(b);
  kt_assert_near(b->results.compiled_model_size, 1, 0);
  runtime_of(b)->save_model_path = NULL;
  free(own);
}

static void sampling_can_be_turned_off(void **state) {
  bench *b = *state;
  add_runtime(b);
  dataset_of(b)->base.split = KN_SPLIT_ALL;
  runtime_of(b)->base.disable_performance_measurements = true;
  kt_assert_ok(kn_pipeline_run(&b->scenario, &b->options, &b->measurements));
  read_back(b);
  assert_null(at(b, "/session_utilization_timestamp"));
  assert_null(at(b, "/full_run_statistics_timestamp"));
  assert_int_equal(b->results.steps.count, 101);
}

static void batches_are_run(void **state) {
  bench *b = *state;
  add_runtime(b);
  dataset_of(b)->base.split = KN_SPLIT_ALL;
  dataset_of(b)->base.inference_batch_size = 8;
  b->options.warmup = 2;
  b->options.loaders = 3;
  kt_assert_ok(kn_pipeline_run(&b->scenario, &b->options, &b->measurements));
  read_back(b);
  assert_int_equal(b->results.steps.count, 15); /* 2 + ceil(100 / 8) */
  assert_int_equal(b->results.warmup, 2);
  assert_int_equal(b->results.prediction_count, 100);
  assert_int_equal(int_at(b, "/run/loader_threads"), 3);
}

static void formats_must_meet(void **state) {
  bench *b = *state;
  add_runtime(b);
  add_optimizers(b, 1);
  wrapper_of(b)->format = "something else";
  kt_assert_fault(kn_pipeline_run(&b->scenario, &b->options, &b->measurements), KN_INCOMPATIBLE,
                  "is a model of format something else");
}

static void external_files_calibrate(void **state) {
  bench *b = *state;
  add_runtime(b);
  add_optimizers(b, 1);
  char *directory = kt_path(b->directory, "external"), *missing = kt_path(b->directory, "missing");
  dataset_of(b)->base.external_calibration_dataset = missing;
  kt_assert_fault(kn_pipeline_optimize(&b->scenario, &b->options, &b->measurements), KN_NOT_FOUND, missing);
  static const char *const names[] = {"external/a.jpg", "external/deep/b.jpg", "external/c.jpg", "external/.hidden"};
  for (size_t i = 0; i < 4; i++) {
    char *path = kt_path(b->directory, names[i]);
    kt_assert_ok(kn_file_write(path, "x", 1));
    free(path);
  }
  dataset_of(b)->base.external_calibration_dataset = directory;
  kt_assert_ok(kn_pipeline_optimize(&b->scenario, &b->options, &b->measurements));
  assert_int_equal(optimizer_of(b, 0)->calibration, 3);
  dataset_of(b)->base.external_calibration_dataset = NULL;
  free(directory);
  free(missing);
}

static void the_identity_follows_the_samples(void **state) {
  bench *b = *state;
  add_runtime(b);
  add_optimizers(b, 1);
  fake_dataset *dataset = dataset_of(b);
  dataset->base.split_fraction_calibration = 0.2;
  char first[65], again[65];
  kt_assert_ok(kn_pipeline_optimize(&b->scenario, &b->options, &b->measurements));
  snprintf(first, sizeof first, "%s", optimizer_of(b, 0)->identity);
  assert_int_equal(strlen(first), 64);
  forget(b);
  dataset->base.inference_batch_size = 7; /* says nothing about the samples */
  kt_assert_ok(kn_pipeline_optimize(&b->scenario, &b->options, &b->measurements));
  snprintf(again, sizeof again, "%s", optimizer_of(b, 0)->identity);
  assert_string_equal(first, again);
  forget(b);
  dataset->base.split_seed = 99; /* others are drawn */
  kt_assert_ok(kn_pipeline_optimize(&b->scenario, &b->options, &b->measurements));
  assert_string_not_equal(first, optimizer_of(b, 0)->identity);
}

/* ---- training ---- */

static void training_gets_the_training_samples(void **state) {
  bench *b = *state;
  dataset_of(b)->base.split_fraction_test = 0.25;
  dataset_of(b)->base.split_fraction_val = 0.2;
  b->options.seed = 11;
  kt_assert_ok(kn_pipeline_train(&b->scenario, &b->options, &b->measurements));
  assert_int_equal(wrapper_of(b)->trained_on, 60);
  read_back(b);
  kt_assert_near(yyjson_get_real(at(b, "/training/loss")), 0.5, 0);
  assert_int_equal(int_at(b, "/run/seeds/run"), 11);
  assert_true(has_phase(b, "training"));
  char *model = kt_file_read(b->model, NULL);
  assert_string_equal(model, "trained");
  free(model);
}

static void several_steps_share_one_opening(void **state) {
  bench *b = *state;
  add_runtime(b);
  add_optimizers(b, 1);
  dataset_of(b)->base.split = KN_SPLIT_ALL;
  kt_assert_ok(kn_pipeline_execute(&b->scenario, &b->options, KN_STEP_TRAIN | KN_STEP_OPTIMIZE | KN_STEP_TEST,
                                   &b->measurements));
  char *result = kt_file_read(b->compiled[0], NULL);
  assert_string_equal(result, "trained+");
  free(result);
  read_back(b);
  assert_non_null(at(b, "/training"));
  assert_int_equal(b->results.prediction_count, 100);
}

/* ---- what goes wrong ---- */

static void faults_leave_nothing_behind(void **state) {
  bench *b = *state;
  add_runtime(b);
  add_optimizers(b, 1);
  dataset_of(b)->base.split = KN_SPLIT_ALL;
  dataset_of(b)->open_fault = KN_NOT_FOUND;
  kt_assert_fault(kn_pipeline_run(&b->scenario, &b->options, &b->measurements), KN_NOT_FOUND, "in test.FakeDataset");
  assert_null(b->measurements);
  dataset_of(b)->open_fault = KN_OK;
  optimizer_of(b, 0)->fault = KN_BACKEND_FAILED;
  kt_assert_fault(kn_pipeline_run(&b->scenario, &b->options, &b->measurements), KN_BACKEND_FAILED,
                  "in test.FakeOptimizer");
  assert_null(b->measurements);
  optimizer_of(b, 0)->fault = KN_OK;
  dataset_of(b)->fail_at = 30;
  kt_assert_fault(kn_pipeline_run(&b->scenario, &b->options, &b->measurements), KN_BAD_DATA, "sample fake/30");
  assert_null(b->measurements); /* the input is wrong: there is no half result */
}

static void a_broken_engine_leaves_a_partial_file(void **state) {
  bench *b = *state;
  add_runtime(b);
  dataset_of(b)->base.split = KN_SPLIT_ALL;
  runtime_of(b)->fail_at = 42;
  kt_assert_fault(kn_pipeline_run(&b->scenario, &b->options, &b->measurements), KN_BACKEND_FAILED, "sample fake/40");
  read_back(b);
  assert_false(b->results.complete);
  assert_string_equal(b->results.incomplete_reason, "the engine broke");
  assert_int_equal(b->results.prediction_count, 40);
  kt_assert_near(b->results.total, 40, 0);
  assert_int_equal(b->results.steps.count, 41);
}

static void cancelling_leaves_a_partial_file(void **state) {
  bench *b = *state;
  add_runtime(b);
  dataset_of(b)->base.split = KN_SPLIT_ALL;
  runtime_of(b)->cancel_at = 11;
  kt_assert_fault(kn_pipeline_run(&b->scenario, &b->options, &b->measurements), KN_CANCELLED,
                  "stopped after 10 samples");
  kn_cancel_reset();
  read_back(b);
  assert_false(b->results.complete);
  assert_string_equal(b->results.incomplete_reason, "stopped after 10 samples");
  assert_int_equal(b->results.prediction_count, 10);
  assert_int_equal(int_at(b, "/models/0/bytes"), 7);
}

static void what_cannot_run_here_says_so(void **state) {
  bench *b = *state;
  b->options.convert_to_onnx = "x.onnx";
  kt_assert_fault(kn_pipeline_run(&b->scenario, &b->options, &b->measurements), KN_NOT_INSTALLED, "ONNX");
  b->options.convert_to_onnx = NULL;
  b->options.warmup = -1;
  kt_assert_fault(kn_pipeline_run(&b->scenario, &b->options, &b->measurements), KN_INVALID_ARGUMENT, "negative");
}

static void memory_may_run_out(void **state) {
  bench *b = *state;
  add_runtime(b);
  add_optimizers(b, 1);
  dataset_of(b)->base.split = KN_SPLIT_ALL;
  dataset_of(b)->count = 12;
  kn_log_set_level(KN_LOG_CRITICAL);
  bool finished = false;
  for (uint64_t allowed = 0; !finished; allowed++) {
    assert_true(allowed < 100000);
    kn_memory_fail_after(allowed);
    kn_status status = kn_pipeline_run(&b->scenario, &b->options, &b->measurements);
    kn_memory_fail_after(UINT64_MAX);
    finished = !status;
    if (!finished) kt_assert_fault(status, KN_OUT_OF_MEMORY, NULL);
    forget(b);
    if (allowed > 100) allowed += 10;
  }
  kn_log_set_level(KN_LOG_INFO);
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
  kt_assert_ok(kn_pipeline_run(&scenario, &options, &measurements));
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

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
      TEST(sampling_can_be_turned_off),
      TEST(batches_are_run),
      TEST(formats_must_meet),
      TEST(external_files_calibrate),
      TEST(the_identity_follows_the_samples),
      TEST(training_gets_the_training_samples),
      TEST(several_steps_share_one_opening),
      TEST(faults_leave_nothing_behind),
      TEST(a_broken_engine_leaves_a_partial_file),
      TEST(cancelling_leaves_a_partial_file),
      TEST(what_cannot_run_here_says_so),
      TEST(memory_may_run_out),
      cmocka_unit_test(the_null_scenario_runs_on_a_bare_machine),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
