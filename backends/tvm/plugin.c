#define KN_PLUGIN_MAIN
#include <kenning/plugin.h>

#include "tvm.h"

KN_PLUGIN("tvm", "0.1", "Apache-2.0", "0.27, relay: 0.16", &kn_tvm_compiler_class, &kn_tvm_runtime_class)
