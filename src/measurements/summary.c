#include "measurements/summary.h"

#include "metrics/classification.h"

/* Of the bootstrap: fixed, so that the same file always shows the same interval. */
enum { BOOTSTRAP_SEED = 1 };

kn_status kn_summary_of(const kn_summary_input *input, kn_summary *out_summary) {
  *out_summary = (kn_summary){0};
  kn_summary summary = {0};
  if (input->steps && input->step_count > input->warmup) {
    KN_TRY(kn_statistics_of(input->steps + input->warmup, input->step_count - input->warmup, BOOTSTRAP_SEED,
                            &summary.inference));
    summary.has_inference = true;
  }
  double total = input->confusion ? kn_confusion_total(input->confusion, input->classes) : 0;
  if (total > 0) {
    const double *cells = input->confusion;
    size_t classes = input->classes;
    summary.has_accuracy = summary.has_classification = true;
    summary.accuracy = kn_accuracy(cells, classes);
    kn_wilson95(summary.accuracy * total, total, summary.accuracy_ci95);
    summary.mean_precision = kn_mean_precision(cells, classes);
    summary.mean_sensitivity = kn_mean_sensitivity(cells, classes);
    summary.g_mean = kn_g_mean(cells, classes);
    summary.mean_f1 = kn_mean_f1(cells, classes);
  }
  if (!(total > 0) && input->correct_count >= 0 && input->total > 0) {
    summary.has_accuracy = true;
    summary.accuracy = input->correct_count / input->total;
    kn_wilson95(input->correct_count, input->total, summary.accuracy_ci95);
  }
  if (input->top_5_count >= 0 && input->total > 0) {
    summary.has_top_5 = true;
    summary.top_5_accuracy = input->top_5_count / input->total;
    kn_wilson95(input->top_5_count, input->total, summary.top_5_accuracy_ci95);
  }
  *out_summary = summary;
  return NULL;
}

kn_status kn_summary_put(const kn_summary *summary, kn_record *record) {
  if (summary->has_inference) {
    const kn_statistics *s = &summary->inference;
    const struct {
      const char *key;
      double value;
    } rows[] = {{"mean", s->mean}, {"median", s->median}, {"std", s->std}, {"min", s->min},
                {"max", s->max},   {"p90", s->p90},       {"p95", s->p95}, {"p99", s->p99}};
    kn_record *inference;
    KN_TRY(kn_record_object(record, "inference", &inference));
    KN_TRY(kn_record_set_int(inference, "count", (int64_t)s->count));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
      KN_TRY(kn_record_set_number(inference, rows[i].key, rows[i].value));
    KN_TRY(kn_record_set_numbers(inference, "median_ci95", s->median_ci95, 2));
  }
  if (summary->has_accuracy) {
    KN_TRY(kn_record_set_number(record, "accuracy", summary->accuracy));
    KN_TRY(kn_record_set_numbers(record, "accuracy_ci95", summary->accuracy_ci95, 2));
  }
  if (summary->has_top_5) {
    KN_TRY(kn_record_set_number(record, "top_5_accuracy", summary->top_5_accuracy));
    KN_TRY(kn_record_set_numbers(record, "top_5_accuracy_ci95", summary->top_5_accuracy_ci95, 2));
  }
  if (summary->has_classification) {
    KN_TRY(kn_record_set_number(record, "mean_precision", summary->mean_precision));
    KN_TRY(kn_record_set_number(record, "mean_sensitivity", summary->mean_sensitivity));
    KN_TRY(kn_record_set_number(record, "g_mean", summary->g_mean));
    KN_TRY(kn_record_set_number(record, "mean_f1", summary->mean_f1));
  }
  return NULL;
}
