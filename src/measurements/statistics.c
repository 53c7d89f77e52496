#include "measurements/statistics.h"

#include <kenning/random.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { RESAMPLES = 10000 };

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

kn_status kn_sorted_copy(const double *values, size_t count, double **out_sorted) {
  *out_sorted = NULL;
  double *sorted = kn_alloc_array(count, sizeof *sorted);
  if (!sorted) return kn_status_out_of_memory();
  if (count) memcpy(sorted, values, count * sizeof *sorted);
  qsort(sorted, count, sizeof *sorted, ascending);
  *out_sorted = sorted;
  return NULL;
}

double kn_percentile(const double *sorted, size_t count, double percent) {
  double position = percent / 100 * (double)(count - 1);
  size_t below = (size_t)position;
  if (below + 1 >= count) return sorted[count - 1];
  return sorted[below] + (position - (double)below) * (sorted[below + 1] - sorted[below]);
}

/* ---- bootstrap ---- */

typedef struct kn_draws {
  uint64_t seed, next;
} kn_draws;

static double uniform(kn_draws *stream) { return kn_random_unit(stream->seed, stream->next++); }

/* Box and Muller, "A note on the generation of random normal deviates", 1958. */
static double normal(kn_draws *stream) {
  double radius = sqrt(-2 * log(uniform(stream)));
  return radius * cos(2 * 3.14159265358979323846 * uniform(stream));
}

/* Gamma variate of shape >= 1 (Marsaglia and Tsang, "A simple method for generating gamma variables", 2000). */
static double gamma_variate(kn_draws *stream, double shape) {
  double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
  for (;;) {
    double x = normal(stream), v = 1 + c * x;
    if (v <= 0) continue;
    v = v * v * v;
    if (log(uniform(stream)) < 0.5 * x * x + d - d * v + d * log(v)) return d * v;
  }
}

static double at_position(const double *sorted, size_t count, double uniform_value) {
  size_t index = (size_t)(uniform_value * (double)count);
  return sorted[index < count ? index : count - 1];
}

/* Median of one resample. A resample draws `count` indexes floor(count * U); its r-th smallest value belongs to the
 * r-th smallest U, which is distributed as Beta(r, count - r + 1), and given that one, the next is the smallest of
 * count - r uniform variates above it (David and Nagaraja, "Order statistics", 2003, sections 2.1 and 2.5). */
static double resampled_median(const double *sorted, size_t count, kn_draws *stream) {
  size_t lower = (count + 1) / 2; /* rank of the lower middle, from 1 */
  double a = gamma_variate(stream, (double)lower), b = gamma_variate(stream, (double)(count - lower + 1));
  double first = a / (a + b);
  double median = at_position(sorted, count, first);
  if (count % 2) return median;
  double second = first + (1 - first) * (1 - pow(uniform(stream), 1 / (double)(count - lower)));
  return (median + at_position(sorted, count, second)) / 2;
}

static void interval95(double *resamples, double out_interval[2]) {
  qsort(resamples, RESAMPLES, sizeof *resamples, ascending);
  out_interval[0] = kn_percentile(resamples, RESAMPLES, 2.5);
  out_interval[1] = kn_percentile(resamples, RESAMPLES, 97.5);
}

kn_status kn_bootstrap_median(const double *sorted, size_t count, uint64_t seed, double out_interval[2]) {
  double *resamples = kn_alloc_array(RESAMPLES, sizeof *resamples);
  if (!resamples) return kn_status_out_of_memory();
  kn_draws stream = {.seed = seed};
  for (size_t i = 0; i < RESAMPLES; i++) resamples[i] = resampled_median(sorted, count, &stream);
  interval95(resamples, out_interval);
  kn_free(resamples);
  return NULL;
}

kn_status kn_bootstrap_median_ratio(const double *first, size_t first_count, const double *second, size_t second_count,
                                    uint64_t seed, double out_interval[2]) {
  double *resamples = kn_alloc_array(RESAMPLES, sizeof *resamples);
  if (!resamples) return kn_status_out_of_memory();
  kn_draws stream = {.seed = seed};
  for (size_t i = 0; i < RESAMPLES; i++) {
    double numerator = resampled_median(first, first_count, &stream);
    resamples[i] = numerator / resampled_median(second, second_count, &stream);
  }
  interval95(resamples, out_interval);
  kn_free(resamples);
  return NULL;
}

/* ---- summary ---- */

kn_status kn_statistics_of(const double *values, size_t count, uint64_t seed, kn_statistics *out_statistics) {
  *out_statistics = (kn_statistics){0};
  if (!count) return kn_status_make(KN_INVALID_ARGUMENT, "statistics need at least one value");
  double *sorted;
  kn_status status = kn_sorted_copy(values, count, &sorted);
  if (!sorted) return status;
  /* Summed in ascending order, so that the order of the values does not show in the last digits. */
  double sum = 0, squares = 0;
  for (size_t i = 0; i < count; i++) sum += sorted[i];
  double mean = sum / (double)count;
  for (size_t i = 0; i < count; i++) squares += (sorted[i] - mean) * (sorted[i] - mean);
  kn_statistics statistics = {.count = count,
                              .mean = mean,
                              .median = kn_percentile(sorted, count, 50),
                              .std = sqrt(squares / (double)count),
                              .min = sorted[0],
                              .max = sorted[count - 1],
                              .p90 = kn_percentile(sorted, count, 90),
                              .p95 = kn_percentile(sorted, count, 95),
                              .p99 = kn_percentile(sorted, count, 99)};
  status = kn_bootstrap_median(sorted, count, seed, statistics.median_ci95);
  if (!status) *out_statistics = statistics;
  kn_free(sorted);
  return status;
}
