#ifndef PYTORCH_PYTORCH_H
#define PYTORCH_PYTORCH_H

#include <kenning/block.h>

extern const kn_class pytorch_runtime_class, pytorch_wrapper_class, pytorch_pet_dataset_class,
    pytorch_fashion_mnist_class, pytorch_script_compiler_class, pytorch_package_compiler_class;

#endif
