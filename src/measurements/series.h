/* A list of numbers that grows up to a limit. Room for `capacity` of them is taken at once, so nothing is allocated
 * until that is used up. */
#ifndef KENNING_MEASUREMENTS_SERIES_H
#define KENNING_MEASUREMENTS_SERIES_H

#include <kenning/status.h>

typedef struct kn_series {
  double *values;
  size_t count;
  size_t capacity;
  size_t limit;
} kn_series;

/* `limit` at least `capacity`. */
kn_status kn_series_create(size_t capacity, size_t limit, kn_series *out_series) KN_MUST_USE;
/* A zeroed series is allowed. */
void kn_series_clear(kn_series *series);
/* False when the limit is reached or memory is exhausted; the series is unchanged then. */
bool kn_series_append(kn_series *series, double value) KN_MUST_USE;

#endif
