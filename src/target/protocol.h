/* Runtime protocols: blocks that say how a peer is reached and which wire format is spoken with it. What is said over
 * the connection is the same for all of them. */
#ifndef KENNING_TARGET_PROTOCOL_H
#define KENNING_TARGET_PROTOCOL_H

#include "core/instance.h"
#include "target/session.h"
#include "transport/connection.h"

/* Settings of a connection, from the options of the block. */
typedef struct kn_link_config {
  kn_wire_config wire;
  bool hello;            /* the target sends one byte to the client that it takes */
  bool ping;             /* a PING begins the connection and another ends it */
  bool packed;           /* the io specification is sent in its packed form */
  bool offer;            /* the host offers the extensions to its target */
  int retries;           /* times that the host connects again when the connection breaks */
  double heartbeat_s;    /* a target that works gives a sign of life so often to a host that knows it; 0: never */
  double timeout_s;      /* for a message, besides what its bytes take at `slowest` */
  double gap_s;          /* between two answers to one request (PROCESS of 2022): the original's host fails when both
                          * come at once. Hosts of ours do not need it, where they are known */
  double idle_s;         /* a target waits so long for the next request */
  double engine_s;       /* a call of the runtime may take so long */
  double slowest;        /* bytes per second below which a peer is given up */
  uint64_t model_limit;  /* bytes */
  uint64_t tensor_limit; /* bytes of all inputs, and of all outputs */
} kn_link_config;

typedef struct kn_runtimeprotocol_ops {
  size_t struct_size;
  /* Checks combinations of options; opens nothing. */
  kn_status (*open)(void *self, kn_link_config *out_config);
  void (*close)(void *self);
  /* `model_path` is the file that is loaded next; nothing but isolation has a use for it. */
  kn_status (*connect)(void *self, const char *model_path, int64_t deadline_ns, kn_connection *out_connection);
  /* A descriptor that clients connect to; *out_where, for people, is freed with kn_free. KN_INVALID_ARGUMENT when it
   * would be open to others without their being checked. */
  kn_status (*listen)(void *self, int *out_fd, char **out_where);
  /* Prepares an accepted connection, which may take a handshake; NULL slot: nothing to do. */
  kn_status (*prepare)(void *self, kn_connection *connection, int64_t deadline_ns);
  bool line;     /* what `listen` gives is the connection itself: a line with one peer */
  bool in_place; /* the target reads the host's own model file */
  /* Says more about a failure that may come from the end of the target; NULL slot: nothing is known. Takes `status`. */
  kn_status (*explain)(void *self, kn_status status);
} kn_runtimeprotocol_ops;

#endif
