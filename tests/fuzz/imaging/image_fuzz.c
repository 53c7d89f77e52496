/* Whatever the bytes are, decoding ends with an image or with bad data. */
#include <stdlib.h>

#include "imaging/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  kn_image image;
  kn_status status = kn_image_decode(data, bytes, "input", &image);
  kn_code code = kn_status_code(status);
  if (code != KN_OK && code != KN_BAD_DATA && code != KN_OUT_OF_MEMORY) abort();
  kn_status_free(status);
  kn_image_clear(&image);
  return 0;
}
