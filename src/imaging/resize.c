/* Separable convolution in fixed point: a pass over one axis, rounded to 8 bits, then one over the other. The result is
 * Pillow's as long as the weights come from the same operations in double in the same order and the passes have the
 * same order too, so both are part of the contract. */
#include "imaging/resize.h"

#include <math.h>
#include <string.h>

#include "imaging/convolve.h"
#include "imaging/scratch.h"

enum { CHANNELS = 3 };

static const double pi = 3.14159265358979323846;

static double box(double x) { return x > -0.5 && x <= 0.5 ? 1.0 : 0.0; }

static double triangle(double x) {
  x = fabs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

static double hamming(double x) {
  x = fabs(x);
  if (x == 0.0) return 1.0;
  if (x >= 1.0) return 0.0;
  x *= pi;
  return sin(x) / x * (0.54f + 0.46f * cos(x)); /* float constants: Pillow's */
}

/* Keys, "Cubic Convolution Interpolation for Digital Image Processing", 1981, with a = -0.5. */
static double cubic(double x) {
  const double a = -0.5;
  x = fabs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

static double sinc(double x) {
  if (x == 0.0) return 1.0;
  x *= pi;
  return sin(x) / x;
}

static double lanczos3(double x) { return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0; }

static const struct filter {
  double (*weight)(double x);
  double support; /* half width in source pixels when enlarging */
} filters[] = {
    [KN_RESAMPLE_BOX] = {box, 0.5},          [KN_RESAMPLE_BILINEAR] = {triangle, 1.0},
    [KN_RESAMPLE_HAMMING] = {hamming, 1.0},  [KN_RESAMPLE_BICUBIC] = {cubic, 2.0},
    [KN_RESAMPLE_LANCZOS] = {lanczos3, 3.0},
};

static void weights_clear(kn_weights *at) {
  kn_free(at->first);
  kn_free(at->count);
  kn_free(at->values);
}

/* False when memory is exhausted. */
static bool weights_make(uint32_t from, uint32_t to, const struct filter *filter, kn_weights *out) {
  double scale = (double)from / to;
  double filter_scale = scale < 1.0 ? 1.0 : scale;
  double support = filter->support * filter_scale;
  double inverse = 1.0 / filter_scale;
  size_t stride = (size_t)ceil(support) * 2 + 1;
  double *exact = kn_alloc_array(stride, sizeof *exact);
  uint32_t *starts = kn_alloc_array(to, sizeof *starts);
  uint32_t *counts = kn_alloc_array(to, sizeof *counts);
  int32_t *values = kn_alloc_array(to, stride * sizeof *values);
  *out = (kn_weights){.stride = stride, .first = starts, .count = counts, .values = values};
  if (!exact || !starts || !counts || !values) {
    kn_free(exact);
    weights_clear(out);
    return false;
  }
  for (uint32_t i = 0; i < to; i++) {
    double center = (i + 0.5) * scale;
    int first = (int)(center - support + 0.5);
    int last = (int)(center + support + 0.5);
    if (first < 0) first = 0;
    if (last > (int)from) last = (int)from;
    double sum = 0.0;
    for (int x = first; x < last; x++) sum += exact[x - first] = filter->weight((x - center + 0.5) * inverse);
    for (int x = 0; x < last - first; x++) {
      double weight = (sum != 0.0 ? exact[x] / sum : exact[x]) * (1 << KN_WEIGHT_BITS);
      values[i * stride + (size_t)x] = (int32_t)(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    starts[i] = (uint32_t)first;
    counts[i] = (uint32_t)(last - first);
  }
  kn_free(exact);
  return true;
}

/* The passes and `nearest` fill an image that has its size already; false when memory is exhausted. */
static bool pass_rows(const kn_image *from, const struct filter *filter, void *room, kn_image *to) {
  kn_weights at;
  if (!weights_make(from->width, to->width, filter, &at)) return false;
  kn_convolve_rows(from, &at, room, to);
  weights_clear(&at);
  return true;
}

static bool pass_columns(const kn_image *from, const struct filter *filter, kn_image *to) {
  kn_weights at;
  if (!weights_make(from->height, to->height, filter, &at)) return false;
  kn_convolve_columns(from, &at, to);
  weights_clear(&at);
  return true;
}

static bool rows_alone(const kn_image *from, const struct filter *filter, kn_image *to) {
  void *room = kn_scratch_take(kn_convolve_room(from->width));
  bool done = room && pass_rows(from, filter, room, to);
  kn_scratch_return(room);
  return done;
}

static kn_status both_passes(const kn_image *from, const struct filter *filter, kn_image *to) {
  /* Pillow's rule since version 13: columns first where the height loses more than twice what the width loses. */
  int64_t less_width = (int64_t)from->width - to->width, less_height = (int64_t)from->height - to->height;
  bool columns_first = less_height > 0 && less_height > 2 * less_width;
  kn_image between = {.width = columns_first ? from->width : to->width,
                      .height = columns_first ? to->height : from->height};
  KN_TRY(kn_image_check_size(between.width, between.height, NULL));
  size_t bytes = (size_t)between.width * between.height * CHANNELS, start = bytes + -bytes % 64;
  uint8_t *scratch = kn_scratch_take(start + kn_convolve_room(from->width));
  if (!scratch) return kn_status_out_of_memory();
  between.pixels = scratch;
  void *room = scratch + start;
  bool done = columns_first ? pass_columns(from, filter, &between) && pass_rows(&between, filter, room, to)
                            : pass_rows(from, filter, room, &between) && pass_columns(&between, filter, to);
  kn_scratch_return(scratch);
  return done ? NULL : kn_status_out_of_memory();
}

/* Source position of each output position. Pillow adds the step up instead of multiplying, and so do we: the rounding
 * errors decide between neighbours. */
static void nearest_positions(uint32_t from, uint32_t to, uint32_t *out) {
  double step = (double)from / to;
  double at = step * 0.5;
  for (uint32_t i = 0; i < to; i++) {
    out[i] = (uint32_t)at < from ? (uint32_t)at : from - 1;
    at += step;
  }
}

static bool nearest(const kn_image *from, kn_image *to) {
  uint32_t *columns = kn_alloc_array(to->width, sizeof *columns);
  uint32_t *rows = kn_alloc_array(to->height, sizeof *rows);
  bool done = columns && rows;
  if (done) {
    nearest_positions(from->width, to->width, columns);
    nearest_positions(from->height, to->height, rows);
    uint8_t *pixel = to->pixels;
    for (uint32_t y = 0; y < to->height; y++) {
      const uint8_t *row = from->pixels + (size_t)rows[y] * from->width * CHANNELS;
      for (uint32_t x = 0; x < to->width; x++, pixel += CHANNELS)
        memcpy(pixel, row + (size_t)columns[x] * CHANNELS, CHANNELS);
    }
  }
  kn_free(columns);
  kn_free(rows);
  return done;
}

static kn_status fill(const kn_image *from, kn_resample filter, kn_image *to) {
  bool same_width = from->width == to->width, same_height = from->height == to->height;
  if (same_width && same_height) {
    memcpy(to->pixels, from->pixels, (size_t)to->width * to->height * CHANNELS);
    return NULL;
  }
  bool done;
  if (filter == KN_RESAMPLE_NEAREST)
    done = nearest(from, to);
  else if (same_width)
    done = pass_columns(from, &filters[filter], to);
  else if (same_height)
    done = rows_alone(from, &filters[filter], to);
  else
    return both_passes(from, &filters[filter], to);
  return done ? NULL : kn_status_out_of_memory();
}

kn_status kn_image_resize(const kn_image *image, uint32_t width, uint32_t height, kn_resample filter,
                          kn_image *out_image) {
  KN_TRY(kn_image_create(width, height, NULL, out_image));
  kn_status status = fill(image, filter, out_image);
  if (status) kn_image_clear(out_image);
  return status;
}
