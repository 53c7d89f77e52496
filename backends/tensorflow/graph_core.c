/* Dense layers, normalization, scaling, dropout, and what does nothing at inference. */
#include "graph.h"

#include <math.h>
#include <string.h>

/* Turns [d0, ..., features] into [rows, features] and back; at most one dimension may be unknown. */
static kn_status flatten_rows(graph *g, const graph_call *call, TF_Output x, uint32_t rank, const int64_t *shape,
                              TF_Output *out) {
  *out = x;
  if (rank == 2) return NULL;
  if (rank < 2) return graph_refuse(g, call, "its input has no features");
  const int64_t rows[2] = {-1, shape[rank - 1]};
  return graph_reshape(g, x, rows, 2, out);
}

static kn_status restore_rows(graph *g, const graph_call *call, TF_Output x, uint32_t rank, const int64_t *shape,
                              int64_t features, TF_Output *out) {
  *out = x;
  if (rank == 2) return NULL;
  int64_t wanted[KN_MAX_RANK];
  int unknown = 0;
  for (uint32_t i = 0; i < rank; i++) {
    wanted[i] = i + 1 < rank ? shape[i] : features;
    unknown += wanted[i] < 0;
  }
  if (unknown > 1) return graph_refuse(g, call, "more than one dimension of its input is not fixed");
  return graph_reshape(g, x, wanted, rank, out);
}

static kn_status build_dense(graph *g, const graph_call *call, TF_Output *out) {
  uint32_t rank;
  int64_t shape[KN_MAX_RANK], units;
  KN_TRY(graph_shape(g, call->inputs[0], &rank, shape));
  if (!keras_integers(call->layer->config, "units", &units, 1) || units < 1) return graph_damaged(g, call, "units");
  if (rank < 2 || shape[rank - 1] < 1) return graph_refuse(g, call, "the number of its inputs is not fixed");
  const int64_t kernel_shape[2] = {shape[rank - 1], units};
  TF_Output kernel, x;
  KN_TRY(graph_weight_value(g, call, "kernel", 2, kernel_shape, GRAPH_GLOROT_UNIFORM, &kernel));
  KN_TRY(flatten_rows(g, call, call->inputs[0], rank, shape, &x));
  KN_TRY(graph_binary(g, "MatMul", x, kernel, &x));
  if (keras_bool(call->layer->config, "use_bias", true)) {
    TF_Output bias;
    KN_TRY(graph_weight_value(g, call, "bias", 1, &units, GRAPH_ZEROS, &bias));
    KN_TRY(graph_binary(g, "BiasAdd", x, bias, &x));
  }
  KN_TRY(restore_rows(g, call, x, rank, shape, units, &x));
  return graph_activation(g, call, x, out);
}

/* ---- batch normalization ---- */

typedef struct batch_norm {
  TF_Output gamma, beta;
  graph_weight mean, variance;
  double epsilon, momentum;
} batch_norm;

static kn_status ones_or_zeros(graph *g, int64_t count, float value, TF_Output *out) {
  float *values = kn_alloc_array((size_t)count, sizeof *values);
  if (!values) return kn_status_out_of_memory();
  for (int64_t i = 0; i < count; i++) values[i] = value;
  kn_status status = graph_floats(g, values, (size_t)count, out);
  kn_free(values);
  return status;
}

static kn_status read_batch_norm(graph *g, const graph_call *call, int64_t channels, batch_norm *out) {
  yyjson_val *config = call->layer->config;
  out->epsilon = keras_number_or(config, "epsilon", 1e-3);
  out->momentum = keras_number_or(config, "momentum", 0.99);
  if (keras_bool(config, "scale", true))
    KN_TRY(graph_weight_value(g, call, "gamma", 1, &channels, GRAPH_ONES, &out->gamma));
  else
    KN_TRY(ones_or_zeros(g, channels, 1, &out->gamma));
  if (keras_bool(config, "center", true))
    KN_TRY(graph_weight_value(g, call, "beta", 1, &channels, GRAPH_ZEROS, &out->beta));
  else
    KN_TRY(ones_or_zeros(g, channels, 0, &out->beta));
  KN_TRY(graph_weight_of(g, call, "moving_mean", 1, &channels, GRAPH_ZEROS, false, &out->mean));
  return graph_weight_of(g, call, "moving_variance", 1, &channels, GRAPH_ONES, false, &out->variance);
}

/* moving -= (moving - batch) * (1 - momentum) */
static kn_status update_average(graph *g, const graph_weight *moving, TF_Output batch, double momentum) {
  TF_Output delta;
  KN_TRY(graph_binary(g, "Sub", moving->value, batch, &delta));
  KN_TRY(graph_scale(g, delta, 1 - momentum, 0, &delta));
  return graph_update(g, moving, delta);
}

static kn_status normalize(graph *g, const batch_norm *norm, bool by_batch, TF_Output x, TF_Output *out) {
  TF_Output mean = norm->mean.value, variance = norm->variance.value;
  if (by_batch) {
    /* The operation wants empty averages when it computes its own. */
    const int64_t none = 0;
    KN_TRY(graph_constant(g, TF_FLOAT, 1, &none, NULL, 0, &mean));
    variance = mean;
  }
  TF_OperationDescription *operation = graph_begin(g, "FusedBatchNormV3");
  const TF_Output inputs[5] = {x, norm->gamma, norm->beta, mean, variance};
  for (int i = 0; i < 5; i++) g->tf->TF_AddInput(operation, inputs[i]);
  g->tf->TF_SetAttrBool(operation, "is_training", by_batch);
  g->tf->TF_SetAttrFloat(operation, "epsilon", (float)norm->epsilon);
  KN_TRY(graph_end(g, operation, out));
  if (!by_batch) return NULL;
  KN_TRY(update_average(g, &norm->mean, (TF_Output){out->oper, 1}, norm->momentum));
  return update_average(g, &norm->variance, (TF_Output){out->oper, 2}, norm->momentum);
}

static kn_status build_batch_norm(graph *g, const graph_call *call, TF_Output *out) {
  uint32_t rank;
  int64_t shape[KN_MAX_RANK], axis;
  KN_TRY(graph_shape(g, call->inputs[0], &rank, shape));
  if (!keras_integers(call->layer->config, "axis", &axis, 1))
    return graph_refuse(g, call, "only one axis is supported");
  if (axis != -1 && axis != (int64_t)rank - 1) return graph_refuse(g, call, "only the last axis is supported");
  if (rank < 2 || shape[rank - 1] < 1) return graph_refuse(g, call, "the number of its channels is not fixed");
  int64_t channels = shape[rank - 1];
  batch_norm norm;
  KN_TRY(read_batch_norm(g, call, channels, &norm));
  /* A frozen layer normalizes by its averages, as in Keras. */
  bool by_batch = g->training && keras_bool(call->layer->config, "trainable", true);
  TF_Output x = call->inputs[0];
  if (rank == 4) return normalize(g, &norm, by_batch, x, out);
  const int64_t image[4] = {-1, 1, 1, channels};
  KN_TRY(graph_reshape(g, x, image, 4, &x));
  KN_TRY(normalize(g, &norm, by_batch, x, &x));
  const int64_t rows[2] = {-1, channels};
  KN_TRY(graph_reshape(g, x, rows, 2, &x));
  return restore_rows(g, call, x, rank, shape, channels, out);
}

/* gamma * (x - mean) / sqrt(variance + epsilon) + beta over the last axis of each sample */
static kn_status build_layer_norm(graph *g, const graph_call *call, TF_Output *out) {
  yyjson_val *config = call->layer->config;
  uint32_t rank;
  int64_t shape[KN_MAX_RANK], axis = -1;
  KN_TRY(graph_shape(g, call->inputs[0], &rank, shape));
  if (!keras_integers(config, "axis", &axis, 1) || (axis != -1 && axis != (int64_t)rank - 1) || shape[rank - 1] < 1)
    return graph_refuse(g, call, "only the last axis is supported");
  TF_Output x = call->inputs[0], last, mean, variance;
  KN_TRY(graph_integers(g, &axis, 1, &last));
  TF_OperationDescription *operation = graph_begin(g, "Mean");
  g->tf->TF_AddInput(operation, x);
  g->tf->TF_AddInput(operation, last);
  g->tf->TF_SetAttrBool(operation, "keep_dims", 1);
  KN_TRY(graph_end(g, operation, &mean));
  KN_TRY(graph_binary(g, "SquaredDifference", x, mean, &variance));
  operation = graph_begin(g, "Mean");
  g->tf->TF_AddInput(operation, variance);
  g->tf->TF_AddInput(operation, last);
  g->tf->TF_SetAttrBool(operation, "keep_dims", 1);
  KN_TRY(graph_end(g, operation, &variance));
  KN_TRY(graph_scale(g, variance, 1, keras_number_or(config, "epsilon", 1e-3), &variance));
  KN_TRY(graph_unary(g, "Rsqrt", variance, &variance));
  KN_TRY(graph_binary(g, "Sub", x, mean, &x));
  KN_TRY(graph_binary(g, "Mul", x, variance, &x));
  const int64_t features = shape[rank - 1];
  TF_Output weight;
  if (keras_bool(config, "scale", true)) {
    KN_TRY(graph_weight_value(g, call, "gamma", 1, &features, GRAPH_ONES, &weight));
    KN_TRY(graph_binary(g, "Mul", x, weight, &x));
  }
  if (keras_bool(config, "center", true)) {
    KN_TRY(graph_weight_value(g, call, "beta", 1, &features, GRAPH_ZEROS, &weight));
    KN_TRY(graph_binary(g, "AddV2", x, weight, &x));
  }
  *out = x;
  return NULL;
}

/* ---- scaling of inputs ---- */

/* A number, or a list of one number for each channel, as a constant. */
static kn_status numbers(graph *g, const graph_call *call, const char *key, double fallback, TF_Output *out) {
  yyjson_val *value = yyjson_obj_get(call->layer->config, key);
  size_t count = yyjson_arr_size(value);
  if (count == 0) return graph_scalar(g, keras_number_or(call->layer->config, key, fallback), out);
  float *list = kn_alloc_array(count, sizeof *list);
  if (!list) return kn_status_out_of_memory();
  kn_status status = NULL;
  for (size_t i = 0; i < count && !status; i++) {
    yyjson_val *item = yyjson_arr_get(value, i);
    if (!yyjson_is_num(item)) status = graph_damaged(g, call, key);
    list[i] = (float)yyjson_get_num(item);
  }
  if (!status) status = graph_floats(g, list, count, out);
  kn_free(list);
  return status;
}

static kn_status build_rescaling(graph *g, const graph_call *call, TF_Output *out) {
  TF_Output x, scale, offset;
  KN_TRY(graph_cast(g, call->inputs[0], TF_FLOAT, &x));
  KN_TRY(numbers(g, call, "scale", 1, &scale));
  KN_TRY(numbers(g, call, "offset", 0, &offset));
  KN_TRY(graph_binary(g, "Mul", x, scale, &x));
  return graph_binary(g, "AddV2", x, offset, out);
}

/* (x - mean) / max(sqrt(variance), 1e-7); mean and variance are weights (adapted) or in the configuration. */
static kn_status build_normalization(graph *g, const graph_call *call, TF_Output *out) {
  uint32_t rank;
  int64_t shape[KN_MAX_RANK], axis;
  KN_TRY(graph_shape(g, call->inputs[0], &rank, shape));
  if (!keras_integers(call->layer->config, "axis", &axis, 1) || (axis != -1 && axis != (int64_t)rank - 1) || rank < 2)
    return graph_refuse(g, call, "only the last axis is supported");
  if (keras_bool(call->layer->config, "invert", false)) return graph_refuse(g, call, "invert is not supported");
  TF_Output x, mean, variance, least;
  KN_TRY(graph_cast(g, call->inputs[0], TF_FLOAT, &x));
  if (keras_model_weight(g->model, call->group, call->layer->name, "mean")) {
    graph_weight weights[2];
    KN_TRY(graph_weight_of(g, call, "mean", 1, &shape[rank - 1], GRAPH_ZEROS, false, &weights[0]));
    KN_TRY(graph_weight_of(g, call, "variance", 1, &shape[rank - 1], GRAPH_ONES, false, &weights[1]));
    mean = weights[0].value;
    variance = weights[1].value;
  } else {
    KN_TRY(numbers(g, call, "mean", NAN, &mean));
    KN_TRY(numbers(g, call, "variance", NAN, &variance));
  }
  KN_TRY(graph_unary(g, "Sqrt", variance, &variance));
  KN_TRY(graph_scalar(g, 1e-7, &least));
  KN_TRY(graph_binary(g, "Maximum", variance, least, &variance));
  KN_TRY(graph_binary(g, "Sub", x, mean, &x));
  return graph_binary(g, "RealDiv", x, variance, out);
}

/* ---- dropout and noise ---- */

static kn_status build_identity(graph *g, const graph_call *call, TF_Output *out) {
  (void)g;
  *out = call->inputs[0];
  return NULL;
}

/* Seed of a layer's random numbers in the step: its own number added to the step's. What is drawn depends on both and
 * on nothing that ran before. */
static kn_status layer_seed(graph *g, TF_Output *out) {
  const int64_t length = 2, own[2] = {0, g->operation_count};
  if (!g->step_seed.oper) KN_TRY(graph_placeholder(g, TF_INT64, 1, &length, &g->step_seed));
  KN_TRY(graph_constant(g, TF_INT64, 1, &length, own, sizeof own, out));
  return graph_binary(g, "AddV2", g->step_seed, *out, out);
}

/* Inverted dropout: kept values are divided by the probability to keep them. Srivastava et al., "Dropout: a simple way
 * to prevent neural networks from overfitting", 2014, section 10. `whole_maps`: one decision for each channel. */
static kn_status drop(graph *g, const graph_call *call, bool whole_maps, TF_Output *out) {
  double rate = keras_number_or(call->layer->config, "rate", 0);
  TF_Output x = call->inputs[0], shape, seed, uniform, threshold, mask;
  *out = x;
  if (!g->training || rate <= 0) return NULL;
  if (rate >= 1) return graph_refuse(g, call, "a rate of %g drops everything", rate);
  KN_TRY(graph_unary(g, "Shape", x, &shape));
  if (whole_maps) {
    const int64_t ones[4] = {INT32_MAX, 1, 1, INT32_MAX};
    TF_Output limit;
    KN_TRY(graph_integers(g, ones, 4, &limit));
    KN_TRY(graph_binary(g, "Minimum", shape, limit, &shape));
  }
  KN_TRY(layer_seed(g, &seed));
  TF_OperationDescription *operation = graph_begin(g, "StatelessRandomUniform");
  g->tf->TF_AddInput(operation, shape);
  g->tf->TF_AddInput(operation, seed);
  g->tf->TF_SetAttrType(operation, "dtype", TF_FLOAT);
  KN_TRY(graph_end(g, operation, &uniform));
  KN_TRY(graph_scalar(g, rate, &threshold));
  KN_TRY(graph_binary(g, "GreaterEqual", uniform, threshold, &mask));
  KN_TRY(graph_cast(g, mask, TF_FLOAT, &mask));
  KN_TRY(graph_scale(g, mask, 1 / (1 - rate), 0, &mask));
  return graph_binary(g, "Mul", x, mask, out);
}

static kn_status build_dropout(graph *g, const graph_call *call, TF_Output *out) { return drop(g, call, false, out); }

static kn_status build_spatial_dropout(graph *g, const graph_call *call, TF_Output *out) {
  uint32_t rank;
  int64_t shape[KN_MAX_RANK];
  KN_TRY(graph_shape(g, call->inputs[0], &rank, shape));
  if (rank != 4) return graph_refuse(g, call, "its input is not [N,H,W,C]");
  return drop(g, call, true, out);
}

/* Layers that change their input in training only, in ways that the trainer does not have. */
static kn_status build_noise(graph *g, const graph_call *call, TF_Output *out) {
  if (g->training) return graph_refuse(g, call, "training with this layer is not supported");
  return build_identity(g, call, out);
}

const graph_layer_kind graph_core_layers[] = {{"ActivityRegularization", build_noise, false},
                                              {"AlphaDropout", build_noise, false},
                                              {"BatchNormalization", build_batch_norm, false},
                                              {"Dense", build_dense, false},
                                              {"Dropout", build_dropout, false},
                                              {"GaussianDropout", build_noise, false},
                                              {"GaussianNoise", build_noise, false},
                                              {"Identity", build_identity, false},
                                              {"LayerNormalization", build_layer_norm, false},
                                              {"Normalization", build_normalization, false},
                                              {"RandomBrightness", build_noise, false},
                                              {"RandomContrast", build_noise, false},
                                              {"RandomFlip", build_noise, false},
                                              {"RandomRotation", build_noise, false},
                                              {"RandomTranslation", build_noise, false},
                                              {"RandomZoom", build_noise, false},
                                              {"Rescaling", build_rescaling, false},
                                              {"SpatialDropout2D", build_spatial_dropout, false},
                                              {NULL, NULL, false}};
