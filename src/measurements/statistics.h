/* Summary statistics of a list of measured values. */
#ifndef KENNING_MEASUREMENTS_STATISTICS_H
#define KENNING_MEASUREMENTS_STATISTICS_H

#include <kenning/status.h>

typedef struct kn_statistics {
  size_t count;
  double mean;
  double median;
  double std; /* of the population: divided by count */
  double min, max;
  double p90, p95, p99;  /* kn_percentile */
  double median_ci95[2]; /* bootstrap, see kn_bootstrap_median */
} kn_statistics;

/* KN_INVALID_ARGUMENT for an empty list. The same values in any order with the same seed give the same result. */
kn_status kn_statistics_of(const double *values, size_t count, uint64_t seed,
                           kn_statistics *out_statistics) KN_MUST_USE;

/* An ascending copy; free with kn_free. */
kn_status kn_sorted_copy(const double *values, size_t count, double **out_sorted) KN_MUST_USE;

/* Percentile of ascending values by linear interpolation between the two nearest: position percent/100 * (count - 1)
 * counted from 0 (definition 7 of Hyndman and Fan, "Sample quantiles in statistical packages", 1996). count > 0. */
double kn_percentile(const double *sorted, size_t count, double percent);

/* 95% percentile interval of the median of ascending values by 10,000 bootstrap resamples (Efron, "Bootstrap methods:
 * another look at the jackknife", 1979). The time does not depend on `count`: the median of a resample is drawn through
 * the distribution of the order statistics of uniform variates instead of drawing `count` values. count > 0. */
kn_status kn_bootstrap_median(const double *sorted, size_t count, uint64_t seed, double out_interval[2]) KN_MUST_USE;
/* The same for the quotient of two medians, first / second, resampled independently. */
kn_status kn_bootstrap_median_ratio(const double *first, size_t first_count, const double *second, size_t second_count,
                                    uint64_t seed, double out_interval[2]) KN_MUST_USE;

#endif
