/* Comparing doubles; cmocka's own comparison rounds to float. */
#ifndef TESTS_SUPPORT_NEAR_H
#define TESTS_SUPPORT_NEAR_H

#include <math.h>

#include "support/unit.h"

static inline void kt_assert_near_at(double actual, double expected, double tolerance, const char *file, int line) {
  if (fabs(actual - expected) <= tolerance) return;
  print_error("%s:%d: %.17g is not within %g of %.17g\n", file, line, actual, tolerance, expected);
  _fail(file, line);
}
#define kt_assert_near(actual, expected, tolerance) kt_assert_near_at(actual, expected, tolerance, __FILE__, __LINE__)

#endif
