/* What a session remembers: for session.c, which takes frames apart, and requests.c, which does what they ask for. */
#ifndef KENNING_TARGET_SESSION_STATE_H
#define KENNING_TARGET_SESSION_STATE_H

#include "target/optimize.h"
#include "target/replies.h"

enum {
  TEXT_LIMIT = 1 << 20,    /* io specifications and other JSON */
  IGNORED_LIMIT = 1 << 20, /* payload that is read and thrown away to find the next message */
  OUTPUT_AT = 64,          /* of the outputs in their buffer, which stay aligned behind INFER's times */
  SCRATCH_BYTES = 64 << 10
};

/* Where the payload of a message goes. */
typedef enum kn_sink { SINK_NONE, SINK_TEXT, SINK_INPUT, SINK_MODEL } kn_sink;

struct kn_target_session {
  kn_session_config config;
  kn_target_engine *engine;

  uint8_t header[KN_FRAME_HEADER_MAXIMUM];
  size_t header_bytes; /* of the frame that is read */
  bool in_payload;
  kn_frame frame;
  uint32_t frame_got; /* payload bytes of the frame */
  uint8_t sum;

  bool open; /* a message is under way, from its first frame until it is answered */
  uint64_t type;
  bool request; /* it wants an answer */
  bool again;   /* it wants the last answer once more */
  kn_sink sink;
  uint64_t limit; /* payload bytes that the message may have */
  uint64_t got;   /* payload bytes, all frames together */
  kn_refusal refusal;
  kn_code code; /* of the refusal */

  uint8_t *store; /* SINK_TEXT, SINK_MODEL: as many bytes as the frames so far have told */
  size_t store_capacity;
  kn_tensor_view input, output; /* payloads of DATA and OUTPUT, aligned */
  uint8_t *scratch;             /* SCRATCH_BYTES */

  bool ready; /* a model is loaded, and there is room for its inputs and outputs */
  bool input_set, output_ready;
  bool extended; /* the client offered the extensions and was granted them */
  kn_optimization optimization;
  bool packed;  /* its io specification was, so its statistics are */
  bool over;    /* the client said goodbye */
  void *result; /* payload of the answer under way, where it is not one of the above */
  kn_replies replies;
  size_t last_bytes; /* of the last answer, which is still in `replies` */
  uint64_t last_type;
};

/* requests.c */
/* A message of session->type begins: where its payload goes and how long it may be. */
void kn_request_begin(kn_target_session *session);
/* Does what the whole message asks for; *out_payload belongs to the session. */
kn_status kn_request_act(kn_target_session *session, void **out_payload, size_t *out_bytes) KN_MUST_USE;
/* After the answer to a message that had a large payload or gave one. */
void kn_request_drop(kn_target_session *session);

/* session.c. The first reason counts; details go to the log of this machine. Takes `status`. */
void kn_session_refuse(kn_target_session *session, kn_refusal refusal, kn_status status);

#endif
