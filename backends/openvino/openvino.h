/* The classes of this plug-in. */
#ifndef KN_VINO_OPENVINO_H
#define KN_VINO_OPENVINO_H

#include <kenning/block.h>

extern const kn_class kn_vino_runtime_class;
extern const kn_class kn_vino_quantizer_class;

#endif
