/* Values over time or over samples, thinned to what a plot can show. */
#ifndef KENNING_REPORT_SERIES_H
#define KENNING_REPORT_SERIES_H

#include "report/model.h"

typedef struct kn_points {
  double *x, *y;
  size_t count;
} kn_points; /* {0} is empty */

void kn_points_clear(kn_points *points);
/* Keeps at most about `limit` points: the lowest and the highest of every bucket, so that no peak is lost. */
void kn_points_thin(kn_points *points, size_t limit);

/* Inference times in seconds over the number of the measured inference (from 1), all of them. */
kn_status kn_points_steps(const kn_run *run, kn_points *out_points) KN_MUST_USE;
/* Medians of consecutive groups of the same: of ten or more where there are enough, at most `limit` groups. */
kn_status kn_points_trend(const kn_run *run, size_t limit, kn_points *out_points) KN_MUST_USE;

typedef enum kn_usage {
  KN_USAGE_CPU = 1,       /* percent, mean of the machine's cores */
  KN_USAGE_MEMORY,        /* percent of the machine's memory */
  KN_USAGE_PROCESS_CPU,   /* percent of one core */
  KN_USAGE_PROCESS_MEMORY /* resident bytes */
} kn_usage;

/* Over seconds since the first sample of the list; empty where the run does not know it. */
kn_status kn_points_usage(const kn_run *run, kn_usage usage, kn_points *out_points) KN_MUST_USE;

/* How inference times are distributed, over bins that all runs share and that grow by a constant factor. */
typedef struct kn_distribution {
  double *edges;      /* seconds, [bins + 1] */
  size_t bins;        /* 0: no run has times above 0 */
  double *shares;     /* [runs][bins], fractions of the run's inferences */
  double *cumulative; /* [runs][bins + 1], fraction of the run's inferences that took at most edges[i] */
} kn_distribution;

kn_status kn_distribution_of(const kn_report_model *model, size_t bins, kn_distribution *out_distribution) KN_MUST_USE;
void kn_distribution_clear(kn_distribution *distribution);

#endif
