/* A TensorFlow graph made from a Keras model. One builder serves inference and training: weights become constants or
 * variables, and batch normalization and dropout behave as the mode says. */
#ifndef TENSORFLOW_GRAPH_H
#define TENSORFLOW_GRAPH_H

#include "api.h"
#include "keras_model.h"

/* A weight inside the graph. */
typedef struct graph_weight {
  size_t group, index; /* model->groups[group].weights[index] */
  TF_Output value;     /* constant, or what the variable holds */
  TF_Output handle;    /* of the variable; .oper NULL for constants */
  TF_Output initial;   /* placeholder that `assign` stores */
  TF_Operation *assign;
  bool trainable;
} graph_weight;

typedef struct graph {
  const tf_api *tf;
  TF_Graph *graph;
  TF_Status *status;
  unsigned operation_count; /* numbers the operations, whose names must differ */
  keras_model *model;
  bool variables;    /* weights are variables, but for those of layers that are not trainable */
  bool training;     /* what is built now normalizes by the batch and drops out */
  bool make_weights; /* weights that the model lacks are made, with the seed */
  bool grouped;      /* there is a grouped convolution */
  uint64_t seed;
  TF_Output step_seed;  /* placeholder [2] int64 of what is drawn in a step; .oper NULL: nothing is */
  uint64_t frozen_hash; /* FNV-1a, 64 bits, of the values of all constants that stand for weights */
  graph_weight *weights;
  size_t weight_count, weight_capacity;
  TF_Operation **updates; /* of moving averages, to run with each training step */
  size_t update_count, update_capacity;
  TF_Output softmax_input, softmax_output; /* of the softmax built last: the loss wants its input */
} graph;

/* A call of a layer under construction. */
typedef struct graph_call {
  const keras_layer *layer;
  const keras_node *node;
  size_t group; /* of its weights */
  const TF_Output *inputs;
  size_t input_count;
} graph_call;

typedef enum graph_initializer { GRAPH_ZEROS, GRAPH_ONES, GRAPH_GLOROT_UNIFORM } graph_initializer;

/* `graph` must not move while it is in use; `model` must outlive it. */
kn_status graph_create(const tf_api *tf, keras_model *model, graph *out_graph) KN_MUST_USE;
void graph_destroy(graph *g);

/* ---- graph_network.c ---- */

/* Faults that keep the model from being built, all at once: unknown layers, number formats, memory layouts. Needs no
 * TensorFlow. KN_INCOMPATIBLE. */
kn_status graph_check(const keras_network *network, const char *path) KN_MUST_USE;
/* Builds the model on `inputs` (network.input_count); writes network.output_count outputs. */
kn_status graph_build(graph *g, const TF_Output *inputs, TF_Output *outputs) KN_MUST_USE;

/* ---- graph.c: operations. The result may be written over an operand. ---- */

TF_OperationDescription *graph_begin(graph *g, const char *type);
kn_status graph_end(graph *g, TF_OperationDescription *operation, TF_Output *out) KN_MUST_USE;
kn_status graph_unary(graph *g, const char *type, TF_Output x, TF_Output *out) KN_MUST_USE;
kn_status graph_binary(graph *g, const char *type, TF_Output x, TF_Output y, TF_Output *out) KN_MUST_USE;
kn_status graph_constant(graph *g, TF_DataType type, uint32_t rank, const int64_t *shape, const void *data,
                         size_t bytes, TF_Output *out) KN_MUST_USE;
kn_status graph_scalar(graph *g, double value, TF_Output *out) KN_MUST_USE; /* float32 */
kn_status graph_floats(graph *g, const float *values, size_t count, TF_Output *out) KN_MUST_USE;
kn_status graph_integers(graph *g, const int64_t *values, size_t count, TF_Output *out) KN_MUST_USE; /* int32 vector */
kn_status graph_placeholder(graph *g, TF_DataType type, uint32_t rank, const int64_t *shape,
                            TF_Output *out) KN_MUST_USE;
kn_status graph_reshape(graph *g, TF_Output x, const int64_t *shape, size_t rank, TF_Output *out) KN_MUST_USE;
kn_status graph_cast(graph *g, TF_Output x, TF_DataType type, TF_Output *out) KN_MUST_USE;
/* y = x * factor + offset */
kn_status graph_scale(graph *g, TF_Output x, double factor, double offset, TF_Output *out) KN_MUST_USE;
/* Static shape, -1 for dimensions that are not fixed. KN_INCOMPATIBLE when even the rank is unknown. */
kn_status graph_shape(graph *g, TF_Output x, uint32_t *out_rank, int64_t *out_shape) KN_MUST_USE;

/* ---- graph_weight.c ---- */

/* The weight `name` of the layer, of exactly this shape. KN_BAD_DATA when the file has none or another shape. */
kn_status graph_weight_of(graph *g, const graph_call *call, const char *name, uint32_t rank, const int64_t *shape,
                          graph_initializer initializer, bool trainable, graph_weight *out_weight) KN_MUST_USE;
kn_status graph_weight_value(graph *g, const graph_call *call, const char *name, uint32_t rank, const int64_t *shape,
                             graph_initializer initializer, TF_Output *out) KN_MUST_USE;
/* weight -= delta, whenever g->updates run. */
kn_status graph_update(graph *g, const graph_weight *weight, TF_Output delta) KN_MUST_USE;

/* ---- layers ---- */

typedef kn_status (*graph_layer_builder)(graph *g, const graph_call *call, TF_Output *out);
typedef struct graph_layer_kind {
  const char *class_name;
  graph_layer_builder build;
  bool several; /* takes any number of tensors, not one */
} graph_layer_kind;
/* Each ends with a NULL class name. graph_operations: functions of Keras 3 and TensorFlow used as layers, such as the
 * "x + 3" of a model's author. */
extern const graph_layer_kind graph_core_layers[], graph_convolution_layers[], graph_shape_layers[],
    graph_activation_layers[], graph_merge_layers[], graph_operations[];

/* The activation of a configuration's key "activation"; linear when there is none. */
kn_status graph_activation(graph *g, const graph_call *call, TF_Output x, TF_Output *out) KN_MUST_USE;
/* KN_INCOMPATIBLE or KN_BAD_DATA about the layer. */
kn_status graph_refuse(const graph *g, const graph_call *call, const char *format, ...) KN_MUST_USE KN_PRINTF(3, 4);
kn_status graph_damaged(const graph *g, const graph_call *call, const char *key) KN_MUST_USE;

#endif
