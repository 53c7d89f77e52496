/* Values of a layer's configuration, and what follows from them: shapes of inputs and outputs. */
#include "keras_network.h"

#include <string.h>

const char *keras_text(yyjson_val *config, const char *key, const char *fallback) {
  const char *text = yyjson_get_str(yyjson_obj_get(config, key));
  return text ? text : fallback;
}

static bool number_of(yyjson_val *value, double *out_number) {
  if (yyjson_is_num(value)) {
    *out_number = yyjson_get_num(value);
    return true;
  }
  /* {"class_name": "__numpy__", "config": {"value": 6.0, "dtype": "float32"}} and {"type": "ndarray", "value": 6.0} */
  yyjson_val *inner = yyjson_obj_get(value, "value");
  if (!inner) inner = yyjson_obj_get(yyjson_obj_get(value, "config"), "value");
  if (yyjson_arr_size(inner) == 1) inner = yyjson_arr_get_first(inner);
  if (!yyjson_is_num(inner)) return false;
  *out_number = yyjson_get_num(inner);
  return true;
}

bool keras_number(yyjson_val *config, const char *key, double *out_number) {
  return number_of(yyjson_obj_get(config, key), out_number);
}

double keras_number_or(yyjson_val *config, const char *key, double fallback) {
  double number;
  return keras_number(config, key, &number) ? number : fallback;
}

bool keras_bool(yyjson_val *config, const char *key, bool fallback) {
  yyjson_val *value = yyjson_obj_get(config, key);
  return yyjson_is_bool(value) ? yyjson_get_bool(value) : fallback;
}

static bool integer_of(yyjson_val *value, int64_t *out) {
  if (!yyjson_is_int(value) || (yyjson_is_uint(value) && yyjson_get_uint(value) > INT32_MAX)) return false;
  *out = yyjson_get_sint(value);
  return *out >= INT32_MIN;
}

bool keras_integers(yyjson_val *config, const char *key, int64_t *out, size_t count) {
  yyjson_val *value = yyjson_obj_get(config, key);
  if (!yyjson_is_arr(value)) {
    for (size_t i = 0; i < count; i++)
      if (!integer_of(value, &out[i])) return false;
    return count > 0;
  }
  size_t length = yyjson_arr_size(value);
  if (length != count && length != 1) return false;
  for (size_t i = 0; i < count; i++)
    if (!integer_of(yyjson_arr_get(value, length == 1 ? 0 : i), &out[i])) return false;
  return true;
}

const char *keras_identifier(yyjson_val *value) {
  if (yyjson_is_str(value)) return yyjson_get_str(value);
  yyjson_val *config = yyjson_obj_get(value, "config");
  if (yyjson_is_str(config)) return yyjson_get_str(config);          /* {"class_name": "function", "config": "relu6"} */
  const char *name = yyjson_get_str(yyjson_obj_get(config, "name")); /* a dtype policy */
  return name ? name : yyjson_get_str(yyjson_obj_get(value, "class_name"));
}

kn_status keras_input_shape(const keras_layer *layer, uint32_t *out_rank, int64_t *out_shape) {
  static const char *const keys[] = {"batch_shape", "batch_input_shape", "build_input_shape"};
  yyjson_val *shape = NULL;
  for (size_t i = 0; i < sizeof keys / sizeof *keys && !yyjson_is_arr(shape); i++)
    shape = yyjson_obj_get(layer->config, keys[i]);
  size_t rank = yyjson_arr_size(shape);
  if (rank == 0 || rank > KN_MAX_RANK)
    return kn_status_make(KN_BAD_DATA, "the shape of input '%s' is missing or has more than %d dimensions", layer->name,
                          KN_MAX_RANK);
  for (size_t i = 0; i < rank; i++) {
    yyjson_val *value = yyjson_arr_get(shape, i);
    if (yyjson_is_null(value))
      out_shape[i] = -1;
    else if (!integer_of(value, &out_shape[i]) || out_shape[i] <= 0)
      return kn_status_make(KN_BAD_DATA, "dimension %zu of input '%s' is not a positive number", i, layer->name);
  }
  *out_rank = (uint32_t)rank;
  return NULL;
}

kn_status keras_input_dtype(const keras_layer *layer, kn_dtype *out_dtype) {
  const char *name = keras_identifier(yyjson_obj_get(layer->config, "dtype"));
  *out_dtype = name ? kn_dtype_from_name(name) : KN_FLOAT32;
  if (*out_dtype == KN_DTYPE_NONE)
    return kn_status_make(KN_INCOMPATIBLE, "input '%s' has the element type '%s', which is not supported", layer->name,
                          name);
  return NULL;
}

/* Layers whose output has the shape of their input. */
static bool keeps_shape(const char *class_name) {
  static const char *const names[] = {"Activation",
                                      "BatchNormalization",
                                      "Dropout",
                                      "ELU",
                                      "GaussianDropout",
                                      "GaussianNoise",
                                      "LeakyReLU",
                                      "LayerNormalization",
                                      "ReLU",
                                      "Softmax",
                                      "PReLU"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(class_name, names[i]) == 0) return true;
  return false;
}

/* Layers whose output is [batch, features]. */
static bool makes_vectors(const keras_layer *layer) {
  return strcmp(layer->class_name, "Flatten") == 0 ||
         (strncmp(layer->class_name, "Global", 6) == 0 && !keras_bool(layer->config, "keepdims", false));
}

static const keras_layer *producer(const keras_network **network, keras_reference *reference) {
  const keras_layer *layer = &(*network)->layers[reference->layer];
  while (layer->network) {
    *network = layer->network;
    *reference = (*network)->outputs[reference->tensor];
    layer = &(*network)->layers[reference->layer];
  }
  return layer;
}

static const keras_layer *step_back(const keras_network **network, keras_reference *reference) {
  const keras_layer *layer = &(*network)->layers[reference->layer];
  const keras_node *node = &layer->nodes[reference->node];
  if (node->input_count != 1) return NULL;
  *reference = node->inputs[0];
  return producer(network, reference);
}

bool keras_output_shape(const keras_network *network, size_t output, uint32_t *out_rank, int64_t *out_shape) {
  if (output >= network->output_count) return false;
  keras_reference reference = network->outputs[output];
  const keras_layer *layer = producer(&network, &reference);
  size_t steps = network->layer_count;
  while (layer && keeps_shape(layer->class_name) && steps-- > 0) layer = step_back(&network, &reference);
  int64_t units;
  if (!layer || strcmp(layer->class_name, "Dense") != 0 || !keras_integers(layer->config, "units", &units, 1) ||
      units <= 0)
    return false;
  /* A Dense layer keeps all dimensions but the last, so its input must be known to be [batch, features]. */
  do layer = step_back(&network, &reference);
  while (layer && (keeps_shape(layer->class_name) || strcmp(layer->class_name, "Dense") == 0) && steps-- > 0);
  if (!layer) return false;
  if (strcmp(layer->class_name, "InputLayer") == 0) {
    uint32_t rank;
    int64_t shape[KN_MAX_RANK];
    kn_status status = keras_input_shape(layer, &rank, shape);
    bool vectors = !status && rank == 2;
    kn_status_free(status);
    if (!vectors) return false;
  } else if (!makes_vectors(layer)) {
    return false;
  }
  *out_rank = 2;
  out_shape[0] = -1;
  out_shape[1] = units;
  return true;
}
