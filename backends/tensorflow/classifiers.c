/* Classes for models that exist as files: any classifier, and the original's wrapper for pets. */
#include "modelwrapper.h"

static const kn_modelwrapper_ops loading_ops = {TENSORFLOW_WRAPPER_OPS, .open = tensorflow_wrapper_open,
                                                .train = tensorflow_wrapper_train};

const kn_class tensorflow_classifier_class = {
    .struct_size = sizeof(kn_class),
    .name = "kenning.modelwrappers.classification.tensorflow_classifier.TensorFlowClassifier",
    .kind = KN_KIND_MODELWRAPPER,
    .summary = "Any classifier saved by Keras 2 or 3 as .h5 or .keras, or as a SavedModel",
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
