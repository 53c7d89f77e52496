/* MXNetWrapper: any classifier saved by MXNet, in its own framework. */
#include "modelwrapper.h"
#include "trainer.h"

#include "shared/inference_forwards.h"

#include <string.h>

const char *const mxnet_output_formats[] = {"mxnet", NULL};

static const kn_option rows[] = {
    {"num_threads", "Threads of one operator; 0: as many as there are cores", KN_OPTION_INT, 0,
     KN_FIELD(mxnet_wrapper, num_threads), .def.i = 0, .min = 0, .max = 1024},
    {"library", "MXNet library to use instead of the installed one (libmxnet.so)", KN_OPTION_PATH,
     KN_OPTION_NULLABLE | KN_OPTION_INPUT, KN_FIELD(mxnet_wrapper, library)},
    KN_TRAINING_ROWS(mxnet_wrapper, training),
    {0}};

kn_status mxnet_wrapper_check(const void *self) { return kn_training_check(&((const mxnet_wrapper *)self)->training); }

kn_status mxnet_wrapper_open(void *self, const kn_dataset_info *info) {
  mxnet_wrapper *wrapper = self;
  wrapper->classes = info->classes;
  wrapper->sample.rank = info->rank < KN_MAX_RANK ? info->rank : 0;
  memcpy(wrapper->sample.shape, info->shape, sizeof wrapper->sample.shape);
  return NULL;
}

KN_INFERENCE_FORWARDS(mxnet_wrapper, loaded)

void mxnet_wrapper_close(void *self) { loaded_unload(self); }

kn_status mxnet_wrapper_framework(void *self, const char **out_name, const char **out_version) {
  mxnet_wrapper *wrapper = self;
  KN_TRY(mx_api_open(wrapper->library, &wrapper->mx));
  *out_name = "mxnet";
  *out_version = wrapper->mx->version;
  return NULL;
}

kn_status mxnet_wrapper_format(void *self, const char **out_format) {
  const mxnet_wrapper *wrapper = self;
  model m;
  KN_TRY(model_open(wrapper->options.model_path, &m));
  model_clear(&m);
  *out_format = "mxnet";
  return NULL;
}

static kn_status load_into(const mxnet_wrapper *wrapper, const kn_load_request *request, inference *out_loaded) {
  KN_TRY(inference_load(request, &wrapper->sample, wrapper->library, wrapper->num_threads, out_loaded));
  kn_status status = kn_modelwrapper_check_classes(wrapper->options.model_path, &out_loaded->spec, wrapper->classes);
  if (status) inference_unload(out_loaded);
  return status;
}

/* The shapes of outputs follow from the operators, which only MXNet knows. */
kn_status mxnet_wrapper_iospec(void *self, kn_iospec *out_spec) {
  const mxnet_wrapper *wrapper = self;
  const kn_load_request request = {.path = wrapper->options.model_path, .batch = 1};
  inference loaded;
  *out_spec = (kn_iospec){0};
  KN_TRY(load_into(wrapper, &request, &loaded));
  kn_status status = inference_iospec(&loaded, out_spec);
  inference_unload(&loaded);
  return status;
}

kn_status mxnet_wrapper_weights_bytes(void *self, uint64_t *out_bytes) {
  const mxnet_wrapper *wrapper = self;
  model m;
  KN_TRY(model_open(wrapper->options.model_path, &m));
  *out_bytes = m.weights_bytes;
  model_clear(&m);
  return NULL;
}

/* ---- native inference ---- */

static kn_status load(void *self, const kn_load_request *request) {
  mxnet_wrapper *wrapper = self;
  loaded_unload(self);
  return load_into(wrapper, request, &wrapper->loaded);
}

const kn_inference_ops mxnet_wrapper_inference_ops = KN_INFERENCE_OPS(load);

/* Trains the model further that is at model_path. */
static kn_status train(void *self, const kn_train_request *request, kn_record *out_history) {
  const mxnet_wrapper *wrapper = self;
  const trainer_options options = {
      .library = wrapper->library, .threads = wrapper->num_threads, .training = &wrapper->training};
  model start;
  KN_TRY(kn_status_annotate(model_open(wrapper->options.model_path, &start),
                            "this class trains an existing model further"));
  kn_status status =
      start.input_count == 1 && !strcmp(start.inputs[0]->name, "data")
          ? trainer_run(start.symbol, &start, &options, request, out_history)
          : kn_status_make(KN_INCOMPATIBLE, "only models whose one input is called 'data' can be trained");
  model_clear(&start);
  return status;
}

static const kn_modelwrapper_ops ops = {MXNET_WRAPPER_OPS, .train = train};

const kn_class mxnet_wrapper_class = {.struct_size = sizeof(kn_class),
                                      .name = "kenning.modelwrappers.frameworks.mxnet.MXNetWrapper",
                                      .kind = KN_KIND_MODELWRAPPER,
                                      .summary = "Any classifier saved by MXNet",
                                      .framework = "mxnet",
                                      .options = rows,
                                      .instance_size = sizeof(mxnet_wrapper),
                                      .ops = &ops,
                                      .output_formats = mxnet_output_formats,
                                      .check = mxnet_wrapper_check};
