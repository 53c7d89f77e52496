#include "core/memory.h"
#include "pipeline/split.h"

#include <kenning/random.h>

#include "support/near.h"
#include "support/status.h"

enum { COUNT = 1013, CLASSES = 7 };
static int64_t labels[COUNT];
static uint8_t published[COUNT];

/* Uneven classes in a mixed order. */
static int make_labels(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT; i++) {
    double u = kn_random_unit(42, i);
    labels[i] = (int64_t)(u * u * CLASSES);
  }
  return 0;
}

static kn_split_request request(uint64_t seed) {
  return (kn_split_request){.count = COUNT,
                            .classes = CLASSES,
                            .labels = labels,
                            .fraction_test = 0.2,
                            .fraction_validation = 0.1,
                            .fraction_calibration = 0.05,
                            .seed = seed};
}

static size_t members(const kn_split_plan *plan, kn_split split, int64_t label) {
  size_t count = 0;
  for (size_t i = 0; i < plan->count; i++) count += plan->assignment[i] == split && (label < 0 || labels[i] == label);
  return count;
}

static void parts_are_disjoint_and_whole(void **state) {
  (void)state;
  kn_split_plan plan;
  kn_split_request r = request(1);
  kt_assert_ok(kn_split_draw(&r, &plan));
  static const kn_split parts[] = {KN_SPLIT_TRAIN, KN_SPLIT_VALIDATION, KN_SPLIT_CALIBRATION, KN_SPLIT_TEST};
  static int seen[COUNT];
  memset(seen, 0, sizeof seen);
  for (size_t i = 0; i < 4; i++) {
    size_t *indexes, count;
    kt_assert_ok(kn_split_indexes(&plan, parts[i], i % 2, 5, &indexes, &count));
    assert_int_equal(count, plan.counts[parts[i]]);
    for (size_t j = 0; j < count; j++) seen[indexes[j]]++;
    kn_free(indexes);
  }
  for (size_t i = 0; i < COUNT; i++) assert_int_equal(seen[i], 1);
  size_t *indexes, count;
  kt_assert_ok(kn_split_indexes(&plan, KN_SPLIT_ALL, false, 0, &indexes, &count));
  assert_int_equal(count, COUNT);
  for (size_t i = 0; i < COUNT; i++) assert_int_equal(indexes[i], i);
  kn_free(indexes);
  kn_split_clear(&plan);
}

static void parts_have_their_shares_of_every_class(void **state) {
  (void)state;
  kn_split_plan plan;
  kn_split_request r = request(1);
  kt_assert_ok(kn_split_draw(&r, &plan));
  assert_int_equal(plan.counts[KN_SPLIT_TEST], 203); /* round(202.6) */
  double rest = COUNT - 203;
  assert_int_equal(plan.counts[KN_SPLIT_VALIDATION], 81);
  kt_assert_near((double)plan.counts[KN_SPLIT_CALIBRATION], 0.05 * rest, 1);
  for (int64_t label = 0; label < CLASSES; label++) {
    size_t all = 0;
    for (size_t i = 0; i < COUNT; i++) all += labels[i] == label;
    size_t test = members(&plan, KN_SPLIT_TEST, label);
    double left = (double)(all - test);
    kt_assert_near((double)test, 0.2 * (double)all, 1);
    kt_assert_near((double)members(&plan, KN_SPLIT_VALIDATION, label), 0.1 * left, 1);
    kt_assert_near((double)members(&plan, KN_SPLIT_CALIBRATION, label), 0.05 * left, 1);
  }
  kn_split_clear(&plan);
}

static void the_seed_alone_decides(void **state) {
  (void)state;
  kn_split_plan a, b, c;
  kn_split_request first = request(1), other = request(2);
  kt_assert_ok(kn_split_draw(&first, &a));
  kt_assert_ok(kn_split_draw(&first, &b));
  kt_assert_ok(kn_split_draw(&other, &c));
  assert_memory_equal(a.assignment, b.assignment, COUNT);
  assert_memory_not_equal(a.assignment, c.assignment, COUNT);
  kn_split_clear(&a);
  kn_split_clear(&b);
  kn_split_clear(&c);
}

/* A change here makes every stored result of an earlier version incomparable. */
static void the_split_of_a_seed_stays_as_it_is(void **state) {
  (void)state;
  static const int64_t twenty[20] = {0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1};
  kn_split_plan plan;
  kt_assert_ok(kn_split_draw(&(kn_split_request){.count = 20,
                                                 .classes = 2,
                                                 .labels = twenty,
                                                 .fraction_test = 0.2,
                                                 .fraction_validation = 0.25,
                                                 .fraction_calibration = 0.125,
                                                 .seed = 1234},
                             &plan));
  char text[21] = {0};
  for (size_t i = 0; i < 20; i++) text[i] = "-tvcT"[plan.assignment[i]];
  assert_string_equal(text, "tccTvttvTtvttTTttvtt");
  kn_split_clear(&plan);
}

static void published_parts_stay(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT; i++) published[i] = i >= 900 ? KN_SPLIT_TEST : KN_SPLIT_TRAIN;
  kn_split_request r = request(1);
  r.published = published;
  kn_split_plan plan;
  kt_assert_ok(kn_split_draw(&r, &plan));
  for (size_t i = 0; i < COUNT; i++) assert_int_equal(plan.assignment[i] == KN_SPLIT_TEST, i >= 900);
  assert_int_equal(plan.counts[KN_SPLIT_VALIDATION], 90);
  kt_assert_near((double)plan.counts[KN_SPLIT_CALIBRATION], 45, 1);
  kn_split_clear(&plan);
  /* A published validation part too: then only calibration is drawn. */
  for (size_t i = 0; i < 10; i++) published[i] = KN_SPLIT_VALIDATION;
  kt_assert_ok(kn_split_draw(&r, &plan));
  assert_int_equal(plan.counts[KN_SPLIT_VALIDATION], 10);
  for (size_t i = 0; i < 10; i++) assert_int_equal(plan.assignment[i], KN_SPLIT_VALIDATION);
  kt_assert_near((double)plan.counts[KN_SPLIT_CALIBRATION], 0.05 * 890, 1);
  kn_split_clear(&plan);
}

static void unlabelled_samples_are_split_too(void **state) {
  (void)state;
  kn_split_request r = request(1);
  r.classes = 0;
  r.labels = NULL;
  kn_split_plan plan;
  kt_assert_ok(kn_split_draw(&r, &plan));
  assert_int_equal(plan.counts[KN_SPLIT_TEST], 203);
  kn_split_clear(&plan);
}

static void extreme_shares(void **state) {
  (void)state;
  kn_split_request r = request(1);
  kn_split_plan plan;
  r.fraction_test = 1;
  kt_assert_ok(kn_split_draw(&r, &plan));
  assert_int_equal(plan.counts[KN_SPLIT_TEST], COUNT);
  kn_split_clear(&plan);
  r.fraction_test = r.fraction_validation = r.fraction_calibration = 0;
  kt_assert_ok(kn_split_draw(&r, &plan));
  assert_int_equal(plan.counts[KN_SPLIT_TRAIN], COUNT);
  kn_split_clear(&plan);
  /* One sample per class and halves: nothing is given twice. */
  static const int64_t singles[3] = {0, 1, 2};
  r = (kn_split_request){
      .count = 3, .classes = 3, .labels = singles, .fraction_validation = 0.5, .fraction_calibration = 0.5};
  kt_assert_ok(kn_split_draw(&r, &plan));
  assert_int_equal(plan.counts[KN_SPLIT_TRAIN] + plan.counts[KN_SPLIT_VALIDATION] + plan.counts[KN_SPLIT_CALIBRATION],
                   3);
  assert_int_equal(plan.counts[KN_SPLIT_VALIDATION], 2);
  kn_split_clear(&plan);
}

static void faults_are_told(void **state) {
  (void)state;
  kn_split_request r = request(1);
  kn_split_plan plan;
  r.fraction_validation = r.fraction_calibration = 0.6;
  kt_assert_fault(kn_split_draw(&r, &plan), KN_INVALID_ARGUMENT, "split_fraction_val 0.6");
  assert_null(plan.assignment);
  r = request(1);
  r.classes = CLASSES - 1;
  kt_assert_fault(kn_split_draw(&r, &plan), KN_BAD_DATA, "is outside 0 to 5");
}

static void shuffled_order_is_a_permutation_of_the_seed(void **state) {
  (void)state;
  kn_split_request r = request(1);
  kn_split_plan plan;
  kt_assert_ok(kn_split_draw(&r, &plan));
  size_t *a, *b, *c, *sorted, count;
  kt_assert_ok(kn_split_indexes(&plan, KN_SPLIT_TRAIN, true, 9, &a, &count));
  kt_assert_ok(kn_split_indexes(&plan, KN_SPLIT_TRAIN, true, 9, &b, &count));
  kt_assert_ok(kn_split_indexes(&plan, KN_SPLIT_TRAIN, true, 10, &c, &count));
  kt_assert_ok(kn_split_indexes(&plan, KN_SPLIT_TRAIN, false, 9, &sorted, &count));
  assert_memory_equal(a, b, count * sizeof *a);
  assert_memory_not_equal(a, c, count * sizeof *a);
  size_t early = 0;
  for (size_t i = 0; i < count; i++) {
    assert_true(!i || sorted[i] > sorted[i - 1]);
    early += i < count / 2 && a[i] < COUNT / 2;
  }
  assert_in_range(early, count / 4 - 60, count / 4 + 60); /* the first half comes from everywhere */
  kn_free(a);
  kn_free(b);
  kn_free(c);
  kn_free(sorted);
  kn_split_clear(&plan);
}

static void memory_may_run_out(void **state) {
  (void)state;
  kn_split_request r = request(1);
  for (uint64_t allowed = 0; allowed < 3; allowed++) {
    kn_split_plan plan;
    kn_memory_fail_after(allowed);
    kn_status status = kn_split_draw(&r, &plan);
    kn_memory_fail_after(UINT64_MAX);
    kt_assert_fault(status, KN_OUT_OF_MEMORY, NULL);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(parts_are_disjoint_and_whole),
      cmocka_unit_test(parts_have_their_shares_of_every_class),
      cmocka_unit_test(the_seed_alone_decides),
      cmocka_unit_test(the_split_of_a_seed_stays_as_it_is),
      cmocka_unit_test(published_parts_stay),
      cmocka_unit_test(unlabelled_samples_are_split_too),
      cmocka_unit_test(extreme_shares),
      cmocka_unit_test(faults_are_told),
      cmocka_unit_test(shuffled_order_is_a_permutation_of_the_seed),
      cmocka_unit_test(memory_may_run_out),
  };
  return cmocka_run_group_tests(tests, make_labels, NULL);
}
