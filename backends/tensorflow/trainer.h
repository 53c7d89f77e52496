/* Trains classifiers natively: mini-batches, cross-entropy, Adam or SGD, validation after each epoch. */
#ifndef TENSORFLOW_TRAINER_H
#define TENSORFLOW_TRAINER_H

#include "training_graph.h"

typedef enum training_schedule { TRAINING_CONSTANT, TRAINING_COSINE } training_schedule;

typedef struct training_options {
  const char *library;
  int64_t threads;
  training_optimizer optimizer;
  training_schedule schedule; /* of the learning rate over all steps */
  size_t sample_memory_bytes; /* sets up to this size are held in memory; 0: 1 GiB */
} training_options;

/* Trains `model` on request->train and writes the weights of the epoch with the best validation accuracy (of equals,
 * the one with the lower loss; without validation samples the last) to request->model_path. When the user stops the
 * run, the best model so far is written and KN_CANCELLED returned. What does not fill a batch is left out of an epoch;
 * shuffling gives every sample its turn. */
kn_status trainer_run(keras_model *model, const training_options *options, const kn_train_request *request,
                      kn_record *out_history) KN_MUST_USE;

#endif
