#include "support/program.h"
#include "support/unit.h"

#include <signal.h>

/* A stack that is full leaves the handler no room, so each of our threads has another one for it. */
static void a_full_stack_is_told_in_every_thread(void **state) {
  (void)state;
  static const char *const threads[] = {"first", "other"};
  for (size_t i = 0; i < 2; i++) {
    kt_run run = kt_run_program((const char *const[]){OVERFLOW, threads[i], NULL}, NULL);
    assert_int_equal(run.signal, SIGSEGV);
    assert_string_equal(run.err,
                        "kenning: error: crashed by SIGSEGV (a memory access that is not allowed) in the phase "
                        "\"inference\" of a block, with the model a model\n");
    kt_run_free(&run);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_full_stack_is_told_in_every_thread)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
