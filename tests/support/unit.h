/* cmocka with the headers that it wants before it. */
#ifndef TESTS_SUPPORT_UNIT_H
#define TESTS_SUPPORT_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* As fail_msg, and the compiler knows that it does not return. */
#define kt_fail(...)       \
  do {                     \
    fail_msg(__VA_ARGS__); \
    abort();               \
  } while (0)

/* Ends the running test without a result, and says what is missing. A program that left out a test so, and of which
 * none failed, exits with 77: ctest counts it as skipped, never as passed. */
void kt_skip(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Exit code for the number of failed tests. */
int kt_exit_code(int failed);
#undef cmocka_run_group_tests
#define cmocka_run_group_tests(tests, set_up, tear_down) \
  kt_exit_code(_cmocka_run_group_tests(#tests, tests, sizeof(tests) / sizeof((tests)[0]), set_up, tear_down))

#endif
