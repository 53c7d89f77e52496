/* The runtime of a model that is part of the program. */
#ifndef KENNING_RUNTIMES_LINKED_H
#define KENNING_RUNTIMES_LINKED_H

#include <kenning/block.h>

typedef struct kn_linked_runtime {
  kn_runtime_options base;
  bool loaded;
  kn_iolist found_input, found_output;  /* the model's, in its order */
  kn_iospec spec;                       /* the same in the order that the host's specification has */
  size_t *input_places, *output_places; /* of entries of `spec` in the model's order */
  void **inputs, **outputs;             /* the model's tensors */
} kn_linked_runtime;

extern const kn_runtime_ops kn_linked_runtime_ops;

#endif
