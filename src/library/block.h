/* The blocks that users of the C library hold. */
#ifndef KENNING_LIBRARY_BLOCK_H
#define KENNING_LIBRARY_BLOCK_H

#include "core/instance.h"

#include <kenning/run.h>

struct kn_block {
  kn_instance instance;
};

/* NULL, or KN_INVALID_ARGUMENT where `block` is of another kind; NULL blocks fit. */
kn_status kn_block_check_kind(const kn_block *block, kn_kind kind) KN_MUST_USE;

#endif
