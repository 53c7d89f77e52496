/* The classes of this plug-in. */
#ifndef EXAMPLE_H
#define EXAMPLE_H

#include <kenning/plugin.h>

extern const kn_class spirals_dataset_class;
extern const kn_class nearest_centroid_runtime_class;

#endif
