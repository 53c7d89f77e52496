#include "report/series.h"

#include <math.h>
#include <string.h>

void kn_points_clear(kn_points *points) {
  kn_free(points->x);
  kn_free(points->y);
  *points = (kn_points){0};
}

static kn_status reserve(size_t count, kn_points *out_points) {
  kn_points points = {kn_alloc_array(count, sizeof(double)), kn_alloc_array(count, sizeof(double)), count};
  *out_points = points;
  if (points.x && points.y) return NULL;
  kn_points_clear(out_points);
  return kn_status_out_of_memory();
}

void kn_points_thin(kn_points *points, size_t limit) {
  size_t buckets = limit / 2;
  if (!buckets || points->count <= limit) return;
  size_t kept = 0;
  for (size_t bucket = 0; bucket < buckets; bucket++) {
    size_t from = (size_t)((double)bucket * (double)points->count / (double)buckets);
    size_t to = (size_t)((double)(bucket + 1) * (double)points->count / (double)buckets);
    size_t low = from, high = from;
    for (size_t i = from; i < to; i++) {
      if (points->y[i] < points->y[low]) low = i;
      if (points->y[i] > points->y[high]) high = i;
    }
    /* What is kept moves down or stays: kept <= 2 * bucket <= from. */
    size_t first = low < high ? low : high, second = low < high ? high : low;
    double x[2] = {points->x[first], points->x[second]}, y[2] = {points->y[first], points->y[second]};
    for (size_t i = 0; i < (first == second ? 1 : 2); i++) {
      points->x[kept] = x[i];
      points->y[kept++] = y[i];
    }
  }
  points->count = kept;
}

kn_status kn_points_steps(const kn_run *run, kn_points *out_points) {
  KN_TRY(reserve(run->sorted_count, out_points));
  for (size_t i = 0; i < run->sorted_count; i++) {
    out_points->x[i] = (double)(i + 1);
    out_points->y[i] = run->results.steps.values[run->results.warmup + i];
  }
  return NULL;
}

kn_status kn_points_trend(const kn_run *run, size_t limit, kn_points *out_points) {
  /* A median of fewer than ten says little more than a single time. */
  size_t groups = run->sorted_count < 20 ? run->sorted_count : run->sorted_count / 10;
  if (groups > limit) groups = limit;
  KN_TRY(reserve(groups, out_points));
  const double *steps = run->sorted_count ? run->results.steps.values + run->results.warmup : NULL;
  for (size_t group = 0; group < groups; group++) {
    size_t from = (size_t)((double)group * (double)run->sorted_count / (double)groups);
    size_t to = (size_t)((double)(group + 1) * (double)run->sorted_count / (double)groups);
    double *sorted;
    kn_status status = kn_sorted_copy(steps + from, to - from, &sorted);
    if (status) {
      kn_points_clear(out_points);
      return status;
    }
    out_points->x[group] = (double)(from + to + 1) / 2;
    out_points->y[group] = kn_percentile(sorted, to - from, 50);
    kn_free(sorted);
  }
  return NULL;
}

kn_status kn_points_usage(const kn_run *run, kn_usage usage, kn_points *out_points) {
  *out_points = (kn_points){0};
  const kn_results *results = &run->results;
  bool machine = usage == KN_USAGE_CPU || usage == KN_USAGE_MEMORY;
  const double *times = machine ? results->session.timestamps : results->process_timestamps.values;
  size_t skip = machine ? kn_results_utilization_skip(results) : 0;
  size_t count = machine ? results->session.count : results->process_timestamps.count;
  size_t cores = results->session.cores;
  if (!times || count <= skip || (usage == KN_USAGE_CPU && !cores)) return NULL;
  KN_TRY(reserve(count - skip, out_points));
  for (size_t i = skip; i < count; i++) {
    double value = 0;
    switch (usage) {
      case KN_USAGE_CPU:
        for (size_t core = 0; core < cores; core++) value += results->session.cpus[i * cores + core] / (double)cores;
        break;
      case KN_USAGE_MEMORY:
        value = results->session.memory[i];
        break;
      case KN_USAGE_PROCESS_CPU:
        value = results->process_cpu_percent.values[i];
        break;
      case KN_USAGE_PROCESS_MEMORY:
        value = results->process_rss_bytes.values[i];
        break;
    }
    out_points->x[i - skip] = times[i] - times[skip];
    out_points->y[i - skip] = value;
  }
  return NULL;
}

/* ---- distribution ---- */

/* Number of ascending values that are at most `limit`. */
static size_t count_up_to(const double *sorted, size_t count, double limit) {
  size_t low = 0, high = count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (sorted[middle] <= limit)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static bool range_of(const kn_report_model *model, double *low, double *high) {
  *low = INFINITY;
  *high = 0;
  for (size_t i = 0; i < model->run_count; i++) {
    const kn_run *run = &model->runs[i];
    size_t zeros = count_up_to(run->sorted, run->sorted_count, 0);
    if (zeros == run->sorted_count) continue;
    *low = fmin(*low, run->sorted[zeros]);
    *high = fmax(*high, run->sorted[run->sorted_count - 1]);
  }
  return *low <= *high;
}

kn_status kn_distribution_of(const kn_report_model *model, size_t bins, kn_distribution *out) {
  *out = (kn_distribution){0};
  double low, high;
  if (!bins || !range_of(model, &low, &high)) return NULL;
  low /= 1.02;
  high *= 1.02;
  kn_distribution made = {.edges = kn_alloc_array(bins + 1, sizeof(double)),
                          .bins = bins,
                          .shares = kn_alloc_array(model->run_count * bins, sizeof(double)),
                          .cumulative = kn_alloc_array(model->run_count * (bins + 1), sizeof(double))};
  if (!made.edges || !made.shares || !made.cumulative) {
    kn_distribution_clear(&made);
    return kn_status_out_of_memory();
  }
  for (size_t i = 0; i <= bins; i++) made.edges[i] = low * pow(high / low, (double)i / (double)bins);
  for (size_t r = 0; r < model->run_count; r++) {
    const kn_run *run = &model->runs[r];
    double count = run->sorted_count ? (double)run->sorted_count : 1;
    double *cumulative = made.cumulative + r * (bins + 1);
    for (size_t i = 0; i <= bins; i++)
      cumulative[i] = (double)count_up_to(run->sorted, run->sorted_count, made.edges[i]) / count;
    for (size_t i = 0; i < bins; i++) made.shares[r * bins + i] = cumulative[i + 1] - cumulative[i];
  }
  *out = made;
  return NULL;
}

void kn_distribution_clear(kn_distribution *distribution) {
  kn_free(distribution->edges);
  kn_free(distribution->shares);
  kn_free(distribution->cumulative);
  *distribution = (kn_distribution){0};
}
