/* From 8-bit RGB to the numbers that a model takes. */
#ifndef KENNING_IMAGING_PIXELS_H
#define KENNING_IMAGING_PIXELS_H

#include <kenning/tensor.h>

#include "imaging/image.h"

/* The number for each of the 256 values of each channel of the output: scaling, mean and deviation in one look-up. */
typedef struct kn_pixel_table {
  float values[3][256];
  bool blue_first; /* the output's channels are blue, green, red */
} kn_pixel_table;

/* value = (byte / divisor - offset[c]) / deviation[c] for channel c of the output, each step rounded to float32 as
 * numpy does it. */
void kn_pixel_table_make(float divisor, const float offset[3], const float deviation[3], bool blue_first,
                         kn_pixel_table *out_table);

/* Writes an image as float32 [height,width,3] or, `planar`, as [3,height,width]. KN_INVALID_ARGUMENT when `out` has not
 * exactly that shape. */
kn_status kn_pixels_write(const kn_image *image, const kn_pixel_table *table, bool planar,
                          const kn_tensor_view *out) KN_MUST_USE;

#endif
