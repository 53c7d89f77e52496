#include "pipeline/augmentation.h"

#include <kenning/random.h>
#include <string.h>

enum { BRIGHTNESS, CONTRAST, FLIP };

kn_status kn_augmentation_make(const kn_training_options *options, const kn_samples *samples, bool *out_any,
                               kn_augmentation *out) {
  bool contrast = options->contrast_lowest != 1 || options->contrast_highest != 1;
  *out = (kn_augmentation){.brightness = options->brightness,
                           .contrast_lowest = options->contrast_lowest,
                           .contrast_highest = options->contrast_highest,
                           .flip = options->flip};
  *out_any = options->brightness > 0 || contrast || options->flip;
  if (!*out_any) return NULL;
  if (!samples->layout || samples->rank != 3 || samples->dtype != KN_FLOAT32)
    return kn_status_make(KN_INCOMPATIBLE,
                          "training_brightness, training_contrast_... and training_flip are for images; these samples "
                          "are none");
  const int64_t *shape = samples->shape;
  out->planar = !strcmp(samples->layout, "NCHW");
  out->channels = (size_t)shape[out->planar ? 0 : 2];
  out->height = (size_t)shape[out->planar ? 1 : 0];
  out->width = (size_t)shape[out->planar ? 2 : 1];
  memcpy(out->range, samples->range, sizeof out->range);
  if (options->brightness <= 0) return NULL;
  for (size_t c = 0; c < out->channels; c++)
    if (c >= 4 || out->range[c] == 0)
      return kn_status_make(KN_INCOMPATIBLE, "training_brightness: the data set does not say what black and white are");
  return NULL;
}

static double draw(double lowest, double highest, uint64_t seed, uint64_t what) {
  return lowest + (highest - lowest) * kn_random_unit(seed, what);
}

/* x * contrast + (1 - contrast) * mean + offset, which is both changes in one. */
static void change_values(float *values, size_t count, size_t step, double contrast, double offset) {
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += values[i * step];
  float factor = (float)contrast, added = (float)((1 - contrast) * (sum / (double)count) + offset);
  for (size_t i = 0; i < count; i++) values[i * step] = values[i * step] * factor + added;
}

/* `size` values belong to one pixel. */
static void mirror_row(float *row, size_t width, size_t size) {
  for (size_t left = 0, right = width - 1; left < right; left++, right--)
    for (size_t c = 0; c < size; c++) {
      float value = row[left * size + c];
      row[left * size + c] = row[right * size + c];
      row[right * size + c] = value;
    }
}

void kn_augmentation_apply(const kn_augmentation *at, uint64_t seed, float *image) {
  double brightness = draw(-at->brightness, at->brightness, seed, BRIGHTNESS);
  double contrast = draw(at->contrast_lowest, at->contrast_highest, seed, CONTRAST);
  size_t pixels = at->height * at->width, plane = at->planar ? pixels : 1, step = at->planar ? 1 : at->channels;
  if (at->brightness > 0 || contrast != 1)
    for (size_t c = 0; c < at->channels; c++)
      change_values(image + c * plane, pixels, step, contrast, at->brightness > 0 ? brightness * at->range[c] : 0);
  if (!at->flip || kn_random_unit(seed, FLIP) < 0.5) return;
  size_t rows = at->height * (at->planar ? at->channels : 1);
  for (size_t y = 0; y < rows; y++) mirror_row(image + y * at->width * step, at->width, step);
}
