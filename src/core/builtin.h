/* Built-in classes: one line each. */
#ifndef KENNING_CORE_BUILTIN_H
#define KENNING_CORE_BUILTIN_H

#include <kenning/block.h>

/* NULL-terminated. */
extern const kn_class *const kn_builtin_classes[];

#endif
