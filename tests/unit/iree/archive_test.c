/* Damage to modules is found before the engine runs what is in them. */
#include "archive.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/directory.h"
#include "support/status.h"

static const char *const modules[] = {IREE_DATA "/fp32.vmfb", IREE_DATA "/int8.vmfb", IREE_DATA "/several.vmfb",
                                      IREE_DATA "/two.vmfb"};
enum { MODULES = sizeof modules / sizeof *modules };

static void whole_modules_are_taken(void **state) {
  (void)state;
  for (size_t i = 0; i < MODULES; i++) kt_assert_ok(kn_iree_archive_check(modules[i]));
  kt_assert_fault(kn_iree_archive_check("/no/such/module.vmfb"), KN_NOT_FOUND, "/no/such/module.vmfb");
}

typedef struct module {
  char *directory, *path, *bytes;
  size_t length;
} module;

static module take(const char *path) {
  module m = {.directory = kt_directory_make()};
  m.path = kt_path(m.directory, "m.vmfb");
  m.bytes = kt_file_read(path, &m.length);
  return m;
}

static void drop(module *m) {
  free(m->bytes);
  free(m->path);
  kt_directory_remove(m->directory);
}

static void a_byte_that_differs_is_found(void **state) {
  (void)state;
  module m = take(modules[0]);
  size_t code = 6912 + 200; /* behind the header of the machine code */
  for (size_t at = code; at < code + 4000; at += 131) {
    m.bytes[at] ^= 4;
    kt_file_write(m.path, m.bytes, m.length);
    kt_assert_fault(kn_iree_archive_check(m.path), KN_BAD_DATA,
                    "the member model_linked_embedded_elf_x86_64.so is damaged");
    m.bytes[at] ^= 4;
  }
  m.bytes[200] ^= 1;
  kt_file_write(m.path, m.bytes, m.length);
  kt_assert_fault(kn_iree_archive_check(m.path), KN_BAD_DATA, "the member module.fb is damaged");
  drop(&m);
}

static void cut_modules_are_refused(void **state) {
  (void)state;
  module m = take(modules[1]);
  for (size_t length = 0; length < m.length; length += length + 600 < m.length ? 301 : 1) {
    kt_file_write(m.path, m.bytes, length);
    kt_assert_fault(kn_iree_archive_check(m.path), KN_BAD_DATA, length ? "m.vmfb is a damaged" : "m.vmfb is empty");
  }
  drop(&m);
}

/* A directory of nonsense is refused or harmless, never read beyond the file. */
static void damaged_directories_are_survived(void **state) {
  (void)state;
  module m = take(modules[0]);
  for (size_t at = m.length - 300; at < m.length; at++) {
    char kept = m.bytes[at];
    for (int value = 0; value < 256; value += 51) {
      m.bytes[at] = (char)value;
      kt_file_write(m.path, m.bytes, m.length);
      kn_status status = kn_iree_archive_check(m.path);
      assert_true(!status || kn_status_code(status) == KN_BAD_DATA || kn_status_code(status) == KN_INCOMPATIBLE);
      kn_status_free(status);
    }
    m.bytes[at] = kept;
  }
  drop(&m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(whole_modules_are_taken), cmocka_unit_test(a_byte_that_differs_is_found),
      cmocka_unit_test(cut_modules_are_refused), cmocka_unit_test(damaged_directories_are_survived)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
