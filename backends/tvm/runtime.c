/* TVMRuntime: runs models that either flavour of TVM compiled. */
#include <stdio.h>
#include <string.h>

#include <kenning/services.h>

#include "session.h"
#include "tvm.h"

#define ALIASES(...) ((const char *const[]){__VA_ARGS__, NULL})

typedef struct tvm_runtime {
  kn_runtime_options options;
  char *save_model_path;
  int target_device_context;
  int64_t target_device_context_id;
  bool runtime_use_vm, runtime_use_vm_given;
  int64_t num_threads;
  char *library;
  kn_tvm_libraries libraries;
  kn_tvm_model_file file;
  kn_tvm_session session;
  kn_iospec spec;                       /* in the order in which tensors are handed over */
  size_t *input_places, *output_places; /* of its entries in the session */
} tvm_runtime;

static const kn_choice contexts[] = {{"cpu", KN_DL_CPU, "the processor"},
                                     {"llvm", KN_DL_CPU, "the processor"},
                                     {"c", KN_DL_CPU, "the processor"},
                                     {"cuda", 2, "NVIDIA GPU"},
                                     {"opencl", 4, "OpenCL device"},
                                     {"vulkan", 7, "Vulkan device"},
                                     {"metal", 8, "Apple GPU"},
                                     {"vpi", 9, "Verilog simulator"},
                                     {"rocm", 10, "AMD GPU"},
                                     {"ext_dev", 12, "extension device"},
                                     {"hexagon", 14, "Qualcomm Hexagon"},
                                     {"webgpu", 15, "WebGPU device"},
                                     {0}};

static const kn_option rows[] = {
    {"save_model_path", "Path of the compiled model, .tar or .so; models that arrive from elsewhere are stored there",
     KN_OPTION_PATH, KN_OPTION_RESOURCE | KN_OPTION_MODEL, KN_FIELD(tvm_runtime, save_model_path), .def.s = "model.tar",
     .aliases = ALIASES("modelpath")},
    {"target_device_context", "Device that runs the model; the engines installed here have the processor only",
     KN_OPTION_ENUM, 0, KN_FIELD(tvm_runtime, target_device_context), .def.i = KN_DL_CPU, .choices = contexts,
     .aliases = ALIASES("contextname")},
    {"target_device_context_id", "Number of the device", KN_OPTION_INT, 0,
     KN_FIELD(tvm_runtime, target_device_context_id), .min = 0, .max = 1024, .aliases = ALIASES("contextid")},
    {"runtime_use_vm",
     "The model was compiled for TVM's virtual machine; models of kenning say themselves what they are", KN_OPTION_BOOL,
     0, KN_FIELD(tvm_runtime, runtime_use_vm), .aliases = ALIASES("use_tvm_vm"),
     KN_GIVEN(tvm_runtime, runtime_use_vm_given)},
    {"num_threads", "Number of threads of one inference; waiting threads of TVM keep their cores busy", KN_OPTION_INT,
     0, KN_FIELD(tvm_runtime, num_threads), .def.i = 1, .min = 1, .max = 1024},
    {"library", "Path of TVM's run time library for the flavour of the model, in place of the installed one",
     KN_OPTION_PATH, KN_OPTION_NULLABLE | KN_OPTION_INPUT, KN_FIELD(tvm_runtime, library)},
    {0}};

static kn_status runtime_check(const void *instance) {
  const tvm_runtime *self = instance;
  const kn_choice *context = contexts;
  while (context->value != self->target_device_context) context++;
  if (self->target_device_context != KN_DL_CPU)
    return kn_status_make(
        KN_INVALID_ARGUMENT,
        "target_device_context %s (%s): the TVM that can be installed here runs on the processor only; "
        "use cpu",
        context->name, context->help);
  if (self->target_device_context_id)
    return kn_status_make(KN_INVALID_ARGUMENT, "target_device_context_id is %lld, and there is one processor: 0",
                          (long long)self->target_device_context_id);
  return NULL;
}

/* ---- loading ---- */

static void runtime_unload(void *instance) {
  tvm_runtime *self = instance;
  kn_tvm_session_close(&self->session);
  kn_tvm_model_file_clear(&self->file);
  kn_iospec_clear(&self->spec);
  kn_free(self->input_places);
  kn_free(self->output_places);
  self->input_places = self->output_places = NULL;
}

static kn_status check_batch(const kn_iospec *spec, int64_t batch) {
  for (size_t i = 0; i < spec->input.count; i++) {
    const kn_ioentry *entry = &spec->input.entries[i];
    if (entry->rank && entry->shape[0] != batch)
      return kn_status_make(KN_INCOMPATIBLE,
                            "the model is compiled for %lld sample(s) per inference, not for %lld: set "
                            "inference_batch_size to %lld or compile it with batch_size %lld",
                            (long long)entry->shape[0], (long long)batch, (long long)entry->shape[0], (long long)batch);
  }
  return NULL;
}

/* A model from elsewhere says nothing of itself: all is in the file beside it. */
static kn_status take_spec(kn_tvm_model_file *file, const kn_iospec *given, int64_t batch) {
  if (file->description) return NULL;
  const kn_iolist *inputs = kn_iospec_model_input(given);
  if (!inputs || !given->output.count)
    return kn_status_make(KN_INCOMPATIBLE,
                          "the model does not describe itself, and there is no io specification beside "
                          "it that tells its inputs and outputs");
  const kn_iolist *from[] = {inputs, &given->output};
  kn_iolist *to[] = {&file->spec.input, &file->spec.output};
  for (size_t l = 0; l < 2; l++) {
    for (size_t i = 0; i < from[l]->count; i++) {
      kn_ioentry entry = from[l]->entries[i];
      if (entry.rank && entry.shape[0] == -1) entry.shape[0] = batch;
      KN_TRY(kn_iolist_add(to[l], &entry));
    }
  }
  return NULL;
}

/* The lists as tensors are handed over, and which of the engine's each is. */
static kn_status bind(tvm_runtime *self, const kn_iospec *given) {
  const kn_iospec *found = &self->file.spec;
  self->input_places = kn_alloc_array(found->input.count, sizeof *self->input_places);
  self->output_places = kn_alloc_array(found->output.count, sizeof *self->output_places);
  if (!self->input_places || !self->output_places) return kn_status_out_of_memory();
  KN_TRY(kn_iolist_bind(kn_iospec_model_input(given), &found->input, "input", &self->spec.input, self->input_places));
  return kn_iolist_bind(given ? &given->output : NULL, &found->output, "output", &self->spec.output,
                        self->output_places);
}

static kn_status judge_executor(tvm_runtime *self) {
  kn_tvm_model_file *file = &self->file;
  bool vm = file->executor == KN_TVM_VM;
  if (self->runtime_use_vm_given && self->runtime_use_vm != vm)
    kn_log(KN_LOG_INFO, "runtime_use_vm is %s, but the model is compiled for %s: what the model is decides",
           self->runtime_use_vm ? "true" : "false", vm ? "the virtual machine" : kn_tvm_executor_name(file->executor));
  return NULL;
}

static kn_status load_file(tvm_runtime *self, const kn_load_request *request) {
  KN_TRY(kn_tvm_model_file_read(request->path, &self->file));
  KN_TRY(kn_tvm_model_file_fits(&self->file));
  KN_TRY(judge_executor(self));
  KN_TRY(take_spec(&self->file, request->spec, request->batch));
  KN_TRY(check_batch(&self->file.spec, request->batch));
  KN_TRY(bind(self, request->spec));
  KN_TRY(kn_tvm_session_open(&self->session, &self->libraries, &self->file, &self->file.spec, self->library,
                             kn_tvm_threads(self->num_threads)));
  /* The file has done its service. */
  kn_free(self->file.contents);
  self->file.contents = NULL;
  self->file.library = NULL;
  return NULL;
}

static kn_status runtime_load(void *instance, const kn_load_request *request) {
  tvm_runtime *self = instance;
  runtime_unload(self);
  kn_status status = load_file(self, request);
  if (status) runtime_unload(self);
  return kn_status_annotate(status, "while loading %s", request->path);
}

static kn_status check_loaded(const tvm_runtime *self) {
  return self->session.state ? NULL : kn_status_make(KN_INVALID_ARGUMENT, "no model is loaded");
}

static kn_status runtime_iospec(void *instance, kn_iospec *out_spec) {
  tvm_runtime *self = instance;
  KN_TRY(check_loaded(self));
  return kn_iospec_copy(&self->spec, out_spec);
}

/* ---- one inference ---- */

static kn_status runtime_set_input(void *instance, const kn_tensor_view *inputs, size_t count) {
  tvm_runtime *self = instance;
  KN_TRY(check_loaded(self));
  KN_TRY(kn_iolist_check_count(&self->spec.input, count, "input"));
  for (size_t i = 0; i < count; i++)
    KN_TRY(kn_ioentry_store(&self->spec.input.entries[i], &inputs[i],
                            kn_dl_data(self->session.inputs[self->input_places[i]])));
  return NULL;
}

static kn_status runtime_invoke(void *instance) {
  tvm_runtime *self = instance;
  KN_TRY(check_loaded(self));
  return self->session.engine->run(&self->session);
}

static kn_status runtime_output(void *instance, const kn_tensor_view *outputs, size_t count) {
  tvm_runtime *self = instance;
  KN_TRY(check_loaded(self));
  KN_TRY(kn_iolist_check_count(&self->spec.output, count, "output"));
  KN_TRY(kn_tvm_session_fetch(&self->session));
  for (size_t i = 0; i < count; i++)
    KN_TRY(kn_ioentry_fetch(&self->spec.output.entries[i], kn_dl_data(self->session.outputs[self->output_places[i]]),
                            &outputs[i]));
  return NULL;
}

/* ---- facts ---- */

static kn_status runtime_statistics(void *instance, kn_record *out_record) {
  static const char *const counted[] = {"integer_layers",    "float16_layers",       "float32_layers",
                                        "int8_instructions", "float32_instructions", "functions_scheduled",
                                        "functions_left"};
  static const char *const told[] = {"target", "layout", "version"};
  tvm_runtime *self = instance;
  KN_TRY(check_loaded(self));
  bool relax = self->file.flavour == KN_TVM_RELAX;
  const char *library = relax ? self->libraries.relax.path : self->libraries.relay.path;
  char hash[65];
  KN_TRY(kn_sha256_file(library, hash));
  KN_TRY(kn_record_set_int(out_record, "threads", self->session.threads));
  KN_TRY(kn_record_set_string(out_record, "library", library));
  KN_TRY(kn_record_set_string(out_record, "library_sha256", hash));
  KN_TRY(kn_record_set_string(out_record, "flavour", kn_tvm_flavour_name(self->file.flavour)));
  KN_TRY(kn_record_set_string(out_record, "executor", kn_tvm_executor_name(self->file.executor)));
  if (relax) KN_TRY(kn_record_set_string(out_record, "tvm_ffi_version", self->libraries.relax.version));
  for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
    const char *value = kn_tvm_model_file_fact(&self->file, told[i]);
    const char *key = !strcmp(told[i], "version") ? "library_version" : told[i];
    if (value) KN_TRY(kn_record_set_string(out_record, key, value));
  }
  for (size_t i = 0; i < sizeof counted / sizeof *counted; i++) {
    const char *value = kn_tvm_model_file_fact(&self->file, counted[i]);
    long long number;
    if (value && sscanf(value, "%lld", &number) == 1) KN_TRY(kn_record_set_int(out_record, counted[i], number));
  }
  return NULL;
}

/* ---- the block ---- */

static kn_status runtime_open(void *instance) { return runtime_check(instance); }

static void runtime_close(void *instance) {
  tvm_runtime *self = instance;
  runtime_unload(self);
  kn_relay_api_clear(&self->libraries.relay);
  kn_relax_api_clear(&self->libraries.relax);
}

static const char *runtime_model_path(void *instance) { return ((tvm_runtime *)instance)->save_model_path; }

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

const kn_class kn_tvm_runtime_class = {.struct_size = sizeof(kn_class),
                                       .name = "kenning.runtimes.tvm.TVMRuntime",
                                       .kind = KN_KIND_RUNTIME,
                                       .summary = "Runs models compiled by Apache TVM",
                                       .framework = "tvm",
                                       .options = rows,
                                       .instance_size = sizeof(tvm_runtime),
                                       .ops = &ops,
                                       .input_formats = ALIASES("tvm"),
                                       .check = runtime_check};
