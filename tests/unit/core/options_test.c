#include "core/instance.h"
#include "core/registry.h"
#include "support/status.h"
#include "unit/core/example_block.h"

#include <kenning/services.h>

static void rows_come_from_the_class_its_base_and_its_kind(void **state) {
  (void)state;
  static const char *const expected[] = {"flag",
                                         "number",
                                         "share",
                                         "text",
                                         "file",
                                         "needed",
                                         "choice",
                                         "words",
                                         "numbers",
                                         "nullable",
                                         "inference_batch_size",
                                         "of_base",
                                         "dataset_root",
                                         "download_dataset",
                                         "external_calibration_dataset",
                                         "split",
                                         "split_fraction_test",
                                         "split_fraction_val",
                                         "split_fraction_calibration",
                                         "split_seed"};
  size_t count = sizeof expected / sizeof expected[0];
  assert_int_equal(kn_option_count(&example_class), count);
  for (size_t i = 0; i < count; i++) assert_string_equal(kn_option_at(&example_class, i)->name, expected[i]);
  assert_null(kn_option_at(&example_class, count));
  assert_null(kn_option_at(&example_class, SIZE_MAX));
  /* What replaces a row takes its place altogether. */
  assert_string_equal(kn_option_find(&example_class, "number", NULL)->help, "An integer");
  assert_int_equal(kn_option_find(&example_class, "inference_batch_size", NULL)->def.i, 77);
  assert_int_equal(kn_option_find(&example_base_class, "inference_batch_size", NULL)->def.i, 1);
}

static void a_class_without_rows_has_those_of_its_base(void **state) {
  (void)state;
  kn_class derived = {.struct_size = sizeof derived,
                      .name = "tests.Derived",
                      .kind = KN_KIND_DATASET,
                      .base = &example_class,
                      .instance_size = sizeof(example)};
  assert_int_equal(kn_option_count(&derived), kn_option_count(&example_class));
  kn_class bare = {
      .struct_size = sizeof bare, .name = "tests.Bare", .kind = KN_KIND_RUNTIMEPROTOCOL, .instance_size = 1};
  assert_int_equal(kn_option_count(&bare), 0);
}

/* A class may repeat the table of its base: rows still count once. */
static void a_shared_table_counts_once(void **state) {
  (void)state;
  kn_class derived = {.struct_size = sizeof derived,
                      .name = "tests.Derived",
                      .kind = KN_KIND_DATASET,
                      .options = example_options,
                      .base = &example_class,
                      .instance_size = sizeof(example)};
  assert_int_equal(kn_option_count(&derived), kn_option_count(&example_class));
}

static void rows_are_found_by_key_and_alias(void **state) {
  (void)state;
  size_t index;
  const kn_option *text = kn_option_find(&example_class, "text", &index);
  assert_int_equal(index, 3);
  assert_ptr_equal(kn_option_find(&example_class, "textvalue", &index), text);
  assert_int_equal(index, 3);
  assert_ptr_equal(kn_option_find(&example_class, "old_text", NULL), text);
  assert_ptr_equal(kn_option_find(&example_class, "root", NULL), kn_option_find(&example_class, "dataset_root", NULL));
  assert_null(kn_option_find(&example_class, "Text", NULL));
  assert_null(kn_option_find(&example_class, "", NULL));
}

static void flags_are_derived_or_given(void **state) {
  (void)state;
  char flag[96];
  assert_string_equal(kn_option_flag(kn_option_find(&example_class, "inference_batch_size", NULL), flag),
                      "--inference-batch-size");
  assert_string_equal(kn_option_flag(kn_option_find(&example_class, "nullable", NULL), flag), "--special-flag");
}

static void defaults_are_json(void **state) {
  (void)state;
  static const char *const expected[][2] = {
      {"flag", "true"},    {"number", "5"},         {"share", "0.25"},    {"text", "\"default text\""},
      {"file", "null"},    {"choice", "\"green\""}, {"words", "[]"},      {"numbers", "[1, -2, 30]"},
      {"nullable", "0.5"}, {"split_seed", "1234"},  {"split", "\"test\""}};
  for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
    char text[256];
    assert_string_equal(kn_option_default_text(kn_option_find(&example_class, expected[i][0], NULL), text, sizeof text),
                        expected[i][1]);
  }
}

static void near_names_are_suggested(void **state) {
  (void)state;
  const char *const names[] = {"dataset_root", "download_dataset", "inference_batch_size", "a"};
  static const char *const cases[][2] = {{"dataset_rot", "dataset_root"},
                                         {"dataset_root", "dataset_root"},
                                         {"datsaet_root", "dataset_root"}, /* neighbours swapped */
                                         {"dataset-root", "dataset_root"},
                                         {"inference_batchsize", "inference_batch_size"},
                                         {"b", "a"},
                                         {"something else altogether", NULL},
                                         {"zzzzzzzzz", NULL}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const char *near = kn_closest_name(cases[i][0], names, 4);
    if (cases[i][1])
      assert_string_equal(near, cases[i][1]);
    else
      assert_null(near);
  }
  char long_name[5000];
  memset(long_name, 'a', sizeof long_name - 1);
  long_name[sizeof long_name - 1] = '\0';
  assert_null(kn_closest_name(long_name, names, 3));
  const char *const long_names[] = {long_name};
  assert_null(kn_closest_name("a", long_names, 1));
  assert_null(kn_closest_name("a", NULL, 0));
}

static void kinds_have_names_and_rows(void **state) {
  (void)state;
  assert_string_equal(kn_kind_name(KN_KIND_DATASET), "dataset");
  assert_string_equal(kn_kind_name(KN_KIND_ONNXCONVERTER), "onnxconverter");
  assert_string_equal(kn_kind_name((kn_kind)0), "block");
  assert_string_equal(kn_kind_name(KN_KIND_COUNT), "block");
  assert_null(kn_kind_options((kn_kind)0));
  assert_null(kn_kind_options((kn_kind)-1));
  assert_null(kn_kind_options((kn_kind)1000));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rows_come_from_the_class_its_base_and_its_kind),
      cmocka_unit_test(a_class_without_rows_has_those_of_its_base),
      cmocka_unit_test(a_shared_table_counts_once),
      cmocka_unit_test(rows_are_found_by_key_and_alias),
      cmocka_unit_test(flags_are_derived_or_given),
      cmocka_unit_test(defaults_are_json),
      cmocka_unit_test(near_names_are_suggested),
      cmocka_unit_test(kinds_have_names_and_rows),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
