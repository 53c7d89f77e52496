#define KN_PLUGIN_MAIN
#include <kenning/plugin.h>

#include "tflite.h"

KN_PLUGIN("tflite", "0.1.0", "Apache-2.0", "2.17 - 2.21", &kn_tflite_compiler_class, &kn_tflite_runtime_class,
          &kn_tensorflow_pruning_class, &kn_tensorflow_clustering_class, &kn_ai_edge_quantizer_class)
