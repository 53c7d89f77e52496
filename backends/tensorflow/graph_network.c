/* Walks a network in the order of its data flow and builds each call of each layer. */
#include "graph.h"

#include <stdio.h>
#include <string.h>

static const graph_layer_kind *const tables[] = {graph_core_layers, graph_convolution_layers, graph_shape_layers,
                                                 graph_merge_layers, graph_activation_layers};

static const graph_layer_kind *search(const graph_layer_kind *kinds, const char *class_name) {
  for (; kinds->class_name; kinds++)
    if (strcmp(kinds->class_name, class_name) == 0) return kinds;
  return NULL;
}

/* Operations of Keras 3 may be called like layers ("Add"); in .h5 files only their two arguments tell them from layers,
 * which take one list. Keras 2 names its operations in the configuration. */
static bool is_operation(const keras_layer *layer) {
  yyjson_val *arguments = layer->node_count > 0 ? yyjson_obj_get(layer->nodes[0].call, "args") : NULL;
  return layer->module[0] || yyjson_arr_size(arguments) > 1;
}

static const graph_layer_kind *find_layer(const keras_layer *layer) {
  if (is_operation(layer)) return search(graph_operations, layer->class_name);
  if (strcmp(layer->class_name, "TFOpLambda") == 0)
    return search(graph_operations, keras_text(layer->config, "function", ""));
  const graph_layer_kind *kind = NULL;
  for (size_t i = 0; i < sizeof tables / sizeof *tables && !kind; i++) kind = search(tables[i], layer->class_name);
  return kind;
}

static bool is_input(const keras_layer *layer) { return strcmp(layer->class_name, "InputLayer") == 0; }

static kn_status refuse_class(const keras_layer *layer, const char *path, size_t count) {
  char more[48] = "";
  if (count > 1) (void)snprintf(more, sizeof more, " (and %zu more layers)", count - 1);
  return kn_status_make(KN_INCOMPATIBLE,
                        "%s: layer '%s'%s is of the class '%s%s%s', which is not supported natively; export the model "
                        "as a SavedModel, or replace the layer",
                        path, layer->name, more, layer->module, layer->module[0] ? "." : "", layer->class_name);
}

static bool same_class(const keras_layer *a, const keras_layer *b) {
  return strcmp(a->class_name, b->class_name) == 0 && strcmp(a->module, b->module) == 0;
}

/* Each unknown class is reported once, with the first of its layers. */
static kn_status check_class(const keras_network *network, size_t index, const char *path) {
  const keras_layer *layer = &network->layers[index];
  size_t count = 0;
  if (find_layer(layer)) return NULL;
  for (size_t i = 0; i < network->layer_count; i++) {
    if (!same_class(&network->layers[i], layer)) continue;
    if (i < index) return NULL;
    count++;
  }
  return refuse_class(layer, path, count);
}

static kn_status check_layer(const keras_layer *layer, const char *path) {
  const char *policy = keras_identifier(yyjson_obj_get(layer->config, "dtype"));
  if (policy && strcmp(policy, "float32") != 0)
    return kn_status_make(KN_INCOMPATIBLE, "%s: layer '%s' computes in %s; only float32 is supported", path,
                          layer->name, policy);
  const char *format = keras_text(layer->config, "data_format", "channels_last");
  if (strcmp(format, "channels_last") != 0)
    return kn_status_make(KN_INCOMPATIBLE, "%s: layer '%s' has its data %s; only channels_last is supported", path,
                          layer->name, format);
  return NULL;
}

kn_status graph_check(const keras_network *network, const char *path) {
  kn_status status = NULL;
  for (size_t i = 0; i < network->layer_count; i++) {
    const keras_layer *layer = &network->layers[i];
    if (is_input(layer)) continue;
    if (layer->network) {
      status = kn_status_join(status, graph_check(layer->network, path));
      continue;
    }
    status = kn_status_join(status, check_class(network, i, path));
    status = kn_status_join(status, check_layer(layer, path));
  }
  return status;
}

/* Outputs of every call of every layer; .oper NULL: not built yet. */
typedef struct walk {
  graph *g;
  const keras_network *network;
  size_t group;        /* of a nested network; SIZE_MAX: each layer has its own */
  TF_Output ***values; /* [layer][node][tensor] */
} walk;

static kn_status build_network(graph *g, const keras_network *network, size_t group, const TF_Output *inputs,
                               TF_Output *outputs);

static size_t tensor_count(const keras_layer *layer) { return layer->network ? layer->network->output_count : 1; }

static void free_values(walk *w) {
  if (!w->values) return;
  for (size_t i = 0; i < w->network->layer_count; i++) {
    if (!w->values[i]) continue;
    for (size_t k = 0; k < w->network->layers[i].node_count; k++) kn_free(w->values[i][k]);
    kn_free(w->values[i]);
  }
  kn_free(w->values);
}

static kn_status make_values(walk *w) {
  w->values = kn_alloc_array(w->network->layer_count, sizeof *w->values);
  if (!w->values) return kn_status_out_of_memory();
  for (size_t i = 0; i < w->network->layer_count; i++) {
    const keras_layer *layer = &w->network->layers[i];
    w->values[i] = kn_alloc_array(layer->node_count, sizeof *w->values[i]);
    if (!w->values[i]) return kn_status_out_of_memory();
    for (size_t k = 0; k < layer->node_count; k++) {
      w->values[i][k] = kn_alloc_array(tensor_count(layer), sizeof(TF_Output));
      if (!w->values[i][k]) return kn_status_out_of_memory();
    }
  }
  return NULL;
}

static TF_Output *value_of(const walk *w, keras_reference reference) {
  return &w->values[reference.layer][reference.node][reference.tensor];
}

static bool ready(const walk *w, const keras_node *node) {
  for (size_t i = 0; i < node->input_count; i++)
    if (!value_of(w, node->inputs[i])->oper) return false;
  return true;
}

static kn_status build_layer(graph *g, const keras_layer *layer, size_t group, const keras_node *node,
                             const TF_Output *inputs, TF_Output *out) {
  const graph_call *call =
      &(graph_call){.layer = layer, .node = node, .group = group, .inputs = inputs, .input_count = node->input_count};
  const graph_layer_kind *kind = find_layer(layer);
  if (!kind) return refuse_class(layer, g->model->path, 1);
  if (!kind->several && node->input_count != 1)
    return graph_refuse(g, call, "it is called with %zu tensors", node->input_count);
  return kind->build(g, call, out);
}

static kn_status build_call(const walk *w, size_t index, size_t node_index) {
  const keras_layer *layer = &w->network->layers[index];
  const keras_node *node = &layer->nodes[node_index];
  const char *path = w->g->model->path;
  TF_Output *out = w->values[index][node_index];
  size_t group = w->group == SIZE_MAX ? index : w->group;
  if (node->input_count == 0)
    return kn_status_make(KN_BAD_DATA, "%s: layer '%s' is called with nothing", path, layer->name);
  if (layer->network && layer->network->input_count != node->input_count)
    return kn_status_make(KN_BAD_DATA, "%s: model '%s' is called with %zu tensors, but takes %zu", path, layer->name,
                          node->input_count, layer->network->input_count);
  TF_Output *inputs = kn_alloc_array(node->input_count, sizeof *inputs);
  if (!inputs) return kn_status_out_of_memory();
  for (size_t i = 0; i < node->input_count; i++) inputs[i] = *value_of(w, node->inputs[i]);
  kn_status status = layer->network ? build_network(w->g, layer->network, group, inputs, out)
                                    : build_layer(w->g, layer, group, node, inputs, out);
  kn_free(inputs);
  return kn_status_annotate(status, "while building layer '%s' (%s) of %s", layer->name, layer->class_name, path);
}

/* One pass in the order of the file, which Keras writes in the order of the data flow but need not. */
static kn_status build_pass(const walk *w, size_t *out_built, size_t *out_waiting) {
  *out_built = *out_waiting = 0;
  for (size_t i = 0; i < w->network->layer_count; i++)
    for (size_t k = 0; k < w->network->layers[i].node_count; k++) {
      if (w->values[i][k][0].oper) continue;
      if (!ready(w, &w->network->layers[i].nodes[k])) {
        (*out_waiting)++;
        continue;
      }
      KN_TRY(build_call(w, i, k));
      (*out_built)++;
    }
  return NULL;
}

static kn_status walk_network(const walk *w, const TF_Output *inputs, TF_Output *outputs) {
  for (size_t i = 0; i < w->network->input_count; i++) *value_of(w, w->network->inputs[i]) = inputs[i];
  size_t built, waiting;
  do KN_TRY(build_pass(w, &built, &waiting));
  while (waiting > 0 && built > 0);
  if (waiting > 0)
    return kn_status_make(KN_BAD_DATA, "%s: %zu calls of layers wait for each other: model_config is damaged",
                          w->g->model->path, waiting);
  for (size_t i = 0; i < w->network->output_count; i++) outputs[i] = *value_of(w, w->network->outputs[i]);
  return NULL;
}

static kn_status build_network(graph *g, const keras_network *network, size_t group, const TF_Output *inputs,
                               TF_Output *outputs) {
  walk w = {.g = g, .network = network, .group = group};
  kn_status status = make_values(&w);
  if (!status) status = walk_network(&w, inputs, outputs);
  free_values(&w);
  return status;
}

kn_status graph_build(graph *g, const TF_Output *inputs, TF_Output *outputs) {
  KN_TRY(graph_check(&g->model->network, g->model->path));
  return build_network(g, &g->model->network, SIZE_MAX, inputs, outputs);
}
