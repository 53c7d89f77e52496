/* Keys in files. */
#include "support/directory.h"
#include "support/status.h"
#include "support/unit.h"
#include "transport/psk.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIGITS "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"

static void a_key_is_made_for_its_owner_alone(void **state) {
  (void)state;
  char *directory = kt_directory_make(), *path = kt_path(directory, "psk"), *other = kt_path(directory, "other");
  uint8_t key[KN_PSK_BYTES], again[KN_PSK_BYTES];
  mode_t mask = umask(0);
  kt_assert_ok(kn_psk_make(path));
  kt_assert_ok(kn_psk_make(other));
  umask(mask);
  struct stat found;
  assert_int_equal(stat(path, &found), 0);
  assert_int_equal(found.st_mode & 0777, 0600);
  kt_assert_ok(kn_psk_read(path, key));
  kt_assert_ok(kn_psk_read(other, again));
  assert_memory_not_equal(key, again, sizeof key);
  char *before = kt_file_read(path, NULL);
  kt_assert_fault(kn_psk_make(path), KN_INVALID_ARGUMENT, "not overwritten");
  char *after = kt_file_read(path, NULL);
  assert_string_equal(before, after);
  free(before);
  free(after);
  free(path);
  free(other);
  kt_directory_remove(directory);
}

static void only_keys_are_read(void **state) {
  (void)state;
  static const struct {
    const char *text;
    mode_t mode;
    kn_code code;
  } files[] = {{DIGITS "\n", 0600, KN_OK},
               {DIGITS, 0400, KN_OK},
               {DIGITS "\n", 0640, KN_INVALID_ARGUMENT},
               {DIGITS "\n", 0604, KN_INVALID_ARGUMENT},
               {DIGITS "\n", 0620, KN_INVALID_ARGUMENT},
               {"", 0600, KN_BAD_DATA},
               {DIGITS "0", 0600, KN_BAD_DATA},
               {DIGITS "\n\n", 0600, KN_BAD_DATA},
               {"0011", 0600, KN_BAD_DATA},
               {"x" DIGITS, 0600, KN_BAD_DATA}};
  char *directory = kt_directory_make(), *path = kt_path(directory, "psk");
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    uint8_t key[KN_PSK_BYTES];
    unlink(path);
    kt_file_write_text(path, files[i].text);
    assert_int_equal(chmod(path, files[i].mode), 0);
    kn_status status = kn_psk_read(path, key);
    assert_int_equal(kn_status_code(status), files[i].code);
    kn_status_free(status);
    if (!files[i].code) assert_int_equal(key[31], 0xFF);
  }
  uint8_t key[KN_PSK_BYTES];
  kt_assert_fault(kn_psk_read("/nonexistent", key), KN_NOT_FOUND, NULL);
  free(path);
  kt_directory_remove(directory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_key_is_made_for_its_owner_alone),
      cmocka_unit_test(only_keys_are_read),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
