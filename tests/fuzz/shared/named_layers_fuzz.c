/* Bytes that claim to be a model, and words that claim to be an engine's. */
#include "shared/named_layers.h"

#include <kenning/base.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *copy = malloc(size + 1);
  if (!copy) abort();
  memcpy(copy, data, size);
  copy[size] = '\0';
  for (int saved = 0; saved < 2; saved++) {
    char *layers = kn_named_layers_in(copy, size, saved, "custom operator, Frobnicate, Conv, MatMul, 300");
    if (!layers) abort();
    kn_free(layers);
  }
  free(copy);
  return 0;
}
