/* The network of TensorFlowPetDatasetMobileNetV2 as a Keras model_config: MobileNetV2 of width 1.0 without its top, and
 * the original's head of dense layers. Layers are named as in keras.applications, so that its weights fit. */
#ifndef TENSORFLOW_MOBILENET_V2_H
#define TENSORFLOW_MOBILENET_V2_H

#include "keras_model.h"

enum { MOBILENET_V2_SIDE = 224 };

typedef struct mobilenet_v2 {
  int64_t classes;
  double dropout;   /* after each hidden dense layer */
  bool frozen;      /* the base is not trained, but for */
  int64_t unfrozen; /* its last layers, all of them when negative; normalizations stay frozen */
} mobilenet_v2;

/* Makes the model, without weights. The first *out_base_layers layers of its network are the base. */
kn_status mobilenet_v2_make(const mobilenet_v2 *settings, keras_model *out_model, size_t *out_base_layers) KN_MUST_USE;

#endif
