/* A runtime in a worker process of this run: a protocol like others, whose target is started when it is connected to,
 * and inference by shared memory. */
#ifndef KENNING_TARGET_ISOLATED_H
#define KENNING_TARGET_ISOLATED_H

#include "target/limits.h"
#include "target/remote.h"
#include "target/slots.h"
#include "target/spawn.h"

enum { KN_LAST_WORDS = 2048 };

typedef struct kn_isolated {
  kn_instance protocol;       /* .self is this struct */
  const kn_instance *runtime; /* what the worker runs */
  kn_remote *remote;          /* what is said to the worker besides inference */
  kn_child child;
  kn_memory_group group;
  kn_slots slots;
  int peer;                      /* the worker's end of the slots, until it is started; -1 */
  int output;                    /* what the worker writes to stdout and stderr; -1 */
  char words[KN_LAST_WORDS + 1]; /* the end of it */
  size_t word_bytes;
  void *input, *result; /* shared: payloads of an inference whose inputs lie elsewhere, and of its outputs */
  const void *from;     /* where the inputs are */
} kn_isolated;

/* Fills `isolated`, which must not move, and returns its protocol, which `remote` is to have. */
const kn_instance *kn_isolated_protocol(kn_isolated *isolated, const kn_instance *runtime, kn_remote *remote);

/* `self` is a kn_isolated. invoke is one exchange of a few bytes; inputs in memory of kn_isolated_memory are not
 * copied. There is nothing to free after unload. */
extern const kn_inference_ops kn_isolated_inference;
/* Memory that the loaded runtime reads where it is; valid until unload. `context` is a kn_isolated. */
kn_status kn_isolated_memory(void *context, size_t bytes, void **out_data) KN_MUST_USE;

#endif
