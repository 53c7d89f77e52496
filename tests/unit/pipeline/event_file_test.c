/* Event files of TensorBoard: whole records, with the sums that its readers check. */
#include "support/unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/event_file.h"
#include "support/directory.h"
#include "support/status.h"

/* Known answers: RFC 3720, appendix B.4. */
static void event_files_have_their_sums(void **state) {
  (void)state;
  unsigned char bytes[32] = {0};
  assert_int_equal(kn_crc32c(bytes, 32), 0x8a9136aa);
  memset(bytes, 0xff, 32);
  assert_int_equal(kn_crc32c(bytes, 32), 0x62a8ab43);
  for (int i = 0; i < 32; i++) bytes[i] = (unsigned char)i;
  assert_int_equal(kn_crc32c(bytes, 32), 0x46dd794e);
  char *directory = kt_directory_make(), *logs = kt_path(directory, "a/b");
  kn_event_file file;
  kt_assert_ok(kn_event_file_create(logs, &file));
  const float values[] = {-1, 0, 0.5f, 1};
  char tag[700];
  memset(tag, 't', sizeof tag);
  tag[699] = '\0';
  kt_assert_ok(kn_event_file_scalar(&file, tag, INT64_MAX, 0.25));
  kt_assert_ok(kn_event_file_histogram(&file, tag, 1, values, 4));
  kt_assert_ok(kn_event_file_histogram(&file, tag, 1, (const float[]){NAN}, 1)); /* cannot be shown */
  kt_assert_ok(kn_event_file_histogram(&file, tag, 1, (const float[]){2}, 1));
  size_t bytes_written, at = 0, records = 0;
  unsigned char *data = (unsigned char *)kt_file_read(file.path, &bytes_written);
  for (uint64_t length; at < bytes_written; at += length + 16, records++) {
    assert_true(bytes_written - at >= 16);
    memcpy(&length, data + at, 8);
    assert_true(length <= bytes_written - at - 16);
    uint32_t sums[2], expected[2] = {kn_crc32c(data + at, 8), kn_crc32c(data + at + 12, length)};
    memcpy(&sums[0], data + at + 8, 4);
    memcpy(&sums[1], data + at + 12 + length, 4);
    for (int i = 0; i < 2; i++)
      assert_int_equal(sums[i], (uint32_t)((expected[i] >> 15 | expected[i] << 17) + 0xa282ead8u));
  }
  assert_int_equal(records, 4);
  free(data);
  kn_event_file_close(&file);
  kn_event_file_close(&file);
  kt_assert_fault(kn_event_file_create("/dev/null/logs", &file), KN_IO_ERROR, "/dev/null");
  free(logs);
  kt_directory_remove(directory);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(event_files_have_their_sums)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
