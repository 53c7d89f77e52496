/* The passes of convolve.h for one instruction set. Included once per set, with WIDE_SET as the beginning of the names
 * that it makes, WIDE_TARGET as the attribute of functions, vectors of WIDE_LANES int32, WIDE_LOAD(bytes), which widens
 * WIDE_LANES bytes, and WIDE_STORE(ints, out), which clips ints of 16 bits to 0..255 and narrows them. */

typedef int32_t WIDE(ints) __attribute__((vector_size(WIDE_LANES * sizeof(int32_t))));

enum { WIDE(VECTORS) = GROUP_BYTES / WIDE_LANES };
/* Bytes of a row that are taken at once. */
static const size_t WIDE(block) = (size_t)4 * WIDE_LANES;

/* Rounds and clips, where the sums began with one half. */
WIDE_TARGET static inline __attribute__((always_inline)) void WIDE(finish)(const WIDE(ints) * sums, size_t count,
                                                                           uint8_t *out) {
  for (size_t v = 0; v < count; v++) WIDE_STORE(sums[v] >> KN_WEIGHT_BITS, out + v * WIDE_LANES);
}

/* The sums of `count` vectors of bytes at `at`, `step` bytes from one tap to the next. */
WIDE_TARGET static inline __attribute__((always_inline)) void WIDE(sum)(const uint8_t *at, size_t step,
                                                                        const int32_t *weight, uint32_t taps,
                                                                        size_t count, WIDE(ints) * sums) {
  for (size_t v = 0; v < count; v++) sums[v] = (WIDE(ints)){0} + HALF;
#pragma GCC unroll 4
  for (uint32_t i = 0; i < taps; i++, at += step)
    for (size_t v = 0; v < count; v++) sums[v] += (WIDE(ints))WIDE_LOAD(at + v * WIDE_LANES) * weight[i];
}

WIDE_TARGET static void WIDE(rows)(const kn_image *from, const kn_weights *at, uint8_t *pixels, kn_image *to) {
  for (uint32_t y = 0; y < from->height; y += ROWS) {
    uint8_t *outs[ROWS], values[GROUP_BYTES];
    gather_rows(from, y, to, pixels, outs);
    for (uint32_t x = 0; x < to->width; x++) {
      WIDE(ints) sums[WIDE(VECTORS)];
      WIDE(sum)
      (pixels + (size_t)at->first[x] * GROUP_BYTES, GROUP_BYTES, at->values + x * at->stride, at->count[x],
       WIDE(VECTORS), sums);
      WIDE(finish)(sums, WIDE(VECTORS), values);
      scatter_pixel(values, x, x + 1 == to->width, outs);
    }
  }
}

WIDE_TARGET static void WIDE(columns)(const kn_image *from, const kn_weights *at, kn_image *to) {
  size_t row_values = (size_t)from->width * CHANNELS;
  for (uint32_t y = 0; y < to->height; y++) {
    const uint8_t *first = from->pixels + at->first[y] * row_values;
    const int32_t *weight = at->values + y * at->stride;
    uint8_t *out = to->pixels + y * row_values;
    size_t x = 0;
    for (; x + WIDE(block) <= row_values; x += WIDE(block)) {
      WIDE(ints) sums[4];
      WIDE(sum)(first + x, row_values, weight, at->count[y], 4, sums);
      WIDE(finish)(sums, 4, out + x);
    }
    column_rest(first, row_values, weight, at->count[y], x, out);
  }
}
