/* Both ends of a connection in one process: our target in a thread, and whoever is at the other end. */
#ifndef TESTS_UNIT_TARGET_SERVED_H
#define TESTS_UNIT_TARGET_SERVED_H

#include "target/worker.h"
#include "unit/target/peer.h"

kn_link_config kt_link_of(const kn_wire_config *wire, double timeout_s);
/* Two connections that are each other's peers; fails the test when there are none. */
void kt_connect_pair(kn_connection *one, kn_connection *other);

typedef struct kt_served {
  kt_target target;
  kn_link_config link;
  kn_connection connection;
  kn_status status;
} kt_served;

/* Of a thread: serves the client of a kt_served until it goes, and leaves the outcome in its status. */
void *kt_serve(void *served);

#endif
