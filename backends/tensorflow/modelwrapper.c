#include "modelwrapper.h"
#include "session.h"

#include <string.h>

const kn_option tensorflow_wrapper_options[] = {
    {"num_threads", "Threads of one operation; 0: as many as there are cores", KN_OPTION_INT, 0,
     KN_FIELD(tensorflow_wrapper, num_threads), .def.i = 0, .min = 0, .max = 1024},
    {"library", "TensorFlow library to use instead of the installed one (libtensorflow_cc.so.2)", KN_OPTION_PATH,
     KN_OPTION_NULLABLE | KN_OPTION_INPUT, KN_FIELD(tensorflow_wrapper, library)},
    KN_TRAINING_ROWS(tensorflow_wrapper, training),
    {0}};

const char *const tensorflow_output_formats[] = {"keras", "saved_model", NULL};

kn_status tensorflow_wrapper_open(void *self, const kn_dataset_info *info) {
  tensorflow_wrapper *wrapper = self;
  wrapper->classes = info->classes;
  return NULL;
}

static void unload(void *self) {
  tensorflow_wrapper *wrapper = self;
  inference_unload(&wrapper->loaded);
}

void tensorflow_wrapper_close(void *self) { unload(self); }

kn_status tensorflow_wrapper_framework(void *self, const char **out_name, const char **out_version) {
  tensorflow_wrapper *wrapper = self;
  KN_TRY(tf_api_open(wrapper->library, &wrapper->tf));
  *out_name = "tensorflow";
  *out_version = wrapper->tf->TF_Version();
  return NULL;
}

kn_status tensorflow_wrapper_format(void *self, const char **out_format) {
  const tensorflow_wrapper *wrapper = self;
  model_format format;
  KN_TRY(model_format_of(wrapper->options.model_path, &format));
  *out_format = model_format_name(format);
  return NULL;
}

/* A classifier's first output has one value for each class of the data set. */
static kn_status check_classes(const tensorflow_wrapper *wrapper, const kn_iospec *spec) {
  const kn_ioentry *output = &spec->output.entries[0];
  int64_t values = 1;
  for (uint32_t i = 1; i < output->rank; i++)
    if (__builtin_mul_overflow(values, output->shape[i], &values)) values = INT64_MAX;
  if (wrapper->classes <= 0 || values == wrapper->classes) return NULL;
  return kn_status_make(
      KN_INCOMPATIBLE,
      "%s tells %lld classes apart, but the data set has %lld; choose a model trained on this data set",
      wrapper->options.model_path, (long long)values, (long long)wrapper->classes);
}

kn_status tensorflow_wrapper_iospec(void *self, kn_iospec *out_spec) {
  const tensorflow_wrapper *wrapper = self;
  KN_TRY(inference_describe(wrapper->options.model_path, 1, wrapper->library, out_spec));
  kn_status status = check_classes(wrapper, out_spec);
  if (status) kn_iospec_clear(out_spec);
  return status;
}

kn_status tensorflow_wrapper_weights_bytes(void *self, uint64_t *out_bytes) {
  const tensorflow_wrapper *wrapper = self;
  model_format format;
  KN_TRY(model_format_of(wrapper->options.model_path, &format));
  if (format != MODEL_KERAS)
    return kn_status_make(KN_INCOMPATIBLE, "a SavedModel does not tell its weights from the rest of its variables");
  keras_model model;
  KN_TRY(keras_model_open(wrapper->options.model_path, &model));
  *out_bytes = model.weights_bytes;
  keras_model_clear(&model);
  return NULL;
}

/* A saved optimizer is often twice as large as the weights: two averages for each of them. */
kn_status tensorflow_wrapper_contents(void *self, char **out_text) {
  const tensorflow_wrapper *wrapper = self;
  model_format format;
  *out_text = NULL;
  KN_TRY(model_format_of(wrapper->options.model_path, &format));
  if (format != MODEL_KERAS) return NULL;
  keras_model model;
  KN_TRY(keras_model_open(wrapper->options.model_path, &model));
  double bytes = (double)model.optimizer_bytes;
  keras_model_clear(&model);
  if (bytes == 0) return NULL;
  *out_text = bytes < 1e3   ? kn_format("optimizer state, %.0f bytes", bytes)
              : bytes < 1e6 ? kn_format("optimizer state, %.1f kB", bytes / 1e3)
                            : kn_format("optimizer state, %.1f MB", bytes / 1e6);
  return *out_text ? NULL : kn_status_out_of_memory();
}

/* ---- training ---- */

kn_status tensorflow_wrapper_check(const void *self) {
  return kn_training_check(&((const tensorflow_wrapper *)self)->training);
}

kn_status tensorflow_wrapper_train_model(tensorflow_wrapper *wrapper, keras_model *model, size_t base_layers,
                                         const kn_train_request *request, kn_record *out_history) {
  /* Keras tells formats by the ending. */
  const char *dot = strrchr(request->model_path, '.');
  if (dot && strcmp(dot, ".keras") == 0)
    return kn_status_make(KN_INCOMPATIBLE, "training writes .h5 files, which is not what Keras expects in %s",
                          request->model_path);
  const trainer_options options = {.library = wrapper->library,
                                   .threads = wrapper->num_threads,
                                   .training = &wrapper->training,
                                   .base_layers = base_layers};
  return trainer_run(model, &options, request, out_history);
}

kn_status tensorflow_wrapper_train(void *self, const kn_train_request *request, kn_record *out_history) {
  tensorflow_wrapper *wrapper = self;
  model_format format;
  KN_TRY(kn_status_annotate(model_format_of(wrapper->options.model_path, &format),
                            "this class trains an existing model further"));
  if (format != MODEL_KERAS)
    return kn_status_make(KN_INCOMPATIBLE, "%s is a SavedModel; only .h5 models can be trained further",
                          wrapper->options.model_path);
  keras_model model;
  KN_TRY(keras_model_open(wrapper->options.model_path, &model));
  kn_status status = tensorflow_wrapper_train_model(wrapper, &model, 0, request, out_history);
  keras_model_clear(&model);
  return status;
}

/* ---- native inference ---- */

static kn_status load(void *self, const kn_load_request *request) {
  tensorflow_wrapper *wrapper = self;
  unload(self);
  KN_TRY(inference_load(request->path, request->batch, request->spec, wrapper->library, wrapper->num_threads,
                        &wrapper->loaded));
  wrapper->tf = wrapper->loaded.tf;
  kn_status status = check_classes(wrapper, &wrapper->loaded.spec);
  if (status) unload(self);
  return status;
}

static kn_status loaded_iospec(void *self, kn_iospec *out_spec) {
  const tensorflow_wrapper *wrapper = self;
  if (!wrapper->loaded.session) return kn_status_make(KN_INVALID_ARGUMENT, "no model is loaded");
  return kn_iospec_copy(&wrapper->loaded.spec, out_spec);
}

static kn_status set_input(void *self, const kn_tensor_view *inputs, size_t count) {
  return inference_set_input(&((tensorflow_wrapper *)self)->loaded, inputs, count);
}

static kn_status invoke(void *self) { return inference_invoke(&((tensorflow_wrapper *)self)->loaded); }

static kn_status output(void *self, const kn_tensor_view *outputs, size_t count) {
  return inference_output(&((tensorflow_wrapper *)self)->loaded, outputs, count);
}

/* What the file holds besides the weights. */
static kn_status describe_contents(const inference *loaded, kn_record *record) {
  KN_TRY(kn_record_set_int(record, "weights_bytes", (int64_t)loaded->weights_bytes));
  KN_TRY(kn_record_set_int(record, "optimizer_state_bytes", (int64_t)loaded->optimizer_bytes));
  return kn_record_set_int(record, "model_file_bytes", (int64_t)loaded->file_bytes);
}

static kn_status statistics(void *self, kn_record *out_record) {
  const tensorflow_wrapper *wrapper = self;
  const inference *loaded = &wrapper->loaded;
  kn_record *delegate;
  if (!loaded->session) return kn_status_make(KN_INVALID_ARGUMENT, "no model is loaded");
  KN_TRY(kn_record_set_int(out_record, "threads", loaded->threads));
  KN_TRY(kn_record_set_int(out_record, "operators", (int64_t)loaded->operation_count));
  KN_TRY(kn_record_append_object(out_record, "delegates", &delegate));
  KN_TRY(kn_record_set_string(delegate, "name",
                              loaded->tf->onednn ? "TensorFlow CPU kernels with oneDNN" : "TensorFlow CPU kernels"));
  KN_TRY(kn_record_set_int(delegate, "operators", (int64_t)loaded->operation_count));
  KN_TRY(kn_record_set_string(out_record, "library", loaded->tf->path));
  KN_TRY(kn_record_set_string(out_record, "library_version", loaded->tf->TF_Version()));
  return loaded->has_sizes ? describe_contents(loaded, out_record) : NULL;
}

const kn_inference_ops tensorflow_inference_ops = {.struct_size = sizeof(kn_inference_ops),
                                                   .load = load,
                                                   .unload = unload,
                                                   .iospec = loaded_iospec,
                                                   .set_input = set_input,
                                                   .invoke = invoke,
                                                   .output = output,
                                                   .statistics = statistics};
