/* Activation functions, by name and as layers. Definitions: Keras's documentation of activations and layers. */
#include "graph.h"

#include <math.h>
#include <string.h>

typedef kn_status (*activation_builder)(graph *g, TF_Output x, TF_Output *out);

static kn_status linear(graph *g, TF_Output x, TF_Output *out) {
  (void)g;
  *out = x;
  return NULL;
}

static kn_status relu(graph *g, TF_Output x, TF_Output *out) { return graph_unary(g, "Relu", x, out); }
static kn_status relu6(graph *g, TF_Output x, TF_Output *out) { return graph_unary(g, "Relu6", x, out); }
static kn_status elu(graph *g, TF_Output x, TF_Output *out) { return graph_unary(g, "Elu", x, out); }
static kn_status selu(graph *g, TF_Output x, TF_Output *out) { return graph_unary(g, "Selu", x, out); }
static kn_status sigmoid(graph *g, TF_Output x, TF_Output *out) { return graph_unary(g, "Sigmoid", x, out); }
static kn_status hyperbolic_tangent(graph *g, TF_Output x, TF_Output *out) { return graph_unary(g, "Tanh", x, out); }
static kn_status softplus(graph *g, TF_Output x, TF_Output *out) { return graph_unary(g, "Softplus", x, out); }
static kn_status softsign(graph *g, TF_Output x, TF_Output *out) { return graph_unary(g, "Softsign", x, out); }
static kn_status exponential(graph *g, TF_Output x, TF_Output *out) { return graph_unary(g, "Exp", x, out); }
static kn_status log_softmax(graph *g, TF_Output x, TF_Output *out) { return graph_unary(g, "LogSoftmax", x, out); }

static kn_status softmax(graph *g, TF_Output x, TF_Output *out) {
  g->softmax_input = x;
  KN_TRY(graph_unary(g, "Softmax", x, out));
  g->softmax_output = *out;
  return NULL;
}

/* x * sigmoid(x) */
static kn_status swish(graph *g, TF_Output x, TF_Output *out) {
  TF_Output gate;
  KN_TRY(sigmoid(g, x, &gate));
  return graph_binary(g, "Mul", x, gate, out);
}

/* x * tanh(softplus(x)) */
static kn_status mish(graph *g, TF_Output x, TF_Output *out) {
  TF_Output gate;
  KN_TRY(softplus(g, x, &gate));
  KN_TRY(hyperbolic_tangent(g, gate, &gate));
  return graph_binary(g, "Mul", x, gate, out);
}

/* 0.5 x (1 + erf(x / sqrt 2)) */
static kn_status gelu(graph *g, TF_Output x, TF_Output *out) {
  TF_Output half, gate;
  KN_TRY(graph_scale(g, x, 0.5, 0, &half));
  KN_TRY(graph_scale(g, x, M_SQRT1_2, 0, &gate));
  KN_TRY(graph_unary(g, "Erf", gate, &gate));
  KN_TRY(graph_scale(g, gate, 1, 1, &gate));
  return graph_binary(g, "Mul", half, gate, out);
}

/* Keras 3: relu6(x + 3) / 6. Keras 2: 0.2 x + 0.5, cut off at 0 and 1. */
static kn_status hard_sigmoid(graph *g, TF_Output x, TF_Output *out) {
  if (g->model->keras_major >= 3) {
    KN_TRY(graph_scale(g, x, 1, 3, out));
    KN_TRY(relu6(g, *out, out));
    return graph_scale(g, *out, 1.0 / 6, 0, out);
  }
  TF_Output one;
  KN_TRY(graph_scale(g, x, 0.2, 0.5, out));
  KN_TRY(relu(g, *out, out));
  KN_TRY(graph_scalar(g, 1, &one));
  return graph_binary(g, "Minimum", *out, one, out);
}

/* x * relu6(x + 3) / 6 */
static kn_status hard_swish(graph *g, TF_Output x, TF_Output *out) {
  TF_Output gate;
  KN_TRY(graph_scale(g, x, 1, 3, &gate));
  KN_TRY(relu6(g, gate, &gate));
  KN_TRY(graph_scale(g, gate, 1.0 / 6, 0, &gate));
  return graph_binary(g, "Mul", x, gate, out);
}

static kn_status leak(graph *g, TF_Output x, double slope, TF_Output *out) {
  TF_OperationDescription *operation = graph_begin(g, "LeakyRelu");
  g->tf->TF_AddInput(operation, x);
  g->tf->TF_SetAttrFloat(operation, "alpha", (float)slope);
  return graph_end(g, operation, out);
}

static kn_status leaky_relu(graph *g, TF_Output x, TF_Output *out) { return leak(g, x, 0.2, out); }

static const struct {
  const char *name;
  activation_builder build;
} activations[] = {{"linear", linear},
                   {"relu", relu},
                   {"relu6", relu6},
                   {"softmax", softmax},
                   {"sigmoid", sigmoid},
                   {"tanh", hyperbolic_tangent},
                   {"swish", swish},
                   {"silu", swish},
                   {"gelu", gelu},
                   {"elu", elu},
                   {"selu", selu},
                   {"hard_sigmoid", hard_sigmoid},
                   {"hard_swish", hard_swish},
                   {"hard_silu", hard_swish},
                   {"leaky_relu", leaky_relu},
                   {"mish", mish},
                   {"softplus", softplus},
                   {"softsign", softsign},
                   {"exponential", exponential},
                   {"log_softmax", log_softmax}};

kn_status graph_activation(graph *g, const graph_call *call, TF_Output x, TF_Output *out) {
  yyjson_val *value = yyjson_obj_get(call->layer->config, "activation");
  const char *name = keras_identifier(value);
  if (!name) name = "linear";
  for (size_t i = 0; i < sizeof activations / sizeof *activations; i++)
    if (strcmp(activations[i].name, name) == 0) return activations[i].build(g, x, out);
  return graph_refuse(g, call, "the activation '%s' is not supported", name);
}

/* ---- as layers ---- */

static kn_status build_activation(graph *g, const graph_call *call, TF_Output *out) {
  return graph_activation(g, call, call->inputs[0], out);
}

static kn_status build_softmax(graph *g, const graph_call *call, TF_Output *out) {
  uint32_t rank;
  int64_t shape[KN_MAX_RANK], axis = -1;
  KN_TRY(graph_shape(g, call->inputs[0], &rank, shape));
  if (yyjson_obj_get(call->layer->config, "axis") && !keras_integers(call->layer->config, "axis", &axis, 1))
    return graph_refuse(g, call, "only one axis is supported");
  if (axis != -1 && axis != (int64_t)rank - 1) return graph_refuse(g, call, "only the last axis is supported");
  return softmax(g, call->inputs[0], out);
}

/* Keras's generalized rectifier: x for x >= threshold, slope * (x - threshold) below, cut off at max_value. */
static kn_status rectify(graph *g, TF_Output x, double slope, double threshold, double max_value, TF_Output *out) {
  if (slope == 0 && threshold == 0 && max_value == 6) return relu6(g, x, out);
  TF_Output positive, limit, negative;
  if (threshold == 0) {
    KN_TRY(relu(g, x, &positive));
  } else {
    TF_Output above;
    KN_TRY(graph_scalar(g, threshold, &limit));
    KN_TRY(graph_binary(g, "Greater", x, limit, &above));
    KN_TRY(graph_cast(g, above, TF_FLOAT, &above));
    KN_TRY(graph_binary(g, "Mul", x, above, &positive));
  }
  if (!isinf(max_value)) {
    KN_TRY(graph_scalar(g, max_value, &limit));
    KN_TRY(graph_binary(g, "Minimum", positive, limit, &positive));
  }
  *out = positive;
  if (slope == 0) return NULL;
  KN_TRY(graph_scale(g, x, -1, threshold, &negative));
  KN_TRY(relu(g, negative, &negative));
  KN_TRY(graph_scale(g, negative, slope, 0, &negative));
  return graph_binary(g, "Sub", positive, negative, out);
}

static kn_status build_relu(graph *g, const graph_call *call, TF_Output *out) {
  yyjson_val *config = call->layer->config;
  return rectify(g, call->inputs[0], keras_number_or(config, "negative_slope", 0),
                 keras_number_or(config, "threshold", 0), keras_number_or(config, "max_value", INFINITY), out);
}

/* The slope is called alpha by Keras 2 and negative_slope by Keras 3. */
static kn_status build_leaky_relu(graph *g, const graph_call *call, TF_Output *out) {
  yyjson_val *config = call->layer->config;
  return leak(g, call->inputs[0], keras_number_or(config, "negative_slope", keras_number_or(config, "alpha", 0.3)),
              out);
}

/* x for x > 0, else alpha * (exp(x) - 1) */
static kn_status build_elu(graph *g, const graph_call *call, TF_Output *out) {
  double alpha = keras_number_or(call->layer->config, "alpha", 1);
  TF_Output positive, negative;
  KN_TRY(elu(g, call->inputs[0], &negative));
  *out = negative;
  if (alpha == 1) return NULL;
  KN_TRY(relu(g, call->inputs[0], &positive));
  KN_TRY(graph_binary(g, "Sub", negative, positive, &negative));
  KN_TRY(graph_scale(g, negative, alpha, 0, &negative));
  return graph_binary(g, "AddV2", positive, negative, out);
}

/* x for x > 0, else alpha * x with alpha learned, one for each value that shared_axes does not share */
static kn_status build_prelu(graph *g, const graph_call *call, TF_Output *out) {
  uint32_t rank;
  int64_t shape[KN_MAX_RANK];
  KN_TRY(graph_shape(g, call->inputs[0], &rank, shape));
  yyjson_val *shared = yyjson_obj_get(call->layer->config, "shared_axes");
  for (size_t i = 0; i < yyjson_arr_size(shared); i++) {
    int64_t axis = yyjson_get_sint(yyjson_arr_get(shared, i));
    if (axis < 1 || axis >= (int64_t)rank) return graph_damaged(g, call, "shared_axes");
    shape[axis] = 1;
  }
  if (rank < 2) return graph_refuse(g, call, "its input has no features");
  TF_Output alpha, positive, negative;
  KN_TRY(graph_weight_value(g, call, "alpha", rank - 1, shape + 1, GRAPH_ZEROS, &alpha));
  KN_TRY(relu(g, call->inputs[0], &positive));
  KN_TRY(graph_binary(g, "Sub", call->inputs[0], positive, &negative));
  KN_TRY(graph_binary(g, "Mul", negative, alpha, &negative));
  return graph_binary(g, "AddV2", positive, negative, out);
}

const graph_layer_kind graph_activation_layers[] = {{"Activation", build_activation, false},
                                                    {"ELU", build_elu, false},
                                                    {"LeakyReLU", build_leaky_relu, false},
                                                    {"PReLU", build_prelu, false},
                                                    {"ReLU", build_relu, false},
                                                    {"Softmax", build_softmax, false},
                                                    {NULL, NULL, false}};
