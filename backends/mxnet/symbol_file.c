#include "symbol_file.h"

#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

void symbol_graph_clear(symbol_graph *graph) {
  for (size_t i = 0; i < graph->variable_count; i++) kn_free(graph->variables[i].name);
  for (size_t i = 0; i < graph->output_count; i++) kn_free(graph->outputs[i]);
  kn_free(graph->variables);
  kn_free(graph->outputs);
  *graph = (symbol_graph){0};
}

typedef struct parser {
  const char *path;
  yyjson_val *nodes;
  size_t count;
  symbol_graph *graph;
  size_t *places; /* of each node among the variables; SIZE_MAX: an operator */
} parser;

static kn_status bad(const parser *p, const char *what, size_t node) {
  return kn_status_make(KN_BAD_DATA, "%s: node %zu of the graph %s", p->path, node, what);
}

/* "(0, 1, 28, 28)" or "[...]", as in Python; 0, -1 and None are open. */
static bool parse_shape(const char *text, symbol_variable *variable) {
  variable->rank = 0;
  text += strspn(text, "([ ");
  while (*text && *text != ')' && *text != ']') {
    if (variable->rank == KN_MAX_RANK) return false;
    char *end = (char *)(uintptr_t)text;
    long long size = strncmp(text, "None", 4) == 0 ? (end += 4, 0) : strtoll(text, &end, 10);
    if (end == text || size < -1 || size > INT32_MAX) return false;
    variable->shape[variable->rank++] = size > 0 ? size : -1;
    text = end + strspn(end, "L, ");
  }
  return variable->rank > 0;
}

static kn_status add_variable(parser *p, size_t index, yyjson_val *node, const char *name) {
  symbol_variable *variable = &p->graph->variables[p->graph->variable_count];
  yyjson_val *attributes = yyjson_obj_get(node, "attrs");
  if (!attributes) attributes = yyjson_obj_get(node, "attr");
  const char *shape = yyjson_get_str(yyjson_obj_get(attributes, "__shape__"));
  const char *dtype = yyjson_get_str(yyjson_obj_get(attributes, "__dtype__"));
  *variable = (symbol_variable){.name = kn_strdup(name), .dtype = dtype ? strtol(dtype, NULL, 10) : -1};
  if (!variable->name) return kn_status_out_of_memory();
  p->places[index] = p->graph->variable_count++;
  variable->has_shape = shape && parse_shape(shape, variable);
  return NULL;
}

/* What an operator takes at a place tells what the variable there is. */
static symbol_role role_at(const char *operator_, size_t place) {
  static const char *const losses[] = {
      "SoftmaxOutput",       "Softmax",   "LinearRegressionOutput", "LogisticRegressionOutput",
      "MAERegressionOutput", "SVMOutput", "softmax_cross_entropy"};
  for (size_t i = 0; place == 1 && i < sizeof losses / sizeof *losses; i++)
    if (!strcmp(operator_, losses[i])) return SYMBOL_LABEL;
  if (!strncmp(operator_, "BatchNorm", 9) && place >= 3) return SYMBOL_STATE;
  return SYMBOL_VALUE;
}

static kn_status read_inputs(parser *p, size_t index, yyjson_val *node, const char *operator_) {
  yyjson_val *inputs = yyjson_obj_get(node, "inputs"), *input;
  size_t i, count;
  if (!yyjson_is_arr(inputs)) return bad(p, "has no list of inputs", index);
  yyjson_arr_foreach(inputs, i, count, input) {
    yyjson_val *from = yyjson_arr_get(input, 0);
    if (!yyjson_is_uint(from) || yyjson_get_uint(from) >= index || !yyjson_is_uint(yyjson_arr_get(input, 1)))
      return bad(p, "takes an input that is not computed before it", index);
    size_t place = p->places[yyjson_get_uint(from)];
    symbol_role role = role_at(operator_, i);
    if (place != SIZE_MAX && role != SYMBOL_VALUE) p->graph->variables[place].role = role;
  }
  return NULL;
}

static kn_status read_node(parser *p, size_t index, yyjson_val *node) {
  const char *operator_ = yyjson_get_str(yyjson_obj_get(node, "op")),
             *name = yyjson_get_str(yyjson_obj_get(node, "name"));
  if (!operator_ || !name) return bad(p, "has no name or no operator", index);
  p->places[index] = SIZE_MAX;
  if (!strcmp(operator_, "null")) return add_variable(p, index, node, name);
  p->graph->operator_count++;
  return read_inputs(p, index, node, operator_);
}

static kn_status read_outputs(parser *p, yyjson_val *heads) {
  size_t i, count;
  yyjson_val *head;
  if (yyjson_arr_size(heads) == 0) return kn_status_make(KN_BAD_DATA, "%s: the graph has no output", p->path);
  p->graph->outputs = kn_alloc_array(yyjson_arr_size(heads), sizeof *p->graph->outputs);
  if (!p->graph->outputs) return kn_status_out_of_memory();
  yyjson_arr_foreach(heads, i, count, head) {
    yyjson_val *from = yyjson_arr_get(head, 0);
    if (!yyjson_is_uint(from) || yyjson_get_uint(from) >= p->count)
      return kn_status_make(KN_BAD_DATA, "%s: output %zu of the graph is no node of it", p->path, i);
    yyjson_val *node = yyjson_arr_get(p->nodes, yyjson_get_uint(from));
    char *name = kn_strdup(yyjson_get_str(yyjson_obj_get(node, "name")));
    if (!name) return kn_status_out_of_memory();
    p->graph->outputs[p->graph->output_count++] = name;
  }
  return NULL;
}

static kn_status parse(parser *p, yyjson_val *root) {
  p->nodes = yyjson_obj_get(root, "nodes");
  p->count = yyjson_arr_size(p->nodes);
  if (!p->count) return kn_status_make(KN_BAD_DATA, "%s is no MXNet symbol: it has no nodes", p->path);
  p->graph->variables = kn_alloc_array(p->count, sizeof *p->graph->variables);
  p->places = kn_alloc_array(p->count, sizeof *p->places);
  if (!p->graph->variables || !p->places) return kn_status_out_of_memory();
  size_t i, count;
  yyjson_val *node;
  yyjson_arr_foreach(p->nodes, i, count, node) KN_TRY(read_node(p, i, node));
  yyjson_val *attributes = yyjson_obj_get(root, "attrs");
  p->graph->version = yyjson_get_sint(yyjson_arr_get(yyjson_obj_get(attributes, "mxnet_version"), 1));
  return read_outputs(p, yyjson_obj_get(root, "heads"));
}

static void *json_alloc(void *context, size_t size) {
  (void)context;
  return kn_alloc(size);
}
static void *json_realloc(void *context, void *pointer, size_t old, size_t size) {
  (void)context, (void)old;
  return kn_realloc(pointer, size);
}
static void json_free(void *context, void *pointer) {
  (void)context;
  kn_free(pointer);
}

kn_status symbol_graph_parse(const char *path, const char *json, size_t bytes, symbol_graph *out_graph) {
  *out_graph = (symbol_graph){0};
  const yyjson_alc memory = {json_alloc, json_realloc, json_free, NULL};
  yyjson_read_err error = {0};
  yyjson_doc *document = yyjson_read_opts((char *)(uintptr_t)json, bytes, 0, &memory, &error);
  if (!document)
    return error.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION
               ? kn_status_out_of_memory()
               : kn_status_make(KN_BAD_DATA, "%s is no MXNet symbol: %s at byte %zu", path, error.msg, error.pos);
  parser p = {.path = path, .graph = out_graph};
  kn_status status = parse(&p, yyjson_doc_get_root(document));
  kn_free(p.places);
  yyjson_doc_free(document);
  if (status) symbol_graph_clear(out_graph);
  return status;
}

kn_status symbol_find_operator(const char *json, const char *operator_, char **out_name) {
  const yyjson_alc memory = {json_alloc, json_realloc, json_free, NULL};
  size_t i, count;
  yyjson_val *node;
  *out_name = NULL;
  yyjson_doc *document = yyjson_read_opts((char *)(uintptr_t)json, strlen(json), 0, &memory, NULL);
  if (!document) return kn_status_out_of_memory();
  kn_status status = NULL;
  yyjson_arr_foreach(yyjson_obj_get(yyjson_doc_get_root(document), "nodes"), i, count, node) {
    const char *name = yyjson_get_str(yyjson_obj_get(node, "name"));
    if (*out_name || !name || !yyjson_equals_str(yyjson_obj_get(node, "op"), operator_)) continue;
    *out_name = kn_strdup(name);
    if (!*out_name) status = kn_status_out_of_memory();
  }
  yyjson_doc_free(document);
  return status;
}

static kn_status cut_softmax(yyjson_mut_doc *document, char **out_json) {
  static const char *const softmaxes[] = {"SoftmaxOutput", "Softmax", "softmax", "SoftmaxActivation"};
  yyjson_mut_val *root = yyjson_mut_doc_get_root(document), *heads = yyjson_mut_obj_get(root, "heads");
  yyjson_mut_val *head = yyjson_mut_arr_get_first(heads);
  yyjson_mut_val *node = yyjson_mut_arr_get(yyjson_mut_obj_get(root, "nodes"),
                                            (size_t)yyjson_mut_get_uint(yyjson_mut_arr_get_first(head)));
  const char *operator_ = yyjson_mut_get_str(yyjson_mut_obj_get(node, "op"));
  yyjson_mut_val *before = yyjson_mut_arr_get_first(yyjson_mut_obj_get(node, "inputs"));
  bool ends = false;
  for (size_t i = 0; operator_ && i < sizeof softmaxes / sizeof *softmaxes; i++)
    ends |= !strcmp(operator_, softmaxes[i]);
  if (yyjson_mut_arr_size(heads) != 1 || !ends || !before)
    return kn_status_make(KN_INCOMPATIBLE, "only a network with one output that ends in a softmax can be trained");
  yyjson_mut_val *copy = yyjson_mut_val_mut_copy(document, before);
  if (!copy || !yyjson_mut_arr_replace(heads, 0, copy)) return kn_status_out_of_memory();
  const yyjson_alc memory = {json_alloc, json_realloc, json_free, NULL};
  *out_json = yyjson_mut_write_opts(document, 0, &memory, NULL, NULL);
  return *out_json ? NULL : kn_status_out_of_memory();
}

kn_status symbol_without_softmax(const char *json, char **out_json) {
  const yyjson_alc memory = {json_alloc, json_realloc, json_free, NULL};
  *out_json = NULL;
  yyjson_doc *read = yyjson_read_opts((char *)(uintptr_t)json, strlen(json), 0, &memory, NULL);
  yyjson_mut_doc *document = read ? yyjson_doc_mut_copy(read, &memory) : NULL;
  yyjson_doc_free(read);
  if (!document) return kn_status_out_of_memory();
  kn_status status = cut_softmax(document, out_json);
  yyjson_mut_doc_free(document);
  return status;
}
