/* Convolutions and dense layers of an .onnx file, and what their weights and values are. */
#ifndef KN_ONNX_LAYERS_H
#define KN_ONNX_LAYERS_H

#include "model_file.h"

/* A layer is a Conv, ConvTranspose, Gemm or MatMul whose second input is a weight: an initializer, or an initializer
 * behind DequantizeLinear. Subgraphs are not looked into. */
typedef struct kn_onnx_layers {
  size_t count;
  size_t weights[KN_ONNX_TYPES]; /* of them by type of the weight in the file */
  size_t quantized_values;       /* of them, those whose first input comes from DequantizeLinear */
  kn_onnx_text plain;            /* name of the first layer whose weight or value is not quantized; length 0: none */
} kn_onnx_layers;

/* `data` has been read by kn_onnx_model_read. Texts point into it. */
kn_status kn_onnx_layers_read(const void *data, size_t bytes, kn_onnx_layers *out_layers) KN_MUST_USE;
#endif
