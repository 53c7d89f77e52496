#include "measurements/consistency.h"

#include "metrics/classification.h"

#include <math.h>

/* Of faults alike this many are told one by one. */
enum { TOLD = 5 };

typedef struct kn_checking {
  const kn_results *results;
  kn_status faults;
  size_t alike; /* of the kind that is looked for */
} kn_checking;

static void add(kn_checking *checking, const char *format, ...) KN_PRINTF(2, 3);
static void add(kn_checking *checking, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  kn_status fault = kn_status_vmake_at(KN_BAD_DATA, checking->results->path, format, arguments);
  va_end(arguments);
  checking->faults = kn_status_join(checking->faults, fault);
}

/* Whether one more of faults alike is to be told. */
static bool tell(kn_checking *checking) { return checking->alike++ < TOLD; }

/* Ends a kind of faults. */
static void end(kn_checking *checking, const char *key) {
  if (checking->alike > TOLD)
    add(checking, "measurement '%s': %zu more faults of this kind", key, checking->alike - TOLD);
  checking->alike = 0;
}

/* ---- each by itself ---- */

static bool whole(double count) { return count == floor(count); }

static void check_matrix(kn_checking *checking) {
  const kn_results *r = checking->results;
  for (size_t i = 0; r->confusion && i < r->classes * r->classes; i++)
    if (!whole(r->confusion[i]) && tell(checking))
      add(checking, "measurement 'eval_confusion_matrix', [%zu][%zu]: %g is no number of samples", i / r->classes,
          i % r->classes, r->confusion[i]);
  end(checking, "eval_confusion_matrix");
}

static void check_class(kn_checking *checking, size_t entry, const char *member, int64_t value) {
  const kn_results *r = checking->results;
  size_t classes = r->confusion ? r->classes : r->class_name_count; /* 0: not known */
  if (value >= 0 && (!classes || (uint64_t)value < classes)) return;
  if (!tell(checking)) return;
  if (classes)
    add(checking, "measurement 'predictions', entry %zu: %s %lld is no class; there are %zu, counted from 0", entry,
        member, (long long)value, classes);
  else
    add(checking, "measurement 'predictions', entry %zu: %s %lld is no class", entry, member, (long long)value);
}

static void check_predictions(kn_checking *checking) {
  const kn_results *r = checking->results;
  for (size_t i = 0; i < r->prediction_count; i++) {
    check_class(checking, i, "target", r->targets[i]);
    check_class(checking, i, "prediction", r->predictions[i]);
  }
  end(checking, "predictions");
}

static void check_count(kn_checking *checking, const char *key, double count) {
  if (!whole(count)) add(checking, "measurement '%s': %g is no number of samples", key, count);
}

/* ---- one with the other ---- */

/* Two counts of the same samples; negative: unknown. */
static void same(kn_checking *checking, const char *key, double count, const char *other, double other_count) {
  if (count >= 0 && other_count >= 0 && count != other_count)
    add(checking, "measurement '%s' has %.15g samples, but '%s' %.15g", key, count, other, other_count);
}

static void check_top_5(kn_checking *checking, double cells) {
  const kn_results *r = checking->results;
  if (r->top_5_count < 0) return;
  if (r->total < 0) add(checking, "measurement 'top_5_count' says nothing without 'total', which is missing");
  double correct = 0;
  for (size_t i = 0; cells >= 0 && i < r->classes; i++) correct += r->confusion[i * (r->classes + 1)];
  /* Programs of others order equal outputs by rules of their own. */
  if (r->own && r->top_5_count < correct)
    add(checking, "measurement 'top_5_count' is %.15g, less than the %.15g that 'eval_confusion_matrix' has right",
        r->top_5_count, correct);
}

static void check_counts(kn_checking *checking) {
  const kn_results *r = checking->results;
  double cells = r->confusion ? kn_confusion_total(r->confusion, r->classes) : -1;
  double predictions = r->predictions ? (double)r->prediction_count : -1;
  check_count(checking, "total", r->total);
  check_count(checking, "top_5_count", r->top_5_count);
  same(checking, "eval_confusion_matrix", cells, "total", r->total);
  same(checking, "predictions", predictions, "total", r->total);
  same(checking, "run.samples", r->samples, "total", r->total);
  if (r->total < 0) same(checking, "predictions", predictions, "eval_confusion_matrix", cells);
  if (r->predictions && r->output_rows > r->prediction_count)
    add(checking, "measurement 'model_outputs' has %zu samples, but 'predictions' %zu", r->output_rows,
        r->prediction_count);
  check_top_5(checking, cells);
}

/* The matrix counts the predictions, which are classes. */
static kn_status check_cells(kn_checking *checking) {
  const kn_results *r = checking->results;
  if (!r->confusion || !r->predictions) return NULL;
  double *counted = kn_alloc_array(r->classes * r->classes, sizeof *counted);
  if (!counted) return kn_status_out_of_memory();
  for (size_t i = 0; i < r->prediction_count; i++)
    counted[(size_t)r->targets[i] * r->classes + (size_t)r->predictions[i]]++;
  for (size_t i = 0; i < r->classes * r->classes; i++)
    if (counted[i] != r->confusion[i] && tell(checking))
      add(checking, "measurement 'eval_confusion_matrix', [%zu][%zu]: %.15g samples, but 'predictions' has %.15g",
          i / r->classes, i % r->classes, r->confusion[i], counted[i]);
  end(checking, "eval_confusion_matrix");
  kn_free(counted);
  return NULL;
}

kn_status kn_results_check(const kn_results *results) {
  kn_checking checking = {.results = results};
  check_matrix(&checking);
  check_predictions(&checking);
  bool classes = !checking.faults;
  check_counts(&checking);
  kn_status status = classes ? check_cells(&checking) : NULL;
  return kn_status_join(checking.faults, status);
}
