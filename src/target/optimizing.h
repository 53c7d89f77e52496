/* The host's end of optimizers on a target. */
#ifndef KENNING_TARGET_OPTIMIZING_H
#define KENNING_TARGET_OPTIMIZING_H

#include "target/client.h"

typedef struct kn_optimizing {
  const kn_instance *protocol;
  const kn_instance *optimizers; /* `count` in a row, run by the target one after the other */
  size_t count;
  const char *model_path, *format; /* format NULL: not known */
  const kn_iospec *spec;
  const char *result_path; /* written whole or not at all */
} kn_optimizing;

/* Connects, sends, waits, stores. The result's inputs and outputs travel as those of the model that was sent. */
kn_status kn_optimizing_run(const kn_optimizing *optimizing) KN_MUST_USE;

#endif
