/* What a model has, against what a specification says of it. */
#include "support/status.h"
#include "support/unit.h"

#include <kenning/iospec.h>
#include <string.h>

static char left_name[] = "left", right_name[] = "right", small_name[] = "small", labels[] = "labels";

static const kn_ioentry left = {.name = left_name, .dtype = KN_FLOAT32, .rank = 2, .shape = {4, 3}, .order = -1};
static const kn_ioentry right = {.name = right_name, .dtype = KN_FLOAT32, .rank = 2, .shape = {4, 3}, .order = -1};
static const kn_ioentry small = {.name = small_name,
                                 .dtype = KN_INT8,
                                 .rank = 1,
                                 .shape = {3},
                                 .quantized = true,
                                 .scale = 0.5,
                                 .zero_point = 1,
                                 .prequantized_dtype = KN_FLOAT32};

static kn_iolist list_of(size_t count, ...) {
  kn_iolist list = {0};
  va_list entries;
  va_start(entries, count);
  for (size_t i = 0; i < count; i++) {
    kn_ioentry entry = va_arg(entries, kn_ioentry);
    kt_assert_ok(kn_iolist_add(&list, &entry));
  }
  va_end(entries);
  return list;
}

static void clear(kn_iolist *list) {
  kn_iospec spec = {.input = *list};
  kn_iospec_clear(&spec);
  *list = (kn_iolist){0};
}

static kn_ioentry named(kn_ioentry entry, const char *name) {
  entry.name = (char *)(uintptr_t)name;
  return entry;
}

static void without_a_specification_the_model_decides(void **state) {
  (void)state;
  kn_iolist found = list_of(2, left, right), bound = {0}, empty = {0};
  size_t places[2];
  kt_assert_ok(kn_iolist_bind(NULL, &found, "input", &bound, places));
  assert_int_equal(bound.count, 2);
  assert_string_equal(bound.entries[1].name, "right");
  assert_int_equal(bound.entries[1].order, 1);
  assert_int_equal(places[1], 1);
  clear(&bound);
  kt_assert_ok(kn_iolist_bind(&empty, &found, "input", &bound, places));
  assert_int_equal(bound.count, 2);
  clear(&bound);
  clear(&found);
}

static void entries_find_each_other_by_name(void **state) {
  (void)state;
  kn_ioentry wanted = right;
  wanted.class_name = labels;
  wanted.shape[0] = 1; /* another batch */
  wanted.shape[1] = -1;
  kn_iolist found = list_of(2, left, right), given = list_of(2, wanted, left), bound = {0};
  size_t places[2];
  kt_assert_ok(kn_iolist_bind(&given, &found, "input", &bound, places));
  assert_string_equal(bound.entries[0].name, "right");
  assert_string_equal(bound.entries[0].class_name, "labels");
  assert_int_equal(bound.entries[0].shape[0], 4); /* the model's own shape */
  assert_int_equal(bound.entries[0].shape[1], 3);
  assert_int_equal(places[0], 1);
  assert_int_equal(places[1], 0);
  clear(&bound);
  clear(&given);
  /* Other names: by position. */
  given = list_of(2, named(left, "a"), named(right, "b"));
  kt_assert_ok(kn_iolist_bind(&given, &found, "input", &bound, places));
  assert_string_equal(bound.entries[0].name, "left");
  assert_int_equal(places[0], 0);
  clear(&bound);
  clear(&given);
  clear(&found);
}

static void refuse(kn_iolist given, const kn_iolist *found, const char *part) {
  size_t places[2];
  kn_iolist bound = {0};
  kt_assert_fault(kn_iolist_bind(&given, found, "output", &bound, places), KN_INCOMPATIBLE, part);
  clear(&bound);
  clear(&given);
}

static void disagreement_is_told(void **state) {
  (void)state;
  kn_iolist found = list_of(2, left, small);
  refuse(list_of(1, left), &found, "the io specification has 1 output(s), the model 2");
  refuse(list_of(2, left, named(left, "left")), &found, "names the model's output 'left' twice");
  refuse(list_of(2, left, named(small, "other")), &found, "has the output 'other', which the model does not have");
  kn_ioentry other = left;
  other.dtype = KN_INT64;
  refuse(list_of(2, other, small), &found, "'left' is int64 [4,3], but the model's 'left' is float32 [4,3]");
  other = left;
  other.shape[1] = 5;
  refuse(list_of(2, other, small), &found, "remove or mend the .json file");
  other = left;
  other.rank = 1;
  refuse(list_of(2, other, small), &found, "[4]");
  /* float32 for what is quantized is the model before it was quantized. */
  other = small;
  other.dtype = KN_FLOAT32;
  other.quantized = false;
  kn_iolist given = list_of(2, left, other), bound = {0};
  size_t places[2];
  kt_assert_ok(kn_iolist_bind(&given, &found, "output", &bound, places));
  assert_true(bound.entries[1].quantized);
  assert_int_equal(bound.entries[1].dtype, KN_INT8);
  clear(&bound);
  clear(&given);
  clear(&found);
}

/* Not every format tells how its integers are meant. */
static void the_specification_tells_the_quantization(void **state) {
  (void)state;
  kn_ioentry plain = small;
  plain.quantized = false;
  plain.scale = 0;
  kn_iolist found = list_of(1, plain), given = list_of(1, small), bound = {0};
  size_t places[1];
  kt_assert_ok(kn_iolist_bind(&given, &found, "output", &bound, places));
  assert_true(bound.entries[0].quantized);
  assert_true(bound.entries[0].scale == 0.5);
  assert_int_equal(bound.entries[0].zero_point, 1);
  clear(&bound);
  clear(&given);
  clear(&found);
}

static void the_model_s_input_is_the_processed_one(void **state) {
  (void)state;
  kn_iospec spec = {0};
  assert_null(kn_iospec_model_input(NULL));
  assert_null(kn_iospec_model_input(&spec));
  spec.input = list_of(1, left);
  assert_ptr_equal(kn_iospec_model_input(&spec), &spec.input);
  spec.processed_input = list_of(1, right);
  assert_ptr_equal(kn_iospec_model_input(&spec), &spec.processed_input);
  kn_iospec_clear(&spec);
}

static void tensors_are_copied_and_quantized(void **state) {
  (void)state;
  float values[3] = {0, 1, -2}, back[3];
  int8_t stored[3], direct[3] = {1, 2, 3};
  kn_tensor_view view = {.data = values, .bytes = sizeof values, .dtype = KN_FLOAT32, .rank = 1, .shape = {3}};
  kn_tensor_view same = {.data = direct, .bytes = sizeof direct, .dtype = KN_INT8, .rank = 1, .shape = {3}};
  kt_assert_ok(kn_ioentry_store(&small, &view, stored));
  assert_int_equal(stored[1], 3);
  assert_int_equal(stored[2], -3);
  view.data = back;
  kt_assert_ok(kn_ioentry_fetch(&small, stored, &view));
  assert_memory_equal(back, values, sizeof values);
  kt_assert_ok(kn_ioentry_store(&small, &same, stored));
  assert_memory_equal(stored, direct, sizeof direct);
  memset(direct, 0, sizeof direct);
  kt_assert_ok(kn_ioentry_fetch(&small, stored, &same));
  assert_int_equal(direct[2], 3);
}

static void tensors_that_do_not_fit_are_refused(void **state) {
  (void)state;
  float values[12] = {0};
  int8_t stored[12];
  kn_tensor_view view = {.data = values, .bytes = 2 * sizeof *values, .dtype = KN_FLOAT32, .rank = 1, .shape = {2}};
  kt_assert_fault(kn_ioentry_store(&small, &view, stored), KN_INVALID_ARGUMENT,
                  "'small' has 3 elements in the model, the tensor handed over 2");
  view.shape[0] = 3; /* and bytes of two */
  kt_assert_fault(kn_ioentry_fetch(&small, stored, &view), KN_INVALID_ARGUMENT, "elements");
  view = (kn_tensor_view){.data = stored, .bytes = 12, .dtype = KN_INT8, .rank = 2, .shape = {4, 3}};
  kt_assert_fault(kn_ioentry_store(&left, &view, values), KN_INVALID_ARGUMENT,
                  "'left' is float32 in the model; int8 cannot be exchanged with it");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(without_a_specification_the_model_decides),
      cmocka_unit_test(entries_find_each_other_by_name),
      cmocka_unit_test(disagreement_is_told),
      cmocka_unit_test(the_specification_tells_the_quantization),
      cmocka_unit_test(the_model_s_input_is_the_processed_one),
      cmocka_unit_test(tensors_are_copied_and_quantized),
      cmocka_unit_test(tensors_that_do_not_fit_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
