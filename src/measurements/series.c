#include "measurements/series.h"

kn_status kn_series_create(size_t capacity, size_t limit, kn_series *out_series) {
  *out_series = (kn_series){0};
  double *values = kn_alloc_array(capacity, sizeof *values);
  if (!values) return kn_status_out_of_memory();
  *out_series = (kn_series){.values = values, .capacity = capacity, .limit = limit};
  return NULL;
}

void kn_series_clear(kn_series *series) {
  kn_free(series->values);
  *series = (kn_series){0};
}

bool kn_series_append(kn_series *series, double value) {
  if (series->count == series->capacity) {
    size_t capacity = series->capacity > series->limit / 2 ? series->limit : series->capacity * 2 + 1, bytes;
    if (capacity <= series->count || !kn_mul_size(capacity, sizeof value, &bytes)) return false;
    double *values = kn_realloc(series->values, bytes);
    if (!values) return false;
    series->values = values;
    series->capacity = capacity;
  }
  series->values[series->count++] = value;
  return true;
}
