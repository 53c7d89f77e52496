#include "target/session_state.h"

#include <kenning/services.h>
#include <string.h>

enum { REPLIES_KEPT = 1 << 20 }; /* more than this is given back once it is sent */

static const struct {
  const char *text;
  kn_code code;
} refusals[] = {
#define ROW(name, number, text, code) [number] = {text, code},
    KN_REFUSALS(ROW)
#undef ROW
};

const char *kn_refusal_text(kn_refusal refusal) { return refusals[refusal].text; }

kn_code kn_refusal_code(kn_refusal refusal) { return refusals[refusal].code; }

kn_status kn_target_session_create(const kn_session_config *config, kn_target_engine *engine,
                                   kn_target_session **out_session) {
  *out_session = NULL;
  kn_target_session *session = kn_alloc(sizeof *session);
  if (!session) return kn_status_out_of_memory();
  session->config = *config;
  session->engine = engine;
  session->optimization =
      (kn_optimization){.own = config->optimizers, .own_count = config->optimizer_count, .place = config->model_path};
  session->scratch = kn_alloc(SCRATCH_BYTES);
  if (!session->scratch) {
    kn_target_session_destroy(session);
    return kn_status_out_of_memory();
  }
  *out_session = session;
  return NULL;
}

void kn_target_session_destroy(kn_target_session *session) {
  if (!session) return;
  kn_optimization_clear(&session->optimization);
  kn_tensor_free(&session->input);
  kn_tensor_free(&session->output);
  kn_replies_clear(&session->replies);
  kn_free(session->scratch);
  kn_free(session->store);
  kn_free(session->result);
  kn_free(session);
}

/* ---- refusing ---- */

static kn_refusal refusal_of(kn_status status) {
  switch (kn_status_code(status)) {
    case KN_OUT_OF_MEMORY:
      return KN_REFUSED_MEMORY;
    case KN_IO_ERROR:
    case KN_BUSY:
      return KN_REFUSED_STORAGE;
    case KN_NOT_FOUND:
      return KN_REFUSED_NOT_HERE;
    case KN_BAD_DATA:
    case KN_INVALID_ARGUMENT:
    case KN_INCOMPATIBLE:
      return KN_REFUSED_BAD_DATA;
    default:
      return KN_REFUSED_ENGINE;
  }
}

void kn_session_refuse(kn_target_session *session, kn_refusal refusal, kn_status status) {
  if (session->refusal == KN_REFUSED_NONE) {
    const char *name = kn_message_name(session->type);
    session->refusal = refusal;
    session->code = status ? kn_status_code(status) : kn_refusal_code(refusal);
    bool expected = session->type == KN_MESSAGE_IDENTITY; /* the model comes then */
    kn_log(expected ? KN_LOG_DEBUG : KN_LOG_WARNING, "refused %s: %s%s%s", name ? name : "a message",
           kn_refusal_text(refusal), status ? ": " : "", status ? kn_status_message(status, 0) : "");
  }
  kn_status_free(status);
}

static void check(kn_target_session *session, kn_status status) {
  if (status) kn_session_refuse(session, refusal_of(status), status);
}

static void add_refusal(kn_target_session *session) {
  kn_replies_refusal(&session->replies, &session->config.wire, session->type, session->refusal,
                     session->extended ? session->code : KN_OK);
}

static kn_session_next hang_up(kn_target_session *session, kn_refusal refusal) {
  kn_session_refuse(session, refusal, NULL);
  add_refusal(session);
  return KN_SESSION_CLOSE;
}

/* ---- payload ---- */

/* Room for what the frames have told; grown by doubling, so that a model of many pieces is not moved for each. */
static bool reserve(kn_target_session *session, uint64_t bytes) {
  if (bytes <= session->store_capacity) return true;
  uint64_t room = (uint64_t)session->store_capacity * 2;
  if (room < bytes) room = bytes;
  if (room > session->limit) room = session->limit;
  uint8_t *store = room <= SIZE_MAX ? kn_realloc(session->store, (size_t)room) : NULL;
  if (!store) return false;
  session->store = store;
  session->store_capacity = (size_t)room;
  return true;
}

static void take_payload(kn_target_session *session, const uint8_t *data, size_t bytes) {
  if (session->config.wire.checksums) session->sum = kn_frame_sum(session->sum, data, bytes);
  session->frame_got += (uint32_t)bytes;
  session->got += bytes;
}

void *kn_target_session_window(kn_target_session *session, size_t *out_bytes) {
  if (!session->in_payload) {
    *out_bytes = kn_frame_header_size(session->config.wire.format) - session->header_bytes;
    return session->header + session->header_bytes;
  }
  *out_bytes = session->frame.payload - session->frame_got;
  bool stored = session->sink == SINK_TEXT || session->sink == SINK_MODEL;
  if (!session->refusal && stored) return session->store + session->got;
  if (!session->refusal && session->sink == SINK_INPUT) return (uint8_t *)session->input.data + session->got;
  if (*out_bytes > SCRATCH_BYTES) *out_bytes = SCRATCH_BYTES;
  return session->scratch;
}

/* ---- frames ---- */

static kn_session_next end_frame(kn_target_session *session) {
  const kn_wire_config *wire = &session->config.wire;
  bool last = session->frame.flags & KN_FLAG_LAST;
  session->in_payload = false;
  session->header_bytes = 0;
  if (wire->checksums && wire->format != KN_WIRE_2022 && session->sum != KN_CHECKSUM)
    kn_session_refuse(session, KN_REFUSED_BAD_CHECKSUM, NULL);
  if (!last) return KN_SESSION_READ;
  if (!session->request) {
    session->open = false;
    return KN_SESSION_READ;
  }
  if (session->sink == SINK_INPUT && !session->refusal && session->got != session->limit)
    kn_session_refuse(session, KN_REFUSED_WRONG_SIZE, NULL);
  if ((session->sink == SINK_TEXT || session->sink == SINK_MODEL) && !session->got)
    kn_session_refuse(session, KN_REFUSED_WRONG_SIZE, NULL);
  if (session->again) return KN_SESSION_WORK;
  /* Of 2022: PROCESS is answered before the inference and after it. */
  if (wire->format == KN_WIRE_2022 && session->type == KN_MESSAGE_PROCESS && !session->refusal)
    kn_replies_success(&session->replies, wire, session->type, NULL, 0);
  return KN_SESSION_WORK;
}

static void begin_message(kn_target_session *session) {
  session->open = true;
  session->type = session->frame.type;
  session->again = session->frame.flow == KN_FLOW_RETRANSMIT;
  session->request = session->frame.flow == KN_FLOW_REQUEST || session->again;
  session->sink = SINK_NONE;
  session->limit = IGNORED_LIMIT;
  session->got = 0;
  session->refusal = KN_REFUSED_NONE;
  if (!session->request) return; /* acknowledgements and the like say nothing that matters here */
  if (!session->again)
    kn_request_begin(session);
  else if (!session->last_bytes || session->last_type != session->type)
    kn_session_refuse(session, KN_REFUSED_WRONG_STATE, NULL); /* there is nothing to be said again */
}

/* Whether a frame is of the message under way. */
static bool goes_on(const kn_target_session *session, const kn_frame *frame) {
  bool again = frame->flow == KN_FLOW_RETRANSMIT, request = frame->flow == KN_FLOW_REQUEST || again;
  return session->open && frame->type == session->type && request == session->request && again == session->again;
}

/* The first bytes of a host that wants TLS (RFC 8446, 4.1.2 and 5.1); no frame of ours has them. */
static void tell_of_tls(const uint8_t *header) {
  if (header[0] == 0x16 && header[1] == 0x03 && header[5] == 0x01)
    kn_log(KN_LOG_WARNING,
           "the client speaks TLS, and this server has no key: give it a copy of the client's by --psk-file, in a "
           "scenario \"psk_file\", or start the client without one");
}

/* The header is whole. */
static kn_session_next begin_frame(kn_target_session *session) {
  const kn_wire_config *wire = &session->config.wire;
  size_t size = kn_frame_header_size(wire->format);
  bool open = session->open;
  if (!open) tell_of_tls(session->header);
  if (!kn_frame_decode(wire->format, wire->big_endian, session->header, &session->frame)) {
    session->type = KN_MESSAGE_PING;
    session->refusal = KN_REFUSED_NONE;
    return hang_up(session, KN_REFUSED_BAD_FRAME);
  }
  const kn_frame *frame = &session->frame;
  bool first = frame->flags & KN_FLAG_FIRST, continues = goes_on(session, frame);
  session->frame_got = 0;
  session->sum = wire->checksums ? kn_frame_sum(0, session->header, size) : 0;
  if (!open && frame->flow == KN_FLOW_REQUEST && !first) {
    session->type = frame->type;
    session->refusal = KN_REFUSED_NONE;
    return hang_up(session, KN_REFUSED_BAD_FRAGMENT);
  }
  if (open ? first || !continues : false) return hang_up(session, KN_REFUSED_BAD_FRAGMENT);
  if (!frame->payload && !(frame->flags & KN_FLAG_LAST)) { /* of such there would be no end */
    if (!open) session->type = frame->type, session->refusal = KN_REFUSED_NONE;
    return hang_up(session, KN_REFUSED_BAD_FRAGMENT);
  }
  if (!open) begin_message(session);
  if (frame->payload > session->limit || session->got > session->limit - frame->payload)
    return hang_up(session, KN_REFUSED_TOO_LARGE);
  bool stored = session->sink == SINK_TEXT || session->sink == SINK_MODEL;
  if (stored && !session->refusal && !reserve(session, session->got + frame->payload))
    kn_session_refuse(session, KN_REFUSED_MEMORY, NULL);
  if (!frame->payload) return end_frame(session);
  session->in_payload = true;
  return KN_SESSION_READ;
}

kn_session_next kn_target_session_received(kn_target_session *session, size_t bytes) {
  if (session->in_payload) {
    size_t room;
    take_payload(session, kn_target_session_window(session, &room), bytes);
    return session->frame_got == session->frame.payload ? end_frame(session) : KN_SESSION_READ;
  }
  session->header_bytes += bytes;
  if (session->header_bytes < kn_frame_header_size(session->config.wire.format)) return KN_SESSION_READ;
  return begin_frame(session);
}

/* The last answer once more. */
static kn_session_next repeat(kn_target_session *session) {
  if (session->refusal)
    add_refusal(session);
  else
    session->replies.bytes = session->last_bytes;
  session->open = false;
  session->got = 0;
  return KN_SESSION_READ;
}

kn_session_next kn_target_session_work(kn_target_session *session) {
  const kn_wire_config *wire = &session->config.wire;
  void *payload = NULL;
  size_t bytes = 0;
  if (session->again) return repeat(session);
  if (!session->refusal) check(session, kn_request_act(session, &payload, &bytes));
  if (session->refusal)
    add_refusal(session);
  else
    kn_replies_success(&session->replies, wire, session->type, payload, bytes);
  kn_request_drop(session);
  session->open = false;
  session->got = 0;
  session->last_type = session->type;
  return session->replies.lost || session->over ? KN_SESSION_CLOSE : KN_SESSION_READ;
}

/* ---- replies ---- */

const void *kn_target_session_replies(const kn_target_session *session, size_t *out_bytes) {
  *out_bytes = session->replies.lost ? 0 : session->replies.bytes;
  return session->replies.data;
}

void kn_target_session_sent(kn_target_session *session) {
  if (session->replies.bytes) session->last_bytes = session->replies.bytes;
  session->replies.bytes = 0;
  if (session->replies.capacity <= REPLIES_KEPT || session->config.wire.checksums) return;
  kn_replies_clear(&session->replies); /* nobody asks for it again */
  session->last_bytes = 0;
}

uint64_t kn_target_session_size(const kn_target_session *session) {
  return session->got + (session->in_payload ? session->frame.payload - session->frame_got : 0);
}

bool kn_target_session_extended(const kn_target_session *session) { return session->extended; }

bool kn_target_session_amid(const kn_target_session *session) {
  return session->open || session->in_payload || session->header_bytes;
}
