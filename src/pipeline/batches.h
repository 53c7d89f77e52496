/* Batches of samples: small sets are held in memory, others are read again in every epoch; a thread of its own prepares
 * the next batch while the current one is in use. */
#ifndef KENNING_PIPELINE_BATCHES_H
#define KENNING_PIPELINE_BATCHES_H

#include "pipeline/augmentation.h"

typedef struct kn_batches kn_batches;

/* Where a batch goes. */
typedef struct kn_batch_place {
  void *samples;
  int64_t *labels;
  const kn_augmentation *augmentation; /* NULL: samples stay as they are */
  uint64_t seed;                       /* of the augmentation; every sample has a stream of its own */
} kn_batch_place;

/* Reads all samples when together they take at most `memory_limit` bytes, showing progress under `what`. Labels are
 * checked: KN_BAD_DATA when one is outside 0 .. classes - 1. `samples` must outlive it. KN_CANCELLED. */
kn_status kn_batches_open(const kn_samples *samples, size_t memory_limit, const char *what,
                          kn_batches **out_batches) KN_MUST_USE;
/* Waits for what was begun; NULL is allowed. */
void kn_batches_close(kn_batches *reader);

/* Bytes of one sample. */
size_t kn_batches_sample_bytes(const kn_batches *reader);

/* Begins to copy the samples order[0 .. count-1] to `out`; `order` and `out` stay untouched until kn_batches_wait. At
 * most one batch is under way. */
void kn_batches_begin(kn_batches *reader, const size_t *order, size_t count, kn_batch_place out);
/* Waits for the batch and tells whether it is complete. */
kn_status kn_batches_wait(kn_batches *reader) KN_MUST_USE;

#endif
