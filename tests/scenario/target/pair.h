/* Host and target as two real programs in one directory. */
#ifndef TESTS_SCENARIO_TARGET_PAIR_H
#define TESTS_SCENARIO_TARGET_PAIR_H

#include "support/program.h"

#include <yyjson.h>

typedef struct pair {
  char *directory;
  kt_run_options options;
  kt_process *server;
  int port;
} pair;

/* `make_pair` writes s.json of the server and c.json of the client; `protocol` has one %d, the port. */
int free_port(void);
void write_in(const pair *p, const char *name, const char *text);
char *read_in(const pair *p, const char *name);
yyjson_doc *measured(const pair *p, const char *name);
pair make_pair(const char *protocol, const char *runtime, int samples);
/* No server: a client alone, whose runtime is to have "isolate", with inputs of `dims`. */
pair make_isolated(const char *runtime, const char *dims, int samples);
void start_server(pair *p);
void stop_server(pair *p);
void drop_pair(pair *p);
kt_run run_client(pair *p, const char *output);
void expect_incomplete(pair *p, const char *name, size_t least);

#define EARLY                                                                                                   \
  "{\"type\": \"kenning.runtimeprotocols.network.NetworkProtocol\", \"parameters\": {\"host\": \"127.0.0.1\", " \
  "\"port\": %d, \"timeout\": 20}}"
#define IMPATIENT                                                                                               \
  "{\"type\": \"kenning.runtimeprotocols.network.NetworkProtocol\", \"parameters\": {\"host\": \"127.0.0.1\", " \
  "\"port\": %d, \"timeout\": 1}}"
#define HASTY                                                                                                  \
  "{\"type\": \"kenning.protocols.network.NetworkProtocol\", \"parameters\": {\"port\": %d, \"timeout\": 20, " \
  "\"idle_timeout\": 1}}"
#define TODAY                                                                                            \
  "{\"type\": \"kenning.protocols.network.NetworkProtocol\", \"parameters\": {\"host\": \"127.0.0.1\", " \
  "\"port\": %d, \"timeout\": 20, \"error_recovery\": true, \"max_message_size\": 100}}"
#define STRICT                                                                                                 \
  "{\"type\": \"kenning.protocols.network.NetworkProtocol\", \"parameters\": {\"port\": %d, \"timeout\": 20, " \
  "\"engine_timeout\": 2}}"
#define PLAIN                                                                                                  \
  "{\"type\": \"kenning.protocols.network.NetworkProtocol\", \"parameters\": {\"port\": %d, \"timeout\": 20, " \
  "\"extensions\": false}}"
#define PERSISTENT                                                                                              \
  "{\"type\": \"kenning.runtimeprotocols.network.NetworkProtocol\", \"parameters\": {\"host\": \"127.0.0.1\", " \
  "\"port\": %d, \"timeout\": 20, \"retries\": 100}}"
#define TAGGED                                                                                \
  "{\"type\": \"kenning.protocols.network.NetworkProtocol\", \"parameters\": {\"port\": %d, " \
  "\"wire\": \"8-byte\"}}"
#define UNIX "{\"type\": \"UnixSocketProtocol\", \"parameters\": {\"socket_path\": \"s%d.sock\"}}"
#define ECHO "{\"type\": \"NullRuntime\", \"parameters\": {\"result\": \"echo\"}}"
#define FAULTY(fault) "{\"type\": \"FaultyRuntime\", \"parameters\": {\"fault\": \"" fault "\", \"after\": 5}}"

#endif
