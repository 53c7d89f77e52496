#include "core/memory.h"
#include "support/unit.h"

#include <string.h>

static void allocated_memory_is_zeroed(void **state) {
  (void)state;
  for (int round = 0; round < 4; round++) { /* a block that was used before comes back zeroed too */
    unsigned char *block = kn_alloc(3000);
    assert_non_null(block);
    for (size_t i = 0; i < 3000; i++) assert_int_equal(block[i], 0);
    memset(block, 0xA5, 3000);
    kn_free(block);
  }
  int64_t *numbers = kn_alloc_array(7, sizeof *numbers);
  for (size_t i = 0; i < 7; i++) assert_int_equal(numbers[i], 0);
  kn_free(numbers);
}

static void nothing_is_a_valid_block(void **state) {
  (void)state;
  char *blocks[] = {kn_alloc(0), kn_alloc_array(0, 8), kn_alloc_array(8, 0), kn_realloc(NULL, 0)};
  for (size_t i = 0; i < 4; i++) {
    assert_non_null(blocks[i]);
    blocks[i][0] = 'x';
    kn_free(blocks[i]);
  }
  kn_free(NULL);
}

static void products_that_overflow_are_refused(void **state) {
  (void)state;
  volatile size_t huge = SIZE_MAX / 2 + 1; /* volatile: compilers refuse what they can see */
  assert_null(kn_alloc_array(huge, 2));
  assert_null(kn_alloc_array(2, huge));
  assert_null(kn_alloc_array(huge, huge));
  size_t product = 0;
  assert_false(kn_mul_size(huge, 2, &product));
  assert_false(kn_add_size(huge, huge, &product));
  assert_true(kn_add_size(huge, huge - 1, &product));
  assert_int_equal(product, SIZE_MAX);
  assert_true(kn_mul_size(huge - 1, 2, &product));
  assert_int_equal(product, SIZE_MAX - 1);
}

static void resizing_keeps_the_content(void **state) {
  (void)state;
  char *text = kn_strdup("content");
  text = kn_realloc(text, 100000);
  assert_string_equal(text, "content");
  text = kn_realloc(text, 8);
  assert_string_equal(text, "content");
  kn_memory_fail_after(0);
  assert_null(kn_realloc(text, 100));
  kn_memory_fail_after(UINT64_MAX);
  assert_string_equal(text, "content");
  kn_free(text);
}

static void strings(void **state) {
  (void)state;
  char *copy = kn_strndup("abcdef", 3);
  assert_string_equal(copy, "abc");
  kn_free(copy);
  copy = kn_strndup("abc", 100);
  assert_string_equal(copy, "abc");
  kn_free(copy);
  copy = kn_strndup("abc", 0);
  assert_string_equal(copy, "");
  kn_free(copy);
  copy = kn_format("%s-%05d-%.2f", "a", 42, 1.5);
  assert_string_equal(copy, "a-00042-1.50");
  kn_free(copy);
  char expected[5001];
  memset(expected, 'y', 5000);
  expected[5000] = '\0';
  copy = kn_format("%s", expected);
  assert_string_equal(copy, expected);
  kn_free(copy);
}

static void failures_come_after_the_asked_number_and_stay(void **state) {
  (void)state;
  uint64_t before = kn_memory_allocations();
  kn_memory_fail_after(2);
  void *blocks[] = {kn_alloc(1),         kn_strdup("x"), kn_alloc(1),   kn_alloc_array(1, 1),
                    kn_realloc(NULL, 1), kn_strdup("x"), kn_format("x")};
  kn_memory_fail_after(UINT64_MAX);
  for (size_t i = 0; i < 7; i++) assert_int_equal(blocks[i] != NULL, i < 2);
  assert_int_equal(kn_memory_allocations() - before, 7);
  kn_free(blocks[0]);
  kn_free(blocks[1]);
  void *again = kn_alloc(1);
  assert_non_null(again);
  kn_free(again);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(allocated_memory_is_zeroed),
      cmocka_unit_test(nothing_is_a_valid_block),
      cmocka_unit_test(products_that_overflow_are_refused),
      cmocka_unit_test(resizing_keeps_the_content),
      cmocka_unit_test(strings),
      cmocka_unit_test(failures_come_after_the_asked_number_and_stay),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
