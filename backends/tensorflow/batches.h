/* Batches of samples: small sets are held in memory, others are read again in every epoch; a thread of its own prepares
 * the next batch while the current one is in use. */
#ifndef TENSORFLOW_BATCHES_H
#define TENSORFLOW_BATCHES_H

#include <kenning/plugin.h>

typedef struct batches batches;

/* Where a batch goes. */
typedef struct batch {
  void *samples;
  int64_t *labels;
} batch;

/* Reads all samples when together they take at most `memory_limit` bytes, showing progress under `what`. Labels are
 * checked: KN_BAD_DATA when one is outside 0 .. classes - 1. `samples` must outlive it. KN_CANCELLED. */
kn_status batches_open(const kn_samples *samples, size_t memory_limit, const char *what,
                       batches **out_batches) KN_MUST_USE;
/* Waits for what was begun; NULL is allowed. */
void batches_close(batches *reader);

/* Bytes of one sample. */
size_t batches_sample_bytes(const batches *reader);

/* Begins to copy the samples order[0 .. count-1] to `out`; `order` and `out` stay untouched until batches_wait. At most
 * one batch is under way. */
void batches_begin(batches *reader, const size_t *order, size_t count, batch out);
/* Waits for the batch and tells whether it is complete. */
kn_status batches_wait(batches *reader) KN_MUST_USE;

#endif
