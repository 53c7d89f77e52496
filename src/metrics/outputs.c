#include "metrics/outputs.h"

#include <math.h>

bool kn_outputs_vary(const double *values, size_t rows, size_t columns) {
  double largest = 0, widest = 0;
  for (size_t j = 0; j < columns; j++) {
    double low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < rows; i++) {
      double value = values[i * columns + j];
      if (!isfinite(value)) return false;
      low = fmin(low, value);
      high = fmax(high, value);
      largest = fmax(largest, fabs(value));
    }
    widest = fmax(widest, high - low);
  }
  return widest > KN_OUTPUTS_VARIATION * largest;
}

double kn_outputs_difference(const double *reference, const double *other, size_t count) {
  double largest = 0, difference = 0;
  for (size_t i = 0; i < count; i++) {
    if (!isfinite(reference[i])) return NAN;
    double apart = fabs(other[i] - reference[i]);
    largest = fmax(largest, fabs(reference[i]));
    difference = isfinite(apart) ? fmax(difference, apart) : INFINITY;
  }
  return largest > 0 ? difference / largest : NAN;
}
