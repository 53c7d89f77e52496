/* Signs of life: while a target works on a request for long, a thread of its own tells the host that it is there. So a
 * host can tell a slow target from a dead one. */
#ifndef KENNING_TARGET_HEARTBEAT_H
#define KENNING_TARGET_HEARTBEAT_H

#include "core/thread.h"
#include "target/protocol.h"

#include <pthread.h>

typedef struct kn_heartbeat {
  kn_connection *connection;
  const kn_link_config *link;
  kn_thread thread;
  pthread_mutex_t mutex; /* held while something is sent */
  pthread_cond_t wake;
  bool started;
  bool working, ending; /* guarded by the mutex */
} kn_heartbeat;

/* Starts the thread. Not to be moved; stop it in every case. */
kn_status kn_heartbeat_start(kn_connection *connection, const kn_link_config *link,
                             kn_heartbeat *out_heartbeat) KN_MUST_USE;
/* A zeroed one is allowed. */
void kn_heartbeat_stop(kn_heartbeat *heartbeat);
/* Between the two, and only then, the thread may write to the connection. */
void kn_heartbeat_begin(kn_heartbeat *heartbeat);
void kn_heartbeat_end(kn_heartbeat *heartbeat);

#endif
