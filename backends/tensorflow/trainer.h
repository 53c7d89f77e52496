/* TensorFlow's part in training classifiers (kenning/training.h): Adam or SGD on a training graph. */
#ifndef TENSORFLOW_TRAINER_H
#define TENSORFLOW_TRAINER_H

#include "training_graph.h"

typedef struct trainer_options {
  const char *library;
  int64_t threads;
  const kn_training_options *training;
  size_t base_layers; /* first layers of the network that are a frozen base; those of them that are trainable are
                         trained in unfrozen steps */
} trainer_options;

/* Trains `model` as kn_training_run says. */
kn_status trainer_run(keras_model *model, const trainer_options *options, const kn_train_request *request,
                      kn_record *out_history) KN_MUST_USE;

#endif
