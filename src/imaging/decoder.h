/* The decoders behind kn_image_decode. `out_image` is zeroed by the caller and stays so on failure. */
#ifndef KENNING_IMAGING_DECODER_H
#define KENNING_IMAGING_DECODER_H

#include "imaging/image.h"

kn_status kn_jpeg_decode(const uint8_t *data, size_t bytes, const char *name, kn_image *out_image) KN_MUST_USE;
kn_status kn_png_decode(const uint8_t *data, size_t bytes, const char *name, kn_image *out_image) KN_MUST_USE;

#endif
