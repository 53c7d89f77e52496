/* A measurement file as read: ours or the original's, of 2022 or of today. What is known is checked and unpacked; the
 * rest stays in the document. Absent keys leave their members zero or NULL. */
#ifndef KENNING_MEASUREMENTS_RESULTS_H
#define KENNING_MEASUREMENTS_RESULTS_H

#include "measurements/summary.h"

#include <yyjson.h>

/* No measurement is larger: seconds, percent and bytes that are come from a damaged file, and their sums and ratios
 * would leave the range of double. */
#define KN_LARGEST_MEASUREMENT 1e18

typedef struct kn_numbers {
  double *values;
  size_t count;
} kn_numbers;

typedef struct kn_compiler {
  const char *framework; /* never NULL; "" when the file has null */
  const char *version;
} kn_compiler;

/* Machine-wide utilization over time. All three lists have `count` entries. */
typedef struct kn_utilization {
  size_t count;
  size_t cores;
  double *cpus;       /* percent, [count][cores] */
  double *memory;     /* percent of the machine's memory */
  double *timestamps; /* seconds */
} kn_utilization;

typedef struct kn_results {
  char *path;
  yyjson_doc *doc; /* strings below point into it */
  yyjson_val *root;

  bool own;      /* written by this program: has kenning_schema */
  bool complete; /* false: the run ended early; true where the file does not say */
  const char *incomplete_reason;
  const char *date;
  const char *cfg_path;
  const char *model_framework, *model_version;
  kn_compiler *compilers; /* key "optimizers" or "compilers" */
  size_t compiler_count;
  const char **command;
  size_t command_count;
  const char **class_names; /* as many as `classes` where both are there */
  size_t class_name_count;

  const char *step_key;                           /* "target_inference_step", else "protocol_inference_step", or NULL */
  kn_numbers steps;                               /* seconds per inference, warm-up included */
  kn_numbers step_timestamps;                     /* seconds, end of each step; none or as many as steps */
  size_t warmup;                                  /* leading entries of `steps` that no statistic counts */
  kn_numbers preprocess_steps, postprocess_steps; /* seconds; may be empty */

  kn_utilization session, full_run;
  kn_numbers process_rss_bytes, process_cpu_percent, process_timestamps; /* equally long */
  kn_numbers temperatures;       /* degrees Celsius, of the hottest sensor; one per entry of session, or none */
  kn_numbers frequencies;        /* hertz, mean of the cores; likewise */
  double process_peak_rss_bytes; /* 0: unknown */

  size_t classes;
  double *confusion;              /* [classes][classes], or NULL */
  double top_5_count;             /* negative: unknown */
  double total;                   /* negative: unknown */
  double samples;                 /* "samples" of "run"; negative: unknown */
  int64_t *targets, *predictions; /* one per sample, in the order of evaluation; or NULL */
  size_t prediction_count;
  double *outputs; /* of the first samples of `predictions`, [output_rows][output_columns]; NaN: not finite; or NULL */
  size_t output_rows, output_columns;

  double compiled_model_size; /* bytes; 0: unknown */
} kn_results;

/* KN_NOT_FOUND, KN_IO_ERROR, or KN_BAD_DATA with every key that is wrong or contradicts another one; KN_INCOMPATIBLE
 * for a newer kenning_schema. */
kn_status kn_results_read(const char *path, kn_results *out_results) KN_MUST_USE;
/* The same from text; `name` is used in messages. */
kn_status kn_results_parse(const char *name, const char *json, size_t length, kn_results *out_results) KN_MUST_USE;
void kn_results_clear(kn_results *results);

/* Whether a JSON document is a measurement file, ours or the original's, as far as its keys tell. */
bool kn_results_recognize(yyjson_val *root);
/* Leading samples of the utilization lists to leave out of statistics: the original's first one says nothing. */
size_t kn_results_utilization_skip(const kn_results *results);
kn_status kn_results_summary(const kn_results *results, kn_summary *out_summary) KN_MUST_USE;

#endif
