#include "fake.h"

#include "core/log.h"

#include <kenning/services.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- samples ---- */

int64_t fake_label(size_t index) { return (int64_t)(index % FAKE_VALUES); }

int64_t fake_prediction(size_t index) {
  return index % 10 == 9 ? (fake_label(index) + 1) % FAKE_VALUES : fake_label(index);
}

void fake_sample(size_t index, float out[FAKE_VALUES]) {
  memset(out, 0, FAKE_VALUES * sizeof *out);
  size_t largest = (size_t)fake_prediction(index);
  out[FAKE_VALUES - 1 - largest] = -(float)index;
  out[largest] = 1;
}

/* ---- data set ---- */

static kn_status dataset_open(void *self) {
  fake_dataset *dataset = self;
  if (dataset->open_fault) return kn_status_make(dataset->open_fault, "the data set does not open");
  dataset->open = true;
  return NULL;
}

static void dataset_close(void *self) { ((fake_dataset *)self)->open = false; }

static kn_status dataset_info(void *self, kn_dataset_info *out_info) {
  static const char *const names[FAKE_VALUES] = {"zero", "one", "two", "three"};
  const fake_dataset *dataset = self;
  *out_info = (kn_dataset_info){.task = dataset->unlabelled ? KN_TASK_NONE : KN_TASK_CLASSIFICATION,
                                .count = dataset->count ? dataset->count : 100,
                                .classes = dataset->unlabelled ? 0 : FAKE_VALUES,
                                .class_names = names,
                                .dtype = KN_FLOAT32,
                                .rank = 1,
                                .shape = {FAKE_VALUES},
                                .split_published = dataset->published};
  return NULL;
}

static kn_split dataset_published(void *self, size_t index) {
  const fake_dataset *dataset = self;
  return index + 20 >= (dataset->count ? dataset->count : 100) ? KN_SPLIT_TEST : KN_SPLIT_TRAIN;
}

static kn_status dataset_label(void *self, size_t index, int64_t *out_label) {
  (void)self;
  *out_label = fake_label(index);
  return NULL;
}

static kn_status dataset_load(void *self, size_t index, const kn_tensor_view *out) {
  fake_dataset *dataset = self;
  dataset->loads++;
  if (dataset->fail_at && index == dataset->fail_at) return kn_status_make(KN_BAD_DATA, "the sample is damaged");
  fake_sample(index, out->data);
  return NULL;
}

static kn_status dataset_sample_id(void *self, size_t index, char *out, size_t size) {
  (void)self;
  snprintf(out, size, "fake/%zu", index);
  return NULL;
}

static kn_status dataset_load_file(void *self, const char *path, const kn_tensor_view *out) {
  (void)self;
  (void)path;
  fake_sample(0, out->data);
  return NULL;
}

static const kn_dataset_ops dataset_ops = {.struct_size = sizeof(kn_dataset_ops),
                                           .open = dataset_open,
                                           .close = dataset_close,
                                           .info = dataset_info,
                                           .published_split = dataset_published,
                                           .label = dataset_label,
                                           .load = dataset_load,
                                           .sample_id = dataset_sample_id,
                                           .load_file = dataset_load_file};

const kn_class fake_dataset_class = {.struct_size = sizeof(kn_class),
                                     .name = "test.FakeDataset",
                                     .kind = KN_KIND_DATASET,
                                     .summary = "Four values per sample",
                                     .instance_size = sizeof(fake_dataset),
                                     .ops = &dataset_ops};

/* ---- inference, of both the wrapper and the runtime ---- */

static kn_status make_spec(const char *input, int64_t batch, int64_t classes, kn_iospec *out_spec) {
  *out_spec = (kn_iospec){0};
  kn_ioentry entry = {
      .name = (char *)(uintptr_t)input, .dtype = KN_FLOAT32, .rank = 2, .shape = {batch, FAKE_VALUES}, .order = 0};
  kn_status status = kn_iolist_add(&out_spec->input, &entry);
  entry.shape[1] = classes;
  entry.name = (char *)(uintptr_t) "scores";
  if (!status) status = kn_iolist_add(&out_spec->output, &entry);
  if (status) kn_iospec_clear(out_spec);
  return status;
}

void fake_runtime_forget(fake_runtime *runtime) {
  kn_free(runtime->loaded_path);
  kn_free(runtime->loaded_spec);
  runtime->loaded_path = runtime->loaded_spec = NULL;
}

static void runtime_unload(void *self) {
  fake_runtime *runtime = self;
  kn_tensor_free(&runtime->held);
  runtime->loaded = false;
}

static kn_status runtime_load(void *self, const kn_load_request *request) {
  fake_runtime *runtime = self;
  fake_runtime_forget(runtime);
  runtime->loaded_path = kn_strdup(request->path);
  if (request->spec) runtime->loaded_spec = kn_strdup(request->spec->input.entries[0].name);
  if (!runtime->loaded_path || (request->spec && !runtime->loaded_spec)) return kn_status_out_of_memory();
  runtime->batch = request->batch;
  KN_TRY(kn_tensor_create(KN_FLOAT32, 2, (int64_t[]){request->batch, FAKE_VALUES}, &runtime->held));
  runtime->loaded = true;
  return NULL;
}

static kn_status runtime_iospec(void *self, kn_iospec *out_spec) {
  return make_spec("values", ((fake_runtime *)self)->batch, FAKE_VALUES, out_spec);
}

static kn_status runtime_set_input(void *self, const kn_tensor_view *inputs, size_t count) {
  fake_runtime *runtime = self;
  if (count != 1 || inputs->bytes != runtime->held.bytes) return kn_status_make(KN_INVALID_ARGUMENT, "wrong input");
  memcpy(runtime->held.data, inputs->data, inputs->bytes);
  return NULL;
}

static kn_status write_in_place(const char *path) {
  FILE *file = fopen(path, "w");
  if (!file || fputs("other", file) < 0) return kn_status_make(KN_INTERNAL, "cannot write %s", path);
  return fclose(file) == 0 ? NULL : kn_status_make(KN_INTERNAL, "cannot write %s", path);
}

static kn_status runtime_invoke(void *self) {
  fake_runtime *runtime = self;
  runtime->invocations++;
  if (runtime->replaces && runtime->invocations == 2) KN_TRY(kn_file_write(runtime->replaces, "other", 5));
  if (runtime->writes && runtime->invocations == 2) KN_TRY(write_in_place(runtime->writes));
  if (runtime->cancel_at == runtime->invocations) kn_cancel();
  if (runtime->fail_at == runtime->invocations)
    return kn_status_make(runtime->fail_code ? runtime->fail_code : KN_BACKEND_FAILED, "the engine broke");
  return NULL;
}

static kn_status runtime_output(void *self, const kn_tensor_view *outputs, size_t count) {
  fake_runtime *runtime = self;
  if (count != 1 || outputs->bytes != runtime->held.bytes) return kn_status_make(KN_INVALID_ARGUMENT, "wrong output");
  memcpy(outputs->data, runtime->held.data, outputs->bytes);
  if (runtime->spoil && runtime->invocations % 5 == 0) ((float *)outputs->data)[0] = NAN;
  const float *rows = runtime->held.data;
  for (int64_t row = 1; runtime->padded_from && row < runtime->batch; row++) {
    bool copy = !memcmp(rows + row * FAKE_VALUES, rows + (row - 1) * FAKE_VALUES, FAKE_VALUES * sizeof *rows);
    if (copy != (row >= (int64_t)runtime->padded_from)) runtime->copies_differ = true;
  }
  return NULL;
}

static kn_status runtime_statistics(void *self, kn_record *out_record) {
  (void)self;
  KN_TRY(kn_record_set_string(out_record, "library", "libfake"));
  KN_TRY(kn_record_set_string(out_record, "library_version", "1.2"));
  return kn_record_set_int(out_record, "threads", 3);
}

static const kn_inference_ops runtime_inference = {.struct_size = sizeof(kn_inference_ops),
                                                   .load = runtime_load,
                                                   .unload = runtime_unload,
                                                   .iospec = runtime_iospec,
                                                   .set_input = runtime_set_input,
                                                   .invoke = runtime_invoke,
                                                   .output = runtime_output,
                                                   .statistics = runtime_statistics};

static kn_status runtime_open(void *self) {
  ((fake_runtime *)self)->open = true;
  return NULL;
}

static void runtime_close(void *self) {
  runtime_unload(self);
  ((fake_runtime *)self)->open = false;
}

static const char *runtime_model_path(void *self) { return ((fake_runtime *)self)->save_model_path; }

static const kn_runtime_ops runtime_ops = {.struct_size = sizeof(kn_runtime_ops),
                                           .open = runtime_open,
                                           .close = runtime_close,
                                           .model_path = runtime_model_path,
                                           .inference = &runtime_inference};

const kn_class fake_runtime_class = {.struct_size = sizeof(kn_class),
                                     .name = "test.FakeRuntime",
                                     .kind = KN_KIND_RUNTIME,
                                     .summary = "Gives its input back",
                                     .instance_size = sizeof(fake_runtime),
                                     .ops = &runtime_ops,
                                     .input_formats = (const char *const[]){"fake", "faked", NULL}};

/* ---- model wrapper ---- */

static kn_status wrapper_open(void *self, const kn_dataset_info *info) {
  fake_wrapper *wrapper = self;
  wrapper->open = true;
  wrapper->classes = info->classes;
  return NULL;
}

static void wrapper_close(void *self) { ((fake_wrapper *)self)->open = false; }

static kn_status wrapper_framework(void *self, const char **out_name, const char **out_version) {
  const fake_wrapper *wrapper = self;
  if (!wrapper->loaded) return kn_status_make(KN_INTERNAL, "the framework is opened without need");
  *out_name = "fakework";
  *out_version = "7.0";
  return NULL;
}

static kn_status wrapper_format(void *self, const char **out_format) {
  const fake_wrapper *wrapper = self;
  *out_format = wrapper->format ? wrapper->format : "fake";
  return NULL;
}

static kn_status wrapper_iospec(void *self, kn_iospec *out_spec) {
  (void)self;
  return make_spec("wrapped", -1, FAKE_VALUES, out_spec);
}

/* The wrapper computes nothing by itself: a static runtime stands in for its framework. */
static fake_runtime native;

static kn_status native_load(void *self, const kn_load_request *request) {
  ((fake_wrapper *)self)->loaded = true;
  KN_TRY(runtime_load(&native, request));
  fake_runtime_forget(&native);
  return NULL;
}
static void native_unload(void *self) {
  ((fake_wrapper *)self)->loaded = false;
  runtime_unload(&native);
}
static kn_status native_iospec(void *self, kn_iospec *out_spec) {
  (void)self;
  return runtime_iospec(&native, out_spec);
}
static kn_status native_set_input(void *self, const kn_tensor_view *inputs, size_t count) {
  (void)self;
  return runtime_set_input(&native, inputs, count);
}
static kn_status native_invoke(void *self) {
  (void)self;
  return runtime_invoke(&native);
}
static kn_status native_output(void *self, const kn_tensor_view *outputs, size_t count) {
  (void)self;
  return runtime_output(&native, outputs, count);
}

static const kn_inference_ops native_inference = {.struct_size = sizeof(kn_inference_ops),
                                                  .load = native_load,
                                                  .unload = native_unload,
                                                  .iospec = native_iospec,
                                                  .set_input = native_set_input,
                                                  .invoke = native_invoke,
                                                  .output = native_output};

static kn_status wrapper_train(void *self, const kn_train_request *request, kn_record *out_history) {
  fake_wrapper *wrapper = self;
  if (wrapper->train_fault) return kn_status_make(wrapper->train_fault, "training broke");
  float values[FAKE_VALUES];
  const kn_tensor_view view = {
      .data = values, .bytes = sizeof values, .dtype = KN_FLOAT32, .rank = 1, .shape = {FAKE_VALUES}};
  KN_TRY(request->train->load(request->train->context, 0, &view));
  wrapper->trained_on = request->train->count;
  wrapper->first = values[0];
  KN_TRY(kn_record_set_number(out_history, "loss", 0.5));
  return kn_file_write(request->model_path, "trained", 7);
}

static kn_status wrapper_weights(void *self, uint64_t *out_bytes) {
  (void)self;
  *out_bytes = 5;
  return NULL;
}

static const kn_modelwrapper_ops wrapper_ops = {.struct_size = sizeof(kn_modelwrapper_ops),
                                                .open = wrapper_open,
                                                .close = wrapper_close,
                                                .framework = wrapper_framework,
                                                .format = wrapper_format,
                                                .iospec = wrapper_iospec,
                                                .inference = &native_inference,
                                                .train = wrapper_train,
                                                .weights_bytes = wrapper_weights};

const kn_class fake_wrapper_class = {.struct_size = sizeof(kn_class),
                                     .name = "test.FakeWrapper",
                                     .kind = KN_KIND_MODELWRAPPER,
                                     .summary = "A model of seven bytes",
                                     .framework = "fakework",
                                     .instance_size = sizeof(fake_wrapper),
                                     .ops = &wrapper_ops,
                                     .output_formats = (const char *const[]){"fake", NULL}};

/* ---- optimizer ---- */

static kn_status optimizer_open(void *self) {
  ((fake_optimizer *)self)->open = true;
  return NULL;
}

static void optimizer_close(void *self) { ((fake_optimizer *)self)->open = false; }

static kn_status optimizer_compile(void *self, const kn_compile_request *request, kn_iospec *out_spec,
                                   kn_record *out_record) {
  fake_optimizer *optimizer = self;
  if (optimizer->fault) return kn_status_make(optimizer->fault, "the tool broke");
  optimizer->calibration = request->calibration->count;
  optimizer->train = request->train->count;
  optimizer->validation = request->validation->count;
  snprintf(optimizer->identity, sizeof optimizer->identity, "%s", request->calibration->identity);
  snprintf(optimizer->input_name, sizeof optimizer->input_name, "%s", request->input_spec->input.entries[0].name);
  char *model;
  size_t bytes;
  KN_TRY(kn_file_read(request->input_path, 100, &model, &bytes));
  model[bytes] = '+'; /* in the place of the terminating NUL */
  kn_status status = kn_file_write(optimizer->base.compiled_model_path, model, bytes + 1);
  kn_free(model);
  if (!status) status = kn_record_set_string(out_record, "compiler_framework", "fakecc");
  if (!status) status = kn_record_set_string(out_record, "compiler_version", "3.1");
  if (!status) status = kn_record_set_int(out_record, "weights_bytes", 2);
  return status ? status : make_spec(optimizer->mark, 1, FAKE_VALUES, out_spec);
}

static const kn_optimizer_ops optimizer_ops = {.struct_size = sizeof(kn_optimizer_ops),
                                               .open = optimizer_open,
                                               .close = optimizer_close,
                                               .compile = optimizer_compile};

const kn_class fake_optimizer_class = {.struct_size = sizeof(kn_class),
                                       .name = "test.FakeOptimizer",
                                       .kind = KN_KIND_OPTIMIZER,
                                       .summary = "Makes the model a byte longer",
                                       .framework = "fakecc",
                                       .instance_size = sizeof(fake_optimizer),
                                       .ops = &optimizer_ops,
                                       .input_formats = (const char *const[]){"fake", "faked", NULL},
                                       .output_formats = (const char *const[]){"faked", NULL}};
