/* What every model wrapper must do besides what holds for its native inference. */
#include "contract/subject.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/memory.h"

static const kn_modelwrapper_ops *ops_of(const subject *at) { return at->cls->ops; }

static block *open_wrapper(subject *at) {
  block *one = subject_block(at);
  subject_require(at, block_open(at, one));
  return one;
}

static void closing_is_always_allowed(subject *at) {
  block *one = subject_block(at);
  block_close(at, one);
  for (int i = 0; i < 2; i++) {
    kt_assert_ok(block_open(at, one));
    block_close(at, one);
    block_close(at, one);
  }
}

/* Opening looks at no model: a scenario is judged, and a training run started, before there is one. */
static void opening_needs_no_model(subject *at) {
  if (at->model->file || at->model->text) assert_int_equal(remove(at->model_path), 0);
  open_wrapper(at);
}

static void the_format_is_one_of_the_class(subject *at) {
  block *one = open_wrapper(at);
  const char *format = NULL;
  subject_require(at, ops_of(at)->format(one->self, &format));
  bool listed = false;
  for (const char *const *each = at->cls->output_formats; *each; each++) listed |= !strcmp(*each, format);
  assert_true(listed);
  assert_string_equal(format, at->model->format);
}

static void the_specification_fits_the_data(subject *at) {
  block *one = open_wrapper(at);
  kn_iospec spec;
  subject_require(at, ops_of(at)->iospec(one->self, &spec));
  assert_true(spec.input.count > 0 && spec.output.count > 0);
  const kn_ioentry *input = &(spec.processed_input.count ? &spec.processed_input : &spec.input)->entries[0];
  kn_dataset_info info = subject_dataset_info(at);
  assert_int_equal(input->rank, info.rank + 1);
  for (uint32_t i = 0; i < info.rank; i++) assert_int_equal(input->shape[i + 1], info.shape[i]);
  kn_iospec_clear(&spec);
}

static void the_framework_has_a_name_and_a_version(subject *at) {
  block *one = open_wrapper(at);
  const char *name = NULL, *version = NULL;
  subject_require(at, ops_of(at)->framework(one->self, &name, &version));
  assert_true(name && *name && version && *version);
}

static void weights_are_no_larger_than_the_file(subject *at) {
  if (!ops_of(at)->weights_bytes) subject_not_concerned(at, "it does not say");
  block *one = open_wrapper(at);
  uint64_t bytes = 0;
  struct stat file;
  subject_require(at, ops_of(at)->weights_bytes(one->self, &bytes));
  assert_int_equal(stat(at->model_path, &file), 0);
  assert_true(bytes > 0);
  if (S_ISREG(file.st_mode)) assert_true(bytes <= (uint64_t)file.st_size);
}

static void expect_refusals(subject *at, const char *what) {
  block *one = open_wrapper(at);
  const char *format = NULL;
  kn_iospec spec = {0};
  uint64_t bytes;
  kn_status status = ops_of(at)->iospec(one->self, &spec);
  kn_iospec_clear(&spec);
  assert_bad_input(status, what);
  kn_status_free(ops_of(at)->format(one->self, &format)); /* the name of the file may be enough for it */
  if (ops_of(at)->weights_bytes) assert_bad_input(ops_of(at)->weights_bytes(one->self, &bytes), what);
  block_close(at, one);
  kn_instance_destroy(&one->instance);
  at->block_count--;
}

static void bad_models_are_refused(subject *at) {
  if (!at->model->file && !at->model->text) subject_not_concerned(at, "it reads no model file");
  size_t whole;
  char *data = kt_file_read(at->model_path, &whole);
  for (size_t size = 0; size < whole; size += whole / 16 + 1) {
    char what[96];
    snprintf(what, sizeof what, "a model cut after %zu of %zu bytes", size, whole);
    kt_file_write(at->model_path, data, size);
    expect_refusals(at, what);
  }
  kt_file_write_text(at->model_path, "This is no model but a text, and long enough to be looked at in some detail.\n");
  expect_refusals(at, "a text instead of a model");
  assert_int_equal(remove(at->model_path), 0);
  expect_refusals(at, "a missing model");
  assert_int_equal(mkdir(at->model_path, 0700), 0);
  expect_refusals(at, "an empty directory");
  free(data);
}

static void nothing_is_written_beside_the_model(subject *at) {
  block *one = open_wrapper(at);
  size_t before = count_entries(at->directory);
  kn_iospec spec = {0};
  const char *format, *name, *version;
  kn_status_free(ops_of(at)->format(one->self, &format));
  kn_status_free(ops_of(at)->framework(one->self, &name, &version));
  kn_status_free(ops_of(at)->iospec(one->self, &spec));
  kn_iospec_clear(&spec);
  block_close(at, one);
  assert_int_equal(count_entries(at->directory), before);
}

static void memory_may_run_out(subject *at) {
  block *one = open_wrapper(at);
  kn_iospec spec = {0};
  uint64_t before = kn_memory_allocations();
  subject_require(at, ops_of(at)->iospec(one->self, &spec));
  uint64_t needed = kn_memory_allocations() - before;
  kn_iospec_clear(&spec);
  for (uint64_t n = 0; n < needed; n += needed / 100 + 1) {
    kn_memory_fail_after(n);
    kn_status status = ops_of(at)->iospec(one->self, &spec);
    kn_memory_fail_after(UINT64_MAX);
    kt_assert_fault(status, KN_OUT_OF_MEMORY, NULL);
    kn_iospec_clear(&spec);
  }
}

const rule wrapper_rules[] = {{"closing is always allowed", closing_is_always_allowed},
                              {"opening needs no model", opening_needs_no_model},
                              {"the format is one of the class", the_format_is_one_of_the_class},
                              {"the specification fits the data", the_specification_fits_the_data},
                              {"the framework has a name and a version", the_framework_has_a_name_and_a_version},
                              {"weights are no larger than the file", weights_are_no_larger_than_the_file},
                              {"bad models are refused", bad_models_are_refused},
                              {"nothing is written beside the model", nothing_is_written_beside_the_model},
                              {"memory may run out", memory_may_run_out},
                              {0}};
