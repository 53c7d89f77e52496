#include "imaging/pixels.h"

void kn_pixel_table_make(float divisor, const float offset[3], const float deviation[3], bool blue_first,
                         kn_pixel_table *out_table) {
  out_table->blue_first = blue_first;
  for (int c = 0; c < 3; c++)
    for (int v = 0; v < 256; v++) out_table->values[c][v] = ((float)v / divisor - offset[c]) / deviation[c];
}

static bool fits(const kn_image *image, bool planar, const kn_tensor_view *out) {
  size_t bytes = (size_t)image->width * image->height * 3 * sizeof(float);
  const int64_t *shape = out->shape + (planar ? 1 : 0);
  return out->dtype == KN_FLOAT32 && out->rank == 3 && out->bytes == bytes && out->shape[planar ? 0 : 2] == 3 &&
         shape[0] == image->height && shape[1] == image->width;
}

kn_status kn_pixels_write(const kn_image *image, const kn_pixel_table *table, bool planar, const kn_tensor_view *out) {
  if (!fits(image, planar, out))
    return kn_status_make(KN_INVALID_ARGUMENT, "a sample of %u x %u pixels does not fit the tensor given for it",
                          image->width, image->height);
  size_t count = (size_t)image->width * image->height;
  float *values = out->data;
  size_t step = planar ? 1 : 3, plane = planar ? count : 1;
  for (size_t c = 0; c < 3; c++) {
    const float *look_up = table->values[c];
    const uint8_t *source = image->pixels + (table->blue_first ? 2 - c : c);
    float *target = values + c * plane;
    for (size_t i = 0; i < count; i++) target[i * step] = look_up[source[i * 3]];
  }
  return NULL;
}
