/* The two passes of a separable convolution over RGB pixels in fixed point. The sums are exact in int32, so every
 * instruction set gives the same bytes. */
#ifndef KENNING_IMAGING_CONVOLVE_H
#define KENNING_IMAGING_CONVOLVE_H

#include "imaging/image.h"

/* Fraction bits of a weight: 8 bits of pixel and 2 of overshoot stay below them in an int32. */
enum { KN_WEIGHT_BITS = 32 - 8 - 2 };

/* For every output position: the source positions that count and their weights. */
typedef struct kn_weights {
  size_t stride; /* weights per output position, the unused ones zero */
  uint32_t *first, *count;
  int32_t *values;
} kn_weights;

/* Each output value is the sum of values along the axis times weights, rounded to 8 bits. `to` has the size of `from`
 * but for the axis. `room` is memory of kn_convolve_room(from->width) bytes. Thread-safe. */
size_t kn_convolve_room(uint32_t width);
void kn_convolve_rows(const kn_image *from, const kn_weights *weights, void *room, kn_image *to);
void kn_convolve_columns(const kn_image *from, const kn_weights *weights, kn_image *to);

/* The instruction sets that this machine has and these passes use, the plain one first, ended by NULL; and the one that
 * is used, the last of them unless chosen otherwise. For tests and benchmarks; not thread-safe. */
const char *const *kn_convolve_sets(void);
void kn_convolve_use(const char *set);

#endif
