/* The classes of this plug-in. */
#ifndef KN_ONNXRUNTIME_H
#define KN_ONNXRUNTIME_H

#include <kenning/block.h>

extern const kn_class kn_onnx_compiler_class;
extern const kn_class kn_onnx_quantizer_class;
extern const kn_class kn_onnx_runtime_class;
extern const kn_class kn_tensorflow_onnx_conversion_class;
extern const kn_class kn_mxnet_onnx_conversion_class;
extern const kn_class kn_pytorch_onnx_conversion_class;

#endif
