#include "graph.h"

#include <stdio.h>
#include <string.h>

kn_status graph_create(const tf_api *tf, keras_model *model, graph *out_graph) {
  *out_graph = (graph){.tf = tf,
                       .model = model,
                       .frozen_hash = 0xcbf29ce484222325u,
                       .graph = tf->TF_NewGraph(),
                       .status = tf->TF_NewStatus()};
  if (out_graph->graph && out_graph->status) return NULL;
  graph_destroy(out_graph);
  return kn_status_out_of_memory();
}

void graph_destroy(graph *g) {
  if (g->graph) g->tf->TF_DeleteGraph(g->graph);
  if (g->status) g->tf->TF_DeleteStatus(g->status);
  kn_free(g->weights);
  kn_free(g->updates);
  *g = (graph){0};
}

TF_OperationDescription *graph_begin(graph *g, const char *type) {
  char name[96];
  (void)snprintf(name, sizeof name, "%s_%u", type, g->operation_count++);
  return g->tf->TF_NewOperation(g->graph, type, name);
}

kn_status graph_end(graph *g, TF_OperationDescription *operation, TF_Output *out) {
  TF_Operation *finished = g->tf->TF_FinishOperation(operation, g->status);
  KN_TRY(tf_status_take(g->tf, g->status, "add an operation to the graph"));
  *out = (TF_Output){finished, 0};
  return NULL;
}

kn_status graph_unary(graph *g, const char *type, TF_Output x, TF_Output *out) {
  TF_OperationDescription *operation = graph_begin(g, type);
  g->tf->TF_AddInput(operation, x);
  return graph_end(g, operation, out);
}

kn_status graph_binary(graph *g, const char *type, TF_Output x, TF_Output y, TF_Output *out) {
  TF_OperationDescription *operation = graph_begin(g, type);
  g->tf->TF_AddInput(operation, x);
  g->tf->TF_AddInput(operation, y);
  return graph_end(g, operation, out);
}

kn_status graph_constant(graph *g, TF_DataType type, uint32_t rank, const int64_t *shape, const void *data,
                         size_t bytes, TF_Output *out) {
  TF_Tensor *tensor = g->tf->TF_AllocateTensor(type, shape, (int)rank, bytes);
  if (!tensor) return kn_status_out_of_memory();
  if (bytes > 0) memcpy(g->tf->TF_TensorData(tensor), data, bytes);
  TF_OperationDescription *operation = graph_begin(g, "Const");
  g->tf->TF_SetAttrTensor(operation, "value", tensor, g->status);
  kn_status status = tf_status_take(g->tf, g->status, "make a constant");
  g->tf->TF_SetAttrType(operation, "dtype", type);
  g->tf->TF_DeleteTensor(tensor);
  kn_status end = graph_end(g, operation, out); /* also after a fault: it frees the description */
  return kn_status_join(status, end);
}

kn_status graph_scalar(graph *g, double value, TF_Output *out) {
  float number = (float)value;
  return graph_constant(g, TF_FLOAT, 0, NULL, &number, sizeof number, out);
}

kn_status graph_floats(graph *g, const float *values, size_t count, TF_Output *out) {
  int64_t length = (int64_t)count;
  return graph_constant(g, TF_FLOAT, 1, &length, values, count * sizeof *values, out);
}

kn_status graph_integers(graph *g, const int64_t *values, size_t count, TF_Output *out) {
  int32_t narrow[2 * KN_MAX_RANK];
  if (count > sizeof narrow / sizeof *narrow)
    return kn_status_make(KN_INCOMPATIBLE, "a shape has %zu dimensions; at most %d are supported", count, KN_MAX_RANK);
  for (size_t i = 0; i < count; i++) {
    if (values[i] > INT32_MAX || values[i] < INT32_MIN)
      return kn_status_make(KN_INCOMPATIBLE, "a dimension of %lld is too large", (long long)values[i]);
    narrow[i] = (int32_t)values[i];
  }
  int64_t length = (int64_t)count;
  return graph_constant(g, TF_INT32, 1, &length, narrow, count * sizeof *narrow, out);
}

kn_status graph_placeholder(graph *g, TF_DataType type, uint32_t rank, const int64_t *shape, TF_Output *out) {
  TF_OperationDescription *operation = graph_begin(g, "Placeholder");
  g->tf->TF_SetAttrType(operation, "dtype", type);
  g->tf->TF_SetAttrShape(operation, "shape", shape, (int)rank);
  return graph_end(g, operation, out);
}

kn_status graph_reshape(graph *g, TF_Output x, const int64_t *shape, size_t rank, TF_Output *out) {
  TF_Output dims = {0};
  KN_TRY(graph_integers(g, shape, rank, &dims));
  return graph_binary(g, "Reshape", x, dims, out);
}

kn_status graph_cast(graph *g, TF_Output x, TF_DataType type, TF_Output *out) {
  if (g->tf->TF_OperationOutputType(x) == type) {
    *out = x;
    return NULL;
  }
  TF_OperationDescription *operation = graph_begin(g, "Cast");
  g->tf->TF_AddInput(operation, x);
  g->tf->TF_SetAttrType(operation, "DstT", type);
  return graph_end(g, operation, out);
}

kn_status graph_scale(graph *g, TF_Output x, double factor, double offset, TF_Output *out) {
  TF_Output number = {0};
  *out = x;
  if (factor != 1) {
    KN_TRY(graph_scalar(g, factor, &number));
    KN_TRY(graph_binary(g, "Mul", *out, number, out));
  }
  if (offset != 0) {
    KN_TRY(graph_scalar(g, offset, &number));
    KN_TRY(graph_binary(g, "AddV2", *out, number, out));
  }
  return NULL;
}

kn_status graph_shape(graph *g, TF_Output x, uint32_t *out_rank, int64_t *out_shape) {
  int rank = g->tf->TF_GraphGetTensorNumDims(g->graph, x, g->status);
  KN_TRY(tf_status_take(g->tf, g->status, "tell the shape of a tensor"));
  if (rank < 0 || rank > KN_MAX_RANK)
    return kn_status_make(KN_INCOMPATIBLE, "a tensor of the model has no fixed number of dimensions up to %d",
                          KN_MAX_RANK);
  *out_rank = (uint32_t)rank;
  if (rank == 0) return NULL;
  g->tf->TF_GraphGetTensorShape(g->graph, x, out_shape, rank, g->status);
  return tf_status_take(g->tf, g->status, "tell the shape of a tensor");
}

kn_status graph_refuse(const graph *g, const graph_call *call, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  char *reason = kn_vformat(format, arguments);
  va_end(arguments);
  if (!reason) return kn_status_out_of_memory();
  kn_status status = kn_status_make(KN_INCOMPATIBLE, "%s: layer '%s' (%s): %s", g->model->path, call->layer->name,
                                    call->layer->class_name, reason);
  kn_free(reason);
  return status;
}

kn_status graph_damaged(const graph *g, const graph_call *call, const char *key) {
  return kn_status_make(KN_BAD_DATA, "%s: layer '%s' (%s): '%s' is missing or not what it should be", g->model->path,
                        call->layer->name, call->layer->class_name, key);
}
