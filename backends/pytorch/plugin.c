#define KN_PLUGIN_MAIN
#include <kenning/plugin.h>

#include "pytorch.h"

KN_PLUGIN("pytorch", "0.1.0", "Apache-2.0", "2.7", &pytorch_runtime_class, &pytorch_wrapper_class,
          &pytorch_pet_dataset_class, &pytorch_fashion_mnist_class, &pytorch_script_compiler_class,
          &pytorch_package_compiler_class)
