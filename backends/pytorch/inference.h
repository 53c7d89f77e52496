/* A loaded model: TorchScript, weights of a known network, or an AOTInductor package; and what goes in and out of it.
 */
#ifndef PYTORCH_INFERENCE_H
#define PYTORCH_INFERENCE_H

#include "api.h"
#include "network.h"
#include "package.h"

enum { INFERENCE_TENSORS = 16 };

/* Shape of one sample of the data set, for models that do not say what they take; rank 0: there is none. */
typedef struct sample_shape {
  uint32_t rank;
  int64_t shape[KN_MAX_RANK];
} sample_shape;

typedef struct inference_options {
  const char *library; /* or NULL */
  int64_t threads;     /* 0: as many as there are cores */
  sample_shape sample;
} inference_options;

typedef struct inference {
  const torch_api *torch;
  torch_shim_module *module; /* one of these two; none: no model is loaded */
  package *package;
  const char *how; /* what runs it, for the report */
  kn_iospec spec;
  torch_shim_tensor inputs[INFERENCE_TENSORS]; /* in the model's order */
  kn_tensor_view memory[INFERENCE_TENSORS];    /* of a package's inputs */
  size_t input_places[INFERENCE_TENSORS], output_places[INFERENCE_TENSORS];
  int64_t threads;
  uint64_t weights_bytes, operator_count;
  bool has_run;
  /* Data in NHWC for a model in NCHW: spec.input says NHWC, and `planar` is where they are turned. */
  float *planar;
  size_t pixels, channels;
} inference;

/* Makes a module of a state dictionary; `trained`: for training, else for inference. */
kn_status inference_make_module(const torch_api *torch, const network *n, const state_dict *state,
                                torch_shim_module **out_module) KN_MUST_USE;

kn_status inference_load(const kn_load_request *request, const inference_options *options,
                         inference *out_inference) KN_MUST_USE;
void inference_unload(inference *loaded);
kn_status inference_iospec(const inference *loaded, kn_iospec *out_spec) KN_MUST_USE;
kn_status inference_set_input(inference *loaded, const kn_tensor_view *inputs, size_t count) KN_MUST_USE;
kn_status inference_invoke(inference *loaded) KN_MUST_USE;
kn_status inference_output(inference *loaded, const kn_tensor_view *outputs, size_t count) KN_MUST_USE;
kn_status inference_statistics(const inference *loaded, kn_record *out_record) KN_MUST_USE;

#endif
