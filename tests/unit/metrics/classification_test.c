#include "metrics/classification.h"

#include "support/near.h"

/* Three classes; rows are the true ones. */
static const double matrix[9] = {5, 2, 0, 1, 6, 3, 0, 0, 3};

static void means_follow_their_formulas(void **state) {
  (void)state;
  kt_assert_near(kn_confusion_total(matrix, 3), 20, 0);
  kt_assert_near(kn_accuracy(matrix, 3), 14.0 / 20, 1e-15);
  /* Columns 6, 8, 6 and rows 7, 10, 3: precision and sensitivity are not the same here. */
  kt_assert_near(kn_mean_precision(matrix, 3), (5.0 / 6 + 6.0 / 8 + 3.0 / 6) / 3, 1e-8);
  kt_assert_near(kn_mean_sensitivity(matrix, 3), (5.0 / 7 + 6.0 / 10 + 3.0 / 3) / 3, 1e-8);
  kt_assert_near(kn_g_mean(matrix, 3), cbrt(5.0 / 7 * 0.6), 1e-8);
  kt_assert_near(kn_mean_f1(matrix, 3), (10.0 / 13 + 12.0 / 18 + 6.0 / 9) / 3, 1e-8);
}

static void classes_have_their_own_scores(void **state) {
  (void)state;
  kn_class_scores scores = kn_class_scores_of(matrix, 3, 1);
  kt_assert_near(scores.support, 10, 0);
  kt_assert_near(scores.predicted, 8, 0);
  kt_assert_near(scores.correct, 6, 0);
  kt_assert_near(scores.precision, 0.75, 1e-8);
  kt_assert_near(scores.sensitivity, 0.6, 1e-8);
  kt_assert_near(scores.f1, 12.0 / 18, 1e-8);
  assert_true(scores.sensitivity_ci95[0] < 0.6 && scores.sensitivity_ci95[1] > 0.6);
}

static void degenerate_matrices_stay_finite(void **state) {
  (void)state;
  /* Class 1 is never predicted, class 2 never occurs. */
  static const double odd[9] = {4, 0, 1, 2, 0, 0, 0, 0, 0};
  kt_assert_near(kn_accuracy(odd, 3), 4.0 / 7, 1e-15);
  kt_assert_near(kn_mean_precision(odd, 3), (4.0 / 6) / 3, 1e-8);
  kt_assert_near(kn_g_mean(odd, 3), 0, 0);
  static const double empty[4] = {0};
  assert_true(isnan(kn_accuracy(empty, 2)));
  kt_assert_near(kn_mean_sensitivity(empty, 2), 0, 0);
}

static void g_mean_of_many_classes_does_not_underflow(void **state) {
  (void)state;
  enum { CLASSES = 1000 };
  static double many[CLASSES * CLASSES];
  for (size_t i = 0; i < CLASSES; i++) {
    many[i * CLASSES + i] = 3;
    many[i * CLASSES + (i + 1) % CLASSES] = 7;
  }
  kt_assert_near(kn_g_mean(many, CLASSES), 0.3, 1e-8);
}

static void argmax_takes_the_lowest_of_equals(void **state) {
  (void)state;
  bool finite;
  assert_int_equal(kn_argmax((float[]){1, 3, 3, 2}, 4, &finite), 1);
  assert_true(finite);
  assert_int_equal(kn_argmax((float[]){0, 0, 0}, 3, NULL), 0);
  assert_int_equal(kn_argmax((float[]){NAN, -2, -1}, 3, &finite), 2);
  assert_false(finite);
  assert_int_equal(kn_argmax((float[]){NAN, NAN}, 2, &finite), 0);
  assert_false(finite);
  assert_int_equal(kn_argmax((float[]){1, INFINITY}, 2, &finite), 1);
  assert_false(finite);
}

static void top_k_ranks_as_argmax_does(void **state) {
  (void)state;
  const float scores[] = {1, 5, 5, 3, 4, 2, 0};
  /* Ranking: 1, 2, 4, 3, 5, 0, 6. */
  static const size_t rank[] = {5, 0, 1, 3, 2, 4, 6};
  for (size_t label = 0; label < 7; label++)
    for (size_t k = 0; k <= 7; k++) assert_int_equal(kn_in_top_k(scores, 7, label, k), rank[label] < k);
  assert_false(kn_in_top_k(scores, 7, 7, 7)); /* no such class */
  const float bad[] = {NAN, 1, NAN};
  assert_true(kn_in_top_k(bad, 3, 1, 1));
  assert_false(kn_in_top_k(bad, 3, 0, 1));
  assert_true(kn_in_top_k(bad, 3, 0, 2));
  assert_false(kn_in_top_k(bad, 3, 2, 2));
}

static void wilson_intervals_have_known_ends(void **state) {
  (void)state;
  static const double known[][4] = {{7035, 7349, 0.952405399146051, 0.9616629970842636},
                                    {6996, 7349, 0.9468367262869289, 0.9566235260799779},
                                    {0, 10, 0, 0.2775327998628892},
                                    {10, 10, 0.7224672001371107, 1},
                                    {1, 1, 0.20654931437723745, 1},
                                    {0, 0, 0, 1}};
  for (size_t i = 0; i < 6; i++) {
    double interval[2];
    kn_wilson95(known[i][0], known[i][1], interval);
    kt_assert_near(interval[0], known[i][2], 1e-12);
    kt_assert_near(interval[1], known[i][3], 1e-12);
  }
}

/* Lists in which `first` alone is right `a` times and `second` alone `b` times. */
static kn_paired_test test_of(size_t a, size_t b) {
  static int64_t targets[4096], first[4096], second[4096];
  size_t count = a + b + 10;
  for (size_t i = 0; i < count; i++) {
    targets[i] = 1;
    first[i] = i < a || i >= a + b + 5 ? 1 : 0;
    second[i] = (i >= a && i < a + b) || i >= a + b + 5 ? 1 : 2;
  }
  kn_paired_test test;
  kn_paired_test_run(targets, first, second, count, &test);
  return test;
}

static void mcnemar_has_known_probabilities(void **state) {
  (void)state;
  static const struct {
    size_t a, b;
    double exact, mid;
  } known[] = {{5, 15, 0.04138946533203125, 0.02660369873046875},
               {15, 5, 0.04138946533203125, 0.02660369873046875},
               {0, 1, 1, 0.5},
               {7, 7, 1, 0.895263671875},
               {3, 0, 0.25, 0.125},
               {2, 12, 0.012939453125, 0.00738525390625},
               {1000, 1100, 0.030720707864242296, 0.029110633685909038},
               {0, 0, 1, 1}};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    kn_paired_test test = test_of(known[i].a, known[i].b);
    assert_int_equal(test.count, known[i].a + known[i].b + 10);
    assert_int_equal(test.only_first, known[i].a);
    assert_int_equal(test.only_second, known[i].b);
    assert_int_equal(test.both_correct, 5);
    assert_int_equal(test.both_wrong, 5);
    assert_int_equal(test.agree, 5);
    kt_assert_near(test.p_exact, known[i].exact, 1e-9);
    kt_assert_near(test.p_mid, known[i].mid, 1e-9);
  }
}

static void differences_have_intervals(void **state) {
  (void)state;
  static const struct {
    size_t a, b; /* of a + b + 10 samples */
    double low, high;
  } known[] = {{5, 15, 0.0464020107, 0.5785979893},
               {15, 5, -0.5785979893, -0.0464020107},
               {0, 0, -0.2309839707, 0.2309839707},
               {1000, 0, -0.9953519274, -0.9809326576}};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    kn_paired_test test = test_of(known[i].a, known[i].b);
    kt_assert_near(test.difference_ci95[0], known[i].low, 1e-9);
    kt_assert_near(test.difference_ci95[1], known[i].high, 1e-9);
    double difference = ((double)known[i].b - (double)known[i].a) / (double)test.count;
    assert_true(test.difference_ci95[0] <= difference && difference <= test.difference_ci95[1]);
  }
  kn_paired_test none;
  kn_paired_test_run(NULL, NULL, NULL, 0, &none);
  kt_assert_near(none.difference_ci95[0], -1, 0);
  kt_assert_near(none.difference_ci95[1], 1, 0);
}

static void samples_not_reached_are_left_out(void **state) {
  (void)state;
  kn_paired_test test;
  kn_paired_test_run((int64_t[]){0, 1, 2}, (int64_t[]){0, -1, 2}, (int64_t[]){0, 1, -1}, 3, &test);
  assert_int_equal(test.count, 1);
  assert_int_equal(test.both_correct, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(means_follow_their_formulas),       cmocka_unit_test(classes_have_their_own_scores),
      cmocka_unit_test(degenerate_matrices_stay_finite),   cmocka_unit_test(g_mean_of_many_classes_does_not_underflow),
      cmocka_unit_test(argmax_takes_the_lowest_of_equals), cmocka_unit_test(top_k_ranks_as_argmax_does),
      cmocka_unit_test(wilson_intervals_have_known_ends),  cmocka_unit_test(mcnemar_has_known_probabilities),
      cmocka_unit_test(differences_have_intervals),        cmocka_unit_test(samples_not_reached_are_left_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
