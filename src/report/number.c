#include "report/number.h"

#include "core/number.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char minus[] = "\xe2\x88\x92"; /* U+2212 */

/* Puts a comma between every three digits before the decimal point. */
static void group(const char *digits, char *out, size_t size) {
  size_t whole = strcspn(digits, ".");
  size_t at = 0;
  for (size_t i = 0; digits[i] && at + 2 < size; i++) {
    if (i && i < whole && (whole - i) % 3 == 0) out[at++] = ',';
    out[at++] = digits[i];
  }
  out[at] = '\0';
}

/* A value that is not negative, with `digits` significant digits and never fewer than its whole part has; 0 is "0". */
static void significant(double value, int digits, char out[KN_NUMBER_SIZE]) {
  if (value == 0) {
    snprintf(out, KN_NUMBER_SIZE, "0");
    return;
  }
  char plain[KN_NUMBER_SIZE];
  if (value >= 1e15) {
    kn_number_print(out, KN_NUMBER_SIZE, "%.*e", digits - 1, value);
    return;
  }
  /* Rounded first, so that 9.9996 counts as 10.00. */
  kn_number_print(plain, sizeof plain, "%.*e", digits - 1, value);
  const char *mark = strchr(plain, 'e');
  int decimals = digits - 1 - (mark ? (int)strtol(mark + 1, NULL, 10) : 0);
  if (decimals < 0) decimals = 0;
  if (decimals > 12) decimals = 12;
  kn_number_print(plain, sizeof plain, "%.*f", decimals, value);
  group(plain, out, KN_NUMBER_SIZE);
}

typedef struct unit {
  double size;
  const char *name;
} unit;

/* The largest unit of `units` (ascending) that leaves at least 1 in front, four significant digits. The unit is chosen
 * for the rounded value: 999.96 µs is 1.000 ms. */
static void scaled(double value, const unit *units, size_t count, char out[KN_NUMBER_SIZE]) {
  size_t chosen = 0;
  while (chosen + 1 < count && value >= units[chosen + 1].size * 0.99995) chosen++;
  char digits[KN_NUMBER_SIZE];
  significant(value / units[chosen].size, 4, digits);
  snprintf(out, KN_NUMBER_SIZE, "%.40s %s", digits, units[chosen].name);
}

static void positive(kn_number_kind kind, double value, char out[KN_NUMBER_SIZE]) {
  static const unit times[] = {{1e-9, "ns"}, {1e-6, "\xc2\xb5s"}, {1e-3, "ms"}, {1, "s"}};
  static const unit sizes[] = {{1, "B"}, {1e3, "kB"}, {1e6, "MB"}, {1e9, "GB"}, {1e12, "TB"}};
  static const unit frequencies[] = {{1, "Hz"}, {1e3, "kHz"}, {1e6, "MHz"}, {1e9, "GHz"}};
  char digits[KN_NUMBER_SIZE];
  switch (kind) {
    case KN_NUMBER_COUNT:
      if (value < 1e15) {
        kn_number_print(digits, sizeof digits, "%.0f", value);
        group(digits, out, KN_NUMBER_SIZE);
      } else {
        significant(value, 4, out);
      }
      return;
    case KN_NUMBER_SECONDS:
      scaled(value, times, sizeof times / sizeof *times, out);
      return;
    case KN_NUMBER_BYTES:
      if (value < 1000)
        kn_number_print(out, KN_NUMBER_SIZE, "%.0f B", value);
      else
        scaled(value, sizes, sizeof sizes / sizeof *sizes, out);
      return;
    case KN_NUMBER_RATE:
      significant(value, 4, digits);
      snprintf(out, KN_NUMBER_SIZE, "%.40s /s", digits);
      return;
    case KN_NUMBER_PERCENT:
      significant(value, 4, digits);
      snprintf(out, KN_NUMBER_SIZE, "%.40s %%", digits);
      return;
    case KN_NUMBER_RATIO:
      significant(value, 4, digits);
      /* The reference is exactly 1. */
      snprintf(out, KN_NUMBER_SIZE, "%.40s\xc3\x97", value == 1 ? "1" : digits);
      return;
    case KN_NUMBER_DIFFERENCE:
      if (value == 0)
        snprintf(out, KN_NUMBER_SIZE, "0");
      else
        kn_number_print(out, KN_NUMBER_SIZE, "%.1e", value);
      return;
    case KN_NUMBER_P_VALUE:
      if (value >= 1e-4) break;
      snprintf(out, KN_NUMBER_SIZE, "< 0.0001");
      return;
    case KN_NUMBER_CELSIUS:
      if (value < 1e6)
        kn_number_print(digits, sizeof digits, "%.1f", value);
      else
        significant(value, 4, digits);
      snprintf(out, KN_NUMBER_SIZE, "%.40s \xc2\xb0\x43", digits);
      return;
    case KN_NUMBER_HERTZ:
      scaled(value, frequencies, sizeof frequencies / sizeof *frequencies, out);
      return;
    case KN_NUMBER_FRACTION:
    case KN_NUMBER_CHANGE:
      break;
  }
  if (value < 1e15)
    kn_number_print(out, KN_NUMBER_SIZE, "%.4f", value);
  else
    significant(value, 4, out);
}

const char *kn_number_text(kn_number_kind kind, double value, char out[KN_NUMBER_SIZE]) {
  if (!isfinite(value)) {
    snprintf(out, KN_NUMBER_SIZE, "n/a");
    return out;
  }
  char magnitude[KN_NUMBER_SIZE];
  positive(kind, fabs(value), magnitude);
  const char *sign = "";
  /* No sign before what is shown as zero. */
  bool shown_zero = strspn(magnitude, "0.,") == strcspn(magnitude, " \xc3");
  if (!shown_zero && value < 0)
    sign = minus;
  else if (!shown_zero && kind == KN_NUMBER_CHANGE)
    sign = "+";
  snprintf(out, KN_NUMBER_SIZE, "%s%.56s", sign, magnitude);
  return out;
}

const char *kn_number_interval(kn_number_kind kind, double low, double high, char out[KN_NUMBER_SIZE]) {
  if (!isfinite(low) || !isfinite(high)) {
    snprintf(out, KN_NUMBER_SIZE, "n/a");
    return out;
  }
  char first[KN_NUMBER_SIZE], second[KN_NUMBER_SIZE];
  kn_number_text(kind, low, first);
  kn_number_text(kind, high, second);
  snprintf(out, KN_NUMBER_SIZE, "%.28s \xe2\x80\x93 %.28s", first, second);
  return out;
}
