/* FNV-1a (Fowler, Noll, Vo), 64 bits: names the content of an image in a table of expected results. */
#ifndef TESTS_IMAGING_SUM_H
#define TESTS_IMAGING_SUM_H

#include "imaging/image.h"

static inline uint64_t image_sum(const kn_image *image) {
  uint64_t sum = 0xcbf29ce484222325u;
  for (size_t i = 0; i < (size_t)image->width * image->height * 3; i++) sum = (sum ^ image->pixels[i]) * 0x100000001b3u;
  return sum;
}

#endif
