#include <kenning/run.h>

#include "library/block.h"
#include "support/status.h"

#define DATASET "RandomizedClassificationDataset"

static void parameters_are_an_object(void **state) {
  (void)state;
  static const char *const others[] = {"[1, 2]", "7", "\"x\"", "null", "true"};
  kn_block *block;
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    kt_assert_fault(kn_block_create(KN_KIND_DATASET, DATASET, others[i], &block), KN_INVALID_ARGUMENT, "JSON object");
    assert_null(block);
  }
  kt_assert_ok(kn_block_create(KN_KIND_DATASET, DATASET, "{}", &block));
  kn_block_destroy(block);
}

static void lists_are_set_item_by_item(void **state) {
  (void)state;
  kn_block *block;
  kt_assert_ok(kn_block_create(KN_KIND_DATASET, DATASET, NULL, &block));
  kt_assert_ok(kn_block_set(block, "input_dims", "3"));
  kt_assert_ok(kn_block_set(block, "input_dims", "4"));
  kt_assert_ok(kn_block_set(block, "input_dims", "5"));
  const kn_option *row = kn_option_find(block->instance.cls, "input_dims", NULL);
  const kn_int_list *list = (const void *)((const char *)block->instance.self + row->offset);
  assert_int_equal(list->count, 3);
  for (int i = 0; i < 3; i++) assert_int_equal(list->items[i], 3 + i);
  kn_block_destroy(block);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(parameters_are_an_object),
      cmocka_unit_test(lists_are_set_item_by_item),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
