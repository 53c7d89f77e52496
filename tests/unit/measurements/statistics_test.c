#include "core/memory.h"
#include "measurements/statistics.h"

#include <kenning/random.h>
#include <stdlib.h>

#include "support/near.h"
#include "support/status.h"

static void known_values(void **state) {
  (void)state;
  static const double values[] = {9, 2, 4, 5, 4, 7, 5, 4};
  kn_statistics s;
  kt_assert_ok(kn_statistics_of(values, 8, 1, &s));
  assert_int_equal(s.count, 8);
  kt_assert_near(s.mean, 5, 0);
  kt_assert_near(s.std, 2, 1e-15); /* of the population: the sample's would be 2.138 */
  kt_assert_near(s.median, 4.5, 0);
  kt_assert_near(s.min, 2, 0);
  kt_assert_near(s.max, 9, 0);
  kt_assert_near(s.p90, 7.6, 1e-12); /* position 6.3 of 2 4 4 4 5 5 7 9 */
  kt_assert_near(s.p95, 8.3, 1e-12);
  kt_assert_near(s.p99, 8.86, 1e-12);
  assert_true(s.median_ci95[0] >= 2 && s.median_ci95[0] <= 4.5 && s.median_ci95[1] >= 4.5 && s.median_ci95[1] <= 9);
}

static void percentiles_interpolate(void **state) {
  (void)state;
  static const double sorted[] = {1, 2, 3, 4};
  kt_assert_near(kn_percentile(sorted, 4, 0), 1, 0);
  kt_assert_near(kn_percentile(sorted, 4, 25), 1.75, 1e-15);
  kt_assert_near(kn_percentile(sorted, 4, 50), 2.5, 1e-15);
  kt_assert_near(kn_percentile(sorted, 4, 100), 4, 0);
  kt_assert_near(kn_percentile(sorted, 1, 99), 1, 0);
}

static void one_value_is_certain(void **state) {
  (void)state;
  kn_statistics s;
  kt_assert_ok(kn_statistics_of((double[]){0.25}, 1, 7, &s));
  kt_assert_near(s.median, 0.25, 0);
  kt_assert_near(s.std, 0, 0);
  kt_assert_near(s.median_ci95[0], 0.25, 0);
  kt_assert_near(s.median_ci95[1], 0.25, 0);
  kt_assert_fault(kn_statistics_of(NULL, 0, 7, &s), KN_INVALID_ARGUMENT, "at least one value");
}

static void order_and_repetition_do_not_matter(void **state) {
  (void)state;
  double forward[1000], backward[1000];
  for (size_t i = 0; i < 1000; i++) forward[i] = backward[999 - i] = kn_random_unit(3, i);
  kn_statistics a, b, c;
  kt_assert_ok(kn_statistics_of(forward, 1000, 5, &a));
  kt_assert_ok(kn_statistics_of(backward, 1000, 5, &b));
  assert_memory_equal(&a, &b, sizeof a);
  kt_assert_ok(kn_statistics_of(forward, 1000, 6, &c));
  assert_memory_not_equal(a.median_ci95, c.median_ci95, sizeof a.median_ci95);
  kt_assert_near(a.median_ci95[0], c.median_ci95[0], 0.01);
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* The interval by drawing every value of every resample. */
static void slow_bootstrap(const double *sorted, size_t count, double out[2]) {
  enum { RESAMPLES = 4000 };
  static double medians[RESAMPLES], drawn[64];
  uint64_t next = 0;
  for (size_t i = 0; i < RESAMPLES; i++) {
    for (size_t j = 0; j < count; j++) drawn[j] = sorted[kn_random(99, next++) % count];
    qsort(drawn, count, sizeof *drawn, ascending);
    medians[i] = kn_percentile(drawn, count, 50);
  }
  qsort(medians, RESAMPLES, sizeof *medians, ascending);
  out[0] = kn_percentile(medians, RESAMPLES, 2.5);
  out[1] = kn_percentile(medians, RESAMPLES, 97.5);
}

static void fast_bootstrap_is_the_bootstrap(void **state) {
  (void)state;
  /* Values 0 .. count-1, so that the ends are ranks; of 2, 25 and 60 values, odd and even. */
  static const size_t counts[] = {2, 3, 10, 25, 60};
  for (size_t i = 0; i < 5; i++) {
    double sorted[64], slow[2], fast[2];
    for (size_t j = 0; j < counts[i]; j++) sorted[j] = (double)j;
    slow_bootstrap(sorted, counts[i], slow);
    kt_assert_ok(kn_bootstrap_median(sorted, counts[i], 1, fast));
    kt_assert_near(fast[0], slow[0], 0.5);
    kt_assert_near(fast[1], slow[1], 0.5);
  }
}

static void bootstrap_covers_the_true_median(void **state) {
  (void)state;
  /* 100 samples of 101 uniform values: the 95% interval holds the median 0.5 in about 95 of them; fewer than 86 has a
   * probability of 2e-4. */
  int covered = 0;
  for (uint64_t run = 0; run < 100; run++) {
    double values[101], interval[2];
    for (size_t i = 0; i < 101; i++) values[i] = kn_random_unit(1000 + run, i);
    qsort(values, 101, sizeof *values, ascending);
    kt_assert_ok(kn_bootstrap_median(values, 101, run, interval));
    covered += interval[0] <= 0.5 && 0.5 <= interval[1];
  }
  assert_in_range(covered, 86, 99);
}

static void ratio_of_medians(void **state) {
  (void)state;
  double slow[501], quick[501], interval[2];
  for (size_t i = 0; i < 501; i++) {
    slow[i] = 10 + kn_random_unit(1, i);
    quick[i] = 2 + kn_random_unit(2, i) / 10;
  }
  qsort(slow, 501, sizeof *slow, ascending);
  qsort(quick, 501, sizeof *quick, ascending);
  kt_assert_ok(kn_bootstrap_median_ratio(slow, 501, quick, 501, 1, interval));
  double ratio = kn_percentile(slow, 501, 50) / kn_percentile(quick, 501, 50);
  assert_true(interval[0] < ratio && ratio < interval[1]);
  assert_true(interval[1] - interval[0] < 0.1);
}

static void memory_may_run_out(void **state) {
  (void)state;
  kn_statistics s;
  for (uint64_t allowed = 0; allowed < 2; allowed++) {
    kn_memory_fail_after(allowed);
    kn_status status = kn_statistics_of((double[]){1, 2, 3}, 3, 1, &s);
    kn_memory_fail_after(UINT64_MAX);
    kt_assert_fault(status, KN_OUT_OF_MEMORY, NULL);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(known_values),
      cmocka_unit_test(percentiles_interpolate),
      cmocka_unit_test(one_value_is_certain),
      cmocka_unit_test(order_and_repetition_do_not_matter),
      cmocka_unit_test(fast_bootstrap_is_the_bootstrap),
      cmocka_unit_test(bootstrap_covers_the_true_median),
      cmocka_unit_test(ratio_of_medians),
      cmocka_unit_test(memory_may_run_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
