/* The classes of this plug-in. */
#ifndef KN_TFLITE_H
#define KN_TFLITE_H

#include <kenning/block.h>

extern const kn_class kn_tflite_runtime_class;
extern const kn_class kn_tflite_compiler_class;
extern const kn_class kn_tensorflow_pruning_class;
extern const kn_class kn_tensorflow_clustering_class;
extern const kn_class kn_ai_edge_quantizer_class;

#endif
