/* PyTorchWrapper: any classifier saved by PyTorch, in its own framework. */
#include "modelwrapper.h"
#include "trainer.h"

#include "shared/inference_forwards.h"

#include <string.h>

const char *const pytorch_output_formats[] = {"torch", "aotinductor", NULL};

const kn_option pytorch_wrapper_rows[] = {
    {"num_threads", "Threads of one operator; 0: as many as there are cores", KN_OPTION_INT, 0,
     KN_FIELD(pytorch_wrapper, num_threads), .def.i = 0, .min = 0, .max = 1024},
    {"library", "Library to use instead of the installed one (libtorch_shim.so)", KN_OPTION_PATH,
     KN_OPTION_NULLABLE | KN_OPTION_INPUT, KN_FIELD(pytorch_wrapper, library)},
    KN_TRAINING_ROWS(pytorch_wrapper, training),
    {0}};

kn_status pytorch_wrapper_check(const void *self) {
  return kn_training_check(&((const pytorch_wrapper *)self)->training);
}

kn_status pytorch_wrapper_open(void *self, const kn_dataset_info *info) {
  pytorch_wrapper *wrapper = self;
  wrapper->classes = info->classes;
  wrapper->sample.rank = info->rank < KN_MAX_RANK ? info->rank : 0;
  memcpy(wrapper->sample.shape, info->shape, sizeof wrapper->sample.shape);
  return NULL;
}

KN_INFERENCE_FORWARDS(pytorch_wrapper, loaded)

void pytorch_wrapper_close(void *self) { loaded_unload(self); }

kn_status pytorch_wrapper_framework(void *self, const char **out_name, const char **out_version) {
  pytorch_wrapper *wrapper = self;
  KN_TRY(torch_api_open(wrapper->library, &wrapper->torch));
  *out_name = "torch";
  *out_version = wrapper->torch->torch_shim_version();
  return NULL;
}

kn_status pytorch_wrapper_format(void *self, const char **out_format) {
  const pytorch_wrapper *wrapper = self;
  torch_file kind;
  KN_TRY(torch_file_kind(wrapper->options.model_path, &kind));
  *out_format = kind == TORCH_FILE_PACKAGE ? "aotinductor" : "torch";
  return NULL;
}

static kn_status load_into(const pytorch_wrapper *wrapper, const kn_load_request *request, inference *out_loaded) {
  const inference_options options = {
      .library = wrapper->library, .threads = wrapper->num_threads, .sample = wrapper->sample};
  *out_loaded = (inference){0};
  KN_TRY(inference_load(request, &options, out_loaded));
  kn_status status = kn_modelwrapper_check_classes(wrapper->options.model_path, &out_loaded->spec, wrapper->classes);
  if (status) inference_unload(out_loaded);
  return status;
}

/* The shapes of outputs follow from running the model, which only PyTorch can. */
kn_status pytorch_wrapper_iospec(void *self, kn_iospec *out_spec) {
  pytorch_wrapper *wrapper = self;
  const kn_load_request request = {.path = wrapper->options.model_path, .batch = 1};
  inference loaded;
  *out_spec = (kn_iospec){0};
  KN_TRY(load_into(wrapper, &request, &loaded));
  kn_status status = inference_iospec(&loaded, out_spec);
  inference_unload(&loaded);
  return status;
}

/* Of TorchScript and packages only PyTorch knows which part of the file are weights; the storages of a file are its
 * weights but for what is shared. */
kn_status pytorch_wrapper_weights_bytes(void *self, uint64_t *out_bytes) {
  const pytorch_wrapper *wrapper = self;
  torch_file kind;
  *out_bytes = 0;
  KN_TRY(torch_file_kind(wrapper->options.model_path, &kind));
  if (kind == TORCH_FILE_PACKAGE)
    return kn_status_make(KN_INCOMPATIBLE, "a compiled package does not tell its weights from its code");
  if (kind == TORCH_FILE_STATE) {
    state_dict state;
    KN_TRY(state_dict_read(wrapper->options.model_path, &state));
    for (size_t i = 0; i < state.count; i++) *out_bytes += state.items[i].bytes;
    state_dict_clear(&state);
    return NULL;
  }
  return script_weights_bytes(wrapper->options.model_path, out_bytes);
}

/* ---- native inference ---- */

static kn_status load(void *self, const kn_load_request *request) {
  pytorch_wrapper *wrapper = self;
  loaded_unload(self);
  return load_into(wrapper, request, &wrapper->loaded);
}

const kn_inference_ops pytorch_wrapper_inference_ops = KN_INFERENCE_OPS(load);

/* Trains the network further whose weights are at model_path. */
static kn_status train(void *self, const kn_train_request *request, kn_record *out_history) {
  const pytorch_wrapper *wrapper = self;
  const trainer_options options = {
      .library = wrapper->library, .threads = wrapper->num_threads, .training = &wrapper->training};
  state_dict state;
  network n;
  KN_TRY(kn_status_annotate(state_dict_read(wrapper->options.model_path, &state),
                            "this class trains state dictionaries of known networks further"));
  kn_status status = network_of_state(wrapper->options.model_path, &state, &n);
  if (!status) {
    status = trainer_run(&n, &state, &options, request, out_history);
    network_clear(&n);
  }
  state_dict_clear(&state);
  return status;
}

static const kn_modelwrapper_ops ops = {PYTORCH_WRAPPER_OPS, .train = train};

const kn_class pytorch_wrapper_class = {.struct_size = sizeof(kn_class),
                                        .name = "kenning.modelwrappers.frameworks.pytorch.PyTorchWrapper",
                                        .kind = KN_KIND_MODELWRAPPER,
                                        .summary =
                                            "Any classifier saved by PyTorch: TorchScript, weights of known "
                                            "networks, or an AOTInductor package",
                                        .framework = "pytorch",
                                        .options = pytorch_wrapper_rows,
                                        .instance_size = sizeof(pytorch_wrapper),
                                        .ops = &ops,
                                        .output_formats = pytorch_output_formats,
                                        .check = pytorch_wrapper_check};
