#define KN_PLUGIN_MAIN
#include "example.h"

KN_PLUGIN("example", "1.0", "Apache-2.0", NULL, &spirals_dataset_class, &nearest_centroid_runtime_class)
