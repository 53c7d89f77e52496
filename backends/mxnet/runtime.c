/* MXNetRuntime: runs MXNet models. */
#include "inference.h"
#include "mxnet.h"

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

static void runtime_unload(void *self) { inference_unload(&((mxnet_runtime *)self)->loaded); }

static kn_status runtime_load(void *self, const kn_load_request *request) {
  mxnet_runtime *runtime = self;
  const sample_shape none = {0};
  runtime_unload(self);
  return inference_load(request, &none, runtime->library, runtime->num_threads, &runtime->loaded);
}

static kn_status runtime_iospec(void *self, kn_iospec *out_spec) {
  return inference_iospec(&((mxnet_runtime *)self)->loaded, out_spec);
}
static kn_status runtime_set_input(void *self, const kn_tensor_view *inputs, size_t count) {
  return inference_set_input(&((mxnet_runtime *)self)->loaded, inputs, count);
}
static kn_status runtime_invoke(void *self) { return inference_invoke(&((mxnet_runtime *)self)->loaded); }
static kn_status runtime_output(void *self, const kn_tensor_view *outputs, size_t count) {
  return inference_output(&((mxnet_runtime *)self)->loaded, outputs, count);
}
static kn_status runtime_statistics(void *self, kn_record *out_record) {
  return inference_statistics(&((mxnet_runtime *)self)->loaded, out_record);
}

static kn_status runtime_open(void *self) {
  (void)self; /* nothing heavy before a model is loaded */
  return NULL;
}
static const char *runtime_model_path(void *self) { return ((mxnet_runtime *)self)->save_model_path; }

static const kn_inference_ops inference_ops = {.struct_size = sizeof inference_ops,
                                               .load = runtime_load,
                                               .unload = runtime_unload,
                                               .iospec = runtime_iospec,
                                               .set_input = runtime_set_input,
                                               .invoke = runtime_invoke,
                                               .output = runtime_output,
                                               .statistics = runtime_statistics};

static const kn_runtime_ops ops = {.struct_size = sizeof ops,
                                   .open = runtime_open,
                                   .close = runtime_unload,
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
