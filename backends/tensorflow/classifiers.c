/* Classes for models that exist as files: any classifier, and the original's two wrappers. */
#include "modelwrapper.h"

static const kn_modelwrapper_ops loading_ops = {TENSORFLOW_WRAPPER_OPS, .open = tensorflow_wrapper_open,
                                                .train = tensorflow_wrapper_train};

const kn_class tensorflow_classifier_class = {
    .struct_size = sizeof(kn_class),
    .name = "kenning.modelwrappers.classification.tensorflow_classifier.TensorFlowClassifier",
    .kind = KN_KIND_MODELWRAPPER,
    .summary = "Any classifier saved by Keras 2 or 3 as .h5, or as a SavedModel",
    .framework = "tensorflow",
    .options = tensorflow_wrapper_options,
    .instance_size = sizeof(tensorflow_wrapper),
    .ops = &loading_ops,
    .output_formats = tensorflow_output_formats};

const kn_class tensorflow_pet_dataset_class = {
    .struct_size = sizeof(kn_class),
    .name = "kenning.modelwrappers.classification.tensorflow_pet_dataset.TensorFlowPetDatasetMobileNetV2",
    .kind = KN_KIND_MODELWRAPPER,
    .summary = "MobileNetV2 for the 37 breeds of the Oxford-IIIT Pet data set",
    .framework = "tensorflow",
    .options = tensorflow_wrapper_options,
    .instance_size = sizeof(tensorflow_wrapper),
    .ops = &loading_ops,
    .output_formats = tensorflow_output_formats};

/* ---- TensorFlowImageNet ---- */

typedef struct tensorflow_imagenet {
  tensorflow_wrapper wrapper;
  char *model_cls;
  char *model_input_name, *model_output_name;
  kn_int_list input_shape;
  int64_t num_classes;
  bool disable_builtin_preprocessing;
} tensorflow_imagenet;

#define ALIASES(...) ((const char *const[]){__VA_ARGS__, NULL})

static const kn_option imagenet_options[] = {
    {"model_cls", "Class of keras.applications that makes the model", KN_OPTION_STRING, KN_OPTION_NULLABLE,
     KN_FIELD(tensorflow_imagenet, model_cls), .aliases = ALIASES("modelcls")},
    {"model_input_name", "Name of the model's input", KN_OPTION_STRING, 0,
     KN_FIELD(tensorflow_imagenet, model_input_name), .def.s = "input", .aliases = ALIASES("modelinputname")},
    {"model_output_name", "Name of the model's output", KN_OPTION_STRING, 0,
     KN_FIELD(tensorflow_imagenet, model_output_name), .def.s = "output", .aliases = ALIASES("modeloutputname")},
    {"input_shape", "Shape of the input, batch first; empty: 1 224 224 3", KN_OPTION_INT_LIST, 0,
     KN_FIELD(tensorflow_imagenet, input_shape), .min = 1, .max = 65536, .aliases = ALIASES("inputshape")},
    {"num_classes", "Number of classes", KN_OPTION_INT, 0, KN_FIELD(tensorflow_imagenet, num_classes), .def.i = 1000,
     .min = 1, .max = 1000000, .aliases = ALIASES("numclasses")},
    {"disable_builtin_preprocessing", "Make the model without its own preprocessing of the input", KN_OPTION_BOOL, 0,
     KN_FIELD(tensorflow_imagenet, disable_builtin_preprocessing), .aliases = ALIASES("disablebuiltinpreprocessing")},
    {0}};

const kn_class tensorflow_imagenet_class = {
    .struct_size = sizeof(kn_class),
    .name = "kenning.modelwrappers.classification.tensorflow_imagenet.TensorFlowImageNet",
    .kind = KN_KIND_MODELWRAPPER,
    .summary = "A network of keras.applications trained on ImageNet",
    .framework = "tensorflow",
    .options = imagenet_options,
    .base = &tensorflow_classifier_class,
    .instance_size = sizeof(tensorflow_imagenet),
    .output_formats = tensorflow_output_formats};
