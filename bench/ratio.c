#include "ratio.h"

#include "measurements/statistics.h"

#include <kenning/random.h>

#include <stdlib.h>

enum { RESAMPLES = 10000, SEED = 1 };

typedef struct tagged {
  double value;
  size_t quad;
} tagged;

static int ascending(const void *a, const void *b) {
  double x = ((const tagged *)a)->value, y = ((const tagged *)b)->value;
  return (x > y) - (x < y);
}

/* Free with kn_free. */
static tagged *sorted_of(const bench_side *side) {
  size_t count = side->quads * side->per_quad;
  tagged *sorted = kn_alloc_array(count, sizeof *sorted);
  if (!sorted) return NULL;
  for (size_t i = 0; i < count; i++) sorted[i] = (tagged){side->values[i], i / side->per_quad};
  qsort(sorted, count, sizeof *sorted, ascending);
  return sorted;
}

/* Of all values, each taken as often as its quad was drawn; the weights add up to the number of quads. */
static double median(const bench_side *side, const tagged *sorted, const uint32_t *weights) {
  size_t count = side->quads * side->per_quad, passed = 0, i = 0;
  size_t lower = (count - 1) / 2, upper = count / 2;
  while ((passed += weights[sorted[i].quad]) <= lower) i++;
  double first = sorted[i].value;
  while (passed <= upper) passed += weights[sorted[++i].quad];
  return (first + sorted[i].value) / 2;
}

static void draw(uint64_t *state, size_t quads, uint32_t *weights) {
  for (size_t i = 0; i < quads; i++) weights[i] = 0;
  for (size_t i = 0; i < quads; i++) {
    size_t quad = (size_t)(kn_random_unit(SEED, (*state)++) * (double)quads);
    weights[quad < quads ? quad : quads - 1]++;
  }
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double mean(const bench_side *side) {
  size_t count = side->quads * side->per_quad;
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += side->values[i];
  return sum / (double)count;
}

static void resample(const bench_side *first, const bench_side *second, const tagged *sorted[2], uint32_t *weights,
                     double *ratios, bench_ratio *out_ratio) {
  for (size_t i = 0; i < first->quads; i++) weights[i] = 1;
  out_ratio->first_median = median(first, sorted[0], weights);
  out_ratio->second_median = median(second, sorted[1], weights);
  out_ratio->ratio = out_ratio->first_median / out_ratio->second_median;
  out_ratio->mean_ratio = mean(first) / mean(second);
  uint64_t state = 0;
  for (size_t i = 0; i < RESAMPLES; i++) {
    draw(&state, first->quads, weights);
    ratios[i] = median(first, sorted[0], weights) / median(second, sorted[1], weights);
  }
  qsort(ratios, RESAMPLES, sizeof *ratios, by_value);
  out_ratio->interval[0] = kn_percentile(ratios, RESAMPLES, 2.5);
  out_ratio->interval[1] = kn_percentile(ratios, RESAMPLES, 97.5);
}

kn_status bench_ratio_of(const bench_side *first, const bench_side *second, bench_ratio *out_ratio) {
  *out_ratio = (bench_ratio){0};
  if (!first->quads || first->quads != second->quads || !first->per_quad || !second->per_quad)
    return kn_status_make(KN_INTERNAL, "a ratio needs both sides of at least one quad");
  tagged *a = sorted_of(first), *b = sorted_of(second);
  uint32_t *weights = kn_alloc_array(first->quads, sizeof *weights);
  double *ratios = kn_alloc_array(RESAMPLES, sizeof *ratios);
  bool enough = a && b && weights && ratios;
  if (enough) resample(first, second, (const tagged *[]){a, b}, weights, ratios, out_ratio);
  kn_free(ratios);
  kn_free(weights);
  kn_free(b);
  kn_free(a);
  return enough ? NULL : kn_status_out_of_memory();
}
