/* The architecture of a Keras model: layers and how they are called, from the JSON "model_config" of Keras 2 and
 * Keras 3 (Functional and Sequential, nested ones too). Nothing here knows TensorFlow. */
#ifndef TENSORFLOW_KERAS_NETWORK_H
#define TENSORFLOW_KERAS_NETWORK_H

#include <kenning/plugin.h>
#include <yyjson.h>

/* One output of one call of a layer. */
typedef struct keras_reference {
  size_t layer; /* index in the network */
  size_t node;  /* which call */
  size_t tensor;
} keras_reference;

/* One call of a layer. */
typedef struct keras_node {
  keras_reference *inputs;
  size_t input_count;
  yyjson_val
      *call; /* the file's record of it: Keras 2 [["layer", node, tensor, {keywords}]], Keras 3 {"args", "kwargs"} */
} keras_node;

typedef struct keras_network keras_network;

typedef struct keras_layer {
  const char *name;
  const char *class_name;
  const char *module; /* of a Keras 3 operation that is no layer ("keras.src.ops.numpy"), else "" */
  yyjson_val *config; /* never NULL */
  keras_node *nodes;
  size_t node_count;
  keras_network *network; /* of a model used as a layer, else NULL */
  char *made_name;        /* owned: of an input layer that a Sequential model leaves implied, else NULL */
} keras_layer;

struct keras_network {
  const char *name;
  bool sequential;
  bool histories; /* calls refer to each other by "keras_history": Keras 3 */
  keras_layer *layers;
  size_t layer_count;
  keras_reference *inputs;
  size_t input_count;
  keras_reference *outputs;
  size_t output_count;
};

/* Parses {"class_name", "config"}; the network points into the document, which must outlive it. `where` names the file
 * in messages. KN_BAD_DATA when the configuration is damaged, KN_INCOMPATIBLE when it describes no layer graph. */
kn_status keras_network_parse(yyjson_val *model, const char *where, keras_network *out_network) KN_MUST_USE;
/* A zeroed network is allowed. */
void keras_network_clear(keras_network *network);

/* ---- values of a layer's configuration ---- */

/* Text of `key`; `fallback` when it is missing or null. */
const char *keras_text(yyjson_val *config, const char *key, const char *fallback);
/* Number of `key`; Keras 2 wraps some in {"class_name", "config": {"value"}}. False when there is none (or null). */
bool keras_number(yyjson_val *config, const char *key, double *out_number);
double keras_number_or(yyjson_val *config, const char *key, double fallback);
bool keras_bool(yyjson_val *config, const char *key, bool fallback);
/* `count` integers of `key`, which is a list of that length or one number for all. False when it is neither. */
bool keras_integers(yyjson_val *config, const char *key, int64_t *out, size_t count);
/* Name of a function or policy: "relu", or an object that carries it. NULL when there is none. */
const char *keras_identifier(yyjson_val *value);

/* Shape of an input layer, batch first, -1 for dimensions that are not fixed. KN_BAD_DATA. */
kn_status keras_input_shape(const keras_layer *layer, uint32_t *out_rank, int64_t *out_shape) KN_MUST_USE;
/* Element type of an input layer. */
kn_status keras_input_dtype(const keras_layer *layer, kn_dtype *out_dtype) KN_MUST_USE;
/* Shape of an output where it follows from the configuration alone (a Dense layer, and what keeps its shape); false
 * when only the framework can tell. Batch first, -1. */
bool keras_output_shape(const keras_network *network, size_t output, uint32_t *out_rank, int64_t *out_shape);

#endif
