/* The public header under the name that this room uses. */
#ifndef KENNING_MEASUREMENTS_RANDOM_H
#define KENNING_MEASUREMENTS_RANDOM_H

#include <kenning/random.h>

#endif
