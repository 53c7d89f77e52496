/* The learning rate in the course of training. Pure functions. */
#ifndef KENNING_PIPELINE_LEARNING_RATE_H
#define KENNING_PIPELINE_LEARNING_RATE_H

#include <kenning/training.h>

typedef struct kn_rate_position {
  int64_t step;            /* made before, over all epochs */
  int64_t steps_per_epoch; /* at least 1 */
  int64_t epochs;          /* of the whole run */
  int64_t reductions;      /* how often a plateau was met */
} kn_rate_position;

/* The rate of the next step. `given`: that of the whole run; from the epoch unfreeze_epoch on
 * unfreeze_learning_rate takes its place where it is more than 0, and the schedule begins anew. With s steps of S
 * since the begin, of which the first W warm up:
 *   warm-up   given * (s + 1) / W
 *   cosine    given / 2 * (1 + cos(pi * (s - W) / (S - W))): Loshchilov and Hutter, "SGDR: stochastic gradient descent
 *             with warm restarts", 2017, eq. 5, one period
 *   step      given * factor^(whole epochs / schedule_epochs)
 *   plateau   given * factor^reductions */
double kn_learning_rate(const kn_training_options *options, double given, const kn_rate_position *position);

#endif
