/* The server of a target: one client at a time, each served by a process of its own, which is this program started
 * afresh. Whatever a client or a model does to that process, the server goes on with the next client. */
#ifndef KENNING_TARGET_SERVER_H
#define KENNING_TARGET_SERVER_H

#include "core/scenario.h"
#include "target/protocol.h"

/* Descriptors of a worker; the last is there for its parent, who sees by it when the worker has ended. */
enum { KN_WORKER_CLIENT_FD = 3, KN_WORKER_CONFIG_FD = 4, KN_WORKER_SLOTS_FD = 5, KN_WORKER_LIFE_FD = 6 };
/* Where a worker finds its scenario. */
#define KN_WORKER_CONFIG "/proc/self/fd/4"

typedef struct kn_server_request {
  const kn_scenario *scenario;         /* runtime and runtime_protocol, checked to be runnable */
  const char *const *worker_arguments; /* NULL-terminated; behind the name of the program */
  const char *launcher;                /* words in front of it, divided by blanks: "taskset -c 1"; NULL: none */
} kn_server_request;

/* Serves until SIGINT or SIGTERM (kn_cancelled), which is success. Both must have handlers that return. */
kn_status kn_server_run(const kn_server_request *request) KN_MUST_USE;

#endif
