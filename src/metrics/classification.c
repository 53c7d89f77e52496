#include "metrics/classification.h"

#include <math.h>

/* ---- one prediction ---- */

size_t kn_argmax(const float *scores, size_t count, bool *out_finite) {
  size_t best = 0;
  bool found = false, finite = true;
  for (size_t i = 0; i < count; i++) {
    if (!isfinite(scores[i])) finite = false;
    if (isnan(scores[i])) continue;
    if (!found || scores[i] > scores[best]) best = i;
    found = true;
  }
  if (out_finite) *out_finite = finite;
  return best;
}

bool kn_in_top_k(const float *scores, size_t count, size_t label, size_t k) {
  if (label >= count) return false;
  float own = scores[label];
  size_t before = 0;
  for (size_t i = 0; i < count && before < k; i++) {
    bool larger = isnan(own) ? !isnan(scores[i]) : scores[i] > own;
    bool equal = isnan(own) ? isnan(scores[i]) : scores[i] == own;
    if (larger || (i < label && equal)) before++;
  }
  return before < k;
}

/* ---- the whole matrix ---- */

static double row_sum(const double *cells, size_t classes, size_t row) {
  double sum = 0;
  for (size_t i = 0; i < classes; i++) sum += cells[row * classes + i];
  return sum;
}

static double column_sum(const double *cells, size_t classes, size_t column) {
  double sum = 0;
  for (size_t i = 0; i < classes; i++) sum += cells[i * classes + column];
  return sum;
}

double kn_confusion_total(const double *cells, size_t classes) {
  double sum = 0;
  for (size_t i = 0; i < classes; i++) sum += row_sum(cells, classes, i);
  return sum;
}

double kn_accuracy(const double *cells, size_t classes) {
  double correct = 0, total = kn_confusion_total(cells, classes);
  for (size_t i = 0; i < classes; i++) correct += cells[i * classes + i];
  return total > 0 ? correct / total : NAN;
}

kn_class_scores kn_class_scores_of(const double *cells, size_t classes, size_t index) {
  kn_class_scores scores = {.support = row_sum(cells, classes, index),
                            .predicted = column_sum(cells, classes, index),
                            .correct = cells[index * classes + index]};
  scores.precision = scores.correct / (scores.predicted + KN_METRIC_EPSILON);
  scores.sensitivity = scores.correct / (scores.support + KN_METRIC_EPSILON);
  scores.f1 = 2 * scores.correct / (scores.support + scores.predicted + KN_METRIC_EPSILON);
  kn_wilson95(scores.correct, scores.support, scores.sensitivity_ci95);
  return scores;
}

double kn_mean_precision(const double *cells, size_t classes) {
  double sum = 0;
  for (size_t i = 0; i < classes; i++) sum += kn_class_scores_of(cells, classes, i).precision;
  return sum / (double)classes;
}

double kn_mean_sensitivity(const double *cells, size_t classes) {
  double sum = 0;
  for (size_t i = 0; i < classes; i++) sum += kn_class_scores_of(cells, classes, i).sensitivity;
  return sum / (double)classes;
}

double kn_g_mean(const double *cells, size_t classes) {
  /* In logarithms: the product of a thousand sensitivities would underflow. */
  double sum = 0;
  for (size_t i = 0; i < classes; i++) sum += log(kn_class_scores_of(cells, classes, i).sensitivity);
  return exp(sum / (double)classes);
}

double kn_mean_f1(const double *cells, size_t classes) {
  double sum = 0;
  for (size_t i = 0; i < classes; i++) sum += kn_class_scores_of(cells, classes, i).f1;
  return sum / (double)classes;
}

/* ---- uncertainty ---- */

static const double z = 1.959963984540054; /* 97.5% point of the standard normal distribution */

void kn_wilson95(double successes, double total, double out_interval[2]) {
  out_interval[0] = 0;
  out_interval[1] = 1;
  if (!(total > 0)) return;
  double share = successes / total, z2 = z * z;
  double centre = (share + z2 / (2 * total)) / (1 + z2 / total);
  double half = z / (1 + z2 / total) * sqrt(share * (1 - share) / total + z2 / (4 * total * total));
  out_interval[0] = fmax(0, centre - half);
  out_interval[1] = fmin(1, centre + half);
}

/* Probability of `k` heads in `n` throws of a fair coin. */
static double fair_coin(size_t n, size_t k) {
  int sign;
  double logarithm = lgamma_r((double)n + 1, &sign) - lgamma_r((double)k + 1, &sign) -
                     lgamma_r((double)(n - k) + 1, &sign) - (double)n * log(2);
  return exp(logarithm);
}

static void bound_difference(const kn_paired_test *test, double out_interval[2]) {
  out_interval[0] = -1;
  out_interval[1] = 1;
  if (!test->count) return;
  double total = (double)test->count + 2;
  double lost = ((double)test->only_first + 1) / total, gained = ((double)test->only_second + 1) / total;
  double centre = gained - lost, half = z * sqrt((lost + gained - centre * centre) / total);
  out_interval[0] = fmax(-1, centre - half);
  out_interval[1] = fmin(1, centre + half);
}

void kn_paired_test_run(const int64_t *targets, const int64_t *first, const int64_t *second, size_t count,
                        kn_paired_test *out_test) {
  kn_paired_test *test = out_test;
  *test = (kn_paired_test){0};
  for (size_t i = 0; i < count; i++) {
    if (first[i] < 0 || second[i] < 0) continue;
    bool a = first[i] == targets[i], b = second[i] == targets[i];
    test->count++;
    test->agree += first[i] == second[i];
    *(a && b ? &test->both_correct : a ? &test->only_first : b ? &test->only_second : &test->both_wrong) += 1;
  }
  bound_difference(test, test->difference_ci95);
  test->p_exact = test->p_mid = 1;
  size_t discordant = test->only_first + test->only_second;
  if (!discordant) return; /* nothing speaks for a difference */
  size_t fewer = test->only_first < test->only_second ? test->only_first : test->only_second;
  double at = fair_coin(discordant, fewer), tail = 0, term = at;
  /* Downwards from `fewer` the terms fall, each the one before times k / (n - k + 1). */
  for (size_t k = fewer;; k--) {
    tail += term;
    if (!k || term < tail * 1e-17) break;
    term *= (double)k / (double)(discordant - k + 1);
  }
  test->p_exact = fmin(1, 2 * tail);
  test->p_mid = test->only_first == test->only_second ? 1 - at / 2 : 2 * tail - at;
}
