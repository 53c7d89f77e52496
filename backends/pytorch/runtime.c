/* PyTorchRuntime: runs TorchScript, weights of known networks, and AOTInductor packages. */
#include "inference.h"
#include "pytorch.h"

#include "shared/inference_forwards.h"

typedef struct pytorch_runtime {
  kn_runtime_options options;
  char *save_model_path;
  int64_t num_threads;
  char *library;
  inference loaded;
} pytorch_runtime;

#define ALIASES(...) ((const char *const[]){__VA_ARGS__, NULL})

static const kn_option rows[] = {
    {"save_model_path", "Path of the model; models that arrive from elsewhere are stored there", KN_OPTION_PATH,
     KN_OPTION_RESOURCE | KN_OPTION_MODEL, KN_FIELD(pytorch_runtime, save_model_path), .def.s = "model.pt",
     .aliases = ALIASES("model_path")},
    {"num_threads", "Threads of one operator; 0: as many as there are cores", KN_OPTION_INT, 0,
     KN_FIELD(pytorch_runtime, num_threads), .def.i = 0, .min = 0, .max = 1024},
    {"library", "Library to use instead of the installed one (libtorch_shim.so)", KN_OPTION_PATH,
     KN_OPTION_NULLABLE | KN_OPTION_INPUT, KN_FIELD(pytorch_runtime, library)},
    {0}};

KN_INFERENCE_FORWARDS(pytorch_runtime, loaded)

static kn_status runtime_load(void *self, const kn_load_request *request) {
  pytorch_runtime *runtime = self;
  const inference_options options = {.library = runtime->library, .threads = runtime->num_threads};
  inference_unload(&runtime->loaded);
  return inference_load(request, &options, &runtime->loaded);
}

static kn_status runtime_open(void *self) {
  (void)self; /* nothing heavy before a model is loaded */
  return NULL;
}
static const char *runtime_model_path(void *self) { return ((pytorch_runtime *)self)->save_model_path; }

static const kn_inference_ops inference_ops = KN_INFERENCE_OPS(runtime_load);

static const kn_runtime_ops ops = {.struct_size = sizeof ops,
                                   .open = runtime_open,
                                   .close = loaded_unload,
                                   .model_path = runtime_model_path,
                                   .inference = &inference_ops};

const kn_class pytorch_runtime_class = {
    .struct_size = sizeof(kn_class),
    .name = "kenning.runtimes.pytorch.PyTorchRuntime",
    .kind = KN_KIND_RUNTIME,
    .summary = "Runs TorchScript, weights of known networks, and AOTInductor packages",
    .framework = "pytorch",
    .options = rows,
    .instance_size = sizeof(pytorch_runtime),
    .ops = &ops,
    .input_formats = (const char *const[]){"torch", "torchscript", "aotinductor", NULL}};
