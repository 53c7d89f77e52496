#ifndef MXNET_MXNET_H
#define MXNET_MXNET_H

#include <kenning/block.h>

extern const kn_class mxnet_runtime_class, mxnet_wrapper_class, mxnet_fashion_mnist_class;

#endif
