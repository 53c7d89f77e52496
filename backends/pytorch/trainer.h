/* Trains classifiers natively, by libtorch. The course of a run is the host's (kenning/training.h). */
#ifndef PYTORCH_TRAINER_H
#define PYTORCH_TRAINER_H

#include <kenning/training.h>

#include "inference.h"

typedef struct trainer_options {
  const char *library;
  int64_t threads;
  const kn_training_options *training;
} trainer_options;

/* Trains a network of known architecture from the weights in `state`. The result is TorchScript with its io
 * specification inside. */
kn_status trainer_run(const network *n, const state_dict *state, const trainer_options *options,
                      const kn_train_request *request, kn_record *out_history) KN_MUST_USE;

#endif
