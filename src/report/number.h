/* Numbers as the report shows them. Every writer takes its numbers from here, so they are equal everywhere. UTF-8.
 * What is not finite becomes "n/a". All functions write into `out` and return it. */
#ifndef KENNING_REPORT_NUMBER_H
#define KENNING_REPORT_NUMBER_H

#include <stddef.h>
#include <stdint.h>

enum { KN_NUMBER_SIZE = 64 };

typedef enum kn_number_kind {
  KN_NUMBER_COUNT = 1,  /* whole: "10,000" */
  KN_NUMBER_SECONDS,    /* four significant digits: "171.2 µs", "15.30 ms", "78.62 s" */
  KN_NUMBER_RATE,       /* per second: "5,848 /s" */
  KN_NUMBER_BYTES,      /* four significant digits, powers of 1000: "423.5 kB", "1.652 MB" */
  KN_NUMBER_PERCENT,    /* of 100: "90.57 %" */
  KN_NUMBER_FRACTION,   /* of 1, four decimals: "0.9284" */
  KN_NUMBER_CHANGE,     /* difference of fractions, with its sign: "−0.0066" */
  KN_NUMBER_RATIO,      /* four significant digits: "11.03×" */
  KN_NUMBER_P_VALUE,    /* "0.0312", "< 0.0001" */
  KN_NUMBER_DIFFERENCE, /* relative, two significant digits: "3.1e-07", "0" */
  KN_NUMBER_CELSIUS,    /* one decimal: "54.5 °C" */
  KN_NUMBER_HERTZ       /* four significant digits, powers of 1000: "1.500 GHz" */
} kn_number_kind;

const char *kn_number_text(kn_number_kind kind, double value, char out[KN_NUMBER_SIZE]);
/* "0.9075 – 0.9449"; "n/a" unless both ends are finite. */
const char *kn_number_interval(kn_number_kind kind, double low, double high, char out[KN_NUMBER_SIZE]);

#endif
