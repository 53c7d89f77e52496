/* MXNetRuntime: runs MXNet models. */
#include "inference.h"
#include "mxnet.h"

#include "shared/inference_forwards.h"

typedef struct mxnet_runtime {
  kn_runtime_options options;
  char *save_model_path;
  int64_t num_threads;
  char *library;
  inference loaded;
} mxnet_runtime;

static const kn_option rows[] = {
    {"save_model_path", "Path of the model; models that arrive from elsewhere are stored there", KN_OPTION_PATH,
     KN_OPTION_RESOURCE | KN_OPTION_MODEL, KN_FIELD(mxnet_runtime, save_model_path), .def.s = "model.params"},
    {"num_threads", "Threads of one operator; 0: as many as there are cores", KN_OPTION_INT, 0,
     KN_FIELD(mxnet_runtime, num_threads), .def.i = 0, .min = 0, .max = 1024},
    {"library", "MXNet library to use instead of the installed one (libmxnet.so)", KN_OPTION_PATH,
     KN_OPTION_NULLABLE | KN_OPTION_INPUT, KN_FIELD(mxnet_runtime, library)},
    {0}};

KN_INFERENCE_FORWARDS(mxnet_runtime, loaded)

static kn_status runtime_load(void *self, const kn_load_request *request) {
  mxnet_runtime *runtime = self;
  const sample_shape none = {0};
  inference_unload(&runtime->loaded);
  return inference_load(request, &none, runtime->library, runtime->num_threads, &runtime->loaded);
}

static kn_status runtime_open(void *self) {
  (void)self; /* nothing heavy before a model is loaded */
  return NULL;
}
static const char *runtime_model_path(void *self) { return ((mxnet_runtime *)self)->save_model_path; }

static const kn_inference_ops inference_ops = KN_INFERENCE_OPS(runtime_load);

static const kn_runtime_ops ops = {.struct_size = sizeof ops,
                                   .open = runtime_open,
                                   .close = loaded_unload,
                                   .model_path = runtime_model_path,
                                   .inference = &inference_ops};

const kn_class mxnet_runtime_class = {.struct_size = sizeof(kn_class),
                                      .name = "kenning.runtimes.mxnet.MXNetRuntime",
                                      .kind = KN_KIND_RUNTIME,
                                      .summary =
                                          "Runs MXNet models: X-symbol.json with X-NNNN.params, or a .params file "
                                          "that holds its graph",
                                      .framework = "mxnet",
                                      .options = rows,
                                      .instance_size = sizeof(mxnet_runtime),
                                      .ops = &ops,
                                      .input_formats = (const char *const[]){"mxnet", NULL}};
