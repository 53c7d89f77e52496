/* What every optimizer must do. */
#include "contract/subject.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/memory.h"
#include "core/record_json.h"

enum { COMBINATIONS = 2000, SAMPLES = 12 };

static const kn_optimizer_ops *ops_of(const subject *at) { return at->cls->ops; }

static void closing_is_always_allowed(subject *at) {
  block *one = subject_block(at);
  block_close(at, one);
  for (int i = 0; i < 2; i++) {
    kt_assert_ok(block_open(at, one));
    block_close(at, one);
    block_close(at, one);
  }
}

static void every_combination_of_choices_is_judged(subject *at) {
  size_t accepted = 0;
  block *one = subject_block(at);
  for (size_t number = 0; number < COMBINATIONS && subject_combine(at, one, number); number++) {
    kn_status status = block_open(at, one);
    if (status) {
      assert_bad_input(status, "a combination of options");
    } else {
      accepted++;
      const char *format =
          ops_of(at)->output_format ? ops_of(at)->output_format(one->self) : at->cls->output_formats[0];
      bool listed = false;
      for (const char *const *each = at->cls->output_formats; *each; each++) listed |= !strcmp(*each, format);
      assert_true(listed);
    }
    block_close(at, one);
  }
  assert_true(accepted > 0);
}

/* ---- compiling ---- */

static kn_status load_sample(void *context, size_t index, const kn_tensor_view *out) {
  (void)context;
  kn_tensor_view copy = *out;
  fill_random(&copy, index);
  return NULL;
}

static kn_status label_of(void *context, size_t index, int64_t *out_label) {
  const subject *at = context;
  *out_label = (int64_t)index % at->model->classes;
  return NULL;
}

typedef struct compilation {
  kn_samples samples;
  kn_iospec input_spec, spec;
  kn_record *record;
} compilation;

static kn_status compile(subject *at, block *one, compilation *out) {
  const model_fixture *model = at->model;
  *out = (compilation){.samples = {.context = at,
                                   .count = SAMPLES,
                                   .classes = model->classes,
                                   .dtype = model->dtype,
                                   .rank = model->rank,
                                   .identity = "contract",
                                   .load = load_sample,
                                   .label = label_of}};
  memcpy(out->samples.shape, model->shape, sizeof model->shape);
  kn_ioentry input = {
      .name = (char *)(uintptr_t) "input", .dtype = model->dtype, .rank = model->rank + 1, .order = 0, .shape = {1}};
  memcpy(input.shape + 1, model->shape, model->rank * sizeof *model->shape);
  kn_ioentry output = {
      .name = (char *)(uintptr_t) "output", .dtype = KN_FLOAT32, .rank = 2, .order = 0, .shape = {1, model->classes}};
  if (at->spec.input.count) {
    KN_TRY(kn_iospec_copy(&at->spec, &out->input_spec));
  } else {
    KN_TRY(kn_iolist_add(&out->input_spec.input, &input));
    KN_TRY(kn_iolist_add(&out->input_spec.output, &output));
  }
  KN_TRY(kn_record_create(&out->record));
  const kn_compile_request request = {.input_path = at->model_path,
                                      .input_format = model->format,
                                      .input_spec = &out->input_spec,
                                      .calibration = &out->samples,
                                      .train = &out->samples,
                                      .validation = &out->samples,
                                      .seed = 1};
  return ops_of(at)->compile(one->self, &request, &out->spec, out->record);
}

static void compilation_clear(compilation *at) {
  kn_iospec_clear(&at->input_spec);
  kn_iospec_clear(&at->spec);
  kn_record_destroy(at->record);
}

static const char *compiled_path(const block *one) {
  return ((const kn_optimizer_options *)one->self)->compiled_model_path;
}

static void a_model_is_compiled_and_described(subject *at) {
  block *one = subject_block(at);
  kt_assert_ok(block_open(at, one));
  size_t before = count_entries(at->directory);
  compilation result;
  kn_status status = compile(at, one, &result);
  if (status) {
    compilation_clear(&result);
    subject_require(at, status);
  }
  assert_int_equal(access(compiled_path(one), R_OK), 0);
  /* No temporary file is left. A model may be two files, the second with the first's name and another end. */
  size_t made = count_entries(at->directory) - before;
  assert_in_range(made, 1, 2);
  if (made == 2) {
    char *weights = kn_format("%s.bin", compiled_path(one));
    assert_int_equal(access(weights, R_OK), 0);
    kn_free(weights);
  }
  assert_true(result.spec.input.count > 0 && result.spec.output.count > 0);
  yyjson_mut_val *record = kn_record_value(result.record);
  const char *framework = yyjson_mut_get_str(yyjson_mut_obj_get(record, "compiler_framework"));
  const char *version = yyjson_mut_get_str(yyjson_mut_obj_get(record, "compiler_version"));
  assert_true(framework && *framework && version && *version);
  compilation_clear(&result);
}

/* Nothing stands at compiled_model_path after a failure: neither half a result nor a temporary file. */
static void bad_models_leave_nothing_behind(subject *at) {
  if (subject_inserts(at->cls)) subject_not_concerned(at, "it passes models on without reading them");
  block *one = subject_block(at);
  kt_assert_ok(block_open(at, one));
  size_t whole;
  char *data = kt_file_read(at->model_path, &whole);
  const size_t sizes[] = {0, 1, whole / 2, whole - 1};
  for (size_t i = 0; i <= 4; i++) {
    if (i < 4)
      kt_file_write(at->model_path, data, sizes[i]);
    else
      remove(at->model_path);
    size_t before = count_entries(at->directory);
    compilation result;
    kn_status status = compile(at, one, &result);
    compilation_clear(&result);
    if (kn_status_code(status) == KN_NOT_INSTALLED) {
      free(data);
      subject_require(at, status);
    }
    assert_bad_input(status, i < 4 ? "a cut model" : "a missing model");
    assert_int_not_equal(access(compiled_path(one), F_OK), 0);
    assert_int_equal(count_entries(at->directory), before);
  }
  free(data);
}

static void unwritable_results_are_reported(subject *at) {
  block *one = subject_block(at);
  kt_set(&one->instance, "compiled_model_path", "/proc/none/compiled");
  kt_assert_ok(block_open(at, one));
  compilation result;
  kn_status status = compile(at, one, &result);
  compilation_clear(&result);
  kn_code code = kn_status_code(status);
  if (code == KN_NOT_INSTALLED) subject_require(at, status);
  kn_status_free(status);
  assert_true(code == KN_IO_ERROR || code == KN_NOT_FOUND || code == KN_INVALID_ARGUMENT);
}

const rule optimizer_rules[] = {{"closing is always allowed", closing_is_always_allowed},
                                {"every combination of choices is judged", every_combination_of_choices_is_judged},
                                {"a model is compiled and described", a_model_is_compiled_and_described},
                                {"bad models leave nothing behind", bad_models_leave_nothing_behind},
                                {"unwritable results are reported", unwritable_results_are_reported},
                                {0}};
