/* Optimizers on a target. A host sends a list of optimizers, a model, and wants the result; the target runs those that
 * its own scenario has (with "location": "target"), and no others. From the host come the order, and the settings that
 * are numbers, switches or choices; classes are compared, not loaded, and every path and every text is the target's
 * own. */
#ifndef KENNING_TARGET_OPTIMIZE_H
#define KENNING_TARGET_OPTIMIZE_H

#include "core/scenario.h"

enum { KN_OPTIMIZERS_LIMIT = 64 };

typedef struct kn_optimization {
  kn_instance *own; /* of the target's scenario; their settings are changed */
  size_t own_count;
  const char *place; /* beside this path the model is put */
  kn_instance *chosen[KN_OPTIMIZERS_LIMIT];
  size_t count;
  kn_iospec spec; /* of the model that comes */
  const char *format;
  char *input; /* where it is; NULL: it did not come yet */
  char ending[8];
} kn_optimization;

/* Frees what the host gave; `own` and `place` stay. */
void kn_optimization_clear(kn_optimization *optimization);
/* OPTIMIZERS. KN_NOT_FOUND for a class that the target does not offer, KN_BAD_DATA, KN_INVALID_ARGUMENT for settings.
 */
kn_status kn_optimization_choose(kn_optimization *optimization, const char *json, size_t bytes) KN_MUST_USE;
/* UNOPTIMIZED_MODEL. */
kn_status kn_optimization_take(kn_optimization *optimization, const void *model, size_t bytes) KN_MUST_USE;
/* OPTIMIZE_MODEL. KN_INCOMPATIBLE for a result above `limit` bytes. Free with kn_free. */
kn_status kn_optimization_run(kn_optimization *optimization, size_t limit, char **out_model,
                              size_t *out_bytes) KN_MUST_USE;

#endif
