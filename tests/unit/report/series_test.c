#include "report/series.h"

#include "support/near.h"
#include "support/status.h"

/* A run with these inference times, of which the first `warmup` are left out. */
static void make_run(double *steps, size_t count, size_t warmup, kn_run *out_run) {
  *out_run = (kn_run){.results = {.steps = {steps, count}, .warmup = warmup}, .sorted_count = count - warmup};
  kt_assert_ok(kn_sorted_copy(steps + warmup, count - warmup, &out_run->sorted));
}

static void warm_up_is_left_out(void **state) {
  (void)state;
  double steps[] = {9, 8, 1, 2, 3};
  kn_run run;
  make_run(steps, 5, 2, &run);
  kn_points points;
  kt_assert_ok(kn_points_steps(&run, &points));
  assert_int_equal(points.count, 3);
  kt_assert_near(points.x[0], 1, 0);
  kt_assert_near(points.y[0], 1, 0);
  kt_assert_near(points.y[2], 3, 0);
  kn_points_clear(&points);
  kn_free(run.sorted);
}

static void thinning_keeps_every_peak(void **state) {
  (void)state;
  enum { COUNT = 10007, LIMIT = 200 };
  kn_points points = {kn_alloc_array(COUNT, sizeof(double)), kn_alloc_array(COUNT, sizeof(double)), COUNT};
  for (size_t i = 0; i < COUNT; i++) {
    points.x[i] = (double)i;
    points.y[i] = 1 + (double)(i % 13) / 100;
  }
  points.y[4711] = 50;
  points.y[77] = -3;
  points.y[COUNT - 1] = 60;
  kn_points_thin(&points, LIMIT);
  assert_true(points.count <= LIMIT && points.count > LIMIT / 2);
  bool high = false, low = false;
  for (size_t i = 0; i < points.count; i++) {
    if (i) assert_true(points.x[i] > points.x[i - 1]);
    high = high || (points.x[i] == 4711 && points.y[i] == 50);
    low = low || (points.x[i] == 77 && points.y[i] == -3);
  }
  assert_true(high && low);
  kt_assert_near(points.y[points.count - 1], 60, 0);
  kn_points_clear(&points);
}

static void few_points_stay_as_they_are(void **state) {
  (void)state;
  kn_points points = {kn_alloc_array(3, sizeof(double)), kn_alloc_array(3, sizeof(double)), 3};
  kn_points_thin(&points, 10);
  assert_int_equal(points.count, 3);
  kn_points_thin(&points, 1); /* not even a bucket: nothing is done */
  assert_int_equal(points.count, 3);
  kn_points_clear(&points);
}

static void the_trend_is_made_of_medians(void **state) {
  (void)state;
  double steps[40];
  for (size_t i = 0; i < 40; i++) steps[i] = i < 20 ? 1 : 2;
  steps[3] = 100;
  kn_run run;
  make_run(steps, 40, 0, &run);
  kn_points points;
  kt_assert_ok(kn_points_trend(&run, 300, &points));
  assert_int_equal(points.count, 4);
  kt_assert_near(points.y[0], 1, 0);
  kt_assert_near(points.y[3], 2, 0);
  kt_assert_near(points.x[0], 5.5, 0);
  kn_points_clear(&points);
  kn_free(run.sorted);
}

static void distributions_share_their_bins(void **state) {
  (void)state;
  double fast[] = {1e-4, 1e-4, 2e-4, 0}, slow[] = {1e-2, 2e-2};
  kn_run runs[3];
  make_run(fast, 4, 0, &runs[0]);
  make_run(slow, 2, 0, &runs[1]);
  runs[2] = (kn_run){0};
  kn_report_model model = {.runs = runs, .run_count = 3};
  kn_distribution made;
  kt_assert_ok(kn_distribution_of(&model, 50, &made));
  assert_int_equal(made.bins, 50);
  assert_true(made.edges[0] < 1e-4 && made.edges[50] > 2e-2);
  double sums[3] = {0};
  for (size_t r = 0; r < 3; r++)
    for (size_t i = 0; i < 50; i++) sums[r] += made.shares[r * 50 + i];
  kt_assert_near(sums[0], 0.75, 1e-12); /* zero lies below every bin */
  kt_assert_near(sums[1], 1, 1e-12);
  kt_assert_near(sums[2], 0, 0);
  kt_assert_near(made.cumulative[50], 1, 1e-12);
  kn_distribution_clear(&made);
  /* Without a time above zero there is none. */
  model.runs = &runs[2];
  model.run_count = 1;
  kt_assert_ok(kn_distribution_of(&model, 50, &made));
  assert_int_equal(made.bins, 0);
  kn_free(runs[0].sorted);
  kn_free(runs[1].sorted);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(warm_up_is_left_out),
      cmocka_unit_test(thinning_keeps_every_peak),
      cmocka_unit_test(few_points_stay_as_they_are),
      cmocka_unit_test(the_trend_is_made_of_medians),
      cmocka_unit_test(distributions_share_their_bins),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
