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

#endif
