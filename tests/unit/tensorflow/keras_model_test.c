/* The reader and the writer of Keras .h5 files: what they say of good files, and that they refuse every other. */
#include "support/unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kenning/random.h>
#include <kenning/services.h>

#include "core/memory.h"
#include "support/directory.h"
#include "support/status.h"
#include "tensorflow/keras_model.h"

static const char *data_path(const char *name, char out[512]) {
  snprintf(out, 512, "%s/%s", TENSORFLOW_DATA, name);
  return out;
}

/* ---- good files ---- */

static const keras_weight *weight_of(keras_model *model, const char *layer, const char *name) {
  for (size_t i = 0; i < model->network.layer_count; i++)
    if (strcmp(model->network.layers[i].name, layer) == 0) return keras_model_weight(model, i, layer, name);
  return NULL;
}

static void expect_shape(const keras_weight *weight, uint32_t rank, const int64_t *shape) {
  assert_non_null(weight);
  assert_int_equal(weight->rank, rank);
  assert_memory_equal(weight->shape, shape, rank * sizeof *shape);
}

/* Conv2D(2, 3), BatchNormalization, ReLU, Dropout, Flatten, Dense(3): 20 + 8 + 99 numbers. */
static void expect_tiny_model(keras_model *model) {
  static const char *const classes[] = {"InputLayer", "Conv2D", "BatchNormalization", "ReLU", "Dropout",
                                        "Flatten",    "Dense"};
  assert_int_equal(model->network.layer_count, 7);
  for (size_t i = 0; i < 7; i++) assert_string_equal(model->network.layers[i].class_name, classes[i]);
  for (size_t i = 1; i < 7; i++) {
    assert_int_equal(model->network.layers[i].node_count, 1);
    assert_int_equal(model->network.layers[i].nodes[0].input_count, 1);
    assert_int_equal(model->network.layers[i].nodes[0].inputs[0].layer, i - 1);
  }
  assert_int_equal(model->network.input_count, 1);
  assert_int_equal(model->network.inputs[0].layer, 0);
  assert_int_equal(model->network.output_count, 1);
  assert_int_equal(model->network.outputs[0].layer, 6);
  expect_shape(weight_of(model, "conv", "kernel"), 4, (int64_t[]){3, 3, 1, 2});
  expect_shape(weight_of(model, "norm", "moving_variance"), 1, (int64_t[]){2});
  expect_shape(weight_of(model, "scores", "kernel"), 2, (int64_t[]){32, 3});
  assert_null(weight_of(model, "scores", "gamma"));
  assert_null(weight_of(model, "relu", "kernel"));
  assert_int_equal(model->weights_bytes, 4 * (20 + 8 + 99));
}

static void expect_interface(const keras_model *model) {
  uint32_t rank;
  int64_t shape[KN_MAX_RANK];
  kn_dtype dtype;
  kt_assert_ok(keras_input_shape(&model->network.layers[0], &rank, shape));
  assert_int_equal(rank, 4);
  assert_memory_equal(shape, ((int64_t[]){-1, 6, 6, 1}), 4 * sizeof *shape);
  kt_assert_ok(keras_input_dtype(&model->network.layers[0], &dtype));
  assert_int_equal(dtype, KN_FLOAT32);
  assert_true(keras_output_shape(&model->network, 0, &rank, shape));
  assert_int_equal(rank, 2);
  assert_int_equal(shape[0], -1);
  assert_int_equal(shape[1], 3);
}

static void reads_keras_2_and_3(void **state) {
  (void)state;
  for (int version = 2; version <= 3; version++) {
    char path[512], name[32];
    snprintf(name, sizeof name, "keras%d.h5", version);
    keras_model model;
    kt_assert_ok(keras_model_open(data_path(name, path), &model));
    assert_true(keras_model_is_hdf5(path));
    assert_int_equal(model.keras_major, version);
    expect_tiny_model(&model);
    expect_interface(&model);
    /* Adam holds two numbers for each trainable one (123) and its counters; without batch norm's averages. */
    assert_true(model.optimizer_bytes >= 4 * 2 * 123 && model.optimizer_bytes < 4 * 2 * 123 + 64);
    struct stat file;
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(model.file_bytes, file.st_size);
    keras_model_clear(&model);
  }
}

static void reads_values(void **state) {
  (void)state;
  char path[512];
  keras_model model;
  kt_assert_ok(keras_model_open(data_path("keras3.h5", path), &model));
  keras_weight *gamma = keras_model_weight(&model, 2, "norm", "gamma");
  assert_null(gamma->values);
  kt_assert_ok(keras_model_read_weight(&model, gamma));
  /* Batch norm's scale starts at 1 and has been trained by steps of 0.05. */
  for (size_t i = 0; i < gamma->elements; i++) assert_true(gamma->values[i] > 0.5f && gamma->values[i] < 1.5f);
  keras_model_drop_weight(&model, gamma);
  assert_null(gamma->values);
  keras_model_clear(&model);
}

/* ---- writing ---- */

#define SMALL_MODEL                                                                                           \
  "{\"class_name\": \"Sequential\", \"config\": {\"name\": \"small\", \"layers\": [{\"class_name\": "         \
  "\"InputLayer\", \"config\": {\"batch_shape\": [null, 4], \"name\": \"in\"}}, {\"class_name\": \"Dense\", " \
  "\"config\": {\"name\": \"out\", \"units\": 2}}]}}"

static void make_small(keras_model *model) {
  keras_weight *weight;
  kt_assert_ok(keras_model_make("small", SMALL_MODEL, "3.0.0", model));
  kt_assert_ok(keras_model_add_weight(model, 1, "out", "kernel", 2, (int64_t[]){4, 2}, &weight));
  for (size_t i = 0; i < 8; i++) weight->values[i] = (float)i / 8;
  kt_assert_ok(keras_model_add_weight(model, 1, "out", "bias", 1, (int64_t[]){2}, &weight));
  weight->values[1] = -1;
}

static void writes_what_it_reads(void **state) {
  (void)state;
  char *directory = kt_directory_make(), *path = kt_path(directory, "small.h5");
  keras_model model;
  make_small(&model);
  kt_assert_ok(keras_model_write(&model, path));
  keras_model_clear(&model);
  kt_assert_ok(keras_model_open(path, &model));
  assert_int_equal(model.keras_major, 3);
  assert_string_equal(model.config_text, SMALL_MODEL);
  assert_int_equal(model.weights_bytes, 4 * 10);
  assert_int_equal(model.optimizer_bytes, 0);
  keras_weight *kernel = keras_model_weight(&model, 1, "out", "kernel");
  kt_assert_ok(keras_model_read_weight(&model, kernel));
  for (size_t i = 0; i < 8; i++) assert_float_equal(kernel->values[i], (float)i / 8, 0);
  keras_model_clear(&model);
  free(path);
  kt_directory_remove(directory);
}

/* HDF5 keeps times of whole seconds in a file unless it is told not to. */
static void the_same_model_is_the_same_file(void **state) {
  (void)state;
  char *directory = kt_directory_make(), *path = kt_path(directory, "small.h5"), *files[2];
  size_t bytes[2];
  for (int i = 0; i < 2; i++) {
    keras_model model;
    make_small(&model);
    if (i) usleep(1100000);
    kt_assert_ok(keras_model_write(&model, path));
    keras_model_clear(&model);
    files[i] = kt_file_read(path, &bytes[i]);
  }
  assert_int_equal(bytes[0], bytes[1]);
  assert_memory_equal(files[0], files[1], bytes[0]);
  free(files[0]);
  free(files[1]);
  free(path);
  kt_directory_remove(directory);
}

/* A model of Keras 2 is written as one, with all its weights. */
static void rewrites_files_of_keras(void **state) {
  (void)state;
  char from[512], *directory = kt_directory_make(), *path = kt_path(directory, "again.h5");
  keras_model model, again;
  kt_assert_ok(keras_model_open(data_path("keras2.h5", from), &model));
  kt_assert_ok(keras_model_write(&model, path));
  kt_assert_ok(keras_model_open(path, &again));
  assert_int_equal(again.keras_major, 2);
  assert_string_equal(again.config_text, model.config_text);
  expect_tiny_model(&again);
  for (size_t i = 0; i < model.network.layer_count; i++)
    for (size_t k = 0; k < model.groups[i].count; k++) {
      keras_weight *was = &model.groups[i].weights[k], *is = &again.groups[i].weights[k];
      kt_assert_ok(keras_model_read_weight(&model, was));
      kt_assert_ok(keras_model_read_weight(&again, is));
      assert_string_equal(is->file_name, was->file_name);
      assert_memory_equal(is->values, was->values, was->elements * sizeof(float));
    }
  keras_model_clear(&model);
  keras_model_clear(&again);
  free(path);
  kt_directory_remove(directory);
}

static void writing_fails_whole(void **state) {
  (void)state;
  char *directory = kt_directory_make(), *file = kt_path(directory, "file"), *path = kt_path(file, "model.h5");
  keras_model model;
  make_small(&model);
  kt_file_write_text(file, "no directory");
  kn_status status = keras_model_write(&model, path);
  assert_non_null(status);
  kn_status_free(status);
  assert_int_equal(access(path, F_OK), -1);
  keras_model_clear(&model);
  free(path);
  free(file);
  kt_directory_remove(directory);
}

/* ---- files that are none ---- */

typedef struct scratch {
  char *directory, *path;
  char *data;
  size_t size;
} scratch;

static scratch scratch_of(const char *name) {
  char from[512];
  scratch s = {.directory = kt_directory_make()};
  s.path = kt_path(s.directory, "model.h5");
  s.data = kt_file_read(data_path(name, from), &s.size);
  return s;
}

static void scratch_clear(scratch *s) {
  free(s->data);
  free(s->path);
  kt_directory_remove(s->directory);
}

static void truncated_files_are_refused(void **state) {
  (void)state;
  scratch s = scratch_of("keras3.h5");
  for (size_t size = 0; size < s.size; size += size < 1024 ? 61 : 509) {
    keras_model model;
    kt_file_write(s.path, s.data, size);
    kt_assert_fault(keras_model_open(s.path, &model), KN_BAD_DATA, s.path);
  }
  scratch_clear(&s);
}

static void other_files_are_refused(void **state) {
  (void)state;
  scratch s = scratch_of("keras3.h5");
  keras_model model;
  kt_file_write_text(s.path, "no model at all, but long enough to be looked at in some detail\n");
  kt_assert_fault(keras_model_open(s.path, &model), KN_BAD_DATA, "HDF5");
  assert_false(keras_model_is_hdf5(s.path));
  kt_assert_fault(keras_model_open(s.directory, &model), KN_BAD_DATA, "not a file");
  char *missing = kt_path(s.directory, "missing.h5");
  kt_assert_fault(keras_model_open(missing, &model), KN_NOT_FOUND, "missing.h5");
  assert_false(keras_model_is_hdf5(missing));
  free(missing);
  scratch_clear(&s);
}

/* An HDF5 file that some function fills. */
static void expect_refused(void (*fill)(const hdf5_file *), kn_code code, const char *part) {
  char *directory = kt_directory_make(), *path = kt_path(directory, "model.h5");
  hdf5_file file;
  keras_model model;
  kt_assert_ok(hdf5_file_create(path, &file));
  fill(&file);
  kt_assert_ok(hdf5_file_close(&file));
  kt_assert_fault(keras_model_open(path, &model), code, part);
  free(path);
  kt_directory_remove(directory);
}

static void write_text(const hdf5_file *file, const char *object, const char *name, const char *text) {
  kt_assert_ok(hdf5_write_strings(file, object, name, &text, 1, true));
}

static void write_list(const hdf5_file *file, const char *object, const char *name, const char *text) {
  kt_assert_ok(hdf5_write_strings(file, object, name, &text, text ? 1 : 0, false));
}

static void empty_file(const hdf5_file *file) { kt_assert_ok(hdf5_write_group(file, "/anything")); }
static void weights_alone(const hdf5_file *file) { write_list(file, "/", "layer_names", "dense"); }
static void weights_alone_of_keras_3(const hdf5_file *file) { kt_assert_ok(hdf5_write_group(file, "/layers")); }
static void no_json(const hdf5_file *file) { write_text(file, "/", "model_config", "{\"class_name\": "); }
static void other_class(const hdf5_file *file) {
  write_text(file, "/", "model_config", "{\"class_name\": \"MyModel\", \"config\": {}}");
}
static void architecture(const hdf5_file *file) { write_text(file, "/", "model_config", SMALL_MODEL); }
static void weights_group(const hdf5_file *file) {
  architecture(file);
  kt_assert_ok(hdf5_write_group(file, "/model_weights"));
}
static void other_layer(const hdf5_file *file) {
  weights_group(file);
  write_list(file, "/model_weights", "layer_names", "another");
}
static void layer(const hdf5_file *file) {
  weights_group(file);
  write_list(file, "/model_weights", "layer_names", "out");
}
static void layer_without_names(const hdf5_file *file) {
  layer(file);
  kt_assert_ok(hdf5_write_group(file, "/model_weights/out"));
}
static void weight_without_values(const hdf5_file *file) {
  layer_without_names(file);
  write_list(file, "/model_weights/out", "weight_names", "out/kernel");
}
static void layer_twice(const hdf5_file *file) {
  const char *const twice[] = {"out", "out"};
  weights_group(file);
  kt_assert_ok(hdf5_write_strings(file, "/model_weights", "layer_names", twice, 2, false));
  kt_assert_ok(hdf5_write_group(file, "/model_weights/out"));
  write_list(file, "/model_weights/out", "weight_names", "kernel");
  kt_assert_ok(hdf5_write_dataset(file, "/model_weights/out/kernel", 1, (int64_t[]){2}, (float[]){1, 2}));
}

static void what_is_wrong_is_told(void **state) {
  (void)state;
  expect_refused(empty_file, KN_BAD_DATA, "not a Keras model");
  expect_refused(weights_alone, KN_BAD_DATA, "weights without an architecture");
  expect_refused(weights_alone_of_keras_3, KN_BAD_DATA, "weights without an architecture");
  expect_refused(no_json, KN_BAD_DATA, "not JSON");
  expect_refused(other_class, KN_INCOMPATIBLE, "MyModel");
  expect_refused(architecture, KN_BAD_DATA, "architecture without weights");
  expect_refused(weights_group, KN_BAD_DATA, "layer_names");
  expect_refused(other_layer, KN_BAD_DATA, "another");
  expect_refused(layer, KN_BAD_DATA, "/model_weights/out");
  expect_refused(layer_without_names, KN_BAD_DATA, "weight_names");
  expect_refused(weight_without_values, KN_BAD_DATA, "out/kernel");
  expect_refused(layer_twice, KN_BAD_DATA, "twice");
}

/* A list that HDF5's limit cut into pieces. */
static void lists_in_pieces_are_read(void **state) {
  (void)state;
  char *directory = kt_directory_make(), *path = kt_path(directory, "model.h5");
  hdf5_file file;
  keras_model model;
  kt_assert_ok(hdf5_file_create(path, &file));
  weights_group(&file);
  write_list(&file, "/model_weights", "layer_names0", "in");
  write_list(&file, "/model_weights", "layer_names1", "out");
  for (int i = 0; i < 2; i++) {
    const char *group = i ? "/model_weights/out" : "/model_weights/in";
    kt_assert_ok(hdf5_write_group(&file, group));
    write_list(&file, group, "weight_names", i ? "out/kernel:0" : NULL);
  }
  kt_assert_ok(hdf5_write_dataset(&file, "/model_weights/out/out/kernel:0", 2, (int64_t[]){4, 2}, (float[8]){0}));
  kt_assert_ok(hdf5_file_close(&file));
  kt_assert_ok(keras_model_open(path, &model));
  assert_non_null(keras_model_weight(&model, 1, "out", "kernel"));
  keras_model_clear(&model);
  free(path);
  kt_directory_remove(directory);
}

/* Bytes of the architecture and of names changed at random: any answer will do that is one. The structure of HDF5
 * itself is left alone: libhdf5 answers for that. */
static void changed_texts_do_no_harm(void **state) {
  (void)state;
  scratch s = scratch_of("keras3.h5");
  size_t start = 0;
  while (start + 12 < s.size && memcmp(s.data + start, "{\"class_name", 12) != 0) start++;
  assert_true(start + 12 < s.size);
  size_t length = strnlen(s.data + start, s.size - start);
  for (uint64_t round = 0; round < 400; round++) {
    size_t at = start + (size_t)(kn_random(round, 0) % length);
    char was = s.data[at];
    s.data[at] = (char)kn_random(round, 1);
    kt_file_write(s.path, s.data, s.size);
    s.data[at] = was;
    keras_model model;
    kn_status status = keras_model_open(s.path, &model);
    if (!status) keras_model_clear(&model);
    kn_status_free(status);
  }
  scratch_clear(&s);
}

static void memory_may_run_out(void **state) {
  (void)state;
  char from[512], *directory = kt_directory_make(), *path = kt_path(directory, "again.h5");
  keras_model model;
  kt_assert_ok(keras_model_open(data_path("keras2.h5", from), &model));
  kt_assert_ok(keras_model_write(&model, path));
  keras_model_clear(&model);
  for (uint64_t n = 0;; n++) {
    kn_memory_fail_after(n);
    kn_status status = keras_model_open(from, &model);
    if (!status) status = keras_model_write(&model, path);
    kn_memory_fail_after(UINT64_MAX);
    keras_model_clear(&model);
    if (!status) break;
    kt_assert_fault(status, KN_OUT_OF_MEMORY, NULL);
  }
  kt_assert_ok(keras_model_open(path, &model));
  expect_tiny_model(&model);
  keras_model_clear(&model);
  free(path);
  kt_directory_remove(directory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_keras_2_and_3),
      cmocka_unit_test(reads_values),
      cmocka_unit_test(writes_what_it_reads),
      cmocka_unit_test(rewrites_files_of_keras),
      cmocka_unit_test(the_same_model_is_the_same_file),
      cmocka_unit_test(writing_fails_whole),
      cmocka_unit_test(truncated_files_are_refused),
      cmocka_unit_test(other_files_are_refused),
      cmocka_unit_test(what_is_wrong_is_told),
      cmocka_unit_test(lists_in_pieces_are_read),
      cmocka_unit_test(changed_texts_do_no_harm),
      cmocka_unit_test(memory_may_run_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
