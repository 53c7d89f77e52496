/* The other ends of bench-wire, each a process: bare ones and ours. */
#ifndef KENNING_BENCH_WIRE_PEERS_H
#define KENNING_BENCH_WIRE_PEERS_H

#include "target/protocol.h"

enum { INPUT = 602112, OUTPUT = 4000, UPLOAD = 14 << 20 };

typedef enum kn_peer { RAW, RAW_TLS, RAW_UPLOAD, OURS, OURS_TLS, TIMED } kn_peer;

extern pid_t last_server; /* the process that `start` made */
extern struct timed {
  int64_t whole;      /* TIMED: when the last message was whole */
  double store, load; /* seconds that the model took then */
} * timed;            /* shared by the processes */
extern char model_path[64], psk_path[64];

/* Ends the program with a message. */
void give_up(kn_status status);
kn_link_config link_of(kn_wire_format format, bool checksums);
/* A connection to a new process; OURS_TLS with its handshake done. */
kn_connection start(kn_peer peer, kn_link_config link);
/* Makes a descriptor wait. */
void block(int fd);
void raw_all(int fd, void *data, size_t bytes, bool writing);
/* The handshake on a connection that then blocks; libssl's SSL. */
void *bare_tls(kn_connection *connection, bool server);
void tls_all(void *ssl, void *data, size_t bytes, bool writing);
void find_ssl(void);

#endif
