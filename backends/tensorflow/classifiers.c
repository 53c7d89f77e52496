/* TensorFlowClassifier: models that exist as files. */
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
    .check = tensorflow_wrapper_check,
    .output_formats = tensorflow_output_formats};
