#include "support/unit.h"

#include <math.h>
#include <string.h>

#include "unit/datasets/opened.h"

extern const kn_class kn_randomized_classification_dataset_class;
static const kn_class *const cls = &kn_randomized_classification_dataset_class;

static void defaults_are_those_of_the_original(void **state) {
  (void)state;
  opened set;
  assert_null(OPEN(cls, &set));
  assert_int_equal(set.info.count, 1000);
  assert_int_equal(set.info.classes, 3);
  assert_int_equal(set.info.rank, 3);
  assert_int_equal(set.info.shape[0], 224);
  assert_int_equal(set.info.shape[1], 224);
  assert_int_equal(set.info.shape[2], 3);
  assert_int_equal(set.info.task, KN_TASK_NONE);
  assert_string_equal(set.info.class_names[2], "2");
  size_t labels[3] = {0};
  for (size_t i = 0; i < set.info.count; i++) labels[opened_label(&set, i)]++;
  assert_true(labels[0] == 334 && labels[1] == 333 && labels[2] == 333);
  opened_close(&set);
}

static void a_sample_is_the_same_in_any_order(void **state) {
  (void)state;
  opened set, again, other;
  assert_null(OPEN(cls, &set, "input_dims", "5 3 7", "num_samples", "20", "dataset_root", "/nonexistent"));
  assert_null(OPEN(cls, &again, "inputdims", "5 3 7", "samplescount", "20"));
  assert_null(OPEN(cls, &other, "input_dims", "5 3 7", "seed", "1235"));
  kn_tensor_view last = opened_load(&again, 19);
  kn_tensor_view first = opened_load(&again, 0);
  for (size_t i = 0; i < 20; i++) {
    kn_tensor_view sample = opened_load(&set, i);
    if (i == 0) assert_memory_equal(sample.data, first.data, sample.bytes);
    if (i == 19) assert_memory_equal(sample.data, last.data, sample.bytes);
    if (i != 19) assert_true(memcmp(sample.data, last.data, sample.bytes) != 0);
    kn_tensor_view differs = opened_load(&other, i);
    assert_true(memcmp(sample.data, differs.data, sample.bytes) != 0);
    kn_tensor_free(&differs);
    kn_tensor_free(&sample);
  }
  kn_tensor_free(&first);
  kn_tensor_free(&last);
  opened_close(&set);
  opened_close(&again);
  opened_close(&other);
}

/* 150,528 values: the mean of that many standard normal deviates is within 0.02 of 0 in all but one of 10^14 cases. */
static void values_are_normal(void **state) {
  (void)state;
  opened set;
  assert_null(OPEN(cls, &set));
  kn_tensor_view sample = opened_load(&set, 7);
  const float *values = sample.data;
  size_t count = kn_tensor_elements(&sample), inside = 0;
  double sum = 0, squares = 0;
  for (size_t i = 0; i < count; i++) {
    assert_true(isfinite(values[i]));
    sum += values[i];
    squares += (double)values[i] * values[i];
    inside += fabsf(values[i]) < 1;
  }
  assert_true(fabs(sum / (double)count) < 0.02);
  assert_true(fabs(squares / (double)count - 1) < 0.03);
  assert_true(fabs((double)inside / (double)count - 0.6827) < 0.01);
  kn_tensor_free(&sample);
  opened_close(&set);
}

static void impossible_shapes_are_refused(void **state) {
  (void)state;
  opened set;
  assert_fault(OPEN(cls, &set, "input_dims", "1 2 3 4 5 6 7 8"), KN_INVALID_ARGUMENT, "at most 7");
  opened_close(&set);
  assert_fault(OPEN(cls, &set, "input_dims", "1000000000 1000000000 1000000000"), KN_INVALID_ARGUMENT,
               "more bytes than can be counted");
  opened_close(&set);
  assert_null(OPEN(cls, &set, "input_dims", "4"));
  kn_tensor_view wrong;
  assert_null(kn_tensor_create(KN_FLOAT32, 1, (int64_t[]){5}, &wrong));
  assert_fault(set.ops->load(set.self, 0, &wrong), KN_INVALID_ARGUMENT, "4 float32");
  kn_tensor_free(&wrong);
  opened_close(&set);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(defaults_are_those_of_the_original),
      cmocka_unit_test(a_sample_is_the_same_in_any_order),
      cmocka_unit_test(values_are_normal),
      cmocka_unit_test(impossible_shapes_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
