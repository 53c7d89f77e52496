/* Host and target of one protocol, instances of the same class, who meet at the place that the fixtures name. */
#ifndef TESTS_CONTRACT_PROTOCOL_MEETING_H
#define TESTS_CONTRACT_PROTOCOL_MEETING_H

#include <pthread.h>

#include "contract/subject.h"
#include "target/remote.h"
#include "target/worker.h"
#include "unit/target/line.h"
#include "unit/target/peer.h"

/* What an end has to wait for at most. */
enum { PATIENCE_MS = 10000 };

typedef struct meeting {
  subject *at;
  block *host, *target;
  const kn_runtimeprotocol_ops *ops;
  line line;
  bool has_line;
  char port[16];
  size_t descriptors; /* that were open before */
} meeting;

typedef struct server {
  meeting *m;
  kn_link_config link;
  kt_target target;
  int listener;
  pthread_t thread;
  kn_status status; /* of the last client */
} server;

const kn_runtimeprotocol_ops *protocol_ops(const subject *at);

/* Makes both ends; closing sees to it that no descriptor was left open. */
void meeting_open(meeting *m, subject *at);
void meeting_close(meeting *m);
void meeting_set(block *one, const char *name, const char *text);
/* One more end. "@port" is a free one, "@line" a serial device, "@directory/..." below the rule's directory. */
block *meeting_end(meeting *m, bool target);

/* The target's end. */
void meeting_listen(meeting *m, server *s);
void meeting_stop(server *s);
/* A line has one client, who is there when it speaks. */
int meeting_accept(const server *s);
kn_status meeting_serve_client(server *s);
/* What the last client of a line left half-said means nothing to the next one. */
void meeting_clear_line(const server *s);

/* The host's end. */
kn_status meeting_load(meeting *m, kn_remote *remote);
/* Both ends, once. */
void meeting_serve(server *s);

#endif
