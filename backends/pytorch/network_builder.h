/* Describing networks layer by layer. Each call adds tensors and a line of TorchScript; failing allocations are kept in
 * network.out_of_memory and told at the end. `path` is the dotted name of the layer. */
#ifndef PYTORCH_NETWORK_BUILDER_H
#define PYTORCH_NETWORK_BUILDER_H

#include "network.h"

typedef struct network_convolution {
  int64_t in, out, kernel, stride, padding, groups;
} network_convolution;

void network_begin(network *n, const char *name);
void network_line(network *n, const char *format, ...) KN_PRINTF(2, 3);
void network_add_convolution(network *n, const char *path, const network_convolution *of);
/* Batch normalization; `momentum` is PyTorch's: what a new batch counts in the moving averages. */
void network_add_normalization(network *n, const char *path, int64_t channels, double epsilon, double momentum);
void network_add_linear(network *n, const char *path, int64_t in, int64_t out, network_fill fill);
void network_add_dropout(network *n, double share);
/* Ends the source; KN_OUT_OF_MEMORY when something was missing, and then the network is cleared. */
kn_status network_end(network *n) KN_MUST_USE;

#endif
