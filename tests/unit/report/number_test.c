#include "report/facts.h"

#include <string.h>

#include "support/near.h"

static void check(kn_number_kind kind, double value, const char *expected) {
  char text[KN_NUMBER_SIZE];
  assert_string_equal(kn_number_text(kind, value, text), expected);
}

static void times_take_the_unit_that_fits(void **state) {
  (void)state;
  check(KN_NUMBER_SECONDS, 0, "0 ns");
  check(KN_NUMBER_SECONDS, 3.2e-9, "3.200 ns");
  check(KN_NUMBER_SECONDS, 171.2345e-6, "171.2 µs");
  check(KN_NUMBER_SECONDS, 0.015299481500278489, "15.30 ms");
  check(KN_NUMBER_SECONDS, 78.62061, "78.62 s");
  check(KN_NUMBER_SECONDS, 86400, "86,400 s");
  /* Rounding reaches the next unit. */
  check(KN_NUMBER_SECONDS, 999.96e-6, "1.000 ms");
  check(KN_NUMBER_SECONDS, 999.94e-6, "999.9 µs");
  check(KN_NUMBER_SECONDS, 0.99996, "1.000 s");
}

static void digits_are_four_and_rounded_once(void **state) {
  (void)state;
  check(KN_NUMBER_RATIO, 1, "1×");
  check(KN_NUMBER_RATIO, 1.0000001, "1.000×");
  check(KN_NUMBER_RATIO, 9.99961, "10.00×");
  check(KN_NUMBER_RATIO, 15.79405698, "15.79×");
  check(KN_NUMBER_RATIO, 0.42, "0.4200×");
  check(KN_NUMBER_RATIO, 123456, "123,456×");
  check(KN_NUMBER_PERCENT, 90.57070, "90.57 %");
  check(KN_NUMBER_PERCENT, 0, "0 %");
  check(KN_NUMBER_RATE, 5847.6, "5,848 /s");
}

static void bytes_count_in_thousands(void **state) {
  (void)state;
  check(KN_NUMBER_BYTES, 0, "0 B");
  check(KN_NUMBER_BYTES, 999, "999 B");
  check(KN_NUMBER_BYTES, 2448, "2.448 kB");
  check(KN_NUMBER_BYTES, 999960, "1.000 MB");
  check(KN_NUMBER_BYTES, 17165856, "17.17 MB");
  check(KN_NUMBER_BYTES, 25290702848.0, "25.29 GB");
}

static void fractions_have_four_decimals(void **state) {
  (void)state;
  check(KN_NUMBER_FRACTION, 0.92837837, "0.9284");
  check(KN_NUMBER_FRACTION, 1, "1.0000");
  check(KN_NUMBER_CHANGE, -0.4027027, "−0.4027");
  check(KN_NUMBER_CHANGE, 0.00501, "+0.0050");
  /* What is shown as zero has no sign. */
  check(KN_NUMBER_CHANGE, -0.00001, "0.0000");
  check(KN_NUMBER_CHANGE, 0, "0.0000");
  check(KN_NUMBER_P_VALUE, 0.00009, "< 0.0001");
  check(KN_NUMBER_P_VALUE, 0.0312, "0.0312");
  check(KN_NUMBER_DIFFERENCE, 3.14e-7, "3.1e-07");
  check(KN_NUMBER_DIFFERENCE, 0.25, "2.5e-01");
  check(KN_NUMBER_DIFFERENCE, 0, "0");
  check(KN_NUMBER_CELSIUS, 54.25, "54.2 °C");
  check(KN_NUMBER_CELSIUS, -1.25, "−1.2 °C");
  check(KN_NUMBER_HERTZ, 1.5e9, "1.500 GHz");
  check(KN_NUMBER_HERTZ, 6e8, "600.0 MHz");
  check(KN_NUMBER_COUNT, 10000, "10,000");
  check(KN_NUMBER_COUNT, 1234567, "1,234,567");
  check(KN_NUMBER_COUNT, 12, "12");
}

static void what_is_not_finite_or_huge_stays_readable(void **state) {
  (void)state;
  static const double odd[] = {NAN, INFINITY, -INFINITY, 1e300, -1e300, 1e-300, 5e-324, 1e15, -0.0};
  char text[KN_NUMBER_SIZE];
  for (kn_number_kind kind = KN_NUMBER_COUNT; kind <= KN_NUMBER_HERTZ; kind++)
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
      kn_number_text(kind, odd[i], text);
      assert_true(*text && strlen(text) < 40);
      if (!isfinite(odd[i])) assert_string_equal(text, "n/a");
      kn_number_interval(kind, odd[i], odd[sizeof odd / sizeof *odd - 1 - i], text);
      assert_true(*text && strlen(text) < KN_NUMBER_SIZE);
    }
  check(KN_NUMBER_COUNT, -0.0, "0");
}

static void intervals_stand_behind_values(void **state) {
  (void)state;
  char text[KN_VALUE_SIZE];
  assert_string_equal(kn_number_interval(KN_NUMBER_FRACTION, 0.9075, 0.9448, text), "0.9075 – 0.9448");
  assert_string_equal(kn_number_interval(KN_NUMBER_FRACTION, NAN, 0.9448, text), "n/a");
  kn_value accuracy = {0.9284, 0.9075, 0.9448}, alone = {0.9284, NAN, NAN};
  assert_string_equal(kn_value_sentence(KN_FACT_ACCURACY, accuracy, text), "0.9284 (95% interval 0.9075 – 0.9448)");
  assert_string_equal(kn_value_sentence(KN_FACT_ACCURACY, alone, text), "0.9284");
  /* The longest of both fit. */
  kn_value huge = {-1.234e299, -1.234e300, -1.234e301};
  for (kn_fact fact = 0; fact < KN_FACT_COUNT; fact++)
    assert_true(strlen(kn_value_sentence(fact, huge, text)) < KN_VALUE_SIZE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(times_take_the_unit_that_fits),
      cmocka_unit_test(digits_are_four_and_rounded_once),
      cmocka_unit_test(bytes_count_in_thousands),
      cmocka_unit_test(fractions_have_four_decimals),
      cmocka_unit_test(what_is_not_finite_or_huge_stays_readable),
      cmocka_unit_test(intervals_stand_behind_values),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
