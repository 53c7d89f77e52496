#include "support/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "imaging/image.h"
#include "core/library.h"
#include "support/directory.h"
#include "support/program.h"
#include "unit/imaging/pillow_reference.h"
#include "unit/imaging/sum.h"

enum { FILES = sizeof decoded / sizeof *decoded };

static char *data_path(const char *name) {
  char place[128];
  snprintf(place, sizeof place, "tests/unit/imaging/data/%s", name);
  return kt_source_path(place);
}

/* Fails unless `status` has the code and says `part`; frees it. */
static void assert_fault(kn_status status, kn_code code, const char *part) {
  assert_int_equal(kn_status_code(status), code);
  kt_assert_contains(kn_status_message(status, 0), part);
  kn_status_free(status);
}

static void assert_file_fault(const char *path, const char *part) {
  kn_image image;
  assert_fault(kn_image_read(path, &image), KN_BAD_DATA, part);
  assert_null(image.pixels);
}

static void decodes_as_pillow_does(void **state) {
  (void)state;
  for (size_t i = 0; i < FILES; i++) {
    char *path = data_path(decoded[i].name);
    kn_image image;
    assert_null(kn_image_read(path, &image));
    assert_int_equal(image.width, decoded[i].width);
    assert_int_equal(image.height, decoded[i].height);
    if (image_sum(&image) != decoded[i].sum) fail_msg("%s is decoded to other pixels than Pillow's", path);
    kn_image_clear(&image);
    free(path);
  }
}

static void grey_of_16_bits_keeps_the_upper_byte(void **state) {
  (void)state;
  char *path = data_path("grey-16.png");
  kn_image image;
  assert_null(kn_image_read(path, &image));
  for (uint32_t y = 0; y < image.height; y++)
    for (uint32_t x = 0; x < image.width; x++)
      for (int c = 0; c < 3; c++) assert_int_equal(image.pixels[(y * image.width + x) * 3 + (uint32_t)c], x * 9);
  kn_image_clear(&image);
  free(path);
}

static void every_truncation_is_bad_data(void **state) {
  (void)state;
  for (size_t i = 0; i < FILES; i++) {
    char *path = data_path(decoded[i].name);
    size_t bytes;
    char *data = kt_file_read(path, &bytes);
    for (size_t length = 0; length < bytes; length++) {
      /* A block of exactly this size, so that AddressSanitizer sees every byte read too many. */
      char *part = malloc(length ? length : 1);
      memcpy(part, data, length);
      kn_image image;
      kn_status status = kn_image_decode(part, length, path, &image);
      if (kn_status_code(status) != KN_BAD_DATA)
        fail_msg("%s cut to %zu of %zu bytes is accepted", path, length, bytes);
      assert_null(image.pixels);
      kn_status_free(status);
      free(part);
    }
    free(data);
    free(path);
  }
}

/* Damage anywhere: the result is an image or bad data, never anything else. */
static void changed_bytes_do_no_harm(void **state) {
  (void)state;
  static const uint8_t masks[] = {0x01, 0x80, 0xff};
  for (size_t i = 0; i < FILES; i++) {
    char *path = data_path(decoded[i].name);
    size_t bytes;
    char *data = kt_file_read(path, &bytes);
    for (size_t at = 0; at < bytes * 3; at++) {
      data[at / 3] = (char)(data[at / 3] ^ masks[at % 3]);
      kn_image image;
      kn_status status = kn_image_decode(data, bytes, path, &image);
      assert_true(status ? kn_status_code(status) == KN_BAD_DATA && !image.pixels : image.pixels != NULL);
      kn_status_free(status);
      kn_image_clear(&image);
      data[at / 3] = (char)(data[at / 3] ^ masks[at % 3]);
    }
    free(data);
    free(path);
  }
}

static void content_decides_and_the_name_must_agree(void **state) {
  (void)state;
  char *directory = kt_directory_make();
  char *jpeg = data_path("grey.jpg");
  size_t bytes;
  char *data = kt_file_read(jpeg, &bytes);
  static const struct {
    const char *name, *content; /* NULL: a JPEG image */
    size_t bytes;
    const char *fault;
  } cases[] = {
      {"a.jpg", NULL, 0, NULL},
      {"a.JPEG", NULL, 0, NULL},
      {"without_extension", NULL, 0, NULL},
      {"a.png", NULL, 0, "the content is a JPEG image, but the name ends in .png"},
      {"a.txt", NULL, 0, "the content is a JPEG image, but the name ends in .txt"},
      {"empty.jpg", "", 0, "the file is empty"},
      {"text.jpg", "not an image at all", 19, "this is not an image"},
      {"text.txt", "not an image at all", 19, "this is not an image"},
      {"gif.jpg", "GIF89a\1\0\1\0", 10, "this is a GIF image"},
      {"gif.gif", "GIF89a\1\0\1\0", 10, "this is a GIF image"},
      {"webp.png", "RIFF\1\0\0\0WEBPVP8 ", 16, "this is a WebP image"},
      {"short.png", "\x89PN", 3, "this is not an image"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *path = kt_path(directory, cases[i].name);
    const char *content = cases[i].content;
    kt_file_write(path, content ? content : data, content ? cases[i].bytes : bytes);
    if (cases[i].fault) {
      assert_file_fault(path, cases[i].fault);
    } else {
      kn_image image;
      assert_null(kn_image_read(path, &image));
      kn_image_clear(&image);
    }
    free(path);
  }
  kn_image image;
  char *missing = kt_path(directory, "missing.png");
  kn_status status = kn_image_read(missing, &image);
  assert_int_equal(kn_status_code(status), KN_NOT_FOUND);
  kn_status_free(status);
  free(missing);
  free(data);
  free(jpeg);
  kt_directory_remove(directory);
}

static void first_bytes_tell_images_from_other_files(void **state) {
  (void)state;
  char *directory = kt_directory_make();
  char *path = kt_path(directory, "notes.txt");
  bool is_image = true;
  kt_file_write_text(path, "BMW, and other words");
  assert_null(kn_image_check_file(path, &is_image));
  assert_false(is_image);
  free(path);
  path = data_path("rgb.png");
  assert_null(kn_image_check_file(path, &is_image));
  assert_true(is_image);
  free(path);
  path = kt_path(directory, "zero.png");
  kt_file_write(path, "", 0);
  assert_fault(kn_image_check_file(path, &is_image), KN_BAD_DATA, "the file is empty");
  assert_false(is_image);
  free(path);
  assert_fault(kn_image_check_file("/nonexistent/a.png", &is_image), KN_NOT_FOUND, "cannot read");
  kt_directory_remove(directory);
}

/* A header may claim any size: nothing is allocated for it. */
static void sizes_are_bounded(void **state) {
  (void)state;
  char *path = data_path("baseline-444.jpg");
  size_t bytes;
  uint8_t *data = (uint8_t *)kt_file_read(path, &bytes);
  size_t at = 0;
  while (data[at] != 0xff || data[at + 1] != 0xc0) at++; /* start of frame: length, precision, height, width */
  memcpy(data + at + 5, "\xff\xdc\xff\xdc", 4);          /* 65,500 x 65,500 */
  kn_image image;
  assert_fault(kn_image_decode(data, bytes, path, &image), KN_BAD_DATA, "the image is too large: 65500 x 65500");
  free(data);
  free(path);
  kn_status status = kn_image_create(0, 5, "a", &image);
  assert_fault(status, KN_BAD_DATA, "no pixels");
  assert_fault(kn_image_create(65501, 1, "a", &image), KN_BAD_DATA, "too large");
}

static void failing_allocations_leave_nothing_behind(void **state) {
  (void)state;
  for (size_t i = 0; i < FILES; i++) {
    char *path = data_path(decoded[i].name);
    for (uint64_t allowed = 0;; allowed++) {
      kn_image image;
      kn_memory_fail_after(allowed);
      kn_status status = kn_image_read(path, &image);
      kn_memory_fail_after(UINT64_MAX);
      if (!status) {
        kn_image_clear(&image);
        assert_true(allowed >= 2);
        break;
      }
      assert_int_equal(kn_status_code(status), KN_OUT_OF_MEMORY);
      assert_null(image.pixels);
      kn_status_free(status);
    }
    free(path);
  }
}

static void missing_libraries_are_named(void **state) {
  (void)state;
  struct {
    void (*function)(void);
  } table;
  static const char *const names[] = {"no_such_function"};
  kn_library missing = {
      .file = "libkenning-nothing.so.9", .package = "libnothing9", .names = names, .count = 1, .table = &table};
  kn_status status = kn_library_use(&missing);
  assert_int_equal(kn_status_code(status), KN_NOT_INSTALLED);
  kt_assert_contains(kn_status_context(status, 0), "libnothing9");
  kn_status_free(status);
  kn_library lacking = {.file = "libc.so.6", .package = "libc6", .names = names, .count = 1, .table = &table};
  assert_fault(kn_library_use(&lacking), KN_NOT_INSTALLED, "no_such_function");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(decodes_as_pillow_does),
      cmocka_unit_test(grey_of_16_bits_keeps_the_upper_byte),
      cmocka_unit_test(every_truncation_is_bad_data),
      cmocka_unit_test(changed_bytes_do_no_harm),
      cmocka_unit_test(content_decides_and_the_name_must_agree),
      cmocka_unit_test(first_bytes_tell_images_from_other_files),
      cmocka_unit_test(sizes_are_bounded),
      cmocka_unit_test(failing_allocations_leave_nothing_behind),
      cmocka_unit_test(missing_libraries_are_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
