/* The classes of this plug-in. */
#ifndef KN_TVM_H
#define KN_TVM_H

#include <kenning/block.h>

extern const kn_class kn_tvm_compiler_class, kn_tvm_runtime_class;

#endif
