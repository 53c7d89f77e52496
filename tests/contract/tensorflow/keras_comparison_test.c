/* TensorFlow for real: models saved by Keras 2 and 3 give Keras's results, and models trained here open in Keras and
 * give ours. Needs `kenning install tensorflow` (or KENNING_TENSORFLOW_LIBRARY) and, for what compares with Keras, the
 * Python environment of `kenning install tflite` (or KENNING_TEST_KERAS_PYTHON). Without them the tests are skipped. */
#include "support/unit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <kenning/random.h>

#include "core/log.h"
#include "core/memory.h"
#include "core/record_json.h"
#include "keras_results.h"
#include "support/directory.h"
#include "support/status.h"
#include "tensorflow/inference.h"
#include "tensorflow/trainer.h"

static void recorded_results_come_out(void **state) {
  (void)state;
  kt_need_library("tensorflow");
  char *samples = kt_source_path("tests/unit/tensorflow/data/samples.f32");
  for (int version = 2; version <= 3; version++) {
    char model[96], results[96];
    snprintf(model, sizeof model, "tests/unit/tensorflow/data/keras%d.h5", version);
    snprintf(results, sizeof results, "tests/unit/tensorflow/data/keras%d.f32", version);
    char *model_path = kt_source_path(model), *results_path = kt_source_path(results);
    keras_expect_results(model_path, 4, samples, results_path);
    free(model_path);
    free(results_path);
  }
  free(samples);
}

static void compare_with_keras(int version) {
  static const char *const names[] = {"layers", "two_outputs", "activations", "nested", "adapted", "built_late"};
  char *python = keras_require_python(), *directory = kt_directory_make();
  keras_run_script(python, version, "tests/contract/tensorflow/make_models.py",
                   (const char *const[KERAS_ARGUMENTS]){directory});
  keras_expect_saved(directory, "layers", "", 2); /* saved a second time, as a SavedModel */
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    keras_expect_saved(directory, names[i], ".h5", 2);
    keras_expect_saved(directory, names[i], ".keras", 2);
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
  kn_training_options course;
  trainer_options options;
} training;

static void prepare(training *t, kn_train_optimizer optimizer, double rate, int64_t epochs, const char *path) {
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
  t->course = (kn_training_options){.optimizer = (int)optimizer,
                                    .schedule = KN_RATE_COSINE,
                                    .schedule_epochs = 10,
                                    .schedule_factor = 0.1,
                                    .memory_mib = 64,
                                    .contrast_lowest = 1,
                                    .contrast_highest = 1};
  t->options = (trainer_options){.threads = 2, .training = &t->course};
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

static void train_new(kn_train_optimizer optimizer, double rate, int64_t epochs, const char *path) {
  training t;
  keras_model model;
  prepare(&t, optimizer, rate, epochs, path);
  kt_assert_ok(keras_model_make("stripes", striped_model, "3.0.0", &model));
  double accuracy = train(&t, &model);
  print_message("%s: validation accuracy %.3f\n", optimizer == KN_TRAIN_ADAM ? "adam" : "sgd", accuracy);
  assert_true(accuracy >= 0.95);
  keras_model_clear(&model);
}

static void training_learns(void **state) {
  (void)state;
  kt_need_library("tensorflow");
  char *directory = kt_directory_make(), *path = kt_path(directory, "model.h5");
  train_new(KN_TRAIN_SGD, 0.2, 8, path);
  train_new(KN_TRAIN_ADAM, 0.01, 8, path);
  free(path);
  kt_directory_remove(directory);
}

/* The same seed gives the same file, another seed another one; a trained model can be trained further. */
static void training_repeats(void **state) {
  (void)state;
  kt_need_library("tensorflow");
  char *directory = kt_directory_make(), *path = kt_path(directory, "model.h5");
  char *files[3];
  size_t bytes[3];
  for (int i = 0; i < 3; i++) {
    training t;
    keras_model model;
    prepare(&t, KN_TRAIN_ADAM, 0.01, 1, path);
    t.request.seed = i < 2 ? 1 : 2;
    kt_assert_ok(keras_model_make("stripes", striped_model, "3.0.0", &model));
    train(&t, &model);
    keras_model_clear(&model);
    files[i] = kt_file_read(path, &bytes[i]);
  }
  assert_int_equal(bytes[0], bytes[1]);
  assert_int_equal(bytes[0], bytes[2]);
  assert_memory_equal(files[0], files[1], bytes[0]);
  assert_memory_not_equal(files[0], files[2], bytes[0]);
  for (int i = 0; i < 3; i++) free(files[i]);

  training t;
  keras_model model;
  prepare(&t, KN_TRAIN_ADAM, 0.01, 8, path);
  kt_assert_ok(keras_model_open(path, &model));
  assert_true(train(&t, &model) >= 0.95);
  keras_model_clear(&model);
  free(path);
  kt_directory_remove(directory);
}

static void impossible_training_is_refused(void **state) {
  (void)state;
  kt_need_library("tensorflow");
  char *directory = kt_directory_make(), *path = kt_path(directory, "model.h5");
  training t;
  keras_model model;
  kn_record *history;
  kt_assert_ok(kn_record_create(&history));
  kt_assert_ok(keras_model_make("stripes", striped_model, "3.0.0", &model));
  prepare(&t, KN_TRAIN_SGD, 0.1, 1, path);
  t.train.classes = 5;
  kt_assert_fault(trainer_run(&model, &t.options, &t.request, history), KN_INCOMPATIBLE, "5 classes");
  prepare(&t, KN_TRAIN_SGD, 0.1, 1, path);
  t.train.shape[2] = 3;
  kt_assert_fault(trainer_run(&model, &t.options, &t.request, history), KN_INCOMPATIBLE, "shape");
  prepare(&t, KN_TRAIN_SGD, 0.1, 1, path);
  t.train.count = 0;
  kt_assert_fault(trainer_run(&model, &t.options, &t.request, history), KN_INVALID_ARGUMENT, "no samples");
  prepare(&t, KN_TRAIN_SGD, 1e30, 3, path);
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
  kt_need_library("tensorflow");
  char *directory = kt_directory_make(), *path = kt_path(directory, "model.h5"),
       *table = kt_path(directory, "training.csv");
  training t;
  keras_model model;
  kn_record *history;
  prepare(&t, KN_TRAIN_ADAM, 0.01, 50, path);
  t.request.logdir = directory;
  t.train.load = load_and_stop;
  t.course.memory_mib = 0; /* so that samples are loaded in each epoch */
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
  kt_need_library("tensorflow");
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
  prepare(&t, KN_TRAIN_ADAM, 0.01, 1, path);
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
  kt_need_library("tensorflow");
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
  char *python = keras_require_python(), *directory = kt_directory_make();
  char *path = kt_path(directory, "model.h5"), *samples = kt_path(directory, "samples"),
       *results = kt_path(directory, "results");
  train_new(KN_TRAIN_ADAM, 0.01, 4, path);
  enum { COUNT = 16 };
  float values[COUNT][SIDE * SIDE];
  size_t first = TRAIN + VALIDATION;
  for (size_t i = 0; i < COUNT; i++) {
    kn_tensor_view view = {.data = values[i], .bytes = sizeof values[i], .dtype = KN_FLOAT32};
    kt_assert_ok(load_stripes(&first, i, &view));
  }
  kt_file_write(samples, values, sizeof values);
  for (int version = 2; version <= 3; version++) {
    keras_run_script(python, version, "tests/contract/tensorflow/predict.py",
                     (const char *const[KERAS_ARGUMENTS]){path, samples, results});
    keras_expect_results(path, COUNT, samples, results);
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
  return keras_result(cmocka_run_group_tests(tests, NULL, NULL));
}
