#include "modelwrapper.h"
#include "session.h"

#include "shared/inference_forwards.h"

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

KN_INFERENCE_FORWARDS(tensorflow_wrapper, loaded)

void tensorflow_wrapper_close(void *self) { loaded_unload(self); }

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

kn_status tensorflow_wrapper_iospec(void *self, kn_iospec *out_spec) {
  const tensorflow_wrapper *wrapper = self;
  KN_TRY(inference_describe(wrapper->options.model_path, 1, wrapper->library, out_spec));
  kn_status status = kn_modelwrapper_check_classes(wrapper->options.model_path, out_spec, wrapper->classes);
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
  loaded_unload(self);
  KN_TRY(inference_load(request->path, request->batch, request->spec, wrapper->library, wrapper->num_threads,
                        &wrapper->loaded));
  wrapper->tf = wrapper->loaded.tf;
  kn_status status =
      kn_modelwrapper_check_classes(wrapper->options.model_path, &wrapper->loaded.spec, wrapper->classes);
  if (status) loaded_unload(self);
  return status;
}

const kn_inference_ops tensorflow_inference_ops = KN_INFERENCE_OPS(load);
