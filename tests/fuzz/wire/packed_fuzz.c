/* The layouts of targets without JSON: an io specification that is read is written as the bytes that say the same, and
 * what is read of statistics is text and numbers. */
#include "wire/iolayout.h"
#include "wire/packed.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same_list(const kn_iolist *a, const kn_iolist *b) {
  bool same = a->count == b->count;
  for (size_t i = 0; same && i < a->count; i++) {
    const kn_ioentry *x = &a->entries[i], *y = &b->entries[i];
    same = !strcmp(x->name, y->name) && x->dtype == y->dtype && x->rank == y->rank &&
           !memcmp(x->shape, y->shape, x->rank * sizeof *x->shape);
  }
  return same;
}

static void check_iospec(const uint8_t *data, size_t size) {
  kn_iospec spec, again;
  uint8_t bytes[KN_PACKED_IOSPEC];
  kn_status status = kn_packed_iospec_read(data, size, &spec);
  if (status) {
    kn_status_free(status);
    return;
  }
  if (kn_packed_iospec_write(&spec, "a name of more than nineteen bytes", bytes) ||
      kn_packed_iospec_read(bytes, sizeof bytes, &again))
    abort();
  if (!same_list(&spec.input, &again.input) || !same_list(&spec.output, &again.output)) abort();
  kn_iolayout layout;
  status = kn_iolayout_create(&spec.input, 1 << 20, &layout);
  if (!status && layout.bytes > 1 << 20) abort();
  if (!status)
    for (size_t i = 0; i < layout.count; i++)
      if (layout.offsets[i] > layout.bytes || layout.views[i].bytes > layout.bytes - layout.offsets[i]) abort();
  kn_status_free(status);
  kn_iolayout_clear(&layout);
  kn_iospec_clear(&spec);
  kn_iospec_clear(&again);
}

static void check_statistics(const uint8_t *data, size_t size) {
  size_t count = kn_packed_statistics_count(size);
  kn_packed_row row;
  for (size_t i = 0; i < count; i++) {
    if (!kn_packed_statistics_row(data, size, i, &row)) continue;
    if (!row.name[0] || row.kind > KN_PACKED_TIME) abort();
    for (const char *c = row.name; *c; c++)
      if (*c < 0x20 || *c > 0x7E) abort();
  }
  if (kn_packed_statistics_row(data, size, count, &row)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  check_iospec(data, size);
  check_statistics(data, size);
  return 0;
}
