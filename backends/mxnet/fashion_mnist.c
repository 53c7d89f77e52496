/* MXNetFashionMNISTCNN: a small convolutional network that is trained here, the same as TensorFlowFashionMNISTCNN. */
#include <stdio.h>
#include <string.h>

#include "modelwrapper.h"
#include "trainer.h"

/* The graph as MXNet's JSON, node by node; each node is referred to by its number. */
typedef struct graph_text {
  char *text;
  size_t length;
  int nodes;
  int arguments[64], argument_count; /* nodes that are variables */
  bool failed;
} graph_text;

static void add(graph_text *g, const char *format, ...) KN_PRINTF(2, 3);
static void add(graph_text *g, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  char *piece = g->failed ? NULL : kn_vformat(format, arguments);
  va_end(arguments);
  size_t length = piece ? strlen(piece) : 0;
  char *grown = piece ? kn_realloc(g->text, g->length + length + 1) : NULL;
  if (grown) {
    memcpy(grown + g->length, piece, length + 1);
    g->text = grown;
    g->length += length;
  }
  g->failed = !grown;
  kn_free(piece);
}

static int variable(graph_text *g, const char *name, const char *attributes) {
  add(g, "%s{\"op\": \"null\", \"name\": \"%s\", \"attrs\": {%s}, \"inputs\": []}", g->nodes ? ",\n" : "", name,
      attributes);
  if (g->argument_count < 64) g->arguments[g->argument_count++] = g->nodes;
  return g->nodes++;
}

static int operation(graph_text *g, const char *operator_, const char *name, const char *attributes, const int *inputs,
                     int count) {
  add(g, ",\n{\"op\": \"%s\", \"name\": \"%s\", \"attrs\": {%s}, \"inputs\": [", operator_, name, attributes);
  for (int i = 0; i < count; i++) add(g, "%s[%d, 0, 0]", i ? ", " : "", inputs[i]);
  add(g, "]}");
  return g->nodes++;
}

static int parameter(graph_text *g, const char *layer, const char *kind) {
  char name[48];
  (void)snprintf(name, sizeof name, "%s_%s", layer, kind);
  return variable(g, name, "");
}

/* Convolution, batch normalization, rectifier, pooling. */
static int block(graph_text *g, int input, int number, int channels) {
  char layer[24], attributes[160];
  (void)snprintf(layer, sizeof layer, "conv_%d", number);
  (void)snprintf(attributes, sizeof attributes,
                 "\"kernel\": \"(3, 3)\", \"pad\": \"(1, 1)\", \"num_filter\": \"%d\", \"no_bias\": \"True\"",
                 channels);
  int weight = parameter(g, layer, "weight");
  int x = operation(g, "Convolution", layer, attributes, (int[]){input, weight}, 2);
  (void)snprintf(layer, sizeof layer, "normalization_%d", number);
  int gamma = parameter(g, layer, "gamma"), beta = parameter(g, layer, "beta"),
      mean = parameter(g, layer, "moving_mean"), variance = parameter(g, layer, "moving_var");
  x = operation(g, "BatchNorm", layer, "\"eps\": \"0.001\", \"momentum\": \"0.9\", \"fix_gamma\": \"False\"",
                (int[]){x, gamma, beta, mean, variance}, 5);
  (void)snprintf(layer, sizeof layer, "relu_%d", number);
  x = operation(g, "Activation", layer, "\"act_type\": \"relu\"", &x, 1);
  (void)snprintf(layer, sizeof layer, "pool_%d", number);
  return operation(g, "Pooling", layer, "\"kernel\": \"(2, 2)\", \"stride\": \"(2, 2)\", \"pool_type\": \"max\"", &x,
                   1);
}

static kn_status make_graph(int64_t classes, char **out_json) {
  graph_text g = {0};
  char units[64];
  (void)snprintf(units, sizeof units, "\"num_hidden\": \"%lld\"", (long long)classes);
  add(&g, "{\"nodes\": [\n");
  int x = variable(&g, "data", "\"__shape__\": \"(0, 28, 28, 1)\"");
  x = operation(&g, "transpose", "planar", "\"axes\": \"(0, 3, 1, 2)\"", &x, 1);
  for (int i = 1; i <= 3; i++) x = block(&g, x, i, 8 << i);
  x = operation(&g, "Flatten", "flatten", "", &x, 1);
  x = operation(&g, "Dropout", "dropout", "\"p\": \"0.3\"", &x, 1);
  int weight = parameter(&g, "out_layer", "weight"), bias = parameter(&g, "out_layer", "bias");
  x = operation(&g, "FullyConnected", "out_layer", units, (int[]){x, weight, bias}, 3);
  int label = variable(&g, "softmax_label", "");
  x = operation(&g, "SoftmaxOutput", "softmax", "", (int[]){x, label}, 2);
  add(&g, "],\n\"arg_nodes\": [");
  for (int i = 0; i < g.argument_count; i++) add(&g, "%s%d", i ? ", " : "", g.arguments[i]);
  add(&g, "], \"heads\": [[%d, 0, 0]], \"attrs\": {\"mxnet_version\": [\"int\", 10901]}}\n", x);
  if (g.failed) kn_free(g.text);
  *out_json = g.failed ? NULL : g.text;
  return g.failed ? kn_status_out_of_memory() : NULL;
}

static kn_status train(void *self, const kn_train_request *request, kn_record *out_history) {
  const mxnet_wrapper *wrapper = self;
  char *json;
  KN_TRY(make_graph(request->train->classes, &json));
  const trainer_options options = {
      .library = wrapper->library, .threads = wrapper->num_threads, .training = &wrapper->training};
  kn_status status = trainer_run(json, NULL, &options, request, out_history);
  kn_free(json);
  return status;
}

static const kn_option rows[] = {KN_SCHEDULE_ROW(mxnet_wrapper, training, KN_RATE_COSINE), {0}};

static const kn_modelwrapper_ops ops = {MXNET_WRAPPER_OPS, .train = train};

const kn_class mxnet_fashion_mnist_class = {
    .struct_size = sizeof(kn_class),
    .name = "kenning.modelwrappers.classification.mxnet_fashion_mnist.MXNetFashionMNISTCNN",
    .kind = KN_KIND_MODELWRAPPER,
    .summary = "Small convolutional network for Fashion-MNIST, trained natively",
    .framework = "mxnet",
    .options = rows,
    .base = &mxnet_wrapper_class,
    .instance_size = sizeof(mxnet_wrapper),
    .ops = &ops,
    .output_formats = mxnet_output_formats,
    .check = mxnet_wrapper_check};
