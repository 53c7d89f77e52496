#include "metrics/outputs.h"

#include "support/near.h"
#include "support/unit.h"

#include <math.h>

static void a_difference_is_relative_to_the_largest(void **state) {
  (void)state;
  const double reference[] = {1, -4, 2, 0}, other[] = {1, -4.1, 2.05, 0};
  kt_assert_near(kn_outputs_difference(reference, other, 4), 0.1 / 4, 1e-12);
  kt_assert_near(kn_outputs_difference(reference, reference, 4), 0, 0);
}

static void what_cannot_be_compared_is_no_small_difference(void **state) {
  (void)state;
  const double zeros[] = {0, 0}, some[] = {1, 2}, broken[] = {1, NAN}, endless[] = {INFINITY, 2};
  assert_true(isnan(kn_outputs_difference(zeros, some, 2)));
  assert_true(isnan(kn_outputs_difference(broken, some, 2)));
  assert_true(isnan(kn_outputs_difference(NULL, NULL, 0)));
  assert_true(isinf(kn_outputs_difference(some, broken, 2)));
  assert_true(isinf(kn_outputs_difference(some, endless, 2)));
}

static void outputs_vary_between_samples_not_within_one(void **state) {
  (void)state;
  const double same[] = {1, 5, 1, 5, 1, 5}, barely[] = {1, 5, 1, 5.004, 1, 5}, varying[] = {1, 5, 1, 5.01, 1, 5};
  assert_false(kn_outputs_vary(same, 3, 2));
  assert_false(kn_outputs_vary(same, 1, 2));
  assert_false(kn_outputs_vary(barely, 3, 2));
  assert_true(kn_outputs_vary(varying, 3, 2));
  const double broken[] = {1, 5, NAN, 9};
  assert_false(kn_outputs_vary(broken, 2, 2));
  const double zeros[] = {0, 0};
  assert_false(kn_outputs_vary(zeros, 2, 1));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_difference_is_relative_to_the_largest),
                                     cmocka_unit_test(what_cannot_be_compared_is_no_small_difference),
                                     cmocka_unit_test(outputs_vary_between_samples_not_within_one)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
