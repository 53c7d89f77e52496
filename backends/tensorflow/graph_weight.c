/* Weights of a model inside its graph: looked up or made, checked, constants or variables. */
#include "graph.h"

#include <kenning/random.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static kn_status reserve(void **array, size_t count, size_t *capacity, size_t size) {
  if (count < *capacity) return NULL;
  size_t grown_capacity = *capacity ? *capacity * 2 : 32, bytes;
  if (!kn_mul_size(grown_capacity, size, &bytes)) return kn_status_out_of_memory();
  void *grown = kn_realloc(*array, bytes);
  if (!grown) return kn_status_out_of_memory();
  *array = grown;
  *capacity = grown_capacity;
  return NULL;
}

/* Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010, eq. 16:
 * uniform in +-sqrt(6 / (fan_in + fan_out)). Kernels are [..., in, out]. */
static void fill_glorot(keras_weight *weight, uint64_t seed, uint64_t stream) {
  double receptive = 1, in = 1, out = 1;
  for (uint32_t i = 0; i + 2 < weight->rank; i++) receptive *= (double)weight->shape[i];
  if (weight->rank > 0) out = (double)weight->shape[weight->rank - 1];
  in = weight->rank > 1 ? (double)weight->shape[weight->rank - 2] : out;
  double limit = sqrt(6 / (receptive * (in + out)));
  for (size_t i = 0; i < weight->elements; i++)
    weight->values[i] = (float)(limit * (2 * kn_random_unit(kn_random(seed, stream), i) - 1));
}

static kn_status make_weight(graph *g, const graph_call *call, const char *name, uint32_t rank, const int64_t *shape,
                             graph_initializer initializer, keras_weight **out) {
  uint64_t stream = ((uint64_t)call->group << 32) + g->model->groups[call->group].count;
  KN_TRY(keras_model_add_weight(g->model, call->group, call->layer->name, name, rank, shape, out));
  if (initializer == GRAPH_ONES)
    for (size_t i = 0; i < (*out)->elements; i++) (*out)->values[i] = 1;
  if (initializer == GRAPH_GLOROT_UNIFORM) fill_glorot(*out, g->seed, stream);
  return NULL;
}

static kn_status check_shape(const graph *g, const graph_call *call, const keras_weight *weight, uint32_t rank,
                             const int64_t *shape) {
  bool same = weight->rank == rank;
  for (uint32_t i = 0; same && i < rank; i++) same = weight->shape[i] == shape[i];
  if (same) return NULL;
  char text[2][KN_MAX_RANK * 21 + 1] = {"", ""};
  const int64_t *shapes[2] = {weight->shape, shape};
  const uint32_t ranks[2] = {weight->rank, rank};
  for (int k = 0; k < 2; k++)
    for (size_t i = 0, used = 0; i < ranks[k] && used < sizeof text[k]; i++)
      used += (size_t)snprintf(text[k] + used, sizeof text[k] - used, i ? "x%lld" : "%lld", (long long)shapes[k][i]);
  return kn_status_make(KN_BAD_DATA, "%s: layer '%s': weight '%s' is [%s], but the architecture wants [%s]",
                        g->model->path, call->layer->name, weight->name, text[0], text[1]);
}

static kn_status add_variable(graph *g, const keras_weight *weight, graph_weight *entry) {
  char shared_name[64];
  int length = snprintf(shared_name, sizeof shared_name, "weight_%zu_%zu", entry->group, entry->index);
  TF_OperationDescription *operation = graph_begin(g, "VarHandleOp");
  g->tf->TF_SetAttrType(operation, "dtype", TF_FLOAT);
  g->tf->TF_SetAttrShape(operation, "shape", weight->shape, (int)weight->rank);
  g->tf->TF_SetAttrString(operation, "shared_name", shared_name, (size_t)length);
  KN_TRY(graph_end(g, operation, &entry->handle));
  operation = graph_begin(g, "ReadVariableOp");
  g->tf->TF_AddInput(operation, entry->handle);
  g->tf->TF_SetAttrType(operation, "dtype", TF_FLOAT);
  KN_TRY(graph_end(g, operation, &entry->value));
  KN_TRY(graph_placeholder(g, TF_FLOAT, weight->rank, weight->shape, &entry->initial));
  operation = graph_begin(g, "AssignVariableOp");
  g->tf->TF_AddInput(operation, entry->handle);
  g->tf->TF_AddInput(operation, entry->initial);
  g->tf->TF_SetAttrType(operation, "dtype", TF_FLOAT);
  TF_Output assigned;
  KN_TRY(graph_end(g, operation, &assigned));
  entry->assign = assigned.oper;
  return NULL;
}

/* Fowler, Noll and Vo, FNV-1a with 64 bits, over whole words. */
static void hash_values(const keras_weight *weight, uint64_t *hash) {
  for (size_t i = 0; i < weight->elements; i++) {
    uint32_t bits;
    memcpy(&bits, &weight->values[i], sizeof bits);
    *hash = (*hash ^ bits) * 0x100000001b3u;
  }
}

static kn_status add_constant(graph *g, keras_weight *weight, graph_weight *entry) {
  KN_TRY(keras_model_read_weight(g->model, weight));
  if (g->variables) hash_values(weight, &g->frozen_hash);
  KN_TRY(graph_constant(g, TF_FLOAT, weight->rank, weight->shape, weight->values, weight->elements * sizeof(float),
                        &entry->value));
  keras_model_drop_weight(g->model, weight);
  return NULL;
}

kn_status graph_weight_of(graph *g, const graph_call *call, const char *name, uint32_t rank, const int64_t *shape,
                          graph_initializer initializer, bool trainable, graph_weight *out_weight) {
  keras_weight *weight = keras_model_weight(g->model, call->group, call->layer->name, name);
  if (!weight && g->make_weights) KN_TRY(make_weight(g, call, name, rank, shape, initializer, &weight));
  if (!weight)
    return kn_status_make(KN_BAD_DATA, "%s holds no weight '%s' of layer '%s'", g->model->path, name,
                          call->layer->name);
  KN_TRY(check_shape(g, call, weight, rank, shape));
  size_t index = (size_t)(weight - g->model->groups[call->group].weights);
  for (size_t i = 0; i < g->weight_count; i++)
    if (g->weights[i].group == call->group && g->weights[i].index == index) {
      *out_weight = g->weights[i];
      return NULL;
    }
  void *array = g->weights;
  KN_TRY(reserve(&array, g->weight_count, &g->weight_capacity, sizeof *g->weights));
  g->weights = array;
  graph_weight *entry = &g->weights[g->weight_count];
  bool changes = g->variables && keras_bool(call->layer->config, "trainable", true);
  *entry = (graph_weight){.group = call->group, .index = index, .trainable = trainable && changes};
  KN_TRY(changes ? add_variable(g, weight, entry) : add_constant(g, weight, entry));
  g->weight_count++;
  *out_weight = *entry;
  return NULL;
}

kn_status graph_weight_value(graph *g, const graph_call *call, const char *name, uint32_t rank, const int64_t *shape,
                             graph_initializer initializer, TF_Output *out) {
  graph_weight weight;
  KN_TRY(graph_weight_of(g, call, name, rank, shape, initializer, true, &weight));
  *out = weight.value;
  return NULL;
}

kn_status graph_update(graph *g, const graph_weight *weight, TF_Output delta) {
  void *array = g->updates;
  KN_TRY(reserve(&array, g->update_count, &g->update_capacity, sizeof(TF_Operation *)));
  g->updates = array;
  TF_OperationDescription *operation = graph_begin(g, "AssignSubVariableOp");
  g->tf->TF_AddInput(operation, weight->handle);
  g->tf->TF_AddInput(operation, delta);
  g->tf->TF_SetAttrType(operation, "dtype", TF_FLOAT);
  TF_Output updated;
  KN_TRY(graph_end(g, operation, &updated));
  g->updates[g->update_count++] = updated.oper;
  return NULL;
}
