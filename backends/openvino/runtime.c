/* OpenVINORuntime: runs OpenVINO IR, ONNX and TensorFlow Lite models and SavedModels with OpenVINO. */
#include "ir_file.h"
#include "openvino.h"
#include "session.h"

typedef struct vino_runtime {
  kn_runtime_options options;
  char *save_model_path;
  char *device;
  int precision;
  int64_t num_threads;
  int64_t num_streams;
  char *cache_dir;
  char *library;
  kn_vino_api api;
  kn_vino_session session;
} vino_runtime;

#define ALIASES(...) ((const char *const[]){__VA_ARGS__, NULL})

enum { PRECISION_F32, PRECISION_BF16, PRECISION_F16, PRECISION_DEVICE };

static const kn_choice precisions[] = {
    {"f32", PRECISION_F32, "float32, as the models of the other runtimes"},
    {"bf16", PRECISION_BF16, "bfloat16 where the processor has it: faster, with about 3 digits"},
    {"f16", PRECISION_F16, "float16 where the processor has it"},
    {"device", PRECISION_DEVICE, "what the device takes by itself, which may be bfloat16"},
    {0}};

static const kn_option rows[] = {
    {"save_model_path", "Path of the model; models that arrive from elsewhere are stored there", KN_OPTION_PATH,
     KN_OPTION_RESOURCE | KN_OPTION_MODEL, KN_FIELD(vino_runtime, save_model_path), .def.s = "model.onnx",
     .aliases = ALIASES("modelpath")},
    {"precision", "Type that floating-point models are computed in", KN_OPTION_ENUM, 0,
     KN_FIELD(vino_runtime, precision), .def.i = PRECISION_F32, .choices = precisions},
    {"num_threads", "Number of threads of one inference; 0: one per core", KN_OPTION_INT, 0,
     KN_FIELD(vino_runtime, num_threads), .min = 0, .max = 1024},
    {"num_streams", "Number of inferences that the engine prepares to run at once", KN_OPTION_INT, 0,
     KN_FIELD(vino_runtime, num_streams), .def.i = 1, .min = 1, .max = 1024},
    {"device", "OpenVINO's name of the device", KN_OPTION_STRING, 0, KN_FIELD(vino_runtime, device), .def.s = "CPU"},
    {"cache_dir", "Directory where OpenVINO keeps compiled models, so that they load faster the next time",
     KN_OPTION_PATH, KN_OPTION_NULLABLE, KN_FIELD(vino_runtime, cache_dir)},
    {"library", "Path of OpenVINO's C library, in place of the installed one", KN_OPTION_PATH,
     KN_OPTION_NULLABLE | KN_OPTION_INPUT, KN_FIELD(vino_runtime, library)},
    {0}};

/* ---- loading ---- */

static void runtime_unload(void *instance) {
  vino_runtime *self = instance;
  kn_vino_session_close(&self->session);
}

static kn_status runtime_load(void *instance, const kn_load_request *request) {
  static const char *const names[] = {
      [PRECISION_F32] = "f32", [PRECISION_BF16] = "bf16", [PRECISION_F16] = "f16", [PRECISION_DEVICE] = ""};
  vino_runtime *self = instance;
  runtime_unload(self);
  KN_TRY(kn_vino_api_open(&self->api, self->library));
  kn_vino_settings settings = {.device = self->device,
                               .precision = names[self->precision],
                               .threads = self->num_threads,
                               .streams = self->num_streams,
                               .cache_dir = self->cache_dir};
  return kn_vino_session_open(&self->session, &self->api, request, &settings);
}

static kn_status check_loaded(const vino_runtime *self) {
  return self->session.request ? NULL : kn_status_make(KN_INVALID_ARGUMENT, "no model is loaded");
}

static kn_status runtime_iospec(void *instance, kn_iospec *out_spec) {
  vino_runtime *self = instance;
  KN_TRY(check_loaded(self));
  return kn_iospec_copy(&self->session.spec, out_spec);
}

/* ---- one inference ---- */

static kn_status runtime_set_input(void *instance, const kn_tensor_view *inputs, size_t count) {
  vino_runtime *self = instance;
  KN_TRY(check_loaded(self));
  KN_TRY(kn_iolist_check_count(&self->session.spec.input, count, "input"));
  for (size_t i = 0; i < count; i++) {
    void *data;
    int result = self->api.tensor_data(self->session.inputs[i], &data);
    if (result != KN_VINO_OK) return kn_vino_fault(&self->api, KN_BACKEND_FAILED, "has no memory for an input", result);
    KN_TRY(kn_ioentry_store(&self->session.spec.input.entries[i], &inputs[i], data));
  }
  return NULL;
}

static kn_status runtime_invoke(void *instance) {
  vino_runtime *self = instance;
  KN_TRY(check_loaded(self));
  int result = self->api.infer_request_infer(self->session.request);
  if (result != KN_VINO_OK) return kn_vino_fault(&self->api, KN_BACKEND_FAILED, "failed to run the model", result);
  self->session.ran = true;
  return NULL;
}

/* Shapes that depend on the values of the inputs would be written over the end of what was made for them. */
static kn_status check_size(vino_runtime *self, size_t index) {
  const kn_ioentry *entry = &self->session.spec.output.entries[index];
  size_t bytes = 0, wanted;
  int result = self->api.tensor_get_byte_size(self->session.outputs[index], &bytes);
  if (result != KN_VINO_OK) return kn_vino_fault(&self->api, KN_BACKEND_FAILED, "has no size for an output", result);
  KN_TRY(kn_tensor_bytes(entry->dtype, entry->rank, entry->shape, &wanted));
  if (bytes == wanted) return NULL;
  return kn_status_make(KN_INCOMPATIBLE,
                        "'%s' has %zu bytes for this input and had %zu when the model was loaded: outputs whose size "
                        "depends on the input's values are not supported",
                        entry->name, bytes, wanted);
}

static kn_status runtime_output(void *instance, const kn_tensor_view *outputs, size_t count) {
  vino_runtime *self = instance;
  KN_TRY(check_loaded(self));
  KN_TRY(kn_iolist_check_count(&self->session.spec.output, count, "output"));
  if (!self->session.ran)
    return kn_status_make(KN_INVALID_ARGUMENT, "the outputs have no values yet: the model has not run");
  for (size_t i = 0; i < count; i++) {
    void *data;
    KN_TRY(check_size(self, i));
    int result = self->api.tensor_data(self->session.outputs[i], &data);
    if (result != KN_VINO_OK) return kn_vino_fault(&self->api, KN_BACKEND_FAILED, "has no value of an output", result);
    KN_TRY(kn_ioentry_fetch(&self->session.spec.output.entries[i], data, &outputs[i]));
  }
  return NULL;
}

/* ---- facts ---- */

static kn_status runtime_statistics(void *instance, kn_record *out_record) {
  vino_runtime *self = instance;
  KN_TRY(check_loaded(self));
  char hash[65], *device = NULL;
  KN_TRY(kn_sha256_file(self->api.path, hash));
  KN_TRY(kn_record_set_string(out_record, "library", self->api.path));
  KN_TRY(kn_record_set_string(out_record, "library_version", self->api.version));
  KN_TRY(kn_record_set_string(out_record, "library_sha256", hash));
  KN_TRY(kn_record_set_string(out_record, "model_format", kn_vino_format_name(self->session.format)));
  KN_TRY(kn_record_set_string(out_record, "device", self->device));
  if (self->api.core_get_property(self->session.core, self->device, "FULL_DEVICE_NAME", &device) == KN_VINO_OK) {
    kn_status status = kn_record_set_string(out_record, "device_name", device);
    self->api.free(device);
    KN_TRY(status);
  }
  return kn_vino_session_examine(&self->session, out_record);
}

/* ---- the block ---- */

static kn_status runtime_open(void *instance) {
  (void)instance; /* nothing heavy before a model is loaded */
  return NULL;
}

static void runtime_close(void *instance) {
  vino_runtime *self = instance;
  runtime_unload(self);
  kn_vino_api_clear(&self->api);
}

/* Of an IR the engine alone knows the shapes of the outputs. */
static kn_status runtime_describe(void *instance, const char *path, kn_iospec *out_spec) {
  (void)instance;
  *out_spec = (kn_iospec){0};
  return kn_status_annotate(kn_vino_ir_check(path), "while reading %s", path);
}

static const char *runtime_model_path(void *instance) { return ((vino_runtime *)instance)->save_model_path; }

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
                                   .inference = &inference,
                                   .describe = runtime_describe};

const kn_class kn_vino_runtime_class = {
    .struct_size = sizeof(kn_class),
    .name = "kenning.runtimes.openvino.OpenVINORuntime",
    .kind = KN_KIND_RUNTIME,
    .summary = "Runs ONNX, OpenVINO IR and TensorFlow Lite models and SavedModels with OpenVINO",
    .framework = "openvino",
    .options = rows,
    .instance_size = sizeof(vino_runtime),
    .ops = &ops,
    .input_formats = (const char *const[]){"openvino", "onnx", "tflite", "saved_model", NULL}};
