#define KN_PLUGIN_MAIN
#include <kenning/plugin.h>

#include "openvino.h"

KN_PLUGIN("openvino", "0.1.0", "Apache-2.0", "2025.0 - 2026.4", &kn_vino_quantizer_class, &kn_vino_runtime_class)
