#include "support/unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <kenning/random.h>

#include "core/memory.h"
#include "imaging/convolve.h"
#include "imaging/pixels.h"
#include "imaging/resize.h"
#include "unit/imaging/pillow_reference.h"
#include "unit/imaging/sum.h"

/* The image that pillow_reference.py makes for the same size. */
static kn_image random_image(uint32_t width, uint32_t height) {
  kn_image image;
  assert_null(kn_image_create(width, height, "test", &image));
  for (size_t i = 0; i < (size_t)width * height * 3; i++)
    image.pixels[i] = (uint8_t)kn_random(width * 1000 + height, i);
  return image;
}

static void compare_with_pillow(const char *set) {
  for (size_t i = 0; i < sizeof resized / sizeof *resized; i++) {
    kn_image image = random_image(resized[i].from_width, resized[i].from_height);
    for (int filter = KN_RESAMPLE_NEAREST; filter <= KN_RESAMPLE_LANCZOS; filter++) {
      kn_image out;
      assert_null(kn_image_resize(&image, resized[i].width, resized[i].height, (kn_resample)filter, &out));
      assert_int_equal(out.width, resized[i].width);
      assert_int_equal(out.height, resized[i].height);
      if (image_sum(&out) != resized[i].sums[filter])
        fail_msg("%u x %u to %u x %u with filter %d gives other pixels than Pillow (%s)", image.width, image.height,
                 out.width, out.height, filter, set);
      kn_image_clear(&out);
    }
    kn_image_clear(&image);
  }
}

static void resizes_as_pillow_does(void **state) {
  (void)state;
  (void)decoded;
  const char *last = NULL;
  for (const char *const *set = kn_convolve_sets(); *set; set++) {
    kn_convolve_use(*set);
    compare_with_pillow(*set);
    last = *set;
  }
  kn_convolve_use(last);
}

/* Sizes around the number of rows and values that are taken at once, and black and white, where sums overshoot. */
static void instruction_sets_agree(void **state) {
  (void)state;
  const char *last = NULL;
  for (const char *const *set = kn_convolve_sets(); *set; set++) last = *set;
  for (uint32_t i = 0; i < 400; i++) {
    uint32_t width = 1 + (uint32_t)(kn_random(1, i) % 70), height = 1 + (uint32_t)(kn_random(2, i) % 70);
    uint32_t to_width = 1 + (uint32_t)(kn_random(3, i) % 70), to_height = 1 + (uint32_t)(kn_random(4, i) % 70);
    kn_resample filter = (kn_resample)(KN_RESAMPLE_BOX + kn_random(5, i) % 5);
    kn_image image = random_image(width, height), plain, wide;
    for (size_t j = 0; i % 2 && j < (size_t)width * height * 3; j++) image.pixels[j] = image.pixels[j] < 128 ? 0 : 255;
    kn_convolve_use("plain");
    assert_null(kn_image_resize(&image, to_width, to_height, filter, &plain));
    kn_convolve_use(last);
    assert_null(kn_image_resize(&image, to_width, to_height, filter, &wide));
    assert_memory_equal(plain.pixels, wide.pixels, (size_t)to_width * to_height * 3);
    kn_image_clear(&wide);
    kn_image_clear(&plain);
    kn_image_clear(&image);
  }
}

static void extreme_sizes_are_handled(void **state) {
  (void)state;
  kn_image image = random_image(3, 2), out;
  kn_status status = kn_image_resize(&image, KN_IMAGE_MAX_SIDE, KN_IMAGE_MAX_SIDE, KN_RESAMPLE_BICUBIC, &out);
  assert_int_equal(kn_status_code(status), KN_BAD_DATA);
  assert_null(out.pixels);
  kn_status_free(status);
  assert_null(kn_image_resize(&image, KN_IMAGE_MAX_SIDE, 1, KN_RESAMPLE_LANCZOS, &out));
  kn_image_clear(&image);
  assert_null(kn_image_resize(&out, 1, 1, KN_RESAMPLE_LANCZOS, &image));
  kn_image_clear(&out);
  kn_image_clear(&image);
}

static void failing_allocations_leave_nothing_behind(void **state) {
  (void)state;
  kn_image image = random_image(20, 64);
  static const kn_resample filters[] = {KN_RESAMPLE_NEAREST, KN_RESAMPLE_BICUBIC};
  for (size_t i = 0; i < 2; i++)
    for (uint64_t allowed = 0;; allowed++) {
      kn_image out;
      kn_memory_fail_after(allowed);
      kn_status status = kn_image_resize(&image, 19, 13, filters[i], &out);
      kn_memory_fail_after(UINT64_MAX);
      if (!status) {
        kn_image_clear(&out);
        assert_true(allowed >= 3);
        break;
      }
      assert_int_equal(kn_status_code(status), KN_OUT_OF_MEMORY);
      assert_null(out.pixels);
    }
  kn_image_clear(&image);
}

static void pixels_become_numbers_in_both_layouts(void **state) {
  (void)state;
  static const float offset[3] = {0.485f, 0.456f, 0.406f}, deviation[3] = {0.229f, 0.224f, 0.225f};
  kn_pixel_table table;
  kn_image image = random_image(5, 3);
  kn_tensor_view rows, planes;
  assert_null(kn_tensor_create(KN_FLOAT32, 3, (int64_t[]){3, 5, 3}, &rows));
  assert_null(kn_tensor_create(KN_FLOAT32, 3, (int64_t[]){3, 3, 5}, &planes));
  const float *row_values = rows.data, *plane_values = planes.data;
  for (int blue_first = 0; blue_first < 2; blue_first++) {
    kn_pixel_table_make(255.0f, offset, deviation, blue_first, &table);
    assert_null(kn_pixels_write(&image, &table, false, &rows));
    assert_null(kn_pixels_write(&image, &table, true, &planes));
    for (size_t i = 0; i < 15; i++)
      for (size_t c = 0; c < 3; c++) {
        uint8_t byte = image.pixels[i * 3 + (blue_first ? 2 - c : c)];
        float expected = ((float)byte / 255.0f - offset[c]) / deviation[c];
        assert_true(row_values[i * 3 + c] == expected);
        assert_true(plane_values[c * 15 + i] == expected);
      }
  }
  /* The other layout's shape, another type. */
  kn_status status = kn_pixels_write(&image, &table, true, &rows);
  assert_int_equal(kn_status_code(status), KN_INVALID_ARGUMENT);
  kn_status_free(status);
  rows.dtype = KN_INT32;
  status = kn_pixels_write(&image, &table, false, &rows);
  assert_int_equal(kn_status_code(status), KN_INVALID_ARGUMENT);
  kn_status_free(status);
  kn_tensor_free(&rows);
  kn_tensor_free(&planes);
  kn_image_clear(&image);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(resizes_as_pillow_does),
      cmocka_unit_test(instruction_sets_agree),
      cmocka_unit_test(extreme_sizes_are_handled),
      cmocka_unit_test(failing_allocations_leave_nothing_behind),
      cmocka_unit_test(pixels_become_numbers_in_both_layouts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
