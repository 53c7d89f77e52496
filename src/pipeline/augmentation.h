/* Images changed at random in training: brightness, contrast, mirrored. Pure functions. */
#ifndef KENNING_PIPELINE_AUGMENTATION_H
#define KENNING_PIPELINE_AUGMENTATION_H

#include <kenning/training.h>

typedef struct kn_augmentation {
  double brightness, contrast_lowest, contrast_highest;
  bool flip;
  bool planar; /* [channels, height, width], else [height, width, channels] */
  size_t height, width, channels;
  double range[4];
} kn_augmentation;

/* *out_any tells whether the options ask for any. KN_INCOMPATIBLE when they do and the samples are not images of
 * float32. */
kn_status kn_augmentation_make(const kn_training_options *options, const kn_samples *samples, bool *out_any,
                               kn_augmentation *out) KN_MUST_USE;

/* Changes one image in place; what is drawn depends on `seed` alone. In terms of values from black 0 to white 1: adds b
 * drawn from [-brightness, brightness), then (x - mean) * c + mean in each channel with c from [lowest, highest), then
 * mirrors half of the images: TensorFlow's tf.image.random_brightness, random_contrast, random_flip_left_right, in
 * the original's order. Values are not clipped. */
void kn_augmentation_apply(const kn_augmentation *at, uint64_t seed, float *image);

#endif
