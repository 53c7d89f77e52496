#include "resources/hash.h"
#include "core/memory.h"
#include "support/directory.h"
#include "support/status.h"

#include <stdio.h>
#include <stdlib.h>

/* Secure Hash Standard, FIPS 180-4: the examples that NIST publishes with it. */
static const struct {
  const char *text;
  const char *sum;
} vectors[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};
static const char million_a[] = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

static void published_vectors(void **state) {
  (void)state;
  char hex[65];
  for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
    kt_assert_ok(kn_sha256(vectors[i].text, strlen(vectors[i].text), hex));
    assert_string_equal(hex, vectors[i].sum);
  }
}

static void a_million_letters_in_pieces(void **state) {
  (void)state;
  char piece[1000], hex[65];
  memset(piece, 'a', sizeof piece);
  kn_hash hash;
  kt_assert_ok(kn_hash_begin(&hash));
  for (int i = 0; i < 1000; i++) kt_assert_ok(kn_hash_add(&hash, piece, sizeof piece));
  kt_assert_ok(kn_hash_end(&hash, hex));
  assert_string_equal(hex, million_a);
  assert_null(hash.context);
  kt_assert_ok(kn_hash_begin(&hash));
  kn_hash_abandon(&hash);
  kn_hash_abandon(&hash);
}

/* Every length around the block size, in pieces of every size that a block can be cut into. */
static void plain_c_gives_the_same_sums(void **state) {
  (void)state;
  uint8_t data[300], sum[KN_SHA256_BYTES];
  for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)(i * 167 + 13);
  for (size_t length = 0; length <= sizeof data; length++) {
    char expected[65], actual[65];
    kt_assert_ok(kn_sha256(data, length, expected));
    kn_sha256_state plain;
    kn_sha256_begin(&plain);
    const size_t piece = 1 + length % 71;
    for (size_t at = 0; at < length; at += piece)
      kn_sha256_add(&plain, data + at, length - at < piece ? length - at : piece);
    kn_sha256_end(&plain, sum);
    for (size_t i = 0; i < sizeof sum; i++) snprintf(actual + 2 * i, 3, "%02x", sum[i]);
    assert_string_equal(actual, expected);
  }
}

static void files(void **state) {
  (void)state;
  char *directory = kt_directory_make(), *path = kt_path(directory, "data"), hex[65] = "x";
  char *letters = malloc(3000000);
  assert_non_null(letters);
  memset(letters, 'a', 3000000);
  kt_file_write(path, letters, 1000000);
  kt_assert_ok(kn_sha256_file(path, hex));
  assert_string_equal(hex, million_a);
  char whole[65];
  kt_file_write(path, letters, 3000000); /* more than one piece */
  kt_assert_ok(kn_sha256_file(path, hex));
  kt_assert_ok(kn_sha256(letters, 3000000, whole));
  assert_string_equal(hex, whole);
  kt_file_write(path, "", 0);
  kt_assert_ok(kn_sha256_file(path, hex));
  assert_string_equal(hex, vectors[0].sum);
  free(letters);
  free(path);
  path = kt_path(directory, "none");
  kt_assert_fault(kn_sha256_file(path, hex), KN_NOT_FOUND, "none");
  assert_string_equal(hex, "");
  kt_assert_fault(kn_sha256_file(directory, hex), KN_BAD_DATA, "is a directory");
  kn_memory_fail_after(0);
  kn_status status = kn_sha256_file("/proc/self/maps", hex);
  kn_memory_fail_after(UINT64_MAX);
  kt_assert_fault(status, KN_OUT_OF_MEMORY, NULL);
  free(path);
  kt_directory_remove(directory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(published_vectors),
      cmocka_unit_test(a_million_letters_in_pieces),
      cmocka_unit_test(plain_c_gives_the_same_sums),
      cmocka_unit_test(files),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
