/* Bytes that claim to be an .onnx file. */
#include "onnxruntime/model_file.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  kn_onnx_model model;
  kn_status status = kn_onnx_model_read(data, size, &model);
  /* Faults have one of two codes; what is accepted can be described. */
  kn_code code = kn_status_code(status);
  if (code != KN_OK && code != KN_BAD_DATA && code != KN_INCOMPATIBLE) abort();
  kn_status_free(status);
  if (code == KN_OK) {
    kn_iospec spec;
    char *text = kn_onnx_census_text(model.weights);
    if (!text || kn_onnx_model_iospec(&model, &spec)) abort();
    (void)kn_onnx_model_foreign(&model);
    kn_iospec_clear(&spec);
    kn_free(text);
  }
  kn_onnx_model_clear(&model);
  return 0;
}
