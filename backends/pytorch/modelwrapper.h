/* What the model wrappers of this plug-in share. */
#ifndef PYTORCH_MODELWRAPPER_H
#define PYTORCH_MODELWRAPPER_H

#include <kenning/training.h>

#include "inference.h"
#include "pytorch.h"

typedef struct pytorch_wrapper {
  kn_modelwrapper_options options;
  char *library;
  int64_t num_threads;
  kn_training_options training;
  sample_shape sample; /* of the data set */
  int64_t classes;
  const torch_api *torch; /* once opened */
  inference loaded;
} pytorch_wrapper;

kn_status pytorch_wrapper_open(void *self, const kn_dataset_info *info) KN_MUST_USE;
void pytorch_wrapper_close(void *self);
kn_status pytorch_wrapper_framework(void *self, const char **out_name, const char **out_version) KN_MUST_USE;
kn_status pytorch_wrapper_format(void *self, const char **out_format) KN_MUST_USE;
kn_status pytorch_wrapper_iospec(void *self, kn_iospec *out_spec) KN_MUST_USE;
kn_status pytorch_wrapper_weights_bytes(void *self, uint64_t *out_bytes) KN_MUST_USE;
kn_status pytorch_wrapper_check(const void *self) KN_MUST_USE;
extern const kn_inference_ops pytorch_wrapper_inference_ops;
extern const char *const pytorch_output_formats[];
extern const kn_option pytorch_wrapper_rows[];

/* All but `train`, as the beginning of a class's table. */
#define PYTORCH_WRAPPER_OPS                                                                                   \
  .struct_size = sizeof(kn_modelwrapper_ops), .open = pytorch_wrapper_open, .close = pytorch_wrapper_close,   \
  .framework = pytorch_wrapper_framework, .format = pytorch_wrapper_format, .iospec = pytorch_wrapper_iospec, \
  .inference = &pytorch_wrapper_inference_ops, .weights_bytes = pytorch_wrapper_weights_bytes

#endif
