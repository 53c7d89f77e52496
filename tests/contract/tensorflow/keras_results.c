#include "keras_results.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "resources/installation.h"
#include "support/directory.h"
#include "support/program.h"
#include "tensorflow/inference.h"

/* The most that two results may differ, relative to the largest one. */
static const double tolerance = 1e-5;

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
char *keras_python(void) {
  const char *named = getenv("KENNING_TEST_KERAS_PYTHON");
  return named && *named ? kn_strdup(named) : installed_python();
}

char *keras_require_python(void) {
  kt_need_library("tensorflow");
  char *python = keras_python();
  if (!python) kt_skip("kenning install tflite, for a Python with Keras");
  return python;
}

int keras_result(int failed) {
  char *python = keras_python();
  bool complete = python && kt_has_library("tensorflow");
  kn_free(python);
  return failed ? failed : complete ? 0 : 77; /* shows as skipped, not as passed */
}

void keras_run_script(const char *python, int keras, const char *script, const char *const arguments[KERAS_ARGUMENTS]) {
  char *path = kt_source_path(script);
  const char *command[KERAS_ARGUMENTS + 2] = {python, path};
  for (size_t i = 0; i + 1 < KERAS_ARGUMENTS && arguments[i]; i++) command[i + 2] = arguments[i];
  const char *const environment[] = {keras == 2 ? "TF_USE_LEGACY_KERAS=1" : "TF_USE_LEGACY_KERAS", "ASAN_OPTIONS",
                                     "LSAN_OPTIONS", NULL};
  kt_run run = kt_run_program(command, &(kt_run_options){.environment = environment, .timeout_s = 1200});
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

void keras_expect_results(const char *path, int64_t batch, const char *samples_path, const char *results_path) {
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

void keras_expect_saved(const char *directory, const char *name, const char *suffix, int64_t batch) {
  const char *const suffixes[] = {suffix, ".in", ".out"};
  char *paths[3];
  for (int i = 0; i < 3; i++) {
    char file[96];
    (void)snprintf(file, sizeof file, "%s%s", name, suffixes[i]);
    paths[i] = kt_path(directory, file);
  }
  keras_expect_results(paths[0], batch, paths[1], paths[2]);
  for (int i = 0; i < 3; i++) free(paths[i]);
}
