/* Convolutions. Tensors are [N,H,W,C]; kernels [height,width,in,out] as Keras and TensorFlow both have them. */
#include "graph.h"

#include <string.h>

typedef struct convolution {
  int64_t kernel[2], strides[2], dilation[2];
  const char *padding; /* "SAME" or "VALID" */
  int64_t channels;    /* of the input */
} convolution;

static kn_status read_convolution(graph *g, const graph_call *call, convolution *out) {
  yyjson_val *config = call->layer->config;
  uint32_t rank;
  int64_t shape[KN_MAX_RANK];
  KN_TRY(graph_shape(g, call->inputs[0], &rank, shape));
  if (rank != 4 || shape[3] <= 0) return graph_refuse(g, call, "its input is not [N,H,W,C] with a fixed C");
  out->channels = shape[3];
  if (!keras_integers(config, "kernel_size", out->kernel, 2)) return graph_damaged(g, call, "kernel_size");
  if (!keras_integers(config, "strides", out->strides, 2)) return graph_damaged(g, call, "strides");
  if (!keras_integers(config, "dilation_rate", out->dilation, 2)) out->dilation[0] = out->dilation[1] = 1;
  for (int i = 0; i < 2; i++) {
    if (out->kernel[i] < 1) return graph_damaged(g, call, "kernel_size");
    if (out->strides[i] < 1) return graph_damaged(g, call, "strides");
    if (out->dilation[i] < 1) return graph_damaged(g, call, "dilation_rate");
  }
  const char *padding = keras_text(config, "padding", "valid");
  if (strcmp(padding, "same") != 0 && strcmp(padding, "valid") != 0)
    return graph_refuse(g, call, "the padding '%s' is not supported", padding);
  out->padding = strcmp(padding, "same") == 0 ? "SAME" : "VALID";
  return NULL;
}

static void set_geometry(graph *g, TF_OperationDescription *operation, const convolution *c) {
  const int64_t strides[4] = {1, c->strides[0], c->strides[1], 1};
  const int64_t dilations[4] = {1, c->dilation[0], c->dilation[1], 1};
  g->tf->TF_SetAttrIntList(operation, "strides", strides, 4);
  g->tf->TF_SetAttrIntList(operation, "dilations", dilations, 4);
  g->tf->TF_SetAttrString(operation, "padding", c->padding, strlen(c->padding));
}

static kn_status convolve(graph *g, const char *type, const convolution *c, TF_Output x, TF_Output kernel,
                          TF_Output *out) {
  TF_OperationDescription *operation = graph_begin(g, type);
  g->tf->TF_AddInput(operation, x);
  g->tf->TF_AddInput(operation, kernel);
  set_geometry(g, operation, c);
  return graph_end(g, operation, out);
}

static kn_status finish(graph *g, const graph_call *call, int64_t filters, TF_Output x, TF_Output *out) {
  if (keras_bool(call->layer->config, "use_bias", true)) {
    TF_Output bias = {0};
    KN_TRY(graph_weight_value(g, call, "bias", 1, &filters, GRAPH_ZEROS, &bias));
    KN_TRY(graph_binary(g, "BiasAdd", x, bias, &x));
  }
  return graph_activation(g, call, x, out);
}

static kn_status read_filters(const graph *g, const graph_call *call, int64_t *out_filters) {
  if (!keras_integers(call->layer->config, "filters", out_filters, 1) || *out_filters < 1)
    return graph_damaged(g, call, "filters");
  return NULL;
}

static kn_status build_conv2d(graph *g, const graph_call *call, TF_Output *out) {
  convolution c;
  int64_t filters, groups = 1;
  KN_TRY(read_convolution(g, call, &c));
  KN_TRY(read_filters(g, call, &filters));
  if (yyjson_obj_get(call->layer->config, "groups") && !keras_integers(call->layer->config, "groups", &groups, 1))
    return graph_damaged(g, call, "groups");
  if (groups < 1 || c.channels % groups != 0 || filters % groups != 0) return graph_damaged(g, call, "groups");
  g->grouped |= groups > 1;
  const int64_t shape[4] = {c.kernel[0], c.kernel[1], c.channels / groups, filters};
  TF_Output kernel = {0}, x = {0};
  KN_TRY(graph_weight_value(g, call, "kernel", 4, shape, GRAPH_GLOROT_UNIFORM, &kernel));
  KN_TRY(convolve(g, "Conv2D", &c, call->inputs[0], kernel, &x));
  return finish(g, call, filters, x, out);
}

/* Keras 2 calls the kernel depthwise_kernel, Keras 3 kernel. */
static kn_status depthwise(graph *g, const graph_call *call, convolution *c, const char *name, int64_t multiplier,
                           TF_Output *out) {
  if (c->strides[0] != c->strides[1])
    return graph_refuse(g, call, "different strides in height and width are not supported");
  if (c->dilation[0] != 1 || c->dilation[1] != 1) return graph_refuse(g, call, "a dilation is not supported");
  const int64_t shape[4] = {c->kernel[0], c->kernel[1], c->channels, multiplier};
  TF_Output kernel = {0};
  KN_TRY(graph_weight_value(g, call, name, 4, shape, GRAPH_GLOROT_UNIFORM, &kernel));
  return convolve(g, "DepthwiseConv2dNative", c, call->inputs[0], kernel, out);
}

static kn_status read_multiplier(const graph *g, const graph_call *call, int64_t *out_multiplier) {
  *out_multiplier = 1;
  if (yyjson_obj_get(call->layer->config, "depth_multiplier") &&
      (!keras_integers(call->layer->config, "depth_multiplier", out_multiplier, 1) || *out_multiplier < 1))
    return graph_damaged(g, call, "depth_multiplier");
  return NULL;
}

static kn_status build_depthwise(graph *g, const graph_call *call, TF_Output *out) {
  convolution c;
  int64_t multiplier;
  TF_Output x = {0};
  KN_TRY(read_convolution(g, call, &c));
  KN_TRY(read_multiplier(g, call, &multiplier));
  bool old = keras_model_weight(g->model, call->group, call->layer->name, "depthwise_kernel") != NULL;
  KN_TRY(depthwise(g, call, &c, old ? "depthwise_kernel" : "kernel", multiplier, &x));
  return finish(g, call, c.channels * multiplier, x, out);
}

static kn_status build_separable(graph *g, const graph_call *call, TF_Output *out) {
  convolution c;
  int64_t multiplier, filters;
  TF_Output x = {0}, pointwise = {0};
  KN_TRY(read_convolution(g, call, &c));
  KN_TRY(read_multiplier(g, call, &multiplier));
  KN_TRY(read_filters(g, call, &filters));
  KN_TRY(depthwise(g, call, &c, "depthwise_kernel", multiplier, &x));
  const int64_t shape[4] = {1, 1, c.channels * multiplier, filters};
  KN_TRY(graph_weight_value(g, call, "pointwise_kernel", 4, shape, GRAPH_GLOROT_UNIFORM, &pointwise));
  const convolution point = {.strides = {1, 1}, .dilation = {1, 1}, .padding = "VALID"};
  KN_TRY(convolve(g, "Conv2D", &point, x, pointwise, &x));
  return finish(g, call, filters, x, out);
}

/* Length of one side of a transposed convolution's result. */
static int64_t transposed_length(int64_t length, int64_t kernel, int64_t stride, const char *padding) {
  if (strcmp(padding, "SAME") == 0) return length * stride;
  return length * stride + (kernel > stride ? kernel - stride : 0);
}

static kn_status build_transpose(graph *g, const graph_call *call, TF_Output *out) {
  convolution c;
  int64_t filters, shape[KN_MAX_RANK];
  uint32_t rank;
  KN_TRY(read_convolution(g, call, &c));
  KN_TRY(read_filters(g, call, &filters));
  yyjson_val *extra = yyjson_obj_get(call->layer->config, "output_padding");
  if (extra && !yyjson_is_null(extra)) return graph_refuse(g, call, "output_padding is not supported");
  if (c.dilation[0] != 1 || c.dilation[1] != 1) return graph_refuse(g, call, "a dilation is not supported");
  KN_TRY(graph_shape(g, call->inputs[0], &rank, shape));
  for (uint32_t i = 0; i < 3; i++)
    if (shape[i] < 0) return graph_refuse(g, call, "its input must have fixed dimensions, the batch included");
  const int64_t kernel_shape[4] = {c.kernel[0], c.kernel[1], filters, c.channels};
  const int64_t result[4] = {shape[0], transposed_length(shape[1], c.kernel[0], c.strides[0], c.padding),
                             transposed_length(shape[2], c.kernel[1], c.strides[1], c.padding), filters};
  TF_Output kernel = {0}, sizes = {0}, x = {0};
  KN_TRY(graph_weight_value(g, call, "kernel", 4, kernel_shape, GRAPH_GLOROT_UNIFORM, &kernel));
  KN_TRY(graph_integers(g, result, 4, &sizes));
  TF_OperationDescription *operation = graph_begin(g, "Conv2DBackpropInput");
  g->tf->TF_AddInput(operation, sizes);
  g->tf->TF_AddInput(operation, kernel);
  g->tf->TF_AddInput(operation, call->inputs[0]);
  set_geometry(g, operation, &c);
  KN_TRY(graph_end(g, operation, &x));
  return finish(g, call, filters, x, out);
}

const graph_layer_kind graph_convolution_layers[] = {{"Conv2D", build_conv2d, false},
                                                     {"Convolution2D", build_conv2d, false},
                                                     {"Conv2DTranspose", build_transpose, false},
                                                     {"DepthwiseConv2D", build_depthwise, false},
                                                     {"SeparableConv2D", build_separable, false},
                                                     {NULL, NULL, false}};
