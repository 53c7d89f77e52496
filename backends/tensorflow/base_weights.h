/* Weights of a base taken from another model's file: a whole Keras model (.h5, .keras) or weights alone (.h5), with the
 * base at its outermost level or as a layer. */
#ifndef TENSORFLOW_BASE_WEIGHTS_H
#define TENSORFLOW_BASE_WEIGHTS_H

#include "keras_model.h"

/* Gives the first `base_layers` layers of `model`, which has no weights yet, those of the layers of the same names in
 * the file; where the names are others, those of its first layers with weights, whose kinds and shapes must fit. The
 * other layers get theirs too when the file has all of them in the same shapes: *out_head. KN_NOT_FOUND, KN_BAD_DATA,
 * KN_INCOMPATIBLE: weights are missing or have other shapes; which. */
kn_status base_weights_load(const char *path, keras_model *model, size_t base_layers, bool *out_head) KN_MUST_USE;

#endif
