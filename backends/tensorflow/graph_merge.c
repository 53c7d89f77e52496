/* Layers that combine several tensors. */
#include "graph.h"

static kn_status fold(graph *g, const graph_call *call, const char *type, TF_Output *out) {
  if (call->input_count < 2) return graph_refuse(g, call, "it takes at least two tensors");
  TF_Output result = call->inputs[0];
  for (size_t i = 1; i < call->input_count; i++) KN_TRY(graph_binary(g, type, result, call->inputs[i], &result));
  *out = result;
  return NULL;
}

static kn_status build_add(graph *g, const graph_call *call, TF_Output *out) { return fold(g, call, "AddV2", out); }
static kn_status build_multiply(graph *g, const graph_call *call, TF_Output *out) { return fold(g, call, "Mul", out); }
static kn_status build_maximum(graph *g, const graph_call *call, TF_Output *out) {
  return fold(g, call, "Maximum", out);
}
static kn_status build_minimum(graph *g, const graph_call *call, TF_Output *out) {
  return fold(g, call, "Minimum", out);
}

static kn_status build_subtract(graph *g, const graph_call *call, TF_Output *out) {
  if (call->input_count != 2) return graph_refuse(g, call, "it takes two tensors");
  return graph_binary(g, "Sub", call->inputs[0], call->inputs[1], out);
}

static kn_status build_average(graph *g, const graph_call *call, TF_Output *out) {
  KN_TRY(fold(g, call, "AddV2", out));
  return graph_scale(g, *out, 1.0 / (double)call->input_count, 0, out);
}

static kn_status build_concatenate(graph *g, const graph_call *call, TF_Output *out) {
  int64_t axis = -1;
  if (yyjson_obj_get(call->layer->config, "axis") && !keras_integers(call->layer->config, "axis", &axis, 1))
    return graph_damaged(g, call, "axis");
  const int32_t narrow = (int32_t)axis;
  TF_Output dimension;
  KN_TRY(graph_constant(g, TF_INT32, 0, NULL, &narrow, sizeof narrow, &dimension));
  TF_OperationDescription *operation = graph_begin(g, "ConcatV2");
  g->tf->TF_AddInputList(operation, call->inputs, (int)call->input_count);
  g->tf->TF_AddInput(operation, dimension);
  return graph_end(g, operation, out);
}

const graph_layer_kind graph_merge_layers[] = {{"Add", build_add, true},
                                               {"Average", build_average, true},
                                               {"Concatenate", build_concatenate, true},
                                               {"Maximum", build_maximum, true},
                                               {"Minimum", build_minimum, true},
                                               {"Multiply", build_multiply, true},
                                               {"Subtract", build_subtract, true},
                                               {NULL, NULL, false}};
