/* A loaded model: MXNet's predictor, and what goes in and out of it. */
#ifndef MXNET_INFERENCE_H
#define MXNET_INFERENCE_H

#include "api.h"
#include "model.h"

typedef struct inference {
  const mx_api *mx;
  mx_predictor *predictor; /* NULL: no model is loaded */
  kn_iospec spec;
  int64_t threads;
  size_t *output_places; /* in the graph; spec.output.count */
  size_t operator_count;
  uint64_t weights_bytes;
  /* Data in NHWC for a model in NCHW: the first entry of spec.input says NHWC, and `planar` is where they are turned.
   */
  float *planar;
  size_t pixels, channels;
} inference;

/* Shape of one sample of the data set, for models that do not say what they take; rank 0: there is none. */
typedef struct sample_shape {
  uint32_t rank;
  int64_t shape[KN_MAX_RANK];
} sample_shape;

/* `spec` (or NULL) and `sample` fill in shapes that the model leaves open. KN_NOT_FOUND, KN_BAD_DATA, KN_INCOMPATIBLE,
 * KN_NOT_INSTALLED, KN_BACKEND_FAILED; after a failure there is nothing to unload. */
kn_status inference_load(const kn_load_request *request, const sample_shape *sample, const char *library,
                         int64_t threads, inference *out_inference) KN_MUST_USE;
void inference_unload(inference *loaded);
kn_status inference_iospec(const inference *loaded, kn_iospec *out_spec) KN_MUST_USE;
kn_status inference_set_input(inference *loaded, const kn_tensor_view *inputs, size_t count) KN_MUST_USE;
kn_status inference_invoke(inference *loaded) KN_MUST_USE;
kn_status inference_output(inference *loaded, const kn_tensor_view *outputs, size_t count) KN_MUST_USE;
kn_status inference_statistics(const inference *loaded, kn_record *out_record) KN_MUST_USE;

#endif
