#define KN_PLUGIN_MAIN
#include <kenning/plugin.h>

#include "modelwrapper.h"

KN_PLUGIN("tensorflow", "0.1.0", "Apache-2.0", "2.21", &tensorflow_classifier_class, &tensorflow_fashion_mnist_class,
          &tensorflow_pet_dataset_class, &tensorflow_imagenet_class)
