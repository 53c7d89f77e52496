/* TFLiteRuntime: runs .tflite models with TensorFlow Lite, XNNPACK and delegates of the user. */
#include "compiler.h"
#include "litert_session.h"
#include "session.h"
#include "tflite.h"

typedef struct tflite_runtime {
  kn_runtime_options options;
  char *save_model_path;
  kn_string_list delegates_list;
  int64_t num_threads;
  bool num_threads_given;
  char *library;
  int engine;
  kn_tflite_api api;
  kn_tflite_session session; /* of ENGINE_TFLITE */
  kn_litert_api litert_api;
  kn_litert_session litert; /* of ENGINE_LITERT */
  int32_t threads;          /* of the loaded model */
} tflite_runtime;

enum { ENGINE_TFLITE, ENGINE_LITERT };

static const kn_choice engines[] = {
    {"tflite", ENGINE_TFLITE, "TensorFlow Lite"}, {"litert", ENGINE_LITERT, "LiteRT: `kenning install litert`"}, {0}};

#define ALIASES(...) ((const char *const[]){__VA_ARGS__, NULL})

static const kn_option rows[] = {
    {"save_model_path", "Path of the model; models that arrive from elsewhere are stored there", KN_OPTION_PATH,
     KN_OPTION_RESOURCE | KN_OPTION_MODEL, KN_FIELD(tflite_runtime, save_model_path), .def.s = "model.tar",
     .aliases = ALIASES("modelpath")},
    {"delegates_list", "Libraries of TensorFlow Lite delegates, asked in this order before XNNPACK",
     KN_OPTION_STRING_LIST, KN_OPTION_NULLABLE, KN_FIELD(tflite_runtime, delegates_list),
     .aliases = ALIASES("delegates")},
    {"num_threads", "Number of threads of one inference; by default no more than processors", KN_OPTION_INT, 0,
     KN_FIELD(tflite_runtime, num_threads), .def.i = 4, .min = 1, .max = 1024,
     KN_GIVEN(tflite_runtime, num_threads_given)},
    {"engine", "Library that runs the model", KN_OPTION_ENUM, 0, KN_FIELD(tflite_runtime, engine),
     .def.i = ENGINE_TFLITE, .choices = engines},
    {"library", "Path of the engine's library, in place of the installed one", KN_OPTION_PATH,
     KN_OPTION_NULLABLE | KN_OPTION_INPUT, KN_FIELD(tflite_runtime, library)},
    {0}};

/* ---- loading ---- */

/* By default no more threads than processors, where they only take turns. The thread pool of 2.17 to 2.20 waits by
 * spinning: with a second thread and a busy core an inference takes ten times as long, so the default is one thread
 * there. Who asks for more gets it. */
static int32_t choose_threads(const tflite_runtime *self) {
  int64_t wanted = self->num_threads, processors = kn_thread_count(0);
  bool spins = self->engine == ENGINE_TFLITE && self->api.minor < 21;
  if (self->num_threads_given) return (int32_t)wanted;
  int64_t threads = spins ? 1 : wanted < processors ? wanted : processors;
  if (threads < wanted)
    kn_log(KN_LOG_INFO, "one inference takes %d thread%s, more of them %s; set num_threads to override", (int)threads,
           threads == 1 ? "" : "s",
           spins ? "slow each other in this TensorFlow Lite" : "than processors would take turns");
  return (int32_t)threads;
}

static void runtime_unload(void *instance) {
  tflite_runtime *self = instance;
  kn_tflite_session_close(&self->session);
  kn_litert_session_close(&self->litert);
}

static kn_status runtime_load(void *instance, const kn_load_request *request) {
  tflite_runtime *self = instance;
  runtime_unload(self);
  if (self->engine == ENGINE_LITERT) {
    KN_TRY(kn_litert_api_open(&self->litert_api, self->library));
    self->threads = choose_threads(self);
    return kn_litert_session_open(&self->litert, &self->litert_api, request, self->threads);
  }
  KN_TRY(kn_tflite_api_open(&self->api, self->library));
  self->threads = choose_threads(self);
  return kn_tflite_session_open(&self->session, &self->api, request, &self->delegates_list, self->threads);
}

static kn_status check_loaded(const tflite_runtime *self) {
  bool loaded = self->session.interpreter || self->litert.loaded;
  return loaded ? NULL : kn_status_make(KN_INVALID_ARGUMENT, "no model is loaded");
}

static const kn_iospec *spec_of(const tflite_runtime *self) {
  return self->engine == ENGINE_LITERT ? &self->litert.spec : &self->session.spec;
}

static kn_status runtime_iospec(void *instance, kn_iospec *out_spec) {
  tflite_runtime *self = instance;
  KN_TRY(check_loaded(self));
  return kn_iospec_copy(spec_of(self), out_spec);
}

/* ---- one inference ---- */

static kn_status runtime_set_input(void *instance, const kn_tensor_view *inputs, size_t count) {
  tflite_runtime *self = instance;
  KN_TRY(check_loaded(self));
  const kn_iolist *list = &spec_of(self)->input;
  KN_TRY(kn_iolist_check_count(list, count, "input"));
  if (self->engine == ENGINE_LITERT) return kn_litert_session_store(&self->litert, inputs);
  for (size_t i = 0; i < count; i++)
    KN_TRY(kn_ioentry_store(&list->entries[i], &inputs[i], self->api.TensorData(self->session.inputs[i])));
  return NULL;
}

static kn_status runtime_invoke(void *instance) {
  tflite_runtime *self = instance;
  KN_TRY(check_loaded(self));
  if (self->engine == ENGINE_LITERT) return kn_litert_session_run(&self->litert);
  if (self->api.InterpreterInvoke(self->session.interpreter) == KN_TFL_OK) return NULL;
  return kn_tflite_session_failure(&self->session, "failed to run the model");
}

/* Where an output's size depends on the values of the inputs, what was made for it is too large or too small. */
static kn_status check_size(const tflite_runtime *self, size_t index) {
  const kn_ioentry *entry = &self->session.spec.output.entries[index];
  size_t bytes = self->api.TensorByteSize(self->session.outputs[index]), wanted;
  KN_TRY(kn_tensor_bytes(entry->dtype, entry->rank, entry->shape, &wanted));
  if (bytes == wanted) return NULL;
  return kn_status_make(KN_INCOMPATIBLE,
                        "'%s' has %zu bytes for this input and had %zu when the model was loaded: outputs whose size "
                        "depends on the input's values are not supported",
                        entry->name, bytes, wanted);
}

static kn_status runtime_output(void *instance, const kn_tensor_view *outputs, size_t count) {
  tflite_runtime *self = instance;
  KN_TRY(check_loaded(self));
  const kn_iolist *list = &spec_of(self)->output;
  KN_TRY(kn_iolist_check_count(list, count, "output"));
  if (self->engine == ENGINE_LITERT) return kn_litert_session_fetch(&self->litert, outputs);
  for (size_t i = 0; i < count; i++) {
    const void *data = self->api.TensorData(self->session.outputs[i]);
    if (!data)
      return kn_status_make(KN_INVALID_ARGUMENT, "'%s' has no value yet: the model has not run", list->entries[i].name);
    KN_TRY(check_size(self, i));
    KN_TRY(kn_ioentry_fetch(&list->entries[i], data, &outputs[i]));
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

static kn_status describe_library(kn_record *record, const char *path, const char *version, const char *hash) {
  KN_TRY(kn_record_set_string(record, "library", path));
  KN_TRY(kn_record_set_string(record, "library_version", version));
  return kn_record_set_string(record, "library_sha256", hash);
}

static kn_status describe_engine(tflite_runtime *self, kn_record *record) {
  if (self->engine == ENGINE_LITERT) {
    const kn_litert_api *api = &self->litert_api;
    KN_TRY(describe_library(record, api->path, api->version, api->sha256));
    return kn_litert_session_describe(&self->litert, record);
  }
  char hash[65];
  KN_TRY(kn_sha256_file(self->api.path, hash));
  KN_TRY(describe_library(record, self->api.path, self->api.Version(), hash));
  return kn_tflite_delegates_describe(&self->session.delegates, record);
}

static kn_status runtime_statistics(void *instance, kn_record *out_record) {
  tflite_runtime *self = instance;
  KN_TRY(check_loaded(self));
  const kn_tflite_model *file = self->engine == ENGINE_LITERT ? &self->litert.file : &self->session.file;
  KN_TRY(kn_record_set_string(out_record, "engine", engines[self->engine].name));
  KN_TRY(kn_record_set_int(out_record, "threads", self->threads));
  KN_TRY(describe_engine(self, out_record));
  KN_TRY(kn_record_set_int(out_record, "weights_bytes", (int64_t)file->constant_bytes));
  KN_TRY(census(out_record, "constant_types", file->constants));
  return census(out_record, "activation_types", file->activations);
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
  kn_litert_api_clear(&self->litert_api);
}

static kn_status runtime_check(const void *instance) {
  const tflite_runtime *self = instance;
  if (self->engine == ENGINE_LITERT && self->delegates_list.count)
    return kn_status_make(KN_INVALID_ARGUMENT, "delegates_list needs engine tflite: litert brings its own");
  return NULL;
}

static kn_status runtime_describe(void *instance, const char *path, kn_iospec *out_spec) {
  kn_tflite_model model = {0};
  const kn_iospec nothing = {0};
  char *bytes = NULL;
  size_t count;
  (void)instance;
  *out_spec = (kn_iospec){0};
  kn_status status = kn_file_read(path, (size_t)1 << 36, &bytes, &count);
  if (!status) status = kn_tflite_model_read(bytes, count, &model);
  if (!status) status = kn_tflite_describe_io(&model, &nothing, out_spec);
  kn_tflite_model_clear(&model);
  kn_free(bytes);
  return kn_status_annotate(status, "while reading %s", path);
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
                                   .inference = &inference,
                                   .describe = runtime_describe};

const kn_class kn_tflite_runtime_class = {.struct_size = sizeof(kn_class),
                                          .name = "kenning.runtimes.tflite.TFLiteRuntime",
                                          .kind = KN_KIND_RUNTIME,
                                          .summary = "Runs .tflite models with TensorFlow Lite",
                                          .framework = "tflite",
                                          .options = rows,
                                          .instance_size = sizeof(tflite_runtime),
                                          .ops = &ops,
                                          .check = runtime_check,
                                          .input_formats = (const char *const[]){"tflite", NULL}};
