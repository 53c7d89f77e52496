/* Trains classifiers natively: forward and backward passes by an executor, Adam or SGD by MXNet's own operators. The
 * course of a run is the host's (kenning/training.h). */
#ifndef MXNET_TRAINER_H
#define MXNET_TRAINER_H

#include <kenning/training.h>

#include "api.h"
#include "model.h"

typedef struct trainer_options {
  const char *library;
  int64_t threads;
  const kn_training_options *training;
} trainer_options;

/* Trains the graph `symbol` (JSON, which ends in a softmax), from the weights of `start`, or, NULL, from drawn ones.
 * The result is one .params file that holds its graph. */
kn_status trainer_run(const char *symbol, const model *start, const trainer_options *options,
                      const kn_train_request *request, kn_record *out_history) KN_MUST_USE;

#endif
