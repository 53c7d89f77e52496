#include "network.h"

#include <stdio.h>
#include <string.h>

#include "network_builder.h"

/* ---- MobileNetV2: Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", 2018, table 2, with the
 * names that torchvision gives ---- */

static void add_normalized(network *n, const char *convolution, const char *normalization,
                           const network_convolution *of, bool rectified) {
  network_add_convolution(n, convolution, of);
  network_add_normalization(n, normalization, of->out, 1e-5, 0.1);
  if (rectified) network_line(n, "x = torch.hardtanh(x, 0., 6.)");
}

typedef struct stage {
  int64_t expansion, channels, repeats, stride;
} stage;

static void add_block(network *n, int index, const stage *of, int64_t in, int64_t stride) {
  char names[6][48];
  int first = of->expansion != 1; /* blocks without expansion lack the first convolution */
  int64_t hidden = in * of->expansion;
  for (int i = 0; i < 2; i++) {
    (void)snprintf(names[(size_t)i * 2], sizeof names[0], "features.%d.conv.%d.0", index, i);
    (void)snprintf(names[(size_t)i * 2 + 1], sizeof names[0], "features.%d.conv.%d.1", index, i);
  }
  (void)snprintf(names[4], sizeof names[0], "features.%d.conv.%d", index, 1 + first);
  (void)snprintf(names[5], sizeof names[0], "features.%d.conv.%d", index, 2 + first);
  bool residual = stride == 1 && in == of->channels;
  if (residual) network_line(n, "y = x");
  if (first) add_normalized(n, names[0], names[1], &(network_convolution){in, hidden, 1, 1, 0, 1}, true);
  add_normalized(n, names[first ? 2 : 0], names[first ? 3 : 1],
                 &(network_convolution){hidden, hidden, 3, stride, 1, hidden}, true);
  add_normalized(n, names[4], names[5], &(network_convolution){hidden, of->channels, 1, 1, 0, 1}, false);
  if (residual) network_line(n, "x = torch.add(x, y)");
}

static void add_head(network *n, int64_t classes) {
  static const int64_t widths[] = {1280, 1024, 512, 128};
  for (int i = 0; i < 4; i++) {
    char path[32];
    (void)snprintf(path, sizeof path, "classifier.%d", 3 * i);
    network_add_linear(n, path, widths[i], i < 3 ? widths[i + 1] : classes, NETWORK_XAVIER_UNIFORM);
    if (i == 3) break;
    network_line(n, "x = torch.relu(x)");
    network_add_dropout(n, 0.5);
  }
}

kn_status network_mobilenet_v2(int64_t classes, bool head, bool frozen, network *out_network) {
  static const stage stages[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                                 {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
  network *n = out_network;
  network_begin(n, "MobileNetV2");
  n->input_rank = 3;
  n->input[0] = 3;
  n->input[1] = n->input[2] = 224;
  n->classes = classes;
  n->in_base = n->frozen_base = frozen;
  add_normalized(n, "features.0.0", "features.0.1", &(network_convolution){3, 32, 3, 2, 1, 1}, true);
  int64_t in = 32;
  int index = 1;
  for (size_t s = 0; s < sizeof stages / sizeof *stages; s++)
    for (int64_t i = 0; i < stages[s].repeats; i++, index++) {
      add_block(n, index, &stages[s], in, i ? 1 : stages[s].stride);
      in = stages[s].channels;
    }
  add_normalized(n, "features.18.0", "features.18.1", &(network_convolution){in, 1280, 1, 1, 0, 1}, true);
  network_line(n, "x = torch.mean(x, [2, 3])");
  n->in_base = false;
  if (head) {
    add_head(n, classes);
  } else {
    network_add_dropout(n, 0.2);
    network_add_linear(n, "classifier.1", 1280, classes, NETWORK_XAVIER_UNIFORM);
  }
  return network_end(n);
}

/* ---- Fashion-MNIST ---- */

kn_status network_fashion_mnist(int64_t classes, network *out_network) {
  network *n = out_network;
  network_begin(n, "FashionMNISTCNN");
  n->input_rank = 3;
  n->input[0] = n->input[1] = 28;
  n->input[2] = 1;
  n->classes = classes;
  network_line(n, "x = torch.permute(x, [0, 3, 1, 2])");
  int64_t in = 1, out = 16;
  for (int i = 1; i <= 3; i++, in = out, out *= 2) {
    char convolution[32], normalization[32];
    (void)snprintf(convolution, sizeof convolution, "conv_%d", i);
    (void)snprintf(normalization, sizeof normalization, "normalization_%d", i);
    network_add_convolution(n, convolution, &(network_convolution){in, out, 3, 1, 1, 1});
    network_add_normalization(n, normalization, out, 1e-3, 0.1);
    network_line(n, "x = torch.relu(x)");
    network_line(n, "x = torch.max_pool2d(x, [2, 2], [2, 2])");
  }
  network_line(n, "x = torch.flatten(x, 1)");
  network_add_dropout(n, 0.3);
  network_add_linear(n, "out_layer", in * 9, classes, NETWORK_XAVIER_UNIFORM);
  return network_end(n);
}

/* ---- which network is it ---- */

static int64_t rows_of(const state_dict *state, const char *name) {
  const state_tensor *tensor = state_dict_find(state, name);
  return tensor && tensor->rank == 2 ? tensor->shape[0] : 0;
}

/* Counters of batches are state that nothing computes with. */
static bool is_ignored(const char *name) {
  size_t length = strlen(name);
  static const char end[] = ".num_batches_tracked";
  return length > sizeof end - 1 && !strcmp(name + length - (sizeof end - 1), end);
}

static const network_state *find_state(const network *n, const char *name) {
  for (size_t i = 0; i < n->state_count; i++)
    if (!strcmp(n->states[i].name, name)) return &n->states[i];
  return NULL;
}

static kn_status check(const char *path, const state_dict *state, const network *n) {
  for (size_t i = 0; i < n->state_count; i++) {
    const network_state *wanted = &n->states[i];
    const state_tensor *found = state_dict_find(state, wanted->name);
    if (!found) return kn_status_make(KN_INCOMPATIBLE, "%s: the weights of %s lack '%s'", path, n->name, wanted->name);
    bool same =
        found->rank == wanted->rank && !memcmp(found->shape, wanted->shape, wanted->rank * sizeof *found->shape);
    if (!same || (found->dtype != KN_FLOAT32 && found->dtype != KN_FLOAT16 && found->dtype != KN_FLOAT64 &&
                  found->dtype != KN_BFLOAT16))
      return kn_status_make(KN_INCOMPATIBLE, "%s: '%s' has not the shape or type that %s has", path, wanted->name,
                            n->name);
  }
  for (size_t i = 0; i < state->count; i++)
    if (!is_ignored(state->items[i].name) && !find_state(n, state->items[i].name))
      return kn_status_make(KN_INCOMPATIBLE, "%s: %s has no tensor '%.80s'", path, n->name, state->items[i].name);
  return NULL;
}

kn_status network_of_state(const char *path, const state_dict *state, network *out_network) {
  int64_t plain = rows_of(state, "classifier.1.weight"), head = rows_of(state, "classifier.9.weight"),
          small = rows_of(state, "out_layer.weight"), lite = rows_of(state, "_fc.weight");
  bool mobilenet =
      state_dict_find(state, "features.18.0.weight") && state_dict_find(state, "features.1.conv.0.0.weight");
  *out_network = (network){0};
  if (mobilenet && (plain || head))
    KN_TRY(network_mobilenet_v2(head ? head : plain, head != 0, true, out_network));
  else if (small && state_dict_find(state, "conv_1.weight"))
    KN_TRY(network_fashion_mnist(small, out_network));
  else if (lite && state_dict_find(state, "_conv_stem.weight"))
    KN_TRY(network_efficientnet_lite0(lite, out_network));
  else
    return kn_status_make(KN_INCOMPATIBLE,
                          "%s holds weights of a network that is not known here (it begins with '%.80s'). Known are "
                          "torchvision's mobilenet_v2, the original's for pets, EfficientNet-Lite0, and Kenning's for "
                          "Fashion-MNIST; of any other network save TorchScript: torch.jit.script(model).save(PATH)",
                          path, state->items[0].name);
  kn_status status = check(path, state, out_network);
  if (status) network_clear(out_network);
  return status;
}
