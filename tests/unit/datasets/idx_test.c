#include "support/unit.h"

#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "core/memory.h"
#include "datasets/idx.h"
#include "support/directory.h"
#include "unit/datasets/opened.h"

/* Three images of 2 x 4 pixels. */
static const uint8_t images[] = {0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 4, 1, 2,  3,  4,
                                 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 40, 50, 60};

static void write_gzip(const char *path, const void *data, size_t bytes) {
  gzFile file = gzopen(path, "wb9");
  assert_non_null(file);
  assert_int_equal(gzwrite(file, data, (unsigned)bytes), (int)bytes);
  assert_int_equal(gzclose(file), Z_OK);
}

static void write_either(const char *path, const void *data, size_t bytes, bool compressed) {
  if (compressed)
    write_gzip(path, data, bytes);
  else
    kt_file_write(path, data, bytes);
}

static void reads_plain_and_compressed_files(void **state) {
  (void)state;
  char *directory = kt_directory_make();
  char *path = kt_path(directory, "images.gz");
  for (int compressed = 0; compressed < 2; compressed++) {
    write_either(path, images, sizeof images, compressed);
    kn_idx idx;
    assert_null(kn_idx_read(path, 3, &idx));
    assert_int_equal(idx.shape[0], 3);
    assert_int_equal(idx.shape[1], 2);
    assert_int_equal(idx.shape[2], 4);
    assert_int_equal(idx.bytes, sizeof images);
    assert_memory_equal(idx.content, images, sizeof images);
    assert_memory_equal(idx.values, images + 16, sizeof images - 16);
    kn_idx_clear(&idx);
  }
  free(path);
  kt_directory_remove(directory);
}

static void every_truncation_is_bad_data(void **state) {
  (void)state;
  char *directory = kt_directory_make();
  char *path = kt_path(directory, "images.gz");
  for (int compressed = 0; compressed < 2; compressed++) {
    write_either(path, images, sizeof images, compressed);
    size_t bytes;
    char *data = kt_file_read(path, &bytes);
    for (size_t length = 0; length < bytes; length++) {
      kt_file_write(path, data, length);
      kn_idx idx;
      kn_status status = kn_idx_read(path, 3, &idx);
      if (kn_status_code(status) != KN_BAD_DATA) fail_msg("cut to %zu of %zu bytes it is accepted", length, bytes);
      assert_string_equal(kn_status_where(status, 0), path);
      assert_null(idx.content);
      kn_status_free(status);
    }
    free(data);
  }
  free(path);
  kt_directory_remove(directory);
}

/* Every bit of a compressed file: its checksum finds what its structure does not. */
static void changed_bits_are_found_or_harmless(void **state) {
  (void)state;
  char *directory = kt_directory_make();
  char *path = kt_path(directory, "images.gz");
  write_gzip(path, images, sizeof images);
  size_t bytes;
  char *data = kt_file_read(path, &bytes);
  for (size_t bit = 0; bit < bytes * 8; bit++) {
    data[bit / 8] = (char)(data[bit / 8] ^ (1 << bit % 8));
    kt_file_write(path, data, bytes);
    kn_idx idx;
    kn_status status = kn_idx_read(path, 3, &idx);
    if (!status) assert_memory_equal(idx.content, images, sizeof images);
    if (status) assert_int_equal(kn_status_code(status), KN_BAD_DATA);
    kn_status_free(status);
    kn_idx_clear(&idx);
    data[bit / 8] = (char)(data[bit / 8] ^ (1 << bit % 8));
  }
  free(data);
  free(path);
  kt_directory_remove(directory);
}

static void headers_are_checked(void **state) {
  (void)state;
  char *directory = kt_directory_make();
  char *path = kt_path(directory, "images");
  static const struct {
    size_t at;
    uint8_t value;
    const char *fault;
  } cases[] = {
      {0, 1, "this is not an IDX file of bytes with 3 dimensions"},
      {2, 0x0d, "starts with 00 00 0d 03"},
      {3, 1, "this is not an IDX file of bytes with 3 dimensions"},
      {7, 4, "the file ends early: its header says 32 values, there are 24"},
      {7, 2, "the file goes on behind the 16 values of its header"},
      {7, 0, "the file holds no values"},
      {4, 0xff, "the header asks for more than 256 MiB"},
      {8, 0xff, "the header asks for more than 256 MiB"},
  };
  for (int compressed = 0; compressed < 2; compressed++)
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
      uint8_t data[sizeof images];
      memcpy(data, images, sizeof data);
      data[cases[i].at] = cases[i].value;
      write_either(path, data, sizeof data, compressed);
      kn_idx idx;
      assert_fault(kn_idx_read(path, 3, &idx), KN_BAD_DATA, cases[i].fault);
      assert_null(idx.content);
    }
  kn_idx idx;
  assert_fault(kn_idx_read("/nonexistent/images.gz", 3, &idx), KN_NOT_FOUND, "cannot read");
  assert_fault(kn_idx_read(directory, 3, &idx), KN_BAD_DATA, "is a directory");
  assert_fault(kn_idx_read(path, 4, &idx), KN_INVALID_ARGUMENT, "4 dimensions");
  free(path);
  kt_directory_remove(directory);
}

static void failing_allocations_leave_nothing_behind(void **state) {
  (void)state;
  char *directory = kt_directory_make();
  char *path = kt_path(directory, "images");
  kt_file_write(path, images, sizeof images);
  kn_memory_fail_after(0);
  kn_idx idx;
  kn_status status = kn_idx_read(path, 3, &idx);
  kn_memory_fail_after(UINT64_MAX);
  assert_int_equal(kn_status_code(status), KN_OUT_OF_MEMORY);
  assert_null(idx.content);
  free(path);
  kt_directory_remove(directory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_plain_and_compressed_files),         cmocka_unit_test(every_truncation_is_bad_data),
      cmocka_unit_test(changed_bits_are_found_or_harmless),       cmocka_unit_test(headers_are_checked),
      cmocka_unit_test(failing_allocations_leave_nothing_behind),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
