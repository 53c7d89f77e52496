/* The classes of this plug-in. */
#ifndef KN_IREE_IREE_H
#define KN_IREE_IREE_H

#include <kenning/block.h>

extern const kn_class kn_iree_runtime_class;
extern const kn_class kn_iree_compiler_class;

#endif
