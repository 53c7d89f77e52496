/* Quality of a classifier. Pure functions: nothing is read, written or allocated.
 *
 * A confusion matrix is `classes` x `classes` counts in row-major order, [true class][predicted class]. Counts are
 * doubles because measurement files hold them so; they are exact up to 2^53. */
#ifndef KENNING_METRICS_CLASSIFICATION_H
#define KENNING_METRICS_CLASSIFICATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Keeps the quotients of classes that never occur or are never predicted finite: they count as 0. */
#define KN_METRIC_EPSILON 1e-8

/* ---- one prediction ---- */

/* Index of the largest of `count` scores; the lowest index wins a tie, NaN never wins. 0 when there is no score but
 * NaN. *out_finite (may be NULL) tells whether every score is a finite number. */
size_t kn_argmax(const float *scores, size_t count, bool *out_finite);
/* True when fewer than `k` classes are ranked before `label`: those with a larger score, or with the same score and a
 * lower index. Agrees with kn_argmax for k = 1. A NaN is ranked last. */
bool kn_in_top_k(const float *scores, size_t count, size_t label, size_t k);

/* ---- the whole matrix ---- */

double kn_confusion_total(const double *cells, size_t classes);
/* trace / total; NaN for an empty matrix. */
double kn_accuracy(const double *cells, size_t classes);
/* Mean over the classes of C[i][i] / (sum of column i + epsilon). */
double kn_mean_precision(const double *cells, size_t classes);
/* Mean over the classes of C[i][i] / (sum of row i + epsilon): recall, balanced accuracy. */
double kn_mean_sensitivity(const double *cells, size_t classes);
/* Geometric mean over the classes of C[i][i] / (sum of row i + epsilon); 0 as soon as one class is always missed. */
double kn_g_mean(const double *cells, size_t classes);
/* Mean over the classes of 2 C[i][i] / (sum of row i + sum of column i + epsilon). */
double kn_mean_f1(const double *cells, size_t classes);

typedef struct kn_class_scores {
  double support;   /* samples of the class: sum of the row */
  double predicted; /* predictions of the class: sum of the column */
  double correct;
  double precision; /* formulas as above, one class */
  double sensitivity;
  double f1;
  double sensitivity_ci95[2]; /* Wilson, correct of support */
} kn_class_scores;

/* Scores of class `index`. */
kn_class_scores kn_class_scores_of(const double *cells, size_t classes, size_t index);

/* ---- uncertainty ---- */

/* 95% score interval of a proportion (E. B. Wilson, "Probable inference, the law of succession, and statistical
 * inference", 1927). [0, 1] when `total` is 0. */
void kn_wilson95(double successes, double total, double out_interval[2]);

/* Two classifiers on the same samples. */
typedef struct kn_paired_test {
  size_t count; /* samples that both predicted */
  size_t both_correct;
  size_t only_first; /* samples that only the first has right */
  size_t only_second;
  size_t both_wrong;
  size_t agree;   /* samples with equal predictions, right or wrong */
  double p_exact; /* two-sided exact McNemar test */
  double p_mid;   /* its mid-p variant, less conservative (Fagerland, Lydersen, Laake 2013, formulas 2 and 3) */
  /* Of the second's share of right predictions less the first's: Wald's interval after one more sample of either kind
   * (Bonett, Price 2012; recommended by Fagerland, Lydersen, Laake 2014). [-1, 1] when `count` is 0. */
  double difference_ci95[2];
} kn_paired_test;

/* Samples with a negative prediction on either side (not reached) are left out. */
void kn_paired_test_run(const int64_t *targets, const int64_t *first, const int64_t *second, size_t count,
                        kn_paired_test *out_test);

#endif
