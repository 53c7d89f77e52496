#define KN_PLUGIN_MAIN
#include <kenning/plugin.h>

#include "mxnet.h"

KN_PLUGIN("mxnet", "0.1.0", "Apache-2.0", "1.9", &mxnet_runtime_class, &mxnet_wrapper_class, &mxnet_fashion_mnist_class)
