/* What a class must be like before it is registered. */
#ifndef KENNING_CORE_CLASS_H
#define KENNING_CORE_CLASS_H

#include <kenning/block.h>

/* Why `cls` cannot be used, or NULL. Mandatory functions, and the option rows as far as memory depends on them, are
 * checked here, once, so that nobody else has to. */
const char *kn_class_fault(const kn_class *cls);

#endif
