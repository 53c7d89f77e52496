/* Augmentation: the formulas on images whose result is known, both layouts, what is drawn, what is refused. */
#include "support/unit.h"

#include <math.h>
#include <string.h>

#include "pipeline/augmentation.h"
#include "support/near.h"
#include "support/status.h"

enum { HEIGHT = 2, WIDTH = 3, CHANNELS = 3, VALUES = HEIGHT * WIDTH * CHANNELS };

static kn_samples samples_of(const char *layout) {
  bool planar = layout && !strcmp(layout, "NCHW");
  return (kn_samples){.dtype = KN_FLOAT32,
                      .rank = 3,
                      .shape = {planar ? CHANNELS : HEIGHT, planar ? HEIGHT : WIDTH, planar ? WIDTH : CHANNELS},
                      .layout = layout,
                      .range = {4, 5, 6}};
}

static kn_augmentation make(const kn_training_options *options, const char *layout) {
  kn_samples samples = samples_of(layout);
  bool any;
  kn_augmentation made;
  kt_assert_ok(kn_augmentation_make(options, &samples, &any, &made));
  assert_true(any);
  return made;
}

/* Pixel x of row y, channel c. */
static float value(size_t y, size_t x, size_t c) { return (float)(y * 10 + x * 3 + c * c); }

static size_t place(bool planar, size_t y, size_t x, size_t c) {
  return planar ? (c * HEIGHT + y) * WIDTH + x : (y * WIDTH + x) * CHANNELS + c;
}

static void fill(bool planar, float *image) {
  for (size_t y = 0; y < HEIGHT; y++)
    for (size_t x = 0; x < WIDTH; x++)
      for (size_t c = 0; c < CHANNELS; c++) image[place(planar, y, x, c)] = value(y, x, c);
}

static void contrast_keeps_the_mean(void **state) {
  (void)state;
  const kn_training_options options = {.contrast_lowest = 0.25, .contrast_highest = 0.25};
  for (int planar = 0; planar < 2; planar++) {
    kn_augmentation at = make(&options, planar ? "NCHW" : "NHWC");
    float image[VALUES];
    fill(planar, image);
    kn_augmentation_apply(&at, 1, image);
    for (size_t c = 0; c < CHANNELS; c++)
      for (size_t y = 0; y < HEIGHT; y++)
        for (size_t x = 0; x < WIDTH; x++) {
          double mean = 5 + 3 + (double)(c * c);
          kt_assert_near(image[place(planar, y, x, c)], mean + 0.25 * ((double)value(y, x, c) - mean), 1e-5);
        }
  }
}

static void brightness_is_that_of_each_channel(void **state) {
  (void)state;
  const kn_training_options options = {.brightness = 0.5, .contrast_lowest = 1, .contrast_highest = 1};
  kn_augmentation at = make(&options, "NHWC");
  double least = 1, greatest = -1;
  for (uint64_t seed = 0; seed < 200; seed++) {
    float image[VALUES];
    fill(false, image);
    kn_augmentation_apply(&at, seed, image);
    double added = (double)image[0] / 4;
    for (size_t c = 0; c < CHANNELS; c++)
      kt_assert_near((double)(image[place(false, 1, 2, c)] - value(1, 2, c)) / (4 + (double)c), added, 1e-5);
    assert_true(added >= -0.5 && added < 0.5);
    least = fmin(least, added);
    greatest = fmax(greatest, added);
  }
  assert_true(least < -0.45 && greatest > 0.45);
}

static void half_of_the_images_are_mirrored(void **state) {
  (void)state;
  const kn_training_options options = {.flip = true, .contrast_lowest = 1, .contrast_highest = 1};
  for (int planar = 0; planar < 2; planar++) {
    kn_augmentation at = make(&options, planar ? "NCHW" : "NHWC");
    int mirrored = 0;
    for (uint64_t seed = 0; seed < 400; seed++) {
      float image[VALUES];
      fill(planar, image);
      kn_augmentation_apply(&at, seed, image);
      bool turned = image[0] != value(0, 0, 0);
      mirrored += turned;
      for (size_t y = 0; y < HEIGHT; y++)
        for (size_t x = 0; x < WIDTH; x++)
          for (size_t c = 0; c < CHANNELS; c++)
            assert_true(image[place(planar, y, x, c)] == value(y, turned ? WIDTH - 1 - x : x, c));
    }
    assert_in_range(mirrored, 160, 240);
  }
}

static void what_is_no_image_is_refused(void **state) {
  (void)state;
  kn_training_options options = {.contrast_lowest = 1, .contrast_highest = 1};
  kn_samples samples = samples_of(NULL);
  bool any;
  kn_augmentation made;
  kt_assert_ok(kn_augmentation_make(&options, &samples, &any, &made));
  assert_false(any);
  options.flip = true;
  kt_assert_fault(kn_augmentation_make(&options, &samples, &any, &made), KN_INCOMPATIBLE, "are for images");
  samples = samples_of("NHWC");
  samples.range[2] = 0;
  kt_assert_ok(kn_augmentation_make(&options, &samples, &any, &made));
  options.brightness = 0.1;
  kt_assert_fault(kn_augmentation_make(&options, &samples, &any, &made), KN_INCOMPATIBLE, "black and white");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(contrast_keeps_the_mean),
      cmocka_unit_test(brightness_is_that_of_each_channel),
      cmocka_unit_test(half_of_the_images_are_mirrored),
      cmocka_unit_test(what_is_no_image_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
