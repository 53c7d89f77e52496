/* The course of a training run: one entry for each epoch, in the run's record, as a table and as event files in the log
 * directory. */
#ifndef KENNING_PIPELINE_TRAINING_LOG_H
#define KENNING_PIPELINE_TRAINING_LOG_H

#include <kenning/record.h>
#include <kenning/training.h>

#include "pipeline/event_file.h"

typedef struct kn_training_score {
  double loss;     /* mean cross-entropy, natural logarithm; in training that of weighted samples */
  double accuracy; /* share of right answers */
} kn_training_score;

typedef struct kn_training_epoch {
  kn_training_score trained, validated; /* the second is zero without validation samples */
  double learning_rate;                 /* of its last step */
  double seconds;
} kn_training_epoch;

typedef struct kn_training_log {
  kn_training_epoch *epochs;
  size_t count;
  bool validates;
  char *directory;         /* NULL: nothing is written */
  kn_event_file events[2]; /* train, validation; opened with the first entry */
} kn_training_log;

/* `directory` may be NULL. */
kn_status kn_training_log_open(const char *directory, bool validates, kn_training_log *out_log) KN_MUST_USE;
/* A zeroed log is allowed. */
void kn_training_log_close(kn_training_log *log);

/* Adds an entry without writing it: one of an earlier run that this one goes on from. */
kn_status kn_training_log_remember(kn_training_log *log, const kn_training_epoch *epoch) KN_MUST_USE;
/* Adds an entry and writes DIRECTORY/training.csv anew, so that it is whole at any time, and the events: epoch_loss,
 * epoch_accuracy and epoch_learning_rate in train/ and validation/, Keras's names, at Keras's steps (epochs from 0). */
kn_status kn_training_log_add(kn_training_log *log, const kn_training_epoch *epoch) KN_MUST_USE;
/* The distribution of the model's weights after the last epoch. */
kn_status kn_training_log_weights(kn_training_log *log, const char *name, const float *values,
                                  size_t count) KN_MUST_USE;
/* Puts the entries into `history` under "epochs". */
kn_status kn_training_log_record(const kn_training_log *log, kn_record *history) KN_MUST_USE;

#endif
