/* The graph of a classifier in training: the model twice, training and evaluating on the same weights, the loss, its
 * gradients and the optimizer's steps. Weights of layers that are not trainable are constants, which TensorFlow folds
 * into the operations around them. */
#ifndef TENSORFLOW_TRAINING_GRAPH_H
#define TENSORFLOW_TRAINING_GRAPH_H

#include "graph.h"

/* Kingma and Ba, "Adam: a method for stochastic optimization", 2015, with Keras's epsilon. */
#define ADAM_BETA1 0.9
#define ADAM_BETA2 0.999
#define ADAM_EPSILON 1e-7

/* What training changes: a weight or a part of the optimizer's state. */
typedef struct training_variable {
  size_t weight;     /* index in g.weights of the weight it is, or belongs to */
  const char *state; /* "adam_mean", ...; NULL: it is the weight itself */
  TF_Output value;
  TF_Output initial; /* placeholder that `assign` stores */
  TF_Operation *assign;
  TF_Output gradient; /* of the loss by a trained weight; else .oper NULL */
} training_variable;

typedef struct training_settings {
  kn_train_optimizer optimizer;
  size_t late_layers; /* so many first layers of the network belong to a base: those of them that are trainable are
                         trained in unfrozen steps alone */
  uint64_t seed;      /* of weights that are made */
  int64_t batch, classes;
} training_settings;

/* Scalars that are fed to each step. */
typedef enum training_scalar {
  TRAINING_RATE,
  TRAINING_BETA1_POWER, /* of Adam: beta to the power of the step, from 1 */
  TRAINING_BETA2_POWER,
  TRAINING_LATE_BETA1_POWER, /* of the unfrozen step */
  TRAINING_LATE_BETA2_POWER,
  TRAINING_SCALARS
} training_scalar;

typedef struct training_graph {
  graph g;
  training_settings settings;
  TF_Output samples;                   /* placeholder [batch, ...] */
  TF_Output labels;                    /* placeholder [batch] int64 */
  TF_Output sample_weights;            /* placeholder [batch]: of each sample's loss */
  TF_Output scalars[TRAINING_SCALARS]; /* placeholders; .oper NULL: not used */
  TF_Output loss;                      /* mean over the batch of weight times cross-entropy, before the step */
  TF_Output logits;                    /* [batch, classes] of the same */
  TF_Output evaluated_logits;          /* [batch, classes] as at inference */
  const TF_Operation **steps;          /* all to be run for an unfrozen step; the first `early_count` for any other */
  size_t step_count, early_count;
  training_variable *variables;
  size_t variable_count;
} training_graph;

/* Builds everything; weights that `model` lacks are made where it has no file. `out` must not move. KN_INCOMPATIBLE
 * when the model cannot be trained as a classifier with so many classes. */
kn_status training_graph_build(const tf_api *tf, keras_model *model, const training_settings *settings,
                               training_graph *out) KN_MUST_USE;
void training_graph_destroy(training_graph *training);

/* The model's weight that the variable is or belongs to. */
keras_weight *training_graph_weight(const training_graph *training, const training_variable *variable);

#endif
