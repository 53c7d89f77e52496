/* Serves one client on a connection, in the calling thread, until either end is done. */
#ifndef KENNING_TARGET_WORKER_H
#define KENNING_TARGET_WORKER_H

#include "core/scenario.h"
#include "target/protocol.h"

/* `engine` is open. NULL when the client closed the connection between two messages or was told why it is closed. */
kn_status kn_worker_serve(kn_connection *connection, const kn_link_config *link, const kn_session_config *config,
                          kn_target_engine *engine) KN_MUST_USE;

/* The worker process of a server: serves the client on `client_fd` with the runtime of `scenario`. `model_path`, where
 * it is not NULL, is the model that this client's empty MODEL message loads in place; inputs and outputs are then those
 * of KN_WORKER_SLOTS_FD. */
kn_status kn_worker_run(const kn_scenario *scenario, int client_fd, const char *model_path) KN_MUST_USE;

#endif
