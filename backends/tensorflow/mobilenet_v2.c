#include "mobilenet_v2.h"

#include <stdio.h>
#include <stdlib.h>

/* The configuration is in Keras 2's words, which Keras 3 reads too, so that the trained file opens in either. */
#define KERAS_VERSION "3.0.0"

/* Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", 2018, table 2: expansion, channels, how
 * often, stride of the first. */
static const struct stage {
  int64_t expansion, channels, count, stride;
} stages[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
              {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};

static const int64_t hidden_units[] = {1024, 512, 128};
enum { HIDDEN = sizeof hidden_units / sizeof *hidden_units, NAME = 48 };

/* Layers in the order of the data flow. yyjson's values are NULL when memory is exhausted, which every function of it
 * passes on; it is seen at the end. */
typedef struct builder {
  yyjson_mut_doc *document;
  yyjson_mut_val *layers;
  char last[NAME]; /* layer whose output is next */
} builder;

static yyjson_mut_val *add_layer(builder *b, const char *class_name, const char *name, const char *second) {
  yyjson_mut_doc *d = b->document;
  yyjson_mut_val *layer = yyjson_mut_arr_add_obj(d, b->layers);
  (void)yyjson_mut_obj_add_str(d, layer, "class_name", class_name);
  (void)yyjson_mut_obj_add_strcpy(d, layer, "name", name);
  yyjson_mut_val *config = yyjson_mut_obj_add_obj(d, layer, "config");
  (void)yyjson_mut_obj_add_strcpy(d, config, "name", name);
  (void)yyjson_mut_obj_add_str(d, config, "dtype", "float32");
  yyjson_mut_val *nodes = yyjson_mut_obj_add_arr(d, layer, "inbound_nodes");
  yyjson_mut_val *node = b->last[0] ? yyjson_mut_arr_add_arr(d, nodes) : NULL;
  const char *inputs[2] = {b->last, second};
  for (int i = 0; node && i < 2 && inputs[i]; i++) {
    yyjson_mut_val *input = yyjson_mut_arr_add_arr(d, node);
    (void)yyjson_mut_arr_add_strcpy(d, input, inputs[i]);
    (void)yyjson_mut_arr_add_int(d, input, 0);
    (void)yyjson_mut_arr_add_int(d, input, 0);
    (void)yyjson_mut_arr_add_obj(d, input);
  }
  (void)snprintf(b->last, sizeof b->last, "%s", name);
  return config;
}

static void add_pair(const builder *b, yyjson_mut_val *config, const char *key, int64_t value) {
  yyjson_mut_val *pair = yyjson_mut_obj_add_arr(b->document, config, key);
  for (int i = 0; i < 2; i++) (void)yyjson_mut_arr_add_int(b->document, pair, value);
}

static void add_kernel(const builder *b, yyjson_mut_val *config, int64_t side, int64_t stride, const char *padding) {
  add_pair(b, config, "kernel_size", side);
  add_pair(b, config, "strides", stride);
  (void)yyjson_mut_obj_add_str(b->document, config, "padding", padding);
  (void)yyjson_mut_obj_add_bool(b->document, config, "use_bias", false);
  (void)yyjson_mut_obj_add_str(b->document, config, "activation", "linear");
}

static void add_convolution(builder *b, const char *name, int64_t filters, int64_t side, int64_t stride) {
  yyjson_mut_val *config = add_layer(b, "Conv2D", name, NULL);
  (void)yyjson_mut_obj_add_int(b->document, config, "filters", filters);
  add_kernel(b, config, side, stride, "same");
}

static void add_normalization(builder *b, const char *name) {
  yyjson_mut_val *config = add_layer(b, "BatchNormalization", name, NULL);
  (void)yyjson_mut_obj_add_int(b->document, config, "axis", -1);
  (void)yyjson_mut_obj_add_real(b->document, config, "momentum", 0.999);
  (void)yyjson_mut_obj_add_real(b->document, config, "epsilon", 0.001);
}

static void add_rectifier(builder *b, const char *name) {
  yyjson_mut_val *config = add_layer(b, "ReLU", name, NULL);
  (void)yyjson_mut_obj_add_real(b->document, config, "max_value", 6.0);
}

/* Keras pads an even side by one pixel at its end and convolves without padding. */
static void add_padding(builder *b, const char *name) {
  yyjson_mut_val *config = add_layer(b, "ZeroPadding2D", name, NULL);
  yyjson_mut_val *padding = yyjson_mut_obj_add_arr(b->document, config, "padding");
  for (int axis = 0; axis < 2; axis++) {
    yyjson_mut_val *sides = yyjson_mut_arr_add_arr(b->document, padding);
    for (int side = 0; side < 2; side++) (void)yyjson_mut_arr_add_int(b->document, sides, side);
  }
}

/* Name of a layer of a block: "block_3_expand"; of the first block "expanded_conv_depthwise". */
static const char *in_block(int number, const char *what, char out[NAME]) {
  if (number == 0)
    (void)snprintf(out, NAME, "expanded_conv_%s", what);
  else
    (void)snprintf(out, NAME, "block_%d_%s", number, what);
  return out;
}

static void add_block(builder *b, int number, const struct stage *stage, int64_t inputs, int64_t stride) {
  char name[NAME], input[NAME];
  (void)snprintf(input, sizeof input, "%s", b->last);
  if (number > 0) {
    add_convolution(b, in_block(number, "expand", name), stage->expansion * inputs, 1, 1);
    add_normalization(b, in_block(number, "expand_BN", name));
    add_rectifier(b, in_block(number, "expand_relu", name));
  }
  if (stride == 2) add_padding(b, in_block(number, "pad", name));
  yyjson_mut_val *config = add_layer(b, "DepthwiseConv2D", in_block(number, "depthwise", name), NULL);
  (void)yyjson_mut_obj_add_int(b->document, config, "depth_multiplier", 1);
  add_kernel(b, config, 3, stride, stride == 2 ? "valid" : "same");
  add_normalization(b, in_block(number, "depthwise_BN", name));
  add_rectifier(b, in_block(number, "depthwise_relu", name));
  add_convolution(b, in_block(number, "project", name), stage->channels, 1, 1);
  add_normalization(b, in_block(number, "project_BN", name));
  if (stride != 1 || inputs != stage->channels) return;
  char result[NAME];
  (void)snprintf(result, sizeof result, "%s", b->last);
  (void)snprintf(b->last, sizeof b->last, "%s", input);
  (void)add_layer(b, "Add", in_block(number, "add", name), result);
}

static void add_base(builder *b) {
  yyjson_mut_val *config = add_layer(b, "InputLayer", "input_1", NULL);
  yyjson_mut_val *shape = yyjson_mut_obj_add_arr(b->document, config, "batch_input_shape");
  (void)yyjson_mut_arr_add_null(b->document, shape);
  for (int i = 0; i < 2; i++) (void)yyjson_mut_arr_add_int(b->document, shape, MOBILENET_V2_SIDE);
  (void)yyjson_mut_arr_add_int(b->document, shape, 3);
  add_convolution(b, "Conv1", 32, 3, 2);
  add_normalization(b, "bn_Conv1");
  add_rectifier(b, "Conv1_relu");
  int number = 0;
  int64_t channels = 32;
  for (size_t i = 0; i < sizeof stages / sizeof *stages; i++)
    for (int64_t k = 0; k < stages[i].count; k++, number++) {
      add_block(b, number, &stages[i], channels, k == 0 ? stages[i].stride : 1);
      channels = stages[i].channels;
    }
  add_convolution(b, "Conv_1", 1280, 1, 1);
  add_normalization(b, "Conv_1_bn");
  add_rectifier(b, "out_relu");
}

static void add_dense(builder *b, const char *name, int64_t units, const char *activation) {
  yyjson_mut_val *config = add_layer(b, "Dense", name, NULL);
  (void)yyjson_mut_obj_add_int(b->document, config, "units", units);
  (void)yyjson_mut_obj_add_bool(b->document, config, "use_bias", true);
  (void)yyjson_mut_obj_add_str(b->document, config, "activation", activation);
}

static void add_head(builder *b, const mobilenet_v2 *settings) {
  (void)add_layer(b, "GlobalAveragePooling2D", "global_average_pooling2d", NULL);
  for (int i = 0; i < HIDDEN; i++) {
    char number[8] = "", name[NAME];
    if (i > 0) (void)snprintf(number, sizeof number, "_%d", i);
    (void)snprintf(name, sizeof name, "dense%s", number);
    add_dense(b, name, hidden_units[i], "relu");
    (void)snprintf(name, sizeof name, "dropout%s", number);
    yyjson_mut_val *config = add_layer(b, "Dropout", name, NULL);
    (void)yyjson_mut_obj_add_real(b->document, config, "rate", settings->dropout);
  }
  add_dense(b, "out_layer", settings->classes, "linear");
}

/* Which layers are trained. */
static void mark_trainable(const builder *b, const mobilenet_v2 *settings, size_t base_layers) {
  size_t index, count;
  size_t unfrozen =
      settings->unfrozen < 0 || (uint64_t)settings->unfrozen > base_layers ? base_layers : (size_t)settings->unfrozen;
  yyjson_mut_val *layer;
  yyjson_mut_arr_foreach(b->layers, index, count, layer) {
    if (index == 0) continue; /* Keras 2 wants no such word of an input */
    bool normalizes = yyjson_mut_equals_str(yyjson_mut_obj_get(layer, "class_name"), "BatchNormalization");
    bool trainable = !settings->frozen || index >= base_layers || (index + unfrozen >= base_layers && !normalizes);
    (void)yyjson_mut_obj_add_bool(b->document, yyjson_mut_obj_get(layer, "config"), "trainable", trainable);
  }
}

static void add_end(const builder *b, yyjson_mut_val *config, const char *key, const char *name) {
  yyjson_mut_val *list = yyjson_mut_arr_add_arr(b->document, yyjson_mut_obj_add_arr(b->document, config, key));
  (void)yyjson_mut_arr_add_strcpy(b->document, list, name);
  for (int i = 0; i < 2; i++) (void)yyjson_mut_arr_add_int(b->document, list, 0);
}

/* The text is NULL when memory is exhausted; free with free(). */
static char *write_config(yyjson_mut_doc *document, const mobilenet_v2 *settings, size_t *out_base_layers) {
  yyjson_mut_val *root = yyjson_mut_obj(document);
  yyjson_mut_doc_set_root(document, root);
  (void)yyjson_mut_obj_add_str(document, root, "class_name", "Functional");
  yyjson_mut_val *config = yyjson_mut_obj_add_obj(document, root, "config");
  (void)yyjson_mut_obj_add_str(document, config, "name", "model");
  builder b = {.document = document, .layers = yyjson_mut_obj_add_arr(document, config, "layers")};
  add_base(&b);
  *out_base_layers = yyjson_mut_arr_size(b.layers);
  add_head(&b, settings);
  mark_trainable(&b, settings, *out_base_layers);
  add_end(&b, config, "input_layers", "input_1");
  add_end(&b, config, "output_layers", b.last);
  return yyjson_mut_write(document, 0, NULL);
}

kn_status mobilenet_v2_make(const mobilenet_v2 *settings, keras_model *out_model, size_t *out_base_layers) {
  yyjson_mut_doc *document = yyjson_mut_doc_new(NULL);
  char *text = document ? write_config(document, settings, out_base_layers) : NULL;
  yyjson_mut_doc_free(document);
  if (!text) return kn_status_out_of_memory();
  kn_status status = keras_model_make("MobileNetV2 for pets", text, KERAS_VERSION, out_model);
  free(text);
  return status;
}
