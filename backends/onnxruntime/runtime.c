/* ONNXRuntime: runs .onnx models with ONNX Runtime. */
#include "onnxruntime.h"
#include "session.h"

typedef struct onnx_runtime {
  kn_runtime_options options;
  char *save_model_path;
  kn_string_list execution_providers;
  int graph_optimization_level;
  int64_t num_threads;
  char *library;
  kn_ort_api api;
  kn_ort_session_state session;
  int threads; /* of the loaded model */
  bool has_run;
} onnx_runtime;

#define ALIASES(...) ((const char *const[]){__VA_ARGS__, NULL})

/* GraphOptimizationLevel. */
static const kn_choice levels[] = {{"disabled", 0, "the graph as it is in the file"},
                                   {"basic", 1, "what does not depend on the machine"},
                                   {"extended", 2, "fused operators too"},
                                   {"all", 99, "layouts of this processor too"},
                                   {0}};

static const kn_option rows[] = {
    {"save_model_path", "Path of the model; models that arrive from elsewhere are stored there", KN_OPTION_PATH,
     KN_OPTION_RESOURCE | KN_OPTION_MODEL, KN_FIELD(onnx_runtime, save_model_path), .def.s = "model.tar",
     .aliases = ALIASES("modelpath", "model_path")},
    {"execution_providers", "What runs the operators, in order of preference; nothing named: CPUExecutionProvider",
     KN_OPTION_STRING_LIST, KN_OPTION_NULLABLE, KN_FIELD(onnx_runtime, execution_providers)},
    {"graph_optimization_level", "How far the engine may change the graph before it runs", KN_OPTION_ENUM, 0,
     KN_FIELD(onnx_runtime, graph_optimization_level), .def.i = 99, .choices = levels},
    {"num_threads", "Number of threads of one inference; 0: one for each processor that this process may use",
     KN_OPTION_INT, 0, KN_FIELD(onnx_runtime, num_threads), .min = 0, .max = 1024},
    {"library", "Path of the ONNX Runtime library, in place of the installed one", KN_OPTION_PATH,
     KN_OPTION_NULLABLE | KN_OPTION_INPUT, KN_FIELD(onnx_runtime, library)},
    {0}};

/* ---- loading ---- */

static void runtime_unload(void *instance) {
  onnx_runtime *self = instance;
  kn_ort_session_close(&self->session);
  self->has_run = false;
}

static kn_status runtime_load(void *instance, const kn_load_request *request) {
  onnx_runtime *self = instance;
  runtime_unload(self);
  KN_TRY(kn_ort_api_open(&self->api, self->library));
  self->threads = (int)kn_thread_count(self->num_threads);
  const kn_ort_settings settings = {.providers = &self->execution_providers,
                                    .optimization_level = self->graph_optimization_level,
                                    .threads = self->threads};
  return kn_ort_session_open(&self->session, &self->api, request, &settings);
}

static kn_status check_loaded(const onnx_runtime *self) {
  return self->session.session ? NULL : kn_status_make(KN_INVALID_ARGUMENT, "no model is loaded");
}

static kn_status runtime_iospec(void *instance, kn_iospec *out_spec) {
  const onnx_runtime *self = instance;
  KN_TRY(check_loaded(self));
  const kn_iospec spec = {.input = self->session.inputs.list, .output = self->session.outputs.list};
  return kn_iospec_copy(&spec, out_spec);
}

/* ---- one inference ---- */

static kn_status runtime_set_input(void *instance, const kn_tensor_view *inputs, size_t count) {
  onnx_runtime *self = instance;
  KN_TRY(check_loaded(self));
  const kn_ort_side *side = &self->session.inputs;
  KN_TRY(kn_iolist_check_count(&side->list, count, "input"));
  for (size_t i = 0; i < count; i++) KN_TRY(kn_ioentry_store(&side->list.entries[i], &inputs[i], side->data[i]));
  return NULL;
}

static kn_status runtime_invoke(void *instance) {
  onnx_runtime *self = instance;
  KN_TRY(check_loaded(self));
  kn_ort_status *failed = kn_ort_session_run(&self->session);
  if (failed) return kn_ort_failure(&self->api, failed, "failed to run the model");
  self->has_run = true;
  return NULL;
}

static kn_status runtime_output(void *instance, const kn_tensor_view *outputs, size_t count) {
  onnx_runtime *self = instance;
  KN_TRY(check_loaded(self));
  const kn_ort_side *side = &self->session.outputs;
  KN_TRY(kn_iolist_check_count(&side->list, count, "output"));
  if (!self->has_run) return kn_status_make(KN_INVALID_ARGUMENT, "there are no outputs yet: the model has not run");
  for (size_t i = 0; i < count; i++) KN_TRY(kn_ioentry_fetch(&side->list.entries[i], side->data[i], &outputs[i]));
  return NULL;
}

/* ---- facts ---- */

static kn_status describe_providers(const onnx_runtime *self, kn_record *record) {
  static const char *const cpu[] = {"CPUExecutionProvider"};
  const kn_string_list *providers = &self->execution_providers;
  const char *const *names = providers->count ? (const char *const *)providers->items : cpu;
  size_t count = providers->count ? providers->count : 1;
  KN_TRY(kn_record_set_strings(record, "execution_providers", names, count));
  for (size_t i = 0; i < count; i++) {
    kn_record *delegate;
    KN_TRY(kn_record_append_object(record, "delegates", &delegate));
    KN_TRY(kn_record_set_string(delegate, "name", names[i]));
    /* Which of several has taken what the engine does not tell. */
    if (count == 1) KN_TRY(kn_record_set_int(delegate, "operators", (int64_t)self->session.operators));
  }
  return NULL;
}

static const char *level_name(int level) {
  size_t i = 0;
  while (levels[i].name && levels[i].value != level) i++;
  return levels[i].name ? levels[i].name : "";
}

static kn_status runtime_statistics(void *instance, kn_record *out_record) {
  const onnx_runtime *self = instance;
  char hash[65];
  KN_TRY(check_loaded(self));
  KN_TRY(kn_sha256_file(self->api.path, hash));
  KN_TRY(kn_record_set_int(out_record, "threads", self->threads));
  KN_TRY(kn_record_set_string(out_record, "library", self->api.path));
  KN_TRY(kn_record_set_string(out_record, "library_version", self->api.version));
  KN_TRY(kn_record_set_string(out_record, "library_sha256", hash));
  KN_TRY(kn_record_set_string(out_record, "graph_optimization_level", level_name(self->graph_optimization_level)));
  KN_TRY(describe_providers(self, out_record));
  KN_TRY(kn_record_set_int(out_record, "operators", (int64_t)self->session.operators));
  KN_TRY(kn_record_set_int(out_record, "operator_set", self->session.opset));
  KN_TRY(kn_record_set_int(out_record, "weights_bytes", (int64_t)self->session.weight_bytes));
  return kn_record_set_string(out_record, "constant_types", self->session.weights_text);
}

/* ---- the block ---- */

static kn_status runtime_open(void *instance) {
  (void)instance; /* nothing heavy before a model is loaded */
  return NULL;
}

static void runtime_close(void *instance) {
  onnx_runtime *self = instance;
  runtime_unload(self);
  kn_ort_api_clear(&self->api);
}

static kn_status runtime_describe(void *instance, const char *path, kn_iospec *out_spec) {
  kn_onnx_model model = {0};
  char *bytes = NULL;
  size_t count;
  (void)instance;
  *out_spec = (kn_iospec){0};
  kn_status status = kn_file_read(path, (size_t)1 << 36, &bytes, &count);
  if (!status) status = kn_onnx_model_read(bytes, count, &model);
  if (!status) status = kn_onnx_model_iospec(&model, out_spec);
  kn_onnx_model_clear(&model);
  kn_free(bytes);
  return kn_status_annotate(status, "while reading %s", path);
}

static const char *runtime_model_path(void *instance) { return ((onnx_runtime *)instance)->save_model_path; }

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

const kn_class kn_onnx_runtime_class = {.struct_size = sizeof(kn_class),
                                        .name = "kenning.runtimes.onnx.ONNXRuntime",
                                        .kind = KN_KIND_RUNTIME,
                                        .summary = "Runs .onnx models with ONNX Runtime",
                                        .framework = "onnxruntime",
                                        .options = rows,
                                        .instance_size = sizeof(onnx_runtime),
                                        .ops = &ops,
                                        .input_formats = (const char *const[]){"onnx", NULL}};
