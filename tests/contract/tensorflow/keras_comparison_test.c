/* TensorFlow for real: models saved by Keras 2 and 3 give Keras's results, and models trained here open in Keras and
 * give ours. Needs `kenning install tensorflow` (or KENNING_TENSORFLOW_LIBRARY) and, for what compares with Keras, the
 * Python environment of `kenning install tflite` (or KENNING_TEST_KERAS_PYTHON). Without them the tests are skipped. */
#include "support/unit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <kenning/random.h>
#include <kenning/services.h>

#include "core/log.h"
#include "core/memory.h"
#include "core/record_json.h"
#include "resources/installation.h"
#include "support/directory.h"
#include "support/program.h"
#include "support/status.h"
#include "tensorflow/inference.h"
#include "tensorflow/trainer.h"

/* The most that two results may differ, relative to the largest one. */
static const double tolerance = 1e-5;

static bool has_tensorflow(void) {
  char *path;
  kn_status status = kn_framework_file("tensorflow", "library", NULL, &path);
  bool found = !status;
  if (found) kn_free(path);
  kn_status_free(status);
  return found;
}

static char *installed_python(void) {
  kn_installation installation;
  char *path = NULL;
  kn_status status = kn_installation_read("tflite", &installation);
  if (!status) {
    status = kn_installation_python(&installation, &path);
    kn_installation_clear(&installation);
  }
  kn_status_free(status);
  return path;
}

/* A Python that has Keras, or NULL. Free with kn_free. */
static char *keras_python(void) {
  const char *named = getenv("KENNING_TEST_KERAS_PYTHON");
  return named && *named ? kn_strdup(named) : installed_python();
}

static void require_tensorflow(void) {
  if (has_tensorflow()) return;
  print_message("TensorFlow is not installed\n");
  skip();
}

static char *require_keras(void) {
  require_tensorflow();
  char *python = keras_python();
  if (!python) {
    print_message("there is no Python with Keras\n");
    skip();
  }
  return python;
}

static void run_python(const char *python, int keras, const char *script, const char *const arguments[4]) {
  char *path = kt_source_path(script);
  const char *command[] = {python, path, arguments[0], arguments[1], arguments[2], NULL};
  const char *const environment[] = {keras == 2 ? "TF_USE_LEGACY_KERAS=1" : "TF_USE_LEGACY_KERAS", "ASAN_OPTIONS",
                                     "LSAN_OPTIONS", NULL};
  kt_run run = kt_run_program(command, &(kt_run_options){.environment = environment, .timeout_s = 300});
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  free(path);
}

/* ---- results ---- */

static void fill_inputs(const kn_iolist *list, const char *values, size_t bytes, kn_tensor_view *out) {
  size_t used = 0;
  for (size_t i = 0; i < list->count; i++) {
    const kn_ioentry *entry = &list->entries[i];
    kt_assert_ok(kn_tensor_create(entry->dtype, entry->rank, entry->shape, &out[i]));
    assert_true(used + out[i].bytes <= bytes);
    memcpy(out[i].data, values + used, out[i].bytes);
    used += out[i].bytes;
  }
  assert_int_equal(used, bytes);
}

/* Largest difference of all outputs to `expected`, relative to the largest expected value. */
static double difference(const kn_tensor_view *outputs, size_t count, const char *expected, size_t bytes) {
  double worst = 0, largest = 0;
  size_t used = 0;
  for (size_t i = 0; i < count; i++) {
    const float *is = outputs[i].data;
    assert_true(used + outputs[i].bytes <= bytes);
    for (size_t k = 0; k < outputs[i].bytes / sizeof(float); k++) {
      float wanted;
      memcpy(&wanted, expected + used + k * sizeof wanted, sizeof wanted);
      assert_true(isfinite(is[k]));
      worst = fmax(worst, fabs((double)is[k] - (double)wanted));
      largest = fmax(largest, fabs((double)wanted));
    }
    used += outputs[i].bytes;
  }
  assert_int_equal(used, bytes);
  assert_true(largest > 0);
  return worst / largest;
}

/* Whether the samples of a batch have results of their own: otherwise agreement means nothing. */
static bool results_vary(const kn_tensor_view *output) {
  size_t half = output->bytes / 2;
  return memcmp(output->data, (const char *)output->data + half, half) != 0;
}

static void expect_results(const char *path, int64_t batch, const char *samples_path, const char *results_path) {
  enum { ENDS = 4 };
  size_t sample_bytes, result_bytes;
  char *samples = kt_file_read(samples_path, &sample_bytes), *results = kt_file_read(results_path, &result_bytes);
  kn_tensor_view inputs[ENDS] = {{0}}, outputs[ENDS] = {{0}};
  inference loaded;
  kn_iospec described;
  kt_assert_ok(inference_describe(path, batch, NULL, &described));
  kt_assert_ok(inference_load(path, batch, NULL, NULL, 2, &loaded));
  size_t input_count = loaded.spec.input.count, output_count = loaded.spec.output.count;
  assert_true(input_count <= ENDS && output_count <= ENDS);
  assert_int_equal(described.output.count, output_count);
  for (size_t i = 0; i < output_count; i++) {
    const kn_ioentry *entry = &loaded.spec.output.entries[i];
    assert_string_equal(described.output.entries[i].name, entry->name);
    assert_memory_equal(described.output.entries[i].shape, entry->shape, entry->rank * sizeof *entry->shape);
    kt_assert_ok(kn_tensor_create(entry->dtype, entry->rank, entry->shape, &outputs[i]));
  }
  fill_inputs(&loaded.spec.input, samples, sample_bytes, inputs);
  for (int round = 0; round < 2; round++) {
    kt_assert_ok(inference_set_input(&loaded, inputs, input_count));
    kt_assert_ok(inference_invoke(&loaded));
    kt_assert_ok(inference_output(&loaded, outputs, output_count));
    double worst = difference(outputs, output_count, results, result_bytes);
    if (round == 0) print_message("%s: differs by %.1e\n", path, worst);
    assert_true(worst <= tolerance);
    assert_true(results_vary(&outputs[0]));
  }
  inference_unload(&loaded);
  kn_iospec_clear(&described);
  for (size_t i = 0; i < ENDS; i++) {
    kn_tensor_free(&inputs[i]);
    kn_tensor_free(&outputs[i]);
  }
  free(samples);
  free(results);
}

static void recorded_results_come_out(void **state) {
  (void)state;
  require_tensorflow();
  char *samples = kt_source_path("tests/unit/tensorflow/data/samples.f32");
  for (int version = 2; version <= 3; version++) {
    char model[96], results[96];
    snprintf(model, sizeof model, "tests/unit/tensorflow/data/keras%d.h5", version);
    snprintf(results, sizeof results, "tests/unit/tensorflow/data/keras%d.f32", version);
    char *model_path = kt_source_path(model), *results_path = kt_source_path(results);
    expect_results(model_path, 4, samples, results_path);
    free(model_path);
    free(results_path);
  }
  free(samples);
}

static void compare_with_keras(int version) {
  static const char *const names[] = {"layers",  "two_outputs", "activations",  "nested",
                                      "adapted", "built_late",  "mobilenet_v2", "mobilenet_v3"};
  char *python = require_keras(), *directory = kt_directory_make();
  run_python(python, version, "tests/contract/tensorflow/make_models.py", (const char *const[4]){directory});
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char name[64];
    snprintf(name, sizeof name, "%s.h5", names[i]);
    char *model = kt_path(directory, name);
    snprintf(name, sizeof name, "%s.in", names[i]);
    char *samples = kt_path(directory, name);
    snprintf(name, sizeof name, "%s.out", names[i]);
    char *results = kt_path(directory, name);
    expect_results(model, 2, samples, results);
    if (i == 0) { /* saved a second time, as a SavedModel */
      char *saved = kt_path(directory, names[i]);
      expect_results(saved, 2, samples, results);
      free(saved);
    }
    free(model);
    free(samples);
    free(results);
  }
  kt_directory_remove(directory);
  kn_free(python);
}

static void results_are_those_of_keras_2(void **state) {
  (void)state;
  compare_with_keras(2);
}

static void results_are_those_of_keras_3(void **state) {
  (void)state;
  compare_with_keras(3);
}

/* ---- training ---- */

enum { SIDE = 8, CLASSES = 4, TRAIN = 512, VALIDATION = 128 };

/* Stripes along rows, columns or diagonals, or none, in noise. */
static kn_status load_stripes(void *context, size_t index, const kn_tensor_view *out) {
  size_t first = *(const size_t *)context, sample = first + index, kind = sample % CLASSES;
  float *values = out->data;
  for (size_t y = 0; y < SIDE; y++)
    for (size_t x = 0; x < SIDE; x++) {
      size_t phase = kind == 0 ? y : kind == 1 ? x : x + y;
      double noise = kn_random_unit(99, (sample * SIDE + y) * SIDE + x);
      values[y * SIDE + x] = (float)(0.5 * noise + (kind < 3 && phase % 2 ? 0.5 : 0));
    }
  return NULL;
}

static kn_status label_stripes(void *context, size_t index, int64_t *out_label) {
  *out_label = (int64_t)((*(const size_t *)context + index) % CLASSES);
  return NULL;
}

static const char striped_model[] =
    "{\"class_name\": \"Sequential\", \"config\": {\"name\": \"stripes\", \"layers\": ["
    "{\"class_name\": \"InputLayer\", \"config\": {\"batch_input_shape\": [null, 8, 8, 1], \"name\": \"image\"}}, "
    "{\"class_name\": \"Conv2D\", \"config\": {\"name\": \"conv\", \"filters\": 8, \"kernel_size\": [3, 3], "
    "\"strides\": [1, 1], \"padding\": \"same\"}}, "
    "{\"class_name\": \"BatchNormalization\", \"config\": {\"name\": \"norm\", \"axis\": -1, \"momentum\": 0.8, "
    "\"epsilon\": 0.001}}, "
    "{\"class_name\": \"Activation\", \"config\": {\"name\": \"relu\", \"activation\": \"relu\"}}, "
    "{\"class_name\": \"MaxPooling2D\", \"config\": {\"name\": \"pool\", \"pool_size\": [2, 2]}}, "
    "{\"class_name\": \"Flatten\", \"config\": {\"name\": \"flat\"}}, "
    "{\"class_name\": \"Dropout\", \"config\": {\"name\": \"drop\", \"rate\": 0.25}}, "
    "{\"class_name\": \"Dense\", \"config\": {\"name\": \"out\", \"units\": 4, \"activation\": \"softmax\"}}]}}";

typedef struct training {
  size_t first_train, first_validation;
  kn_samples train, validation;
  kn_train_request request;
  training_options options;
} training;

static void prepare(training *t, training_optimizer optimizer, double rate, int64_t epochs, const char *path) {
  *t = (training){.first_train = 0, .first_validation = TRAIN};
  t->train = (kn_samples){.context = &t->first_train,
                          .count = TRAIN,
                          .classes = CLASSES,
                          .dtype = KN_FLOAT32,
                          .rank = 3,
                          .shape = {SIDE, SIDE, 1},
                          .load = load_stripes,
                          .label = label_stripes};
  t->validation = t->train;
  t->validation.context = &t->first_validation;
  t->validation.count = VALIDATION;
  t->request = (kn_train_request){.train = &t->train,
                                  .validation = &t->validation,
                                  .batch_size = 32,
                                  .learning_rate = rate,
                                  .num_epochs = epochs,
                                  .model_path = path,
                                  .seed = 11};
  t->options = (training_options){.threads = 2, .optimizer = optimizer, .schedule = TRAINING_COSINE};
}

/* Trains and returns the validation accuracy of the best epoch. */
static double train(training *t, keras_model *model) {
  kn_record *history;
  kt_assert_ok(kn_record_create(&history));
  kt_assert_ok(trainer_run(model, &t->options, &t->request, history));
  yyjson_mut_val *epochs = yyjson_mut_obj_get(kn_record_value(history), "epochs"), *epoch;
  assert_int_equal(yyjson_mut_arr_size(epochs), t->request.num_epochs);
  double best = 0;
  size_t index, count;
  yyjson_mut_arr_foreach(epochs, index, count, epoch) {
    best = fmax(best, yyjson_mut_get_num(yyjson_mut_obj_get(epoch, "validation_accuracy")));
  }
  kn_record_destroy(history);
  return best;
}

static void train_new(training_optimizer optimizer, double rate, int64_t epochs, const char *path) {
  training t;
  keras_model model;
  prepare(&t, optimizer, rate, epochs, path);
  kt_assert_ok(keras_model_make("stripes", striped_model, "3.0.0", &model));
  double accuracy = train(&t, &model);
  print_message("%s: validation accuracy %.3f\n", optimizer == TRAINING_ADAM ? "adam" : "sgd", accuracy);
  assert_true(accuracy >= 0.95);
  keras_model_clear(&model);
}

static void training_learns(void **state) {
  (void)state;
  require_tensorflow();
  char *directory = kt_directory_make(), *path = kt_path(directory, "model.h5");
  train_new(TRAINING_SGD, 0.2, 8, path);
  train_new(TRAINING_ADAM, 0.01, 8, path);
  free(path);
  kt_directory_remove(directory);
}

/* The same seed gives the same file, another seed another one; a trained model can be trained further. */
static void training_repeats(void **state) {
  (void)state;
  require_tensorflow();
  char *directory = kt_directory_make(), *path = kt_path(directory, "model.h5");
  char *files[3];
  size_t bytes[3];
  for (int i = 0; i < 3; i++) {
    training t;
    keras_model model;
    prepare(&t, TRAINING_ADAM, 0.01, 1, path);
    t.request.seed = i < 2 ? 1 : 2;
    kt_assert_ok(keras_model_make("stripes", striped_model, "3.0.0", &model));
    train(&t, &model);
    keras_model_clear(&model);
    kt_assert_ok(keras_model_open(path, &model));
    keras_weight *kernel = keras_model_weight(&model, 1, "conv", "kernel");
    kt_assert_ok(keras_model_read_weight(&model, 1, kernel));
    bytes[i] = kernel->elements * sizeof(float);
    files[i] = malloc(bytes[i]);
    memcpy(files[i], kernel->values, bytes[i]);
    keras_model_clear(&model);
  }
  assert_memory_equal(files[0], files[1], bytes[0]);
  assert_memory_not_equal(files[0], files[2], bytes[0]);
  for (int i = 0; i < 3; i++) free(files[i]);

  training t;
  keras_model model;
  prepare(&t, TRAINING_ADAM, 0.01, 8, path);
  kt_assert_ok(keras_model_open(path, &model));
  assert_true(train(&t, &model) >= 0.95);
  keras_model_clear(&model);
  free(path);
  kt_directory_remove(directory);
}

static void impossible_training_is_refused(void **state) {
  (void)state;
  require_tensorflow();
  char *directory = kt_directory_make(), *path = kt_path(directory, "model.h5");
  training t;
  keras_model model;
  kn_record *history;
  kt_assert_ok(kn_record_create(&history));
  kt_assert_ok(keras_model_make("stripes", striped_model, "3.0.0", &model));
  prepare(&t, TRAINING_SGD, 0.1, 1, path);
  t.train.classes = 5;
  kt_assert_fault(trainer_run(&model, &t.options, &t.request, history), KN_INCOMPATIBLE, "5 classes");
  prepare(&t, TRAINING_SGD, 0.1, 1, path);
  t.train.shape[2] = 3;
  kt_assert_fault(trainer_run(&model, &t.options, &t.request, history), KN_INCOMPATIBLE, "shape");
  prepare(&t, TRAINING_SGD, 0.1, 1, path);
  t.train.count = 0;
  kt_assert_fault(trainer_run(&model, &t.options, &t.request, history), KN_INVALID_ARGUMENT, "no samples");
  prepare(&t, TRAINING_SGD, 1e30, 3, path);
  kt_assert_fault(trainer_run(&model, &t.options, &t.request, history), KN_BACKEND_FAILED, "diverged");
  assert_int_equal(access(path, F_OK), -1); /* nothing was written */
  keras_model_clear(&model);
  kn_record_destroy(history);
  free(path);
  kt_directory_remove(directory);
}

/* Asks to stop when so many samples have been loaded. */
static size_t loads_until_stop;

static kn_status load_and_stop(void *context, size_t index, const kn_tensor_view *out) {
  if (--loads_until_stop == 0) kn_cancel();
  return load_stripes(context, index, out);
}

/* The model of the best epoch so far is written when the user stops the run. */
static void stopping_keeps_the_model(void **state) {
  (void)state;
  require_tensorflow();
  char *directory = kt_directory_make(), *path = kt_path(directory, "model.h5"),
       *table = kt_path(directory, "training.csv");
  training t;
  keras_model model;
  kn_record *history;
  prepare(&t, TRAINING_ADAM, 0.01, 50, path);
  t.request.logdir = directory;
  t.train.load = load_and_stop;
  t.options.sample_memory_bytes = 1; /* so that samples are loaded in each epoch */
  loads_until_stop = 3 * TRAIN + 1;
  kt_assert_ok(kn_record_create(&history));
  kt_assert_ok(keras_model_make("stripes", striped_model, "3.0.0", &model));
  kt_assert_fault(trainer_run(&model, &t.options, &t.request, history), KN_CANCELLED, "holds the model of epoch");
  kn_cancel_reset();
  keras_model_clear(&model);
  kt_assert_ok(keras_model_open(path, &model));
  keras_model_clear(&model);
  char *rows = kt_file_read(table, NULL);
  assert_non_null(strstr(rows, "\n2,")); /* whole epochs only */
  assert_null(strstr(rows, "\n4,"));
  free(rows);
  kn_record_destroy(history);
  free(table);
  free(path);
  kt_directory_remove(directory);
}

/* ---- memory ---- */

static void memory_may_run_out_while_loading(void **state) {
  (void)state;
  require_tensorflow();
  char *path = kt_source_path("tests/unit/tensorflow/data/keras3.h5");
  inference loaded;
  kt_assert_ok(inference_load(path, 1, NULL, NULL, 1, &loaded)); /* what is made once for all */
  inference_unload(&loaded);
  for (uint64_t n = 0;; n++) {
    kn_memory_fail_after(n);
    kn_status status = inference_load(path, 1, NULL, NULL, 1, &loaded);
    kn_memory_fail_after(UINT64_MAX);
    inference_unload(&loaded);
    if (!status) break;
    kt_assert_fault(status, KN_OUT_OF_MEMORY, NULL);
  }
  free(path);
}

static kn_status train_once(const char *path, uint64_t allowed) {
  training t;
  keras_model model;
  kn_record *history;
  prepare(&t, TRAINING_ADAM, 0.01, 1, path);
  t.train.count = 64;
  kt_assert_ok(kn_record_create(&history));
  kt_assert_ok(keras_model_make("stripes", striped_model, "3.0.0", &model));
  kn_memory_fail_after(allowed);
  kn_status status = trainer_run(&model, &t.options, &t.request, history);
  kn_memory_fail_after(UINT64_MAX);
  keras_model_clear(&model);
  kn_record_destroy(history);
  return status;
}

static void memory_may_run_out_while_training(void **state) {
  (void)state;
  require_tensorflow();
  char *directory = kt_directory_make(), *path = kt_path(directory, "model.h5");
  uint64_t before = kn_memory_allocations();
  kt_assert_ok(train_once(path, UINT64_MAX));
  uint64_t needed = kn_memory_allocations() - before;
  assert_int_equal(remove(path), 0);
  for (uint64_t n = 0; n < needed; n += needed / 60 + 1) {
    kn_status status = train_once(path, n);
    if (!status) break; /* making the model has taken some of them */
    kt_assert_fault(status, KN_OUT_OF_MEMORY, NULL);
    assert_int_equal(access(path, F_OK), -1);
  }
  free(path);
  kt_directory_remove(directory);
}

static void keras_opens_what_was_trained(void **state) {
  (void)state;
  char *python = require_keras(), *directory = kt_directory_make();
  char *path = kt_path(directory, "model.h5"), *samples = kt_path(directory, "samples"),
       *results = kt_path(directory, "results");
  train_new(TRAINING_ADAM, 0.01, 4, path);
  enum { COUNT = 16 };
  float values[COUNT][SIDE * SIDE];
  size_t first = TRAIN + VALIDATION;
  for (size_t i = 0; i < COUNT; i++) {
    kn_tensor_view view = {.data = values[i], .bytes = sizeof values[i], .dtype = KN_FLOAT32};
    kt_assert_ok(load_stripes(&first, i, &view));
  }
  kt_file_write(samples, values, sizeof values);
  for (int version = 2; version <= 3; version++) {
    run_python(python, version, "tests/contract/tensorflow/predict.py", (const char *const[4]){path, samples, results});
    expect_results(path, COUNT, samples, results);
  }
  free(path);
  free(samples);
  free(results);
  kt_directory_remove(directory);
  kn_free(python);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(recorded_results_come_out),
      cmocka_unit_test(results_are_those_of_keras_2),
      cmocka_unit_test(results_are_those_of_keras_3),
      cmocka_unit_test(training_learns),
      cmocka_unit_test(training_repeats),
      cmocka_unit_test(impossible_training_is_refused),
      cmocka_unit_test(stopping_keeps_the_model),
      cmocka_unit_test(memory_may_run_out_while_loading),
      cmocka_unit_test(memory_may_run_out_while_training),
      cmocka_unit_test(keras_opens_what_was_trained),
  };
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  if (failed) return failed;
  char *python = keras_python();
  bool complete = has_tensorflow() && python;
  kn_free(python);
  return complete ? 0 : 77; /* shows as skipped, not as passed */
}
