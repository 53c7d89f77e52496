/* Arithmetic that authors write between layers: x + y, x * 0.5, 1 - x. Keras 3 records {"args": [x, 3.0]}, Keras 2
 * ["x", 0, 0, {"y": 3.0}]; an operand is a tensor of the network or a number. */
#include "graph.h"

#include <string.h>

enum { OPERAND_LIMIT = 2 };

static kn_status operand(graph *g, const graph_call *call, yyjson_val *value, size_t *used, TF_Output *out) {
  if (yyjson_is_num(value)) return graph_scalar(g, yyjson_get_num(value), out);
  if (*used >= call->input_count) return graph_refuse(g, call, "an operand is neither a tensor nor a number");
  *out = call->inputs[(*used)++];
  return NULL;
}

/* ["x", 0, 0, {"y": 3.0}]; 1 - x is ["_CONSTANT_VALUE", -1, 1, {"y": ["x", 0, 0]}] */
static kn_status keras2_operands(graph *g, const graph_call *call, TF_Output out[OPERAND_LIMIT]) {
  yyjson_val *node = call->node->call;
  yyjson_val *first = yyjson_is_str(yyjson_arr_get_first(node)) ? node : yyjson_arr_get_first(node);
  yyjson_val *second = yyjson_obj_get(yyjson_arr_get(first, 3), "y");
  const char *name = yyjson_get_str(yyjson_arr_get_first(first));
  size_t used = 0;
  if (!second || !name) return graph_refuse(g, call, "its operands are not supported");
  bool constant = strcmp(name, "_CONSTANT_VALUE") == 0;
  KN_TRY(operand(g, call, constant ? yyjson_arr_get(first, 2) : NULL, &used, &out[0]));
  return operand(g, call, second, &used, &out[1]);
}

static kn_status operands(graph *g, const graph_call *call, TF_Output out[OPERAND_LIMIT]) {
  if (!yyjson_is_obj(call->node->call)) return keras2_operands(g, call, out);
  yyjson_val *arguments = yyjson_obj_get(call->node->call, "args");
  size_t used = 0;
  if (yyjson_arr_size(arguments) != OPERAND_LIMIT) return graph_refuse(g, call, "it does not have two operands");
  for (size_t i = 0; i < OPERAND_LIMIT; i++) KN_TRY(operand(g, call, yyjson_arr_get(arguments, i), &used, &out[i]));
  return NULL;
}

static kn_status combine(graph *g, const graph_call *call, const char *type, TF_Output *out) {
  TF_Output both[OPERAND_LIMIT];
  KN_TRY(operands(g, call, both));
  return graph_binary(g, type, both[0], both[1], out);
}

static kn_status build_add(graph *g, const graph_call *call, TF_Output *out) { return combine(g, call, "AddV2", out); }
static kn_status build_subtract(graph *g, const graph_call *call, TF_Output *out) {
  return combine(g, call, "Sub", out);
}
static kn_status build_multiply(graph *g, const graph_call *call, TF_Output *out) {
  return combine(g, call, "Mul", out);
}
static kn_status build_divide(graph *g, const graph_call *call, TF_Output *out) {
  return combine(g, call, "RealDiv", out);
}

const graph_layer_kind graph_operations[] = {{"Add", build_add, true},
                                             {"Divide", build_divide, true},
                                             {"Multiply", build_multiply, true},
                                             {"Subtract", build_subtract, true},
                                             {"TrueDivide", build_divide, true},
                                             {"__operators__.add", build_add, true},
                                             {"math.add", build_add, true},
                                             {"math.divide", build_divide, true},
                                             {"math.multiply", build_multiply, true},
                                             {"math.subtract", build_subtract, true},
                                             {"math.truediv", build_divide, true},
                                             {NULL, NULL, false}};
