/* A runtime in a worker process of this run: a protocol like others, whose target is started when it is connected to.
 */
#ifndef KENNING_TARGET_ISOLATED_H
#define KENNING_TARGET_ISOLATED_H

#include "target/protocol.h"
#include "target/spawn.h"

typedef struct kn_isolated {
  kn_instance protocol;       /* .self is this struct */
  const kn_instance *runtime; /* what the worker runs */
  kn_child child;
} kn_isolated;

/* Fills `isolated`, which must not move, and returns its protocol. There is nothing to free once its close was called.
 */
const kn_instance *kn_isolated_protocol(kn_isolated *isolated, const kn_instance *runtime);

#endif
