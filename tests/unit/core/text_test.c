#include "core/memory.h"
#include "core/text.h"
#include "support/status.h"

static void text_grows(void **state) {
  (void)state;
  kn_text text = {0};
  size_t length = 0;
  for (int i = 0; i < 5000; i++) {
    kn_text_format(&text, "%d,", i % 10);
    kn_text_add(&text, "ab");
    kn_text_add_bytes(&text, "cdef", 3);
    kn_text_add(&text, NULL);
    kn_text_add_bytes(&text, NULL, 0);
    length += 7;
  }
  kt_assert_ok(kn_text_status(&text));
  assert_int_equal(text.length, length);
  assert_int_equal(strlen(text.data), length);
  assert_memory_equal(text.data, "0,abcde1,abcde", 14);
  kn_text_clear(&text);
  assert_null(text.data);
  kn_text_clear(&text);
}

static void long_formats_are_whole(void **state) {
  (void)state;
  char word[2000];
  memset(word, 'w', sizeof word - 1);
  word[sizeof word - 1] = '\0';
  for (size_t length = 505; length < 520; length++) { /* around the size of the small buffer */
    kn_text text = {0};
    kn_text_format(&text, "%.*s", (int)length, word);
    assert_int_equal(text.length, length);
    assert_int_equal(strlen(text.data), length);
    kn_text_clear(&text);
  }
  kn_text text = {0};
  kn_text_format(&text, "<%s>", word);
  assert_int_equal(text.length, sizeof word + 1);
  kn_text_clear(&text);
}

static void the_first_failure_is_kept(void **state) {
  (void)state;
  kn_text text = {0};
  kn_text_add(&text, "before");
  kn_memory_fail_after(0);
  char large[1000];
  memset(large, 'x', sizeof large);
  kn_text_add_bytes(&text, large, sizeof large);
  kn_memory_fail_after(UINT64_MAX);
  kn_text_add(&text, "after");
  kt_assert_fault(kn_text_status(&text), KN_OUT_OF_MEMORY, NULL);
  assert_string_equal(text.data, "before");
  kn_text_clear(&text);
}

static void too_long_is_refused(void **state) {
  (void)state;
  kn_text text = {0};
  static const char piece[1];
  kn_text_add_bytes(&text, piece, (size_t)KN_TEXT_LIMIT); /* refused before anything is read */
  kt_assert_fault(kn_text_status(&text), KN_BAD_DATA, "longer than");
  kn_text_clear(&text);
  kn_text_add_bytes(&text, piece, SIZE_MAX);
  kt_assert_fault(kn_text_status(&text), KN_BAD_DATA, "longer than");
  kn_text_clear(&text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(text_grows),
      cmocka_unit_test(long_formats_are_whole),
      cmocka_unit_test(the_first_failure_is_kept),
      cmocka_unit_test(too_long_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
