/* Weights in memory for networks that are trained here: drawn, or taken from a state dictionary. */
#ifndef PYTORCH_WEIGHTS_H
#define PYTORCH_WEIGHTS_H

#include "network.h"

/* All tensors of the network as training from nothing starts with them. */
kn_status weights_draw(const network *n, uint64_t seed, state_dict *out_state) KN_MUST_USE;
/* Replaces those of the base by what the state dictionary `path` has under the same names, and all others too where it
 * has all of them (*out_whole). KN_INCOMPATIBLE when one of the base is missing or has another shape or type. */
kn_status weights_take(const network *n, const char *path, state_dict *state, bool *out_whole) KN_MUST_USE;

#endif
