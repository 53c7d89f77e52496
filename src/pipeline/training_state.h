/* How far a training run has come, and the checkpoint file that holds it. */
#ifndef KENNING_PIPELINE_TRAINING_STATE_H
#define KENNING_PIPELINE_TRAINING_STATE_H

#include "core/record_json.h"
#include "pipeline/training_log.h"

typedef struct kn_training_state {
  int64_t epoch;         /* whole epochs made */
  int64_t step;          /* steps made in the one under way */
  kn_training_score sum; /* over its samples */
  double seconds;        /* spent on it */
  double learning_rate;  /* of the last step */
  bool has_best;
  kn_training_score best;
  int64_t best_epoch;  /* from 1 */
  int64_t idle;        /* epochs since the best one */
  int64_t reductions;  /* of the learning rate, on plateaus */
  int64_t plateau;     /* epochs since the best one or the last reduction */
  float **values;      /* of each tensor of the trainer, as they are now; NULL: not held */
  float **best_values; /* of those that are weights, NULL for the others */
} kn_training_state;

/* Room for the best weights and, `whole`, for all of the trainer's state. */
kn_status kn_training_state_make(const kn_trainer *trainer, bool whole, kn_training_state *out_state) KN_MUST_USE;
/* A zeroed state is allowed. */
void kn_training_state_clear(const kn_trainer *trainer, kn_training_state *state);

/* The file: "KNTRAIN1", length of the header (8 bytes, little-endian), the header (JSON: "settings", "state", "epochs",
 * "tensors"), the values of all tensors, those of the best weights where there are any (float32 of this machine), and
 * the CRC-32C of all of it. Whole or not at all. `state->values` must be filled. */
kn_status kn_checkpoint_write(const char *path, const kn_trainer *trainer, const kn_record *settings,
                              const kn_training_log *log, const kn_training_state *state) KN_MUST_USE;
/* Fills the state, its values, and remembers the epochs in the log. KN_NOT_FOUND, KN_BAD_DATA (damaged),
 * KN_INCOMPATIBLE (another model, or other settings: which). */
kn_status kn_checkpoint_read(const char *path, const kn_trainer *trainer, const kn_record *settings,
                             kn_training_log *log, kn_training_state *state) KN_MUST_USE;

#endif
