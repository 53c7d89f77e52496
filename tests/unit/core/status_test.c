#include "core/memory.h"
#include "support/status.h"

#include <kenning/plugin.h>

static void a_fault_has_code_place_and_message(void **state) {
  (void)state;
  kn_status status = kn_status_make_at(KN_BAD_DATA, "m.json:3:7", "%d of %s", 4, "five");
  assert_int_equal(kn_status_code(status), KN_BAD_DATA);
  assert_int_equal(kn_status_count(status), 1);
  assert_string_equal(kn_status_message(status, 0), "4 of five");
  assert_string_equal(kn_status_where(status, 0), "m.json:3:7");
  assert_string_equal(kn_status_context(status, 0), "");
  kn_status_free(status);

  status = kn_status_make(KN_TIMEOUT, "late");
  assert_null(kn_status_where(status, 0));
  kn_status_free(status);
}

static void success_is_null(void **state) {
  (void)state;
  assert_int_equal(kn_status_code(NULL), KN_OK);
  assert_int_equal(kn_status_count(NULL), 0);
  assert_string_equal(kn_status_message(NULL, 0), "");
  assert_null(kn_status_where(NULL, 0));
  assert_string_equal(kn_status_context(NULL, 0), "");
  assert_null(kn_status_annotate(NULL, "while %s", "resting"));
  kn_status_free(NULL);
}

static void a_fault_past_the_last_is_empty(void **state) {
  (void)state;
  kn_status status = kn_status_make_at(KN_BUSY, "here", "text");
  assert_string_equal(kn_status_message(status, 1), "");
  assert_null(kn_status_where(status, 1));
  assert_string_equal(kn_status_context(status, 1), "");
  kn_status_free(status);
}

static void context_grows_innermost_first(void **state) {
  (void)state;
  kn_status status = kn_status_make(KN_IO_ERROR, "disk full");
  status = kn_status_annotate(status, "while writing %s", "a.h5");
  status = kn_status_annotate(status, "while training");
  status = kn_status_annotate(status, "while writing a.h5"); /* is not said again */
  status = kn_status_annotate(status, "while train");
  assert_string_equal(kn_status_context(status, 0), "while writing a.h5\nwhile training\nwhile train");
  kn_status_free(status);
}

static void joining_keeps_all_faults_in_order(void **state) {
  (void)state;
  kn_status first = kn_status_join(kn_status_make(KN_NOT_FOUND, "one"), kn_status_make(KN_BAD_DATA, "two"));
  kn_status second = kn_status_join(kn_status_make(KN_TIMEOUT, "three"), kn_status_make(KN_BUSY, "four"));
  kn_status all = kn_status_join(first, second);
  assert_int_equal(kn_status_count(all), 4);
  static const char *const words[] = {"one", "two", "three", "four"};
  for (size_t i = 0; i < 4; i++) assert_string_equal(kn_status_message(all, i), words[i]);
  assert_int_equal(kn_status_code(all), KN_NOT_FOUND);

  all = kn_status_annotate(all, "seen by all");
  for (size_t i = 0; i < 4; i++) assert_string_equal(kn_status_context(all, i), "seen by all");
  kn_status_free(all);
}

static void joining_nothing_changes_nothing(void **state) {
  (void)state;
  assert_null(kn_status_join(NULL, NULL));
  kn_status one = kn_status_make(KN_BUSY, "one");
  assert_ptr_equal(kn_status_join(one, NULL), one);
  assert_ptr_equal(kn_status_join(NULL, one), one);
  assert_int_equal(kn_status_count(one), 1);
  kn_status_free(one);
}

/* What is missing on this machine can be installed later; what is wrong in the input cannot. */
static void faults_of_the_input_outweigh_missing_software(void **state) {
  (void)state;
  kn_status status =
      kn_status_join(kn_status_make(KN_NOT_INSTALLED, "engine"), kn_status_make(KN_INVALID_ARGUMENT, "typo"));
  assert_int_equal(kn_status_code(status), KN_INVALID_ARGUMENT);
  kn_status_free(status);
  status = kn_status_join(kn_status_make(KN_NOT_INSTALLED, "a"), kn_status_make(KN_NOT_INSTALLED, "b"));
  assert_int_equal(kn_status_code(status), KN_NOT_INSTALLED);
  kn_status_free(status);
}

static void out_of_memory_is_reported_without_memory(void **state) {
  (void)state;
  for (uint64_t n = 0; n < 3; n++) { /* the status itself, its message, its place */
    kn_memory_fail_after(n);
    kn_status status = kn_status_make_at(KN_BAD_DATA, "place", "text");
    kn_memory_fail_after(UINT64_MAX);
    assert_ptr_equal(status, kn_status_out_of_memory());
    assert_int_equal(kn_status_code(status), KN_OUT_OF_MEMORY);
    assert_int_equal(kn_status_count(status), 1);
    assert_string_equal(kn_status_message(status, 0), "out of memory");
    kn_status_free(status);
    kn_status_free(status); /* it is never freed for good */
  }
}

static void out_of_memory_swallows_what_is_joined_to_it(void **state) {
  (void)state;
  kn_status oom = kn_status_out_of_memory();
  assert_ptr_equal(kn_status_join(oom, kn_status_make(KN_BUSY, "x")), oom);
  assert_ptr_equal(kn_status_join(kn_status_make(KN_BUSY, "x"), oom), oom);
  assert_ptr_equal(kn_status_join(oom, oom), oom);
  assert_int_equal(kn_status_count(oom), 1);
  assert_ptr_equal(kn_status_annotate(oom, "while %s", "loading"), oom);
  assert_string_equal(kn_status_context(oom, 0), "");
}

static void a_fault_survives_when_its_context_does_not_fit(void **state) {
  (void)state;
  for (uint64_t n = 0; n < 2; n++) {
    kn_status status = kn_status_make(KN_IO_ERROR, "the cause");
    kn_memory_fail_after(n);
    status = kn_status_annotate(status, "while counting to %d", 3);
    kn_memory_fail_after(UINT64_MAX);
    assert_int_equal(kn_status_code(status), KN_IO_ERROR);
    assert_string_equal(kn_status_message(status, 0), "the cause");
    assert_string_equal(kn_status_context(status, 0), "");
    kn_status_free(status);
  }
}

static void every_code_has_a_name_of_its_own(void **state) {
  (void)state;
  for (int a = KN_OK; a <= KN_INTERNAL; a++) {
    assert_string_not_equal(kn_code_name((kn_code)a), "unknown");
    for (int b = KN_OK; b < a; b++) assert_string_not_equal(kn_code_name((kn_code)a), kn_code_name((kn_code)b));
  }
  assert_string_equal(kn_code_name((kn_code)999), "unknown");
}

static kn_status attempt(kn_status status, int *reached) {
  KN_TRY(status);
  ++*reached;
  return NULL;
}

static void trying_returns_the_first_failure(void **state) {
  (void)state;
  int reached = 0;
  kt_assert_ok(attempt(NULL, &reached));
  assert_int_equal(reached, 1);
  kt_assert_fault(attempt(kn_status_make(KN_BUSY, "taken"), &reached), KN_BUSY, "taken");
  assert_int_equal(reached, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_fault_has_code_place_and_message),
      cmocka_unit_test(success_is_null),
      cmocka_unit_test(a_fault_past_the_last_is_empty),
      cmocka_unit_test(context_grows_innermost_first),
      cmocka_unit_test(joining_keeps_all_faults_in_order),
      cmocka_unit_test(joining_nothing_changes_nothing),
      cmocka_unit_test(faults_of_the_input_outweigh_missing_software),
      cmocka_unit_test(out_of_memory_is_reported_without_memory),
      cmocka_unit_test(out_of_memory_swallows_what_is_joined_to_it),
      cmocka_unit_test(a_fault_survives_when_its_context_does_not_fit),
      cmocka_unit_test(every_code_has_a_name_of_its_own),
      cmocka_unit_test(trying_returns_the_first_failure),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
