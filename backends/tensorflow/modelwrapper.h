/* What all model wrappers of this plug-in share: options, native inference, facts about the model file. */
#ifndef TENSORFLOW_MODELWRAPPER_H
#define TENSORFLOW_MODELWRAPPER_H

#include "inference.h"
#include "trainer.h"

typedef struct tensorflow_wrapper {
  kn_modelwrapper_options options;
  char *library;
  int64_t num_threads; /* 0: all cores */
  kn_training_options training;
  int64_t classes;  /* of the data set */
  const tf_api *tf; /* once opened */
  inference loaded;
} tensorflow_wrapper;

kn_status tensorflow_wrapper_open(void *self, const kn_dataset_info *info) KN_MUST_USE;
void tensorflow_wrapper_close(void *self);
kn_status tensorflow_wrapper_framework(void *self, const char **out_name, const char **out_version) KN_MUST_USE;
kn_status tensorflow_wrapper_format(void *self, const char **out_format) KN_MUST_USE;
kn_status tensorflow_wrapper_iospec(void *self, kn_iospec *out_spec) KN_MUST_USE;
kn_status tensorflow_wrapper_weights_bytes(void *self, uint64_t *out_bytes) KN_MUST_USE;
kn_status tensorflow_wrapper_contents(void *self, char **out_text) KN_MUST_USE;
/* Trains the model further that is at model_path. */
kn_status tensorflow_wrapper_train(void *self, const kn_train_request *request, kn_record *out_history) KN_MUST_USE;
/* Trains `model` with the wrapper's options; its first `base_layers` layers are a frozen base. */
kn_status tensorflow_wrapper_train_model(tensorflow_wrapper *wrapper, keras_model *model, size_t base_layers,
                                         const kn_train_request *request, kn_record *out_history) KN_MUST_USE;
kn_status tensorflow_wrapper_check(const void *self) KN_MUST_USE; /* kn_class.check */
extern const kn_inference_ops tensorflow_inference_ops;

/* All but `open` and `train`, as the beginning of a class's table. */
#define TENSORFLOW_WRAPPER_OPS                                                                                         \
  .struct_size = sizeof(kn_modelwrapper_ops), .close = tensorflow_wrapper_close,                                       \
  .framework = tensorflow_wrapper_framework, .format = tensorflow_wrapper_format, .iospec = tensorflow_wrapper_iospec, \
  .inference = &tensorflow_inference_ops, .weights_bytes = tensorflow_wrapper_weights_bytes,                           \
  .contents = tensorflow_wrapper_contents

extern const kn_option tensorflow_wrapper_options[];
extern const char *const tensorflow_output_formats[];
extern const kn_class tensorflow_classifier_class, tensorflow_fashion_mnist_class, tensorflow_pet_dataset_class,
    tensorflow_imagenet_class;

#endif
