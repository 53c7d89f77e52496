/* Bytes that claim to be a .tflite file. */
#include "tflite/model_file.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  kn_tflite_model model;
  kn_status status = kn_tflite_model_read(data, size, &model);
  /* Faults have one of two codes; what is accepted can be described. */
  kn_code code = kn_status_code(status);
  if (code != KN_OK && code != KN_BAD_DATA && code != KN_INCOMPATIBLE) abort();
  kn_status_free(status);
  if (code == KN_OK) {
    char *text = kn_tflite_census_text(model.layer_weights);
    if (!text) abort();
    kn_free(text);
  }
  kn_tflite_model_clear(&model);
  return 0;
}
