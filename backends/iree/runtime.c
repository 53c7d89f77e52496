/* IREERuntime: runs modules that IREE's compiler made. */
#include "iree.h"
#include "session.h"

typedef struct iree_runtime {
  kn_runtime_options options;
  char *save_model_path;
  int driver;
  int64_t num_threads;
  char *function;
  char *library;
  kn_iree_api api;
  kn_iree_session session;
} iree_runtime;

#define ALIASES(...) ((const char *const[]){__VA_ARGS__, NULL})

/* The names of 2022 were those of IREE at that time: "dylib" loaded machine code from libraries. */
enum { DRIVER_LOCAL_SYNC, DRIVER_LOCAL_TASK, DRIVER_DYLIB, DRIVER_DYLIB_SYNC, DRIVER_VULKAN, DRIVER_CUDA };

static const kn_choice drivers[] = {{"local-sync", DRIVER_LOCAL_SYNC, "the processor, one thread"},
                                    {"local-task", DRIVER_LOCAL_TASK, "the processor, num_threads threads"},
                                    {"dylib", DRIVER_DYLIB, "today's local-task"},
                                    {"dylib-sync", DRIVER_DYLIB_SYNC, "today's local-sync"},
                                    {"vulkan", DRIVER_VULKAN, "not in the runtime that is installed"},
                                    {"cuda", DRIVER_CUDA, "not in the runtime that is installed"},
                                    {0}};

static const kn_option rows[] = {
    {"save_model_path", "Path of the module; modules that arrive from elsewhere are stored there", KN_OPTION_PATH,
     KN_OPTION_RESOURCE | KN_OPTION_MODEL, KN_FIELD(iree_runtime, save_model_path), .def.s = "model.vmfb",
     .aliases = ALIASES("modelpath")},
    {"driver", "What runs the module", KN_OPTION_ENUM, 0, KN_FIELD(iree_runtime, driver), .def.i = DRIVER_LOCAL_TASK,
     .choices = drivers},
    {"num_threads", "Number of threads of local-task; 0: one per core", KN_OPTION_INT, 0,
     KN_FIELD(iree_runtime, num_threads), .min = 0, .max = 64},
    {"function", "Function of the module to call, where it has several", KN_OPTION_STRING, KN_OPTION_NULLABLE,
     KN_FIELD(iree_runtime, function)},
    {"library", "Path of the runtime's library, in place of the installed one", KN_OPTION_PATH,
     KN_OPTION_NULLABLE | KN_OPTION_INPUT, KN_FIELD(iree_runtime, library)},
    {0}};

/* ---- loading ---- */

static bool is_sync(const iree_runtime *self) {
  return self->driver == DRIVER_LOCAL_SYNC || self->driver == DRIVER_DYLIB_SYNC;
}

static const char *driver_name(const iree_runtime *self) { return is_sync(self) ? "local-sync" : "local-task"; }

static void runtime_unload(void *instance) {
  iree_runtime *self = instance;
  kn_iree_session_close(&self->session);
}

static kn_status runtime_load(void *instance, const kn_load_request *request) {
  iree_runtime *self = instance;
  runtime_unload(self);
  KN_TRY(kn_iree_api_open(&self->api, self->library));
  if (self->driver == DRIVER_DYLIB || self->driver == DRIVER_DYLIB_SYNC)
    kn_log(KN_LOG_INFO, "the driver %s of 2022 is called %s today", drivers[self->driver].name, driver_name(self));
  kn_iree_settings settings = {.driver = driver_name(self), .threads = self->num_threads, .function = self->function};
  return kn_iree_session_open(&self->session, &self->api, request, &settings);
}

static kn_status check_loaded(const iree_runtime *self) {
  return self->session.program ? NULL : kn_status_make(KN_INVALID_ARGUMENT, "no model is loaded");
}

static kn_status runtime_iospec(void *instance, kn_iospec *out_spec) {
  iree_runtime *self = instance;
  KN_TRY(check_loaded(self));
  return kn_iospec_copy(&self->session.spec, out_spec);
}

/* ---- one inference ---- */

static kn_status runtime_set_input(void *instance, const kn_tensor_view *inputs, size_t count) {
  iree_runtime *self = instance;
  KN_TRY(check_loaded(self));
  const kn_iree_session *session = &self->session;
  KN_TRY(kn_iolist_check_count(&session->spec.input, count, "input"));
  for (size_t i = 0; i < count; i++)
    KN_TRY(kn_ioentry_store(&session->spec.input.entries[i], &inputs[i],
                            self->api.input_data(session->program, session->inputs[i])));
  return NULL;
}

static kn_status runtime_invoke(void *instance) {
  iree_runtime *self = instance;
  KN_TRY(check_loaded(self));
  kenning_iree_words words;
  if (self->api.invoke(self->session.program, &words))
    return kn_iree_fault(KN_BACKEND_FAILED, "failed to run the module", &words);
  self->session.ran = true;
  return NULL;
}

static kn_status runtime_output(void *instance, const kn_tensor_view *outputs, size_t count) {
  iree_runtime *self = instance;
  KN_TRY(check_loaded(self));
  const kn_iree_session *session = &self->session;
  KN_TRY(kn_iolist_check_count(&session->spec.output, count, "output"));
  if (!session->ran)
    return kn_status_make(KN_INVALID_ARGUMENT, "the outputs have no values yet: the model has not run");
  for (size_t i = 0; i < count; i++) {
    const kn_ioentry *entry = &session->spec.output.entries[i];
    kenning_iree_words words;
    size_t bytes;
    KN_TRY(kn_tensor_bytes(entry->dtype, entry->rank, entry->shape, &bytes));
    if (self->api.output_data(session->program, session->outputs[i], session->output_bytes[i], bytes, &words))
      return kn_iree_fault(KN_BACKEND_FAILED, "does not hand over an output", &words);
    KN_TRY(kn_ioentry_fetch(entry, session->output_bytes[i], &outputs[i]));
  }
  return NULL;
}

/* ---- facts ---- */

static kn_status runtime_statistics(void *instance, kn_record *out_record) {
  iree_runtime *self = instance;
  KN_TRY(check_loaded(self));
  char hash[65];
  KN_TRY(kn_sha256_file(self->api.path, hash));
  KN_TRY(kn_record_set_string(out_record, "library", self->api.path));
  KN_TRY(kn_record_set_string(out_record, "library_version", self->api.version()));
  KN_TRY(kn_record_set_string(out_record, "library_sha256", hash));
  KN_TRY(kn_record_set_string(out_record, "driver", driver_name(self)));
  KN_TRY(kn_record_set_string(out_record, "function", self->session.function));
  return kn_record_set_int(out_record, "threads", self->api.threads(self->session.program));
}

/* ---- the block ---- */

static kn_status runtime_check(const void *instance) {
  const iree_runtime *self = instance;
  kn_status faults = NULL;
  if (self->driver == DRIVER_VULKAN || self->driver == DRIVER_CUDA)
    faults = kn_status_make(KN_INVALID_ARGUMENT,
                            "driver %s is not in the runtime that `kenning install iree` makes: take local-task or "
                            "local-sync",
                            drivers[self->driver].name);
  if (is_sync(self) && self->num_threads > 1)
    faults = kn_status_join(
        faults, kn_status_make(KN_INVALID_ARGUMENT, "driver %s runs with one thread; num_threads %lld needs local-task",
                               drivers[self->driver].name, (long long)self->num_threads));
  return faults;
}

static kn_status runtime_open(void *instance) { return runtime_check(instance); }

static void runtime_close(void *instance) {
  iree_runtime *self = instance;
  runtime_unload(self);
  kn_iree_api_clear(&self->api);
}

static const char *runtime_model_path(void *instance) { return ((iree_runtime *)instance)->save_model_path; }

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

const kn_class kn_iree_runtime_class = {.struct_size = sizeof(kn_class),
                                        .name = "kenning.runtimes.iree.IREERuntime",
                                        .kind = KN_KIND_RUNTIME,
                                        .summary = "Runs modules (.vmfb) that IREE's compiler made",
                                        .framework = "iree",
                                        .options = rows,
                                        .instance_size = sizeof(iree_runtime),
                                        .ops = &ops,
                                        .input_formats = (const char *const[]){"iree", NULL},
                                        .check = runtime_check};
