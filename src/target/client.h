/* The host's end of a connection to a target: requests and their answers, one at a time. The target may be of ours, of
 * the original or of neither; nothing it sends is believed beyond its size. */
#ifndef KENNING_TARGET_CLIENT_H
#define KENNING_TARGET_CLIENT_H

#include "target/protocol.h"
#include "wire/extension.h"

/* An answer whose beginning was read. */
typedef struct kn_pending {
  bool open;
  kn_frame frame;
  uint32_t left; /* payload bytes of the frame */
  uint8_t sum;
} kn_pending;

typedef struct kn_client {
  kn_connection connection;
  kn_link_config link;
  uint8_t *piece; /* of a file on its way, one frame long */
  size_t piece_bytes;
  bool extended;   /* the target granted the extensions */
  bool misheard;   /* the target refused the last request since it arrived disturbed: it may be sent again */
  int repetitions; /* of the answer under way */
  int notices;     /* messages between the pieces of that answer */
  int64_t until;   /* when that must have come as far as it was announced */
  kn_pending pending;
  char last_log[256]; /* the target's last error message, "" when there is none */
} kn_client;

/* Takes over the connection, also on failure, and waits for the target's greeting where there is one. */
kn_status kn_client_open(kn_connection connection, const kn_link_config *link, kn_client *out_client) KN_MUST_USE;
/* A zeroed client is allowed, if its connection's fd is -1. */
void kn_client_close(kn_client *client);

/* IO_SPEC. In JSON or, of KN_PACKED_IOSPEC bytes, packed; with the offer where the link makes it. */
kn_status kn_client_specify(kn_client *client, const void *spec, size_t bytes) KN_MUST_USE;

/* A request with a payload of at most KN_CONNECTION_PIECES - 1 pieces, and its answer. A target that refuses is
 * KN_BACKEND_FAILED with its reason, or what it says where the extensions are spoken; a connection that broke
 * KN_IO_ERROR, KN_TIMEOUT or KN_BAD_DATA. */
kn_status kn_client_upload(kn_client *client, kn_message type, const void *payload, size_t bytes) KN_MUST_USE;
/* The same with a file as the payload. */
kn_status kn_client_upload_file(kn_client *client, kn_message type, const char *path) KN_MUST_USE;
/* PROCESS. */
kn_status kn_client_process(kn_client *client) KN_MUST_USE;
/* OUTPUT: `bytes` of it, neither more nor less. */
kn_status kn_client_output(kn_client *client, void *to, size_t bytes) KN_MUST_USE;
/* STATS: at most `limit` bytes; a NUL stands behind. Free with kn_free. */
kn_status kn_client_statistics(kn_client *client, size_t limit, char **out_text, size_t *out_bytes) KN_MUST_USE;

/* OPTIMIZE_MODEL: the result, likewise. */
kn_status kn_client_optimize(kn_client *client, size_t limit, char **out_model, size_t *out_bytes) KN_MUST_USE;

/* Of the extensions, for a client that is `extended`. An inference in one round trip: begin sends the inputs, wait
 * returns when the answer begins, finish reads the outputs. */
kn_status kn_client_infer_begin(kn_client *client, const void *inputs, size_t bytes) KN_MUST_USE;
kn_status kn_client_infer_wait(kn_client *client, kn_infer_times *out_times) KN_MUST_USE;
kn_status kn_client_infer_finish(kn_client *client, void *to, size_t bytes) KN_MUST_USE;
/* The target's clock. */
kn_status kn_client_clock(kn_client *client, int64_t *out_ns) KN_MUST_USE;
/* Whether the target has this model and has loaded it now. */
kn_status kn_client_identify(kn_client *client, const kn_identity *model, bool *out_loaded) KN_MUST_USE;

#endif
