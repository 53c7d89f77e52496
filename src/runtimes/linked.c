/* The runtime of a static kenning-server: its model is part of the program. Everywhere else the class is known by its
 * name, so that a host's scenario can say what runs on the target. */
#include "runtimes/linked.h"

static const kn_option options[] = {{0}};

extern const kn_class kn_linked_runtime_class;
const kn_class kn_linked_runtime_class = {.struct_size = sizeof(kn_class),
                                          .name = "kenning.runtimes.linked.LinkedRuntime",
                                          .kind = KN_KIND_RUNTIME,
                                          .summary = "Runs the model that is linked into a static kenning-server",
                                          .options = options,
                                          .instance_size = sizeof(kn_linked_runtime),
#ifdef KN_LINKED_MODEL
                                          .ops = &kn_linked_runtime_ops,
#endif
                                          .input_formats = (const char *const[]){"any", NULL}};
