/* Resampling of images, byte for byte as Pillow 13 does it. */
#ifndef KENNING_IMAGING_RESIZE_H
#define KENNING_IMAGING_RESIZE_H

#include "imaging/image.h"

typedef enum kn_resample {
  KN_RESAMPLE_NEAREST = 0,
  KN_RESAMPLE_BOX,
  KN_RESAMPLE_BILINEAR,
  KN_RESAMPLE_HAMMING,
  KN_RESAMPLE_BICUBIC, /* Pillow's default */
  KN_RESAMPLE_LANCZOS
} kn_resample;

/* A new image of the given size. `width` and `height` are 1 .. KN_IMAGE_MAX_SIDE. */
kn_status kn_image_resize(const kn_image *image, uint32_t width, uint32_t height, kn_resample filter,
                          kn_image *out_image) KN_MUST_USE;

#endif
