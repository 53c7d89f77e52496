/* What ONNXCompiler and ONNXRuntimeQuantizer have in common: a tool writes an .onnx file, which is read back,
 * described, published and cached. */
#ifndef KN_ONNX_COMPILED_H
#define KN_ONNX_COMPILED_H

#include "layers.h"

#include <kenning/production.h>

typedef struct kn_onnx_compilation {
  const char *path; /* of the result */
  const kn_compile_request *request;
  const char *framework; /* recorded as compiler_framework */
  const char *key;       /* text that names everything the result depends on */
  const char *format;    /* of the input */
  void *context;
  /* Writes the model to `path`, a temporary file; `record` gets what the tool said. */
  kn_status (*produce)(void *context, const char *path, kn_record *record);
  /* KN_BACKEND_FAILED unless the model is what was asked for. */
  kn_status (*verify)(void *context, const kn_onnx_model *model, const kn_onnx_layers *layers);
} kn_onnx_compilation;

kn_status kn_onnx_compile(const kn_onnx_compilation *compilation, kn_iospec *out_spec,
                          kn_record *out_record) KN_MUST_USE;

#endif
