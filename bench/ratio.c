#include "ratio.h"

#include "measurements/statistics.h"

#include <kenning/random.h>

#include <stdlib.h>

enum { RESAMPLES = 10000, SEED = 1 };

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Sorts `values`. */
static double median(double *values, size_t count) {
  qsort(values, count, sizeof *values, ascending);
  return kn_percentile(values, count, 50);
}

static double mean(const bench_side *side) {
  size_t count = side->quads * side->per_quad;
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += side->values[i];
  return sum / (double)count;
}

/* The medians of each quad's values; `room` holds a quad. */
static void medians(const bench_side *side, double *room, double *out) {
  for (size_t quad = 0; quad < side->quads; quad++) {
    const double *values = side->values + quad * side->per_quad;
    for (size_t i = 0; i < side->per_quad; i++) room[i] = values[i];
    out[quad] = median(room, side->per_quad);
  }
}

static double resampled(const double *ratios, size_t quads, uint64_t *state, double *room) {
  for (size_t i = 0; i < quads; i++) {
    size_t quad = (size_t)(kn_random_unit(SEED, (*state)++) * (double)quads);
    room[i] = ratios[quad < quads ? quad : quads - 1];
  }
  return median(room, quads);
}

/* `first` and `second`: the medians of the quads. */
static void compare(double *first, double *second, size_t quads, double *ratios, double *room, double *samples,
                    bench_ratio *out_ratio) {
  for (size_t i = 0; i < quads; i++) ratios[i] = first[i] / second[i];
  uint64_t state = 0;
  for (size_t i = 0; i < RESAMPLES; i++) samples[i] = resampled(ratios, quads, &state, room);
  qsort(samples, RESAMPLES, sizeof *samples, ascending);
  out_ratio->interval[0] = kn_percentile(samples, RESAMPLES, 2.5);
  out_ratio->interval[1] = kn_percentile(samples, RESAMPLES, 97.5);
  out_ratio->ratio = median(ratios, quads);
  out_ratio->first_median = median(first, quads);
  out_ratio->second_median = median(second, quads);
}

kn_status bench_ratio_of(const bench_side *first, const bench_side *second, bench_ratio *out_ratio) {
  *out_ratio = (bench_ratio){0};
  size_t quads = first->quads, per_quad = first->per_quad > second->per_quad ? first->per_quad : second->per_quad;
  if (!quads || quads != second->quads || !first->per_quad || !second->per_quad)
    return kn_status_make(KN_INTERNAL, "a ratio needs both sides of at least one quad");
  double *a = kn_alloc_array(quads, sizeof *a), *b = kn_alloc_array(quads, sizeof *b);
  double *ratios = kn_alloc_array(quads, sizeof *ratios), *samples = kn_alloc_array(RESAMPLES, sizeof *samples);
  double *room = kn_alloc_array(quads > per_quad ? quads : per_quad, sizeof *room);
  bool enough = a && b && ratios && samples && room;
  if (enough) {
    medians(first, room, a);
    medians(second, room, b);
    compare(a, b, quads, ratios, room, samples, out_ratio);
    out_ratio->mean_ratio = mean(first) / mean(second);
  }
  kn_free(room);
  kn_free(samples);
  kn_free(ratios);
  kn_free(b);
  kn_free(a);
  return enough ? NULL : kn_status_out_of_memory();
}
