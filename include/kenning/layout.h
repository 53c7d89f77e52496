/* Memory layouts of images: from height, width, channels (NHWC) to channels, height, width (NCHW). */
#ifndef KENNING_LAYOUT_H
#define KENNING_LAYOUT_H

#include <kenning/base.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Whether a tensor of shape `planar` [N, C, H, W] takes samples of shape `data` [H, W, C] once they are turned. False
 * where the two are the same as they are. */
static inline bool kn_layout_is_planar(const int64_t *data, uint32_t data_rank, const int64_t *planar,
                                       uint32_t planar_rank) {
  return data_rank == 3 && planar_rank == 4 && planar[1] == data[2] && planar[2] == data[0] && planar[3] == data[1] &&
         !(data[0] == data[2] && data[1] == data[0]);
}

/* Copies `count` images of `pixels` pixels with `channels` values of `size` bytes each from NHWC to NCHW. */
static inline void kn_layout_make_planar(const void *from, void *to, size_t count, size_t pixels, size_t channels,
                                         size_t size) {
  const unsigned char *in = (const unsigned char *)from;
  unsigned char *out = (unsigned char *)to;
  for (size_t n = 0; n < count; n++)
    for (size_t c = 0; c < channels; c++)
      for (size_t p = 0; p < pixels; p++, out += size) memcpy(out, in + ((n * pixels + p) * channels + c) * size, size);
}

#ifdef __cplusplus
}
#endif
#endif
