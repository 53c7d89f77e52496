/* A module loaded into the engine, one of its functions chosen, inputs and outputs bound to an io specification. */
#ifndef KN_IREE_SESSION_H
#define KN_IREE_SESSION_H

#include "declaration.h"

typedef struct kn_iree_session {
  const kn_iree_api *api;
  kenning_iree_program *program;
  char *function;
  kn_iospec found;          /* in the function's order */
  kn_iospec spec;           /* in the order in which tensors are handed over */
  size_t *inputs, *outputs; /* places in the function, by position in the spec */
  void **output_bytes;      /* by position in the spec: where an output goes before it is converted */
  bool ran;
} kn_iree_session;

typedef struct kn_iree_settings {
  const char *driver;   /* "local-sync", "local-task" */
  int64_t threads;      /* of local-task; 0: one per core */
  const char *function; /* name, or NULL: the only one */
} kn_iree_settings;

/* KN_NOT_FOUND, KN_BAD_DATA (no module), KN_INCOMPATIBLE (module for another processor or version, batch, io
 * specification, which function), KN_BACKEND_FAILED. After a failure, and for a zeroed session, kn_iree_session_close
 * does what is left to do. */
kn_status kn_iree_session_open(kn_iree_session *session, const kn_iree_api *api, const kn_load_request *request,
                               const kn_iree_settings *settings) KN_MUST_USE;
void kn_iree_session_close(kn_iree_session *session);

#endif
