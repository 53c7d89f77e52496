/* TFLiteRuntime: runs .tflite models with TensorFlow Lite, XNNPACK and delegates of the user. */
#include "session.h"
#include "tflite.h"

#include <stdio.h>
#include <string.h>

typedef struct tflite_runtime {
  kn_runtime_options options;
  char *save_model_path;
  kn_string_list delegates_list;
  int64_t num_threads;
  bool num_threads_given;
  char *library;
  kn_tflite_api api;
  kn_tflite_session session;
  int32_t threads; /* of the loaded model */
} tflite_runtime;

#define ALIASES(...) ((const char *const[]){__VA_ARGS__, NULL})

static const kn_option rows[] = {
    {"save_model_path", "Path of the model; models that arrive from elsewhere are stored there", KN_OPTION_PATH,
     KN_OPTION_RESOURCE | KN_OPTION_MODEL, KN_FIELD(tflite_runtime, save_model_path), .def.s = "model.tar", .aliases = ALIASES("modelpath")},
    {"delegates_list", "Libraries of TensorFlow Lite delegates, asked in this order before XNNPACK",
     KN_OPTION_STRING_LIST, KN_OPTION_NULLABLE, KN_FIELD(tflite_runtime, delegates_list),
     .aliases = ALIASES("delegates")},
    {"num_threads", "Number of threads of one inference", KN_OPTION_INT, 0, KN_FIELD(tflite_runtime, num_threads),
     .def.i = 4, .min = 1, .max = 1024, KN_GIVEN(tflite_runtime, num_threads_given)},
    {"library", "Path of the TensorFlow Lite library, in place of the installed one", KN_OPTION_PATH,
     KN_OPTION_NULLABLE | KN_OPTION_INPUT, KN_FIELD(tflite_runtime, library)},
    {0}};

/* ---- loading ---- */

/* The thread pool of 2.17 to 2.20 waits by spinning: with a second thread and a busy core an inference takes ten times
 * as long. The default is one thread there; who asks for more gets it. */
static int32_t choose_threads(const tflite_runtime *self) {
  if (self->num_threads_given || self->api.minor >= 21) return (int32_t)self->num_threads;
  if (self->num_threads > 1)
    kn_log(KN_LOG_INFO,
           "TensorFlow Lite %s runs with 1 thread: more of them slow each other on busy cores; set "
           "num_threads to override",
           self->api.Version());
  return 1;
}

static void runtime_unload(void *instance) {
  tflite_runtime *self = instance;
  kn_tflite_session_close(&self->session);
}

static kn_status runtime_load(void *instance, const kn_load_request *request) {
  tflite_runtime *self = instance;
  runtime_unload(self);
  KN_TRY(kn_tflite_api_open(&self->api, self->library));
  self->threads = choose_threads(self);
  return kn_tflite_session_open(&self->session, &self->api, request, &self->delegates_list, self->threads);
}

static kn_status check_loaded(const tflite_runtime *self) {
  return self->session.interpreter ? NULL : kn_status_make(KN_INVALID_ARGUMENT, "no model is loaded");
}

static kn_status runtime_iospec(void *instance, kn_iospec *out_spec) {
  tflite_runtime *self = instance;
  KN_TRY(check_loaded(self));
  return kn_iospec_copy(&self->session.spec, out_spec);
}

/* ---- one inference ---- */

static kn_status check_view(const kn_ioentry *entry, const kn_tensor_view *view, size_t elements) {
  bool convertible = view->dtype == entry->dtype || (view->dtype == KN_FLOAT32 && entry->quantized);
  if (!convertible)
    return kn_status_make(KN_INVALID_ARGUMENT, "'%s' is %s in the model; %s cannot be exchanged with it", entry->name,
                          kn_dtype_name(entry->dtype), kn_dtype_name(view->dtype));
  if (kn_tensor_elements(view) != elements || view->bytes != elements * kn_dtype_size(view->dtype))
    return kn_status_make(KN_INVALID_ARGUMENT, "'%s' has %zu elements in the model, the tensor handed over %zu",
                          entry->name, elements, kn_tensor_elements(view));
  return NULL;
}

static kn_status check_count(const kn_iolist *list, size_t count, const char *what) {
  if (count == list->count) return NULL;
  return kn_status_make(KN_INVALID_ARGUMENT, "the model has %zu %s(s), not %zu", list->count, what, count);
}

static kn_status runtime_set_input(void *instance, const kn_tensor_view *inputs, size_t count) {
  tflite_runtime *self = instance;
  KN_TRY(check_loaded(self));
  KN_TRY(check_count(&self->session.spec.input, count, "input"));
  for (size_t i = 0; i < count; i++) {
    const kn_ioentry *entry = &self->session.spec.input.entries[i];
    const kn_tfl_tensor *tensor = self->session.inputs[i];
    size_t bytes = self->api.TensorByteSize(tensor), elements = bytes / kn_dtype_size(entry->dtype);
    void *data = self->api.TensorData(tensor);
    KN_TRY(check_view(entry, &inputs[i], elements));
    if (inputs[i].dtype == entry->dtype)
      memcpy(data, inputs[i].data, bytes);
    else
      KN_TRY(kn_quantize(inputs[i].data, elements, entry->scale, entry->zero_point, entry->dtype, data));
  }
  return NULL;
}

static kn_status runtime_invoke(void *instance) {
  tflite_runtime *self = instance;
  KN_TRY(check_loaded(self));
  if (self->api.InterpreterInvoke(self->session.interpreter) == KN_TFL_OK) return NULL;
  return kn_tflite_session_failure(&self->session, "failed to run the model");
}

static kn_status runtime_output(void *instance, const kn_tensor_view *outputs, size_t count) {
  tflite_runtime *self = instance;
  KN_TRY(check_loaded(self));
  KN_TRY(check_count(&self->session.spec.output, count, "output"));
  for (size_t i = 0; i < count; i++) {
    const kn_ioentry *entry = &self->session.spec.output.entries[i];
    const kn_tfl_tensor *tensor = self->session.outputs[i];
    size_t bytes = self->api.TensorByteSize(tensor), elements = bytes / kn_dtype_size(entry->dtype);
    const void *data = self->api.TensorData(tensor);
    KN_TRY(check_view(entry, &outputs[i], elements));
    if (!data) return kn_status_make(KN_INVALID_ARGUMENT, "'%s' has no value yet: the model has not run", entry->name);
    if (outputs[i].dtype == entry->dtype)
      memcpy(outputs[i].data, data, bytes);
    else
      KN_TRY(kn_dequantize(data, elements, entry->scale, entry->zero_point, entry->dtype, outputs[i].data));
  }
  return NULL;
}

/* ---- facts ---- */

static kn_status census(kn_record *record, const char *key, const size_t counts[KN_TFLITE_TYPES]) {
  char *text = kn_tflite_census_text(counts);
  if (!text) return kn_status_out_of_memory();
  kn_status status = kn_record_set_string(record, key, text);
  kn_free(text);
  return status;
}

static kn_status runtime_statistics(void *instance, kn_record *out_record) {
  tflite_runtime *self = instance;
  KN_TRY(check_loaded(self));
  char hash[65];
  KN_TRY(kn_sha256_file(self->api.path, hash));
  KN_TRY(kn_record_set_int(out_record, "threads", self->threads));
  KN_TRY(kn_record_set_string(out_record, "library", self->api.path));
  KN_TRY(kn_record_set_string(out_record, "library_version", self->api.Version()));
  KN_TRY(kn_record_set_string(out_record, "library_sha256", hash));
  KN_TRY(kn_tflite_delegates_describe(&self->session.delegates, out_record));
  KN_TRY(kn_record_set_int(out_record, "weights_bytes", (int64_t)self->session.file.constant_bytes));
  KN_TRY(census(out_record, "constant_types", self->session.file.constants));
  return census(out_record, "activation_types", self->session.file.activations);
}

/* ---- the block ---- */

static kn_status runtime_open(void *instance) {
  (void)instance; /* nothing heavy before a model is loaded */
  return NULL;
}

static void runtime_close(void *instance) {
  tflite_runtime *self = instance;
  runtime_unload(self);
  kn_tflite_api_clear(&self->api);
}

static const char *runtime_model_path(void *instance) { return ((tflite_runtime *)instance)->save_model_path; }

static const kn_inference_ops inference = {.struct_size = sizeof inference,
                                           .load = runtime_load,
                                           .unload = runtime_unload,
                                           .iospec = runtime_iospec,
                                           .set_input = runtime_set_input,
                                           .invoke = runtime_invoke,
                                           .output = runtime_output,
                                           .statistics = runtime_statistics};

static const kn_runtime_ops ops = {.struct_size = sizeof ops,
                                   .open = runtime_open,
                                   .close = runtime_close,
                                   .model_path = runtime_model_path,
                                   .inference = &inference};

const kn_class kn_tflite_runtime_class = {.struct_size = sizeof(kn_class),
                                          .name = "kenning.runtimes.tflite.TFLiteRuntime",
                                          .kind = KN_KIND_RUNTIME,
                                          .summary = "Runs .tflite models with TensorFlow Lite",
                                          .framework = "tflite",
                                          .options = rows,
                                          .instance_size = sizeof(tflite_runtime),
                                          .ops = &ops,
                                          .input_formats = (const char *const[]){"tflite", NULL}};
