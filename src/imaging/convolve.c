/* Plain loops, and for wide instruction sets a copy each of what convolve_wide.h writes with the compiler's vectors. */
#include "imaging/convolve.h"

#include <stdatomic.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { CHANNELS = 3, ROWS = 8, GROUP_BYTES = 4 * ROWS, HALF = 1 << (KN_WEIGHT_BITS - 1) };

static inline uint8_t to_byte(int32_t sum) {
  sum >>= KN_WEIGHT_BITS;
  return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

/* Values `x` and on of one row. */
static inline void column_rest(const uint8_t *first, size_t row_values, const int32_t *weight, uint32_t taps, size_t x,
                               uint8_t *out) {
  for (; x < row_values; x++) {
    int32_t sum = HALF;
    for (uint32_t i = 0; i < taps; i++) sum += first[x + i * row_values] * weight[i];
    out[x] = to_byte(sum);
  }
}

static void plain_rows(const kn_image *from, const kn_weights *at, uint8_t *unused, kn_image *to) {
  (void)unused;
  for (uint32_t y = 0; y < to->height; y++) {
    const uint8_t *row = from->pixels + (size_t)y * from->width * CHANNELS;
    uint8_t *out = to->pixels + (size_t)y * to->width * CHANNELS;
    for (uint32_t x = 0; x < to->width; x++, out += CHANNELS) {
      const uint8_t *pixel = row + (size_t)at->first[x] * CHANNELS;
      const int32_t *weight = at->values + x * at->stride;
      int32_t red = HALF, green = HALF, blue = HALF;
      for (uint32_t i = 0; i < at->count[x]; i++, pixel += CHANNELS) {
        red += pixel[0] * weight[i];
        green += pixel[1] * weight[i];
        blue += pixel[2] * weight[i];
      }
      out[0] = to_byte(red);
      out[1] = to_byte(green);
      out[2] = to_byte(blue);
    }
  }
}

/* A block of neighbouring bytes at a time, so that the inner loop becomes vectors. */
static void plain_columns(const kn_image *from, const kn_weights *at, kn_image *to) {
  enum { BLOCK = 64 };
  size_t row_values = (size_t)from->width * CHANNELS;
  for (uint32_t y = 0; y < to->height; y++) {
    const uint8_t *first = from->pixels + at->first[y] * row_values;
    const int32_t *weight = at->values + y * at->stride;
    uint8_t *out = to->pixels + y * row_values;
    size_t x = 0;
    for (; x + BLOCK <= row_values; x += BLOCK) {
      int32_t sums[BLOCK];
      for (size_t j = 0; j < BLOCK; j++) sums[j] = HALF;
      for (uint32_t i = 0; i < at->count[y]; i++)
        for (size_t j = 0; j < BLOCK; j++) sums[j] += first[x + j + i * row_values] * weight[i];
      for (size_t j = 0; j < BLOCK; j++) out[x + j] = to_byte(sums[j]);
    }
    column_rest(first, row_values, weight, at->count[y], x, out);
  }
}

/* Row `y` and the next seven side by side: `pixels` becomes [width][row][4], the fourth value of no meaning. Behind the
 * last row it is taken once more. `outs` are the rows of the result. */
static inline void gather_rows(const kn_image *from, uint32_t y, const kn_image *to, uint8_t *pixels,
                               uint8_t *outs[ROWS]) {
  const uint8_t *rows[ROWS];
  for (uint32_t r = 0; r < ROWS; r++) {
    uint32_t row = y + r < from->height ? y + r : from->height - 1;
    rows[r] = from->pixels + (size_t)row * from->width * CHANNELS;
    outs[r] = to->pixels + (size_t)row * to->width * CHANNELS;
  }
  for (uint32_t x = 0; x + 1 < from->width; x++)
    for (size_t r = 0; r < ROWS; r++)
      memcpy(pixels + (size_t)x * GROUP_BYTES + r * 4, rows[r] + (size_t)x * CHANNELS, 4);
  size_t last = from->width - 1;
  for (size_t r = 0; r < ROWS; r++) memcpy(pixels + last * GROUP_BYTES + r * 4, rows[r] + last * CHANNELS, CHANNELS);
}

/* The byte too many is that of the next pixel, which comes next. */
static inline void scatter_pixel(const uint8_t values[GROUP_BYTES], uint32_t x, bool last, uint8_t *const outs[ROWS]) {
  size_t place = (size_t)x * CHANNELS;
  for (size_t r = 0; r < ROWS && !last; r++) memcpy(outs[r] + place, values + r * 4, 4);
  for (size_t r = 0; r < ROWS && last; r++) memcpy(outs[r] + place, values + r * 4, CHANNELS);
}

#if defined(__x86_64__)
#define JOIN(a, b) a##_##b
#define JOINED(a, b) JOIN(a, b)
#define WIDE(name) JOINED(WIDE_SET, name)
/* AddressSanitizer of gcc 12 keeps variables at places that are not aligned for vectors of 64 bytes. The tests compare
 * with the plain passes, which it watches. */
#define WIDE_ATTRIBUTES(set) __attribute__((target(set), no_sanitize("address")))

#define WIDE_SET avx2
#define WIDE_TARGET WIDE_ATTRIBUTES("avx2")
#define WIDE_LANES 8
#define WIDE_LOAD(at) _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)(at)))
#define WIDE_STORE(ints, out) avx2_narrow((__m256i)(ints), out)
WIDE_TARGET static inline void avx2_narrow(__m256i ints, uint8_t *out) {
  __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(ints), _mm256_extracti128_si256(ints, 1));
  _mm_storel_epi64((__m128i *)(void *)out, _mm_packus_epi16(words, words));
}
#include "imaging/convolve_wide.h"
#undef WIDE_SET
#undef WIDE_TARGET
#undef WIDE_LANES
#undef WIDE_LOAD
#undef WIDE_STORE

#define WIDE_SET avx512
#define WIDE_TARGET WIDE_ATTRIBUTES("avx512f")
#define WIDE_LANES 16
#define WIDE_LOAD(at) _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)(at)))
#define WIDE_STORE(ints, out) avx512_narrow((__m512i)(ints), out)
WIDE_TARGET static inline void avx512_narrow(__m512i ints, uint8_t *out) {
  __m512i positive = _mm512_max_epi32(ints, _mm512_setzero_si512());
  _mm_storeu_si128((__m128i *)(void *)out, _mm512_cvtusepi32_epi8(positive));
}
#include "imaging/convolve_wide.h"
#endif

static const struct passes {
  const char *set;
  void (*rows)(const kn_image *from, const kn_weights *at, uint8_t *pixels, kn_image *to);
  void (*columns)(const kn_image *from, const kn_weights *at, kn_image *to);
} passes[] = {
    {"plain", plain_rows, plain_columns},
#if defined(__x86_64__)
    {"avx2", avx2_rows, avx2_columns},
    {"avx512", avx512_rows, avx512_columns},
#endif
};

enum { SETS = sizeof passes / sizeof *passes };

/* The widest that this machine has. */
static int widest(void) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return 2;
  if (__builtin_cpu_supports("avx2")) return 1;
#endif
  return 0;
}

static atomic_int chosen = -1;

static const struct passes *use(void) {
  int set = atomic_load_explicit(&chosen, memory_order_relaxed);
  if (set < 0) atomic_store_explicit(&chosen, set = widest(), memory_order_relaxed);
  return &passes[set];
}

const char *const *kn_convolve_sets(void) {
  static const char *names[SETS + 1];
  for (int i = 0; i <= widest(); i++) names[i] = passes[i].set;
  return names;
}

void kn_convolve_use(const char *set) {
  for (int i = 0; i <= widest(); i++)
    if (!strcmp(set, passes[i].set)) atomic_store(&chosen, i);
}

size_t kn_convolve_room(uint32_t width) { return (size_t)width * GROUP_BYTES; }

void kn_convolve_rows(const kn_image *from, const kn_weights *weights, void *room, kn_image *to) {
  use()->rows(from, weights, room, to);
}

void kn_convolve_columns(const kn_image *from, const kn_weights *weights, kn_image *to) {
  use()->columns(from, weights, to);
}
