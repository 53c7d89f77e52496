/* What the model wrappers of this plug-in share. */
#ifndef MXNET_MODELWRAPPER_H
#define MXNET_MODELWRAPPER_H

#include <kenning/training.h>

#include "inference.h"
#include "mxnet.h"

typedef struct mxnet_wrapper {
  kn_modelwrapper_options options;
  char *library;
  int64_t num_threads;
  kn_training_options training;
  sample_shape sample; /* of the data set */
  int64_t classes;
  const mx_api *mx; /* once opened */
  inference loaded;
} mxnet_wrapper;

kn_status mxnet_wrapper_open(void *self, const kn_dataset_info *info) KN_MUST_USE;
void mxnet_wrapper_close(void *self);
kn_status mxnet_wrapper_framework(void *self, const char **out_name, const char **out_version) KN_MUST_USE;
kn_status mxnet_wrapper_format(void *self, const char **out_format) KN_MUST_USE;
kn_status mxnet_wrapper_iospec(void *self, kn_iospec *out_spec) KN_MUST_USE;
kn_status mxnet_wrapper_weights_bytes(void *self, uint64_t *out_bytes) KN_MUST_USE;
kn_status mxnet_wrapper_check(const void *self) KN_MUST_USE;
extern const kn_inference_ops mxnet_wrapper_inference_ops;
extern const char *const mxnet_output_formats[];

/* All but `train`, as the beginning of a class's table. */
#define MXNET_WRAPPER_OPS                                                                               \
  .struct_size = sizeof(kn_modelwrapper_ops), .open = mxnet_wrapper_open, .close = mxnet_wrapper_close, \
  .framework = mxnet_wrapper_framework, .format = mxnet_wrapper_format, .iospec = mxnet_wrapper_iospec, \
  .inference = &mxnet_wrapper_inference_ops, .weights_bytes = mxnet_wrapper_weights_bytes

#endif
