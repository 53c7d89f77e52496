/* The graph of a classifier in training: the model twice, training and evaluating on the same variables, the loss, its
 * gradients and the optimizer's steps. */
#ifndef TENSORFLOW_TRAINING_GRAPH_H
#define TENSORFLOW_TRAINING_GRAPH_H

#include "graph.h"

typedef enum training_optimizer { TRAINING_ADAM, TRAINING_SGD } training_optimizer;

/* Kingma and Ba, "Adam: a method for stochastic optimization", 2015, with Keras's epsilon. */
#define ADAM_BETA1 0.9
#define ADAM_BETA2 0.999
#define ADAM_EPSILON 1e-7

typedef struct training_graph {
  graph g;
  training_optimizer optimizer;
  TF_Output samples;                  /* placeholder [batch, ...] */
  TF_Output labels;                   /* placeholder [batch] int64 */
  TF_Output rate;                     /* placeholder, scalar */
  TF_Output beta1_power, beta2_power; /* placeholders of Adam: beta to the power of the step */
  TF_Output loss;                     /* mean cross-entropy of the batch, before the step */
  TF_Output logits;                   /* [batch, classes] of the same */
  TF_Output evaluated_logits;         /* [batch, classes] as at inference */
  const TF_Operation **steps;         /* all to be run for one step */
  size_t step_count;
  const TF_Operation **initializers; /* store g.weights[i].initial, zero the optimizer's state */
  size_t initializer_count;
} training_graph;

/* Builds everything for batches of one size; weights that `model` lacks are made. `out` must not move. KN_INCOMPATIBLE
 * when the model cannot be trained as a classifier with so many classes. */
kn_status training_graph_build(const tf_api *tf, keras_model *model, training_optimizer optimizer, uint64_t seed,
                               int64_t batch, int64_t classes, training_graph *out) KN_MUST_USE;
void training_graph_destroy(training_graph *training);

#endif
