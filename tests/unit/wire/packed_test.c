/* The layouts of targets without JSON. */
#include "support/status.h"
#include "support/unit.h"

#include "wire/packed.h"

#include <string.h>

static kn_iospec parse(const char *json) {
  kn_iospec spec;
  kt_assert_ok(kn_iospec_parse(json, strlen(json), "test", &spec));
  return spec;
}

#define TENSOR(type) "{\"name\": \"t\", \"shape\": [1, 2, 3, 4], \"dtype\": \"" type "\"}"

static void every_field_has_its_place(void **state) {
  (void)state;
  kn_iospec spec = parse("{\"input\": [{\"name\": \"a\", \"shape\": [1, 300], \"dtype\": \"int8\"}, " TENSOR(
      "float32") "], \"output\": [{\"name\": \"b\", \"shape\": [7], \"dtype\": \"uint16\"}]}");
  uint8_t bytes[KN_PACKED_IOSPEC], expected[KN_PACKED_IOSPEC] = {0};
  kt_assert_ok(kn_packed_iospec_write(&spec, "a name that is too long", bytes));
  expected[0] = 2;                  /* inputs */
  expected[4] = 2, expected[8] = 4; /* their dimensions */
  expected[12] = 1;                 /* [1, 300] */
  expected[16] = 300 & 255, expected[17] = 1;
  for (uint8_t i = 0; i < 4; i++) expected[28 + 4 * i] = (uint8_t)(i + 1);
  expected[44] = 0, expected[45] = 8;  /* int8 */
  expected[46] = 2, expected[47] = 32; /* float32 */
  expected[48] = 1;                    /* outputs */
  expected[52] = 1;                    /* dimensions of the first of twelve */
  expected[100] = 7;
  expected[292] = 1, expected[293] = 16; /* uint16 */
  memcpy(expected + 316, "module.main", 11);
  memcpy(expected + 336, "a name that is too ", 19);
  assert_memory_equal(bytes, expected, sizeof bytes);
  kn_iospec back;
  kt_assert_ok(kn_packed_iospec_read(bytes, sizeof bytes, &back));
  assert_int_equal(back.input.count, 2);
  assert_int_equal(back.input.entries[0].shape[1], 300);
  assert_int_equal(back.input.entries[1].dtype, KN_FLOAT32);
  assert_int_equal(back.input.entries[1].order, 1);
  assert_string_equal(back.output.entries[0].name, "output_00");
  assert_int_equal(back.output.entries[0].dtype, KN_UINT16);
  kn_iospec_clear(&back);
  kn_iospec_clear(&spec);
}

static void what_does_not_fit_is_told(void **state) {
  (void)state;
  static const char *const inputs[] = {"[" TENSOR("int8") ", " TENSOR("int8") ", " TENSOR("int8") "]",
                                       "[{\"name\": \"x\", \"shape\": [1, 1, 1, 1, 1], \"dtype\": \"int8\"}]",
                                       "[{\"name\": \"x\", \"shape\": [-1], \"dtype\": \"int8\"}]"};
  for (size_t i = 0; i < 3; i++) {
    char json[1024];
    snprintf(json, sizeof json, "{\"input\": %s, \"output\": [" TENSOR("int8") "]}", inputs[i]);
    kn_iospec spec = parse(json);
    uint8_t bytes[KN_PACKED_IOSPEC];
    kt_assert_fault(kn_packed_iospec_write(&spec, "m", bytes), KN_INCOMPATIBLE, NULL);
    kn_iospec_clear(&spec);
  }
}

/* Any byte may be anything: read or refused, never beyond the end. */
static void damaged_specifications_are_refused(void **state) {
  (void)state;
  kn_iospec spec = parse("{\"input\": [" TENSOR("int8") "], \"output\": [" TENSOR("float32") "]}"), back;
  uint8_t bytes[KN_PACKED_IOSPEC];
  kt_assert_ok(kn_packed_iospec_write(&spec, "m", bytes));
  kt_assert_fault(kn_packed_iospec_read(bytes, sizeof bytes - 1, &back), KN_BAD_DATA, "356");
  static const size_t bad[] = {0, 3, 4, 7, 15, 44, 45, 48, 51, 52};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    uint8_t kept = bytes[bad[i]];
    bytes[bad[i]] = 0xEE;
    kt_assert_fault(kn_packed_iospec_read(bytes, sizeof bytes, &back), KN_BAD_DATA, NULL);
    assert_int_equal(back.input.count, 0);
    bytes[bad[i]] = kept;
  }
  kn_iospec_clear(&spec);
}

static void statistics_come_in_two_forms(void **state) {
  (void)state;
  uint8_t allocator[24] = {1, 2, 0, 0, [20] = 7};
  kn_packed_row row;
  assert_int_equal(kn_packed_statistics_count(24), 6);
  assert_true(kn_packed_statistics_row(allocator, 24, 0, &row));
  assert_string_equal(row.name, "host_bytes_peak");
  assert_int_equal(row.value, 0x201);
  assert_true(kn_packed_statistics_row(allocator, 24, 5, &row));
  assert_string_equal(row.name, "device_bytes_freed");
  assert_int_equal(row.value, 7);
  assert_false(kn_packed_statistics_row(allocator, 24, 6, &row));
  uint8_t rows[96] = {0};
  memset(rows, 'n', 32); /* without a NUL */
  rows[5] = 0x1b;
  rows[32] = KN_PACKED_TIME;
  rows[40] = 0x40, rows[41] = 0x42, rows[42] = 0x0f; /* 1000000 */
  rows[48] = 'x', rows[48 + 32] = 9;
  assert_int_equal(kn_packed_statistics_count(96), 2);
  assert_true(kn_packed_statistics_row(rows, 96, 0, &row));
  assert_int_equal(strlen(row.name), 32);
  assert_int_equal(row.name[5], '?');
  assert_int_equal(row.kind, KN_PACKED_TIME);
  assert_int_equal(row.value, 1000000);
  assert_false(kn_packed_statistics_row(rows, 96, 1, &row)); /* a kind that is none */
  assert_int_equal(kn_packed_statistics_count(47), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_field_has_its_place),
      cmocka_unit_test(what_does_not_fit_is_told),
      cmocka_unit_test(damaged_specifications_are_refused),
      cmocka_unit_test(statistics_come_in_two_forms),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
