/* The figures of one run in short: written into the measurement file and computed anew by the report. */
#ifndef KENNING_MEASUREMENTS_SUMMARY_H
#define KENNING_MEASUREMENTS_SUMMARY_H

#include "measurements/statistics.h"

#include <kenning/record.h>

typedef struct kn_summary {
  bool has_inference;      /* there is at least one inference after warm-up */
  kn_statistics inference; /* seconds */
  bool has_accuracy;       /* there is at least one sample with a prediction */
  bool has_classification; /* there is a confusion matrix with at least one sample */
  double accuracy;
  double accuracy_ci95[2]; /* Wilson */
  bool has_top_5;
  double top_5_accuracy;
  double top_5_accuracy_ci95[2];
  double mean_precision, mean_sensitivity, g_mean, mean_f1;
} kn_summary;

typedef struct kn_summary_input {
  const double *steps; /* seconds per inference, warm-up included; or NULL */
  size_t step_count;
  size_t warmup;           /* leading entries of `steps` to leave out */
  const double *confusion; /* `classes` x `classes`, or NULL */
  size_t classes;
  double correct_count; /* where there is no matrix; negative: unknown */
  double top_5_count;   /* negative: unknown */
  double total;         /* samples behind correct_count and top_5_count */
} kn_summary_input;

kn_status kn_summary_of(const kn_summary_input *input, kn_summary *out_summary) KN_MUST_USE;
/* Puts the figures that there are into `record`, under the keys of the measurement file's "summary". */
kn_status kn_summary_put(const kn_summary *summary, kn_record *record) KN_MUST_USE;

#endif
