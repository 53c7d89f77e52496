#include "keras_network.h"

#include <string.h>

/* EfficientNetV2-L has about a thousand layers; the searches below are linear. */
enum { LAYER_LIMIT = 8192, NODE_LIMIT = 64, NESTING_LIMIT = 8, ARGUMENT_DEPTH = 8, REFERENCE_LIMIT = 256 };

static kn_status parse_network(yyjson_val *model, const char *where, int depth, keras_network *out);

void keras_network_clear(keras_network *network) {
  for (size_t i = 0; i < network->layer_count; i++) {
    keras_layer *layer = &network->layers[i];
    for (size_t k = 0; k < layer->node_count; k++) kn_free(layer->nodes[k].inputs);
    kn_free(layer->nodes);
    if (layer->network) keras_network_clear(layer->network);
    kn_free(layer->network);
    kn_free(layer->made_name);
  }
  kn_free(network->layers);
  kn_free(network->inputs);
  kn_free(network->outputs);
  *network = (keras_network){0};
}

static bool is_model_class(const char *class_name) {
  return strcmp(class_name, "Functional") == 0 || strcmp(class_name, "Model") == 0 ||
         strcmp(class_name, "Sequential") == 0;
}

/* ---- references ---- */

typedef struct reference_list {
  keras_reference items[REFERENCE_LIMIT];
  size_t count;
} reference_list;

static kn_status find_layer(const keras_network *network, const char *name, const char *where, size_t *out_index) {
  for (size_t i = 0; i < network->layer_count; i++)
    if (strcmp(network->layers[i].name, name) == 0) {
      *out_index = i;
      return NULL;
    }
  return kn_status_make(KN_BAD_DATA, "%s: model_config refers to a layer '%s' that it does not hold", where, name);
}

/* The layer that ["layer", node, tensor, ...] names; NULL where `value` is no such list. */
static const char *referenced_layer(yyjson_val *value) {
  bool numbers = yyjson_arr_size(value) >= 3 && yyjson_is_uint(yyjson_arr_get(value, 1)) &&
                 yyjson_is_uint(yyjson_arr_get(value, 2));
  return numbers ? yyjson_get_str(yyjson_arr_get(value, 0)) : NULL;
}

/* A model used as a layer has a call of its own, from its input to its output. The file leaves it out, but lists of
 * ["layer", node, tensor] count it: the first recorded call is number 1. Keras 2 does so for every model that was made
 * with an input, Keras 3 for Functional ones; "keras_history" counts from 0. */
static size_t own_calls(const keras_network *network, const keras_layer *layer) {
  if (!layer->network) return 0;
  if (!layer->network->sequential) return 1;
  return !network->histories && !layer->network->layers[0].made_name;
}

/* `name` is referenced_layer(value). */
static kn_status add_reference(const keras_network *network, const char *name, yyjson_val *value, bool history,
                               const char *where, reference_list *list) {
  if (list->count == REFERENCE_LIMIT)
    return kn_status_make(KN_INCOMPATIBLE, "%s: a layer takes more than %d tensors", where, REFERENCE_LIMIT);
  keras_reference *item = &list->items[list->count];
  KN_TRY(find_layer(network, name, where, &item->layer));
  const keras_layer *layer = &network->layers[item->layer];
  uint64_t node = yyjson_get_uint(yyjson_arr_get(value, 1)), tensor = yyjson_get_uint(yyjson_arr_get(value, 2));
  uint64_t skipped = history ? 0 : own_calls(network, layer);
  size_t tensors = layer->network ? layer->network->output_count : 1;
  if (node < skipped || node - skipped >= layer->node_count || tensor >= tensors)
    return kn_status_make(KN_BAD_DATA,
                          "%s: model_config refers to output %llu of call %llu of layer '%s', which has none", where,
                          (unsigned long long)tensor, (unsigned long long)node, layer->name);
  item->node = (size_t)(node - skipped);
  item->tensor = (size_t)tensor;
  list->count++;
  return NULL;
}

/* Collects references in order of appearance: Keras 2 nests lists of ["layer", node, tensor, {}], Keras 3 nests objects
 * that carry "keras_history". */
static kn_status collect(const keras_network *network, yyjson_val *value, const char *where, int depth,
                         reference_list *list) {
  if (depth > ARGUMENT_DEPTH) return kn_status_make(KN_BAD_DATA, "%s: arguments of a layer nest too deep", where);
  const char *layer = referenced_layer(value);
  if (layer) {
    KN_TRY(add_reference(network, layer, value, false, where, list));
    value = yyjson_arr_get(value, 3); /* keyword arguments */
  }
  if (yyjson_is_obj(value)) {
    yyjson_val *history = yyjson_obj_get(value, "keras_history");
    if (history) {
      layer = referenced_layer(history);
      if (!layer) return kn_status_make(KN_BAD_DATA, "%s: keras_history is damaged", where);
      return add_reference(network, layer, history, true, where, list);
    }
  }
  size_t index, count;
  yyjson_val *key, *item;
  if (yyjson_is_arr(value)) {
    yyjson_arr_foreach(value, index, count, item) KN_TRY(collect(network, item, where, depth + 1, list));
  } else if (yyjson_is_obj(value)) {
    yyjson_obj_foreach(value, index, count, key, item) KN_TRY(collect(network, item, where, depth + 1, list));
  }
  return NULL;
}

static kn_status copy_references(const reference_list *list, keras_reference **out, size_t *out_count) {
  *out = kn_alloc_array(list->count, sizeof **out);
  if (!*out) return kn_status_out_of_memory();
  if (list->count > 0) memcpy(*out, list->items, list->count * sizeof **out);
  *out_count = list->count;
  return NULL;
}

/* A call with training=True behaves otherwise at inference than the layer's class says. */
static bool asks_for_training(yyjson_val *node) {
  yyjson_val *keywords = yyjson_obj_get(node, "kwargs");
  if (!keywords) keywords = yyjson_arr_get(yyjson_arr_get(node, 0), 3);
  return yyjson_is_true(yyjson_obj_get(keywords, "training"));
}

/* Room for the calls of a layer; an input layer is called once, with nothing. */
static kn_status make_nodes(keras_network *network, yyjson_val *nodes, const char *where, keras_layer *layer) {
  size_t count = yyjson_arr_size(nodes);
  if (count == 0 && strcmp(layer->class_name, "InputLayer") == 0) count = 1;
  if (count > NODE_LIMIT)
    return kn_status_make(KN_INCOMPATIBLE, "%s: layer '%s' is called more than %d times", where, layer->name,
                          NODE_LIMIT);
  layer->nodes = kn_alloc_array(count, sizeof *layer->nodes);
  if (!layer->nodes) return kn_status_out_of_memory();
  layer->node_count = count;
  if (yyjson_is_obj(yyjson_arr_get_first(nodes))) network->histories = true;
  return NULL;
}

static kn_status parse_nodes(const keras_network *network, yyjson_val *nodes, const char *where, keras_layer *layer) {
  reference_list *list = kn_alloc(sizeof *list);
  kn_status status = list ? NULL : kn_status_out_of_memory();
  size_t index, total;
  yyjson_val *node;
  yyjson_arr_foreach(nodes, index, total, node) {
    if (status) break;
    list->count = 0;
    layer->nodes[index].call = node;
    if (asks_for_training(node))
      status = kn_status_make(KN_INCOMPATIBLE, "%s: layer '%s' is called with training=True", where, layer->name);
    else
      status = collect(network, node, where, 0, list);
    if (!status) status = copy_references(list, &layer->nodes[index].inputs, &layer->nodes[index].input_count);
  }
  kn_free(list);
  return status;
}

static kn_status parse_ends(const keras_network *network, yyjson_val *config, const char *key, const char *where,
                            keras_reference **out, size_t *out_count) {
  reference_list *list = kn_alloc(sizeof *list);
  if (!list) return kn_status_out_of_memory();
  kn_status status = collect(network, yyjson_obj_get(config, key), where, 0, list);
  if (!status && list->count == 0) status = kn_status_make(KN_BAD_DATA, "%s: model_config names no %s", where, key);
  if (!status) status = copy_references(list, out, out_count);
  kn_free(list);
  return status;
}

/* ---- layers ---- */

static kn_status parse_layer(yyjson_val *value, const char *where, int depth, keras_layer *layer) {
  yyjson_val *config = yyjson_obj_get(value, "config");
  const char *class_name = yyjson_get_str(yyjson_obj_get(value, "class_name"));
  const char *name = yyjson_get_str(yyjson_obj_get(value, "name"));
  if (!name) name = yyjson_get_str(yyjson_obj_get(config, "name"));
  if (!class_name || !name || !config)
    return kn_status_make(KN_BAD_DATA, "%s: model_config holds a layer without name, class or configuration", where);
  *layer = (keras_layer){.name = name, .class_name = class_name, .module = "", .config = config};
  const char *module = yyjson_get_str(yyjson_obj_get(value, "module"));
  if (module && strstr(module, ".ops")) layer->module = module;
  if (!is_model_class(class_name)) return NULL;
  if (depth >= NESTING_LIMIT)
    return kn_status_make(KN_INCOMPATIBLE, "%s: models nest deeper than %d", where, NESTING_LIMIT);
  layer->network = kn_alloc(sizeof *layer->network);
  if (!layer->network) return kn_status_out_of_memory();
  return parse_network(value, where, depth + 1, layer->network);
}

static kn_status check_names(const keras_network *network, const char *where) {
  for (size_t i = 0; i < network->layer_count; i++)
    for (size_t k = 0; k < i; k++)
      if (strcmp(network->layers[i].name, network->layers[k].name) == 0)
        return kn_status_make(KN_BAD_DATA, "%s: model_config holds two layers '%s'", where, network->layers[i].name);
  return NULL;
}

static kn_status parse_functional(yyjson_val *config, yyjson_val *layers, const char *where, int depth,
                                  keras_network *out) {
  size_t index, count;
  yyjson_val *value;
  yyjson_arr_foreach(layers, index, count, value) {
    out->layer_count = index + 1;
    KN_TRY(parse_layer(value, where, depth, &out->layers[index]));
  }
  KN_TRY(check_names(out, where));
  yyjson_arr_foreach(layers, index, count, value) {
    KN_TRY(make_nodes(out, yyjson_obj_get(value, "inbound_nodes"), where, &out->layers[index]));
  }
  yyjson_arr_foreach(layers, index, count, value) {
    KN_TRY(parse_nodes(out, yyjson_obj_get(value, "inbound_nodes"), where, &out->layers[index]));
  }
  KN_TRY(parse_ends(out, config, "input_layers", where, &out->inputs, &out->input_count));
  return parse_ends(out, config, "output_layers", where, &out->outputs, &out->output_count);
}

/* The input layer that a Sequential model without one implies. */
static kn_status imply_input(yyjson_val *config, yyjson_val *first, keras_layer *out) {
  yyjson_val *own = yyjson_obj_get(first, "config");
  bool first_knows = yyjson_obj_get(own, "batch_shape") || yyjson_obj_get(own, "batch_input_shape");
  char *name = kn_format("%s_input", keras_text(own, "name", "model"));
  if (!name) return kn_status_out_of_memory();
  *out = (keras_layer){
      .name = name, .class_name = "InputLayer", .module = "", .config = first_knows ? own : config, .made_name = name};
  return NULL;
}

static kn_status add_chain_node(keras_network *network, size_t index) {
  keras_layer *layer = &network->layers[index];
  layer->nodes = kn_alloc_array(1, sizeof *layer->nodes);
  if (!layer->nodes) return kn_status_out_of_memory();
  layer->node_count = 1;
  if (index == 0) return NULL;
  layer->nodes[0].inputs = kn_alloc_array(1, sizeof *layer->nodes[0].inputs);
  if (!layer->nodes[0].inputs) return kn_status_out_of_memory();
  layer->nodes[0].inputs[0] = (keras_reference){index - 1, 0, 0};
  layer->nodes[0].input_count = 1;
  return NULL;
}

static kn_status add_end(size_t layer, keras_reference **out, size_t *out_count) {
  *out = kn_alloc_array(1, sizeof **out);
  if (!*out) return kn_status_out_of_memory();
  (*out)[0].layer = layer;
  *out_count = 1;
  return NULL;
}

static kn_status parse_sequential(yyjson_val *config, yyjson_val *layers, const char *where, int depth,
                                  keras_network *out) {
  yyjson_val *first = yyjson_arr_get_first(layers);
  size_t shift = 0;
  if (strcmp(keras_text(first, "class_name", ""), "InputLayer") != 0) {
    KN_TRY(imply_input(config, first, &out->layers[0]));
    out->layer_count = shift = 1;
    KN_TRY(add_chain_node(out, 0));
  }
  size_t index, count;
  yyjson_val *value;
  yyjson_arr_foreach(layers, index, count, value) {
    out->layer_count = index + shift + 1;
    KN_TRY(parse_layer(value, where, depth, &out->layers[index + shift]));
    KN_TRY(add_chain_node(out, index + shift));
    const keras_layer *layer = &out->layers[index + shift];
    if (layer->network && (layer->network->input_count != 1 || layer->network->output_count != 1))
      return kn_status_make(KN_BAD_DATA, "%s: model '%s' in a Sequential model has several inputs or outputs", where,
                            layer->name);
  }
  KN_TRY(check_names(out, where));
  KN_TRY(add_end(0, &out->inputs, &out->input_count));
  return add_end(out->layer_count - 1, &out->outputs, &out->output_count);
}

static kn_status parse_layers(yyjson_val *model, const char *where, int depth, keras_network *out) {
  yyjson_val *config = yyjson_obj_get(model, "config");
  /* Early Keras 2 wrote the layers of a Sequential model as the configuration itself. */
  yyjson_val *layers = yyjson_is_arr(config) ? config : yyjson_obj_get(config, "layers");
  size_t count = yyjson_arr_size(layers);
  if (count == 0) return kn_status_make(KN_BAD_DATA, "%s: model_config holds no layers", where);
  if (count > LAYER_LIMIT)
    return kn_status_make(KN_INCOMPATIBLE, "%s: the model has %zu layers, more than %d", where, count, LAYER_LIMIT);
  out->name = keras_text(config, "name", "model");
  out->layers = kn_alloc_array(count + 1, sizeof *out->layers);
  if (!out->layers) return kn_status_out_of_memory();
  return out->sequential ? parse_sequential(config, layers, where, depth, out)
                         : parse_functional(config, layers, where, depth, out);
}

static kn_status parse_network(yyjson_val *model, const char *where, int depth, keras_network *out) {
  const char *class_name = yyjson_get_str(yyjson_obj_get(model, "class_name"));
  if (!class_name) return kn_status_make(KN_BAD_DATA, "%s: model_config names no class", where);
  if (!is_model_class(class_name))
    return kn_status_make(KN_INCOMPATIBLE,
                          "%s: the model is a '%s'; only Functional and Sequential models describe their layers. "
                          "Export it as a SavedModel instead",
                          where, class_name);
  out->sequential = strcmp(class_name, "Sequential") == 0;
  return parse_layers(model, where, depth, out);
}

kn_status keras_network_parse(yyjson_val *model, const char *where, keras_network *out_network) {
  *out_network = (keras_network){0};
  kn_status status = parse_network(model, where, 0, out_network);
  if (status) keras_network_clear(out_network);
  return status;
}
