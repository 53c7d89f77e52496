/* Batches: the same samples from memory and from the source, faults of the source, labels out of range. */
#include "support/unit.h"

#include <stdatomic.h>
#include <string.h>

#include "core/memory.h"
#include "support/status.h"
#include "pipeline/batches.h"

enum { COUNT = 300, VALUES = 5, CLASSES = 7 };

typedef struct source {
  atomic_size_t loaded;
  size_t broken_sample, broken_label; /* index, or COUNT for none */
} source;

static kn_status load(void *context, size_t index, const kn_tensor_view *out) {
  source *from = context;
  atomic_fetch_add(&from->loaded, 1);
  if (index == from->broken_sample) return kn_status_make(KN_BAD_DATA, "sample %zu is broken", index);
  assert_int_equal(out->bytes, VALUES * sizeof(float));
  for (size_t i = 0; i < VALUES; i++) ((float *)out->data)[i] = (float)(index * VALUES + i);
  return NULL;
}

static kn_status label(void *context, size_t index, int64_t *out_label) {
  const source *from = context;
  *out_label = index == from->broken_label ? CLASSES : (int64_t)(index % CLASSES);
  return NULL;
}

static kn_samples samples_of(source *from) {
  return (kn_samples){.context = from,
                      .count = COUNT,
                      .classes = CLASSES,
                      .dtype = KN_FLOAT32,
                      .rank = 1,
                      .shape = {VALUES},
                      .load = load,
                      .label = label};
}

static void expect_batch(const size_t *order, size_t count, const float *values, const int64_t *labels) {
  for (size_t i = 0; i < count; i++) {
    assert_int_equal(labels[i], order[i] % CLASSES);
    for (size_t k = 0; k < VALUES; k++) assert_true(values[i * VALUES + k] == (float)(order[i] * VALUES + k));
  }
}

static void batches_hold_what_was_asked_for(void **state) {
  (void)state;
  enum { BATCH = 4 };
  for (size_t limit = 0; limit < 2; limit++) {
    source from = {.broken_sample = COUNT, .broken_label = COUNT};
    kn_samples samples = samples_of(&from);
    kn_batches *reader;
    float values[2][BATCH * VALUES];
    int64_t labels[2][BATCH];
    const size_t orders[2][BATCH] = {{299, 0, 17, 17}, {1, 2, 3, 4}};
    kt_assert_ok(kn_batches_open(&samples, limit ? SIZE_MAX : 0, "reading", &reader));
    assert_int_equal(kn_batches_sample_bytes(reader), VALUES * sizeof(float));
    assert_int_equal(atomic_load(&from.loaded), limit ? COUNT : 0);
    for (int round = 0; round < 100; round++) {
      kn_batches_begin(reader, orders[round % 2], BATCH,
                       (kn_batch_place){.samples = values[round % 2], .labels = labels[round % 2]});
      kt_assert_ok(kn_batches_wait(reader));
      expect_batch(orders[round % 2], BATCH, values[round % 2], labels[round % 2]);
    }
    assert_int_equal(atomic_load(&from.loaded), limit ? COUNT : 100 * BATCH);
    kn_batches_close(reader);
  }
}

static void faults_of_the_source_come_through(void **state) {
  (void)state;
  source from = {.broken_sample = 5, .broken_label = COUNT};
  kn_samples samples = samples_of(&from);
  kn_batches *reader;
  kt_assert_fault(kn_batches_open(&samples, SIZE_MAX, "reading", &reader), KN_BAD_DATA, "sample 5");
  kt_assert_ok(kn_batches_open(&samples, 0, "reading", &reader));
  float values[2 * VALUES];
  int64_t labels[2];
  kn_batches_begin(reader, (size_t[]){4, 5}, 2, (kn_batch_place){.samples = values, .labels = labels});
  kt_assert_fault(kn_batches_wait(reader), KN_BAD_DATA, "sample 5");
  kn_batches_begin(reader, (size_t[]){6, 7}, 2, (kn_batch_place){.samples = values, .labels = labels});
  kt_assert_ok(kn_batches_wait(reader));
  kn_batches_begin(reader, (size_t[]){5, 5}, 2, (kn_batch_place){.samples = values, .labels = labels});
  kn_batches_close(reader); /* with a batch under way, and its fault unseen */
}

static void labels_are_checked(void **state) {
  (void)state;
  source from = {.broken_sample = COUNT, .broken_label = 123};
  kn_samples samples = samples_of(&from);
  kn_batches *reader;
  kt_assert_fault(kn_batches_open(&samples, SIZE_MAX, "reading", &reader), KN_BAD_DATA,
                  "sample 123 has the label 7; the data set has classes 0 to 6");
  kn_batches_close(NULL);
}

static void memory_may_run_out(void **state) {
  (void)state;
  for (uint64_t n = 0;; n++) {
    source from = {.broken_sample = COUNT, .broken_label = COUNT};
    kn_samples samples = samples_of(&from);
    kn_batches *reader;
    kn_memory_fail_after(n);
    kn_status status = kn_batches_open(&samples, SIZE_MAX, "reading", &reader);
    kn_memory_fail_after(UINT64_MAX);
    kn_batches_close(reader);
    if (!status) break;
    kt_assert_fault(status, KN_OUT_OF_MEMORY, NULL);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(batches_hold_what_was_asked_for),
      cmocka_unit_test(faults_of_the_source_come_through),
      cmocka_unit_test(labels_are_checked),
      cmocka_unit_test(memory_may_run_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
