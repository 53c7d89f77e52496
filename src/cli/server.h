/* Serving a target: `kenning server`, the original's two scenarios, and the small program kenning-server. */
#ifndef KENNING_CLI_SERVER_H
#define KENNING_CLI_SERVER_H

#include "cli/command.h"

typedef struct kn_server_values {
  kn_common_options common;
  char *json_cfg, *launcher;
} kn_server_values;

extern const kn_option kn_server_options[];

#define KN_SERVER_USAGE "--json-cfg S.json | PROTOCOL RUNTIME [flags of both]"

/* `argv[0]` names the command, or is NULL-free text for messages. `worker` are the arguments by which this program
 * serves as a worker. */
int kn_serve(int argc, char **argv, const char *const *worker);

#endif
