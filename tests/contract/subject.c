#include "contract/subject.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kenning/services.h>

#include "core/record_json.h"

void subject_skip(subject *at, const char *reason) {
  at->skipped = true;
  print_message("    not checked for %s: %s\n", at->name, reason);
  skip();
  abort();
}

void subject_not_concerned(subject *at, const char *reason) {
  print_message("    does not concern %s: %s\n", at->name, reason);
  skip();
  abort();
}

void subject_require(subject *at, kn_status status) {
  if (kn_status_code(status) != KN_NOT_INSTALLED) {
    kt_assert_ok(status);
    return;
  }
  char reason[512];
  snprintf(reason, sizeof reason, "%s", kn_status_message(status, 0));
  kn_status_free(status);
  subject_skip(at, reason);
}

void assert_bad_input_at(kn_status status, const char *what, const char *file, int line) {
  kn_code code = kn_status_code(status);
  bool told = status && *kn_status_message(status, 0);
  char message[512];
  snprintf(message, sizeof message, "%s", kn_status_message(status, 0));
  kn_status_free(status);
  if (told && (code == KN_INVALID_ARGUMENT || code == KN_NOT_FOUND || code == KN_BAD_DATA || code == KN_INCOMPATIBLE))
    return;
  print_error("%s:%d: %s: %s%s%s\n", file, line, what, kn_code_name(code), *message ? ": " : "", message);
  _fail(file, line);
}

char *subject_path(const subject *at, const char *name) { return kt_path(at->directory, name); }

static void set_text(block *one, const char *name, const char *value) {
  size_t index;
  if (kn_option_find(one->instance.cls, name, &index)) kt_set(&one->instance, name, value);
}

static void set_parameters(subject *at, block *one, yyjson_val *parameters) {
  if (parameters) kt_assert_ok(kn_instance_set_json(&one->instance, &at->table->json, parameters));
}

bool subject_inserts(const kn_class *cls) {
  return cls->kind == KN_KIND_OPTIMIZER && kn_option_find(cls, "input_model_path", NULL);
}

block *subject_block(subject *at) {
  assert_true(at->block_count < SUBJECT_BLOCKS);
  block *one = &at->blocks[at->block_count++];
  kt_assert_ok(kn_instance_create(at->cls, &one->instance));
  one->self = one->instance.self;
  char *compiled = subject_path(at, "compiled.model");
  switch (at->cls->kind) {
    case KN_KIND_DATASET:
      set_text(one, "dataset_root", at->directory);
      set_parameters(at, one, yyjson_obj_get(fixtures_dataset(at->table, at->name), "parameters"));
      break;
    case KN_KIND_MODELWRAPPER:
      if (at->model_path) set_text(one, "model_path", at->model_path);
      if (at->cls->ops) one->inference = ((const kn_modelwrapper_ops *)at->cls->ops)->inference;
      break;
    case KN_KIND_OPTIMIZER:
      set_text(one, "compiled_model_path", compiled);
      if (subject_inserts(at->cls) && at->model) {
        set_text(one, "input_model_path", at->model_path);
        set_text(one, "model_framework", at->model->format);
      }
      break;
    case KN_KIND_RUNTIME:
      if (at->cls->ops) one->inference = ((const kn_runtime_ops *)at->cls->ops)->inference;
      break;
    default:
      break;
  }
  free(compiled);
  set_parameters(at, one, fixtures_parameters(at->table, at->name));
  return one;
}

static size_t choices_of(const kn_option *row) {
  size_t count = 0;
  if (row->type == KN_OPTION_BOOL) return 2;
  if (row->type == KN_OPTION_ENUM)
    while (row->choices[count].name) count++;
  return count;
}

bool subject_combine(subject *at, block *one, size_t number) {
  const kn_option *row;
  for (size_t i = 0; (row = kn_option_at(at->cls, i)); i++) {
    size_t count = choices_of(row);
    if (!count) continue;
    size_t digit = number % count;
    number /= count;
    const char *text = row->type == KN_OPTION_BOOL ? (digit ? "true" : "false") : row->choices[digit].name;
    kt_assert_ok(kn_instance_set_text(&one->instance, row, i, text, row->name));
  }
  return number == 0;
}

kn_dataset_info subject_dataset_info(const subject *at) {
  static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"};
  const model_fixture *model = at->model;
  kn_dataset_info info = {.task = KN_TASK_CLASSIFICATION,
                          .count = 10,
                          .classes = 3,
                          .class_names = names,
                          .dtype = KN_FLOAT32,
                          .rank = 1,
                          .shape = {4}};
  if (!model) return info;
  info.classes = model->classes <= 12 ? model->classes : 12;
  info.dtype = model->dtype;
  info.rank = model->rank;
  memcpy(info.shape, model->shape, sizeof info.shape);
  return info;
}

kn_status block_open(subject *at, block *one) {
  one->open = true;
  kn_dataset_info info = subject_dataset_info(at);
  switch (at->cls->kind) {
    case KN_KIND_DATASET:
      return ((const kn_dataset_ops *)at->cls->ops)->open(one->self);
    case KN_KIND_MODELWRAPPER:
      return ((const kn_modelwrapper_ops *)at->cls->ops)->open(one->self, &info);
    case KN_KIND_OPTIMIZER:
      return ((const kn_optimizer_ops *)at->cls->ops)->open(one->self);
    case KN_KIND_RUNTIME:
      return ((const kn_runtime_ops *)at->cls->ops)->open(one->self);
    default:
      kt_fail("there is no rule for the kind of %s", at->name);
  }
}

void block_close(subject *at, block *one) {
  switch (at->cls->kind) {
    case KN_KIND_DATASET:
      ((const kn_dataset_ops *)at->cls->ops)->close(one->self);
      break;
    case KN_KIND_MODELWRAPPER:
      ((const kn_modelwrapper_ops *)at->cls->ops)->close(one->self);
      break;
    case KN_KIND_OPTIMIZER:
      ((const kn_optimizer_ops *)at->cls->ops)->close(one->self);
      break;
    case KN_KIND_RUNTIME:
      ((const kn_runtime_ops *)at->cls->ops)->close(one->self);
      break;
    default:
      break;
  }
  one->open = false;
}

kn_tensor_view *subject_tensor(subject *at, kn_dtype dtype, uint32_t rank, const int64_t *shape) {
  assert_true(at->tensor_count < SUBJECT_TENSORS);
  kn_tensor_view *tensor = &at->tensors[at->tensor_count];
  kt_assert_ok(kn_tensor_create(dtype, rank, shape, tensor));
  at->tensor_count++;
  return tensor;
}

static int visible(const struct dirent *entry) { return strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."); }

size_t count_entries(const char *directory) {
  struct dirent **entries;
  int count = scandir(directory, &entries, visible, NULL);
  if (count < 0) kt_fail("%s cannot be listed", directory);
  for (int i = 0; i < count; i++) free(entries[i]);
  free(entries);
  return (size_t)count;
}

/* The io specification of a model without a file: any batch of samples to one value per class. */
static void make_spec(subject *at) {
  const model_fixture *model = at->model;
  kn_ioentry input = {.name = (char *)(uintptr_t) "input", .dtype = model->dtype, .rank = model->rank + 1, .order = 0};
  input.shape[0] = -1;
  memcpy(input.shape + 1, model->shape, model->rank * sizeof *model->shape);
  kn_ioentry output = {
      .name = (char *)(uintptr_t) "output", .dtype = KN_FLOAT32, .rank = 2, .shape = {-1, model->classes}, .order = 0};
  kt_assert_ok(kn_iolist_add(&at->spec.input, &input));
  kt_assert_ok(kn_iolist_add(&at->spec.output, &output));
}

static void copy_weights(subject *at) {
  const char *end = at->model->weights ? strrchr(at->model->weights, '.') : NULL;
  if (!end) return;
  char name[64];
  snprintf(name, sizeof name, "model%s", end);
  size_t bytes;
  char *data = kt_file_read(at->model->weights, &bytes), *path = subject_path(at, name);
  kt_file_write(path, data, bytes);
  free(path);
  free(data);
}

/* Every rule has a copy of the model of its own: nothing may be written beside the original. */
static void copy_model(subject *at) {
  const model_fixture *model = at->model;
  const char *dot = model->file ? strrchr(model->file, '.') : NULL;
  char name[64];
  snprintf(name, sizeof name, "model%s", dot ? dot : "");
  at->model_path = subject_path(at, name);
  if (model->file) {
    size_t bytes;
    char *data = kt_file_read(model->file, &bytes);
    kt_file_write(at->model_path, data, bytes);
    free(data);
    copy_weights(at);
    if (model->spec) kt_assert_ok(kn_iospec_read(model->spec, &at->spec));
  } else if (model->text) {
    kt_file_write_text(at->model_path, model->text);
  } else {
    make_spec(at);
  }
}

void subject_set_up(subject *at) {
  at->directory = kt_directory_make();
  if (at->model) copy_model(at);
}

void subject_tear_down(subject *at) {
  for (size_t i = 0; i < at->block_count; i++) {
    if (at->blocks[i].open) block_close(at, &at->blocks[i]);
    kn_instance_destroy(&at->blocks[i].instance);
  }
  for (size_t i = 0; i < at->tensor_count; i++) kn_tensor_free(&at->tensors[i]);
  kn_iospec_clear(&at->spec);
  kn_record_destroy(at->record);
  at->record = NULL;
  free(at->model_path);
  kt_directory_remove(at->directory);
  at->block_count = at->tensor_count = 0;
  at->model_path = at->directory = NULL;
}

void fill_random(kn_tensor_view *tensor, uint64_t seed) {
  uint64_t next = seed * 2862933555777941757u + 3037000493u;
  for (size_t i = 0; i < kn_tensor_elements(tensor); i++) {
    next = next * 6364136223846793005u + 1442695040888963407u;
    if (tensor->dtype == KN_FLOAT32)
      ((float *)tensor->data)[i] = (float)(next >> 40) / (float)(1 << 23) - 1.0F; /* [-1, 1) */
    else
      for (size_t b = 0, size = kn_dtype_size(tensor->dtype); b < size; b++)
        ((uint8_t *)tensor->data)[i * size + b] = (uint8_t)(next >> (40 + b));
  }
}
