#define KN_PLUGIN_MAIN
#include <kenning/plugin.h>

#include "onnxruntime.h"

KN_PLUGIN("onnxruntime", "0.1.0", "Apache-2.0", "1.12 - 1.32", &kn_onnx_compiler_class, &kn_onnx_quantizer_class,
          &kn_onnx_runtime_class, &kn_tensorflow_onnx_conversion_class, &kn_mxnet_onnx_conversion_class,
          &kn_pytorch_onnx_conversion_class)
