#define KN_PLUGIN_MAIN
#include <kenning/plugin.h>

#include "iree.h"

KN_PLUGIN("iree", "0.1.0", "Apache-2.0", "3.13", &kn_iree_compiler_class, &kn_iree_runtime_class)
