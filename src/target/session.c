#include "target/session.h"

#include "core/file.h"
#include "target/replies.h"
#include "target/upload.h"
#include "wire/extension.h"
#include "wire/packed.h"

#include <kenning/services.h>
#include <string.h>

enum {
  TEXT_LIMIT = 1 << 20,    /* io specifications and other JSON */
  IGNORED_LIMIT = 1 << 20, /* payload that is read and thrown away to find the next message */
  OUTPUT_AT = 64,          /* of the outputs in their buffer, which stay aligned behind INFER's times */
  SCRATCH_BYTES = 64 << 10,
  REPLIES_KEPT = 1 << 20 /* more than this is given back once it is sent */
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
  kn_sink sink;
  uint64_t limit; /* payload bytes that the message may have */
  uint64_t got;   /* payload bytes, all frames together */
  kn_refusal refusal;
  kn_code code; /* of the refusal */

  uint8_t *store; /* SINK_TEXT, SINK_MODEL: as many bytes as the frames so far have told */
  size_t store_capacity;
  kn_tensor_view input, output; /* payloads of DATA and OUTPUT, aligned */
  uint8_t *scratch;             /* SCRATCH_BYTES */

  bool input_set, output_ready;
  bool extended; /* the client offered the extensions and was granted them */
  kn_replies replies;
};

const char *kn_refusal_text(kn_refusal refusal) {
  switch (refusal) {
#define TEXT(name, number, text, code) \
  case KN_REFUSED_##name:              \
    return text;
    KN_REFUSALS(TEXT)
#undef TEXT
  }
  return "refused";
}

kn_code kn_refusal_code(kn_refusal refusal) {
  switch (refusal) {
#define CODE(name, number, text, code) \
  case KN_REFUSED_##name:              \
    return code;
    KN_REFUSALS(CODE)
#undef CODE
  }
  return KN_INTERNAL;
}

kn_status kn_target_session_create(const kn_session_config *config, kn_target_engine *engine,
                                   kn_target_session **out_session) {
  *out_session = NULL;
  kn_target_session *session = kn_alloc(sizeof *session);
  if (!session) return kn_status_out_of_memory();
  session->config = *config;
  session->engine = engine;
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
  kn_tensor_free(&session->input);
  kn_tensor_free(&session->output);
  kn_replies_clear(&session->replies);
  kn_free(session->scratch);
  kn_free(session->store);
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

/* The first reason counts; details go to the log of this machine. Takes `status`. */
static void refuse(kn_target_session *session, kn_refusal refusal, kn_status status) {
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
  if (status) refuse(session, refusal_of(status), status);
}

static void add_refusal(kn_target_session *session) {
  kn_replies_refusal(&session->replies, &session->config.wire, session->type, session->refusal,
                     session->extended ? session->code : KN_OK);
}

static kn_session_next hang_up(kn_target_session *session, kn_refusal refusal) {
  refuse(session, refusal, NULL);
  add_refusal(session);
  return KN_SESSION_CLOSE;
}

/* ---- a message begins ---- */

static void begin_model(kn_target_session *session) {
  if (session->config.in_place) {
    if (session->frame.payload) refuse(session, KN_REFUSED_NOT_SUPPORTED, NULL);
    return;
  }
  session->sink = SINK_MODEL;
  session->limit = session->config.model_limit;
}

static void begin_input(kn_target_session *session) {
  session->sink = SINK_INPUT;
  session->limit = session->engine->input.bytes;
  session->input_set = session->output_ready = false;
  if (session->engine->loaded) return;
  session->limit = session->engine->payload_limit;
  refuse(session, KN_REFUSED_WRONG_STATE, NULL);
}

static void begin_message(kn_target_session *session) {
  session->open = true;
  session->type = session->frame.type;
  session->request = session->frame.flow == KN_FLOW_REQUEST;
  session->sink = SINK_NONE;
  session->limit = IGNORED_LIMIT;
  session->got = 0;
  session->refusal = KN_REFUSED_NONE;
  if (!session->request) return; /* acknowledgements and the like say nothing that matters here */
  const kn_target_engine *engine = session->engine;
  if (kn_message_extends(session->type) && !session->extended) {
    refuse(session, KN_REFUSED_UNKNOWN_TYPE, NULL);
    return;
  }
  switch (session->type) {
    case KN_MESSAGE_IO_SPEC:
      session->sink = SINK_TEXT;
      session->limit = TEXT_LIMIT;
      break;
    case KN_MESSAGE_MODEL:
      begin_model(session);
      break;
    case KN_MESSAGE_DATA:
    case KN_MESSAGE_INFER:
      begin_input(session);
      break;
    case KN_MESSAGE_IDENTITY:
      session->sink = SINK_TEXT;
      session->limit = KN_IDENTITY_BYTES;
      break;
    case KN_MESSAGE_PROCESS:
      if (!engine->loaded || !session->input_set) refuse(session, KN_REFUSED_WRONG_STATE, NULL);
      break;
    case KN_MESSAGE_OUTPUT:
      if (!engine->loaded || !session->output_ready) refuse(session, KN_REFUSED_WRONG_STATE, NULL);
      break;
    case KN_MESSAGE_STATS:
    case KN_MESSAGE_CLOCK:
      break;
    case KN_MESSAGE_PING: /* in the format of 2022 the number is that of an answer */
      if (session->config.wire.format != KN_WIRE_2022) break;
      refuse(session, KN_REFUSED_UNKNOWN_TYPE, NULL);
      break;
    default:
      refuse(session, kn_message_name(session->type) ? KN_REFUSED_NOT_SUPPORTED : KN_REFUSED_UNKNOWN_TYPE, NULL);
  }
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
    refuse(session, KN_REFUSED_BAD_CHECKSUM, NULL);
  if (!last) return KN_SESSION_READ;
  if (!session->request) {
    session->open = false;
    return KN_SESSION_READ;
  }
  if (session->sink == SINK_INPUT && !session->refusal && session->got != session->limit)
    refuse(session, KN_REFUSED_WRONG_SIZE, NULL);
  if ((session->sink == SINK_TEXT || session->sink == SINK_MODEL) && !session->got)
    refuse(session, KN_REFUSED_WRONG_SIZE, NULL);
  /* Of 2022: PROCESS is answered before the inference and after it. */
  if (wire->format == KN_WIRE_2022 && session->type == KN_MESSAGE_PROCESS && !session->refusal)
    kn_replies_success(&session->replies, wire, session->type, NULL, 0);
  return KN_SESSION_WORK;
}

/* The header is whole. */
static kn_session_next begin_frame(kn_target_session *session) {
  const kn_wire_config *wire = &session->config.wire;
  size_t size = kn_frame_header_size(wire->format);
  bool open = session->open;
  if (!kn_frame_decode(wire->format, wire->big_endian, session->header, &session->frame)) {
    session->type = KN_MESSAGE_PING;
    session->refusal = KN_REFUSED_NONE;
    return hang_up(session, KN_REFUSED_BAD_FRAME);
  }
  const kn_frame *frame = &session->frame;
  bool first = frame->flags & KN_FLAG_FIRST,
       continues = open && frame->type == session->type && (frame->flow == KN_FLOW_REQUEST) == session->request;
  session->frame_got = 0;
  session->sum = wire->checksums ? kn_frame_sum(0, session->header, size) : 0;
  if (!open && frame->flow == KN_FLOW_REQUEST && !first) {
    session->type = frame->type;
    session->refusal = KN_REFUSED_NONE;
    return hang_up(session, KN_REFUSED_BAD_FRAGMENT);
  }
  if (open ? first || !continues : false) return hang_up(session, KN_REFUSED_BAD_FRAGMENT);
  if (!open) begin_message(session);
  if (frame->payload > session->limit || session->got > session->limit - frame->payload)
    return hang_up(session, KN_REFUSED_TOO_LARGE);
  bool stored = session->sink == SINK_TEXT || session->sink == SINK_MODEL;
  if (stored && !session->refusal && !reserve(session, session->got + frame->payload))
    refuse(session, KN_REFUSED_MEMORY, NULL);
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

/* ---- what messages do ---- */

static kn_status make_payload(kn_tensor_view *payload, size_t bytes) {
  kn_tensor_free(payload);
  int64_t shape[1] = {(int64_t)bytes};
  return kn_tensor_create(KN_UINT8, 1, shape, payload);
}

static void drop_store(kn_target_session *session) {
  kn_free(session->store);
  session->store = NULL;
  session->store_capacity = 0;
}

static kn_status store_model(kn_target_session *session) {
  kn_upload upload;
  KN_TRY(kn_upload_begin(session->config.model_path, &upload));
  kn_status status = kn_upload_add(&upload, session->store, (size_t)session->got);
  if (!status) status = kn_upload_commit(&upload);
  kn_upload_clear(&upload);
  drop_store(session);
  return status;
}

static kn_status load_stored(kn_target_session *session) {
  session->input_set = session->output_ready = false;
  KN_TRY(kn_target_engine_load(session->engine, session->config.model_path, session->config.sampled));
  KN_TRY(make_payload(&session->input, session->engine->input.bytes));
  return make_payload(&session->output, OUTPUT_AT + session->engine->output.bytes);
}

static kn_status load_model(kn_target_session *session) {
  session->input_set = session->output_ready = false;
  if (!session->config.in_place) KN_TRY(store_model(session));
  return load_stored(session);
}

/* The model that is there already, if it is the one that is asked for. */
static kn_status load_known(kn_target_session *session) {
  const char *path = session->config.model_path;
  uint64_t bytes;
  char sha256[65];
  if (session->got != KN_IDENTITY_BYTES) return kn_status_make(KN_BAD_DATA, "an identity has 40 bytes");
  const kn_identity wanted = kn_identity_read(session->store);
  if (session->config.in_place || !kn_file_exists(path, &bytes) || bytes != wanted.bytes)
    return kn_status_make(KN_NOT_FOUND, "the host's model is not here");
  KN_TRY(kn_sha256_file(path, sha256));
  if (strcmp(sha256, wanted.sha256)) return kn_status_make(KN_NOT_FOUND, "the model here is another");
  kn_log(KN_LOG_INFO, "the host's model is here already: it is not sent again");
  return load_stored(session);
}

static uint8_t *output_payload(kn_target_session *session) { return (uint8_t *)session->output.data + OUTPUT_AT; }

static kn_status infer(kn_target_session *session, void **out_payload, size_t *out_bytes) {
  kn_infer_times times;
  uint8_t *output = output_payload(session);
  KN_TRY(kn_target_engine_infer(session->engine, session->input.data, output, &times));
  session->input_set = session->output_ready = true;
  kn_infer_times_write(&times, output - KN_INFER_PREFIX);
  *out_payload = output - KN_INFER_PREFIX;
  *out_bytes = KN_INFER_PREFIX + session->engine->output.bytes;
  return NULL;
}

/* What follows is said to a client that knows the extensions, or to one that does not. */
static kn_status specify(kn_target_session *session, void **out_payload, size_t *out_bytes) {
  size_t bytes = (size_t)session->got;
  bool offered = kn_offer_found(session->store, bytes);
  session->extended = false;
  if (bytes == KN_PACKED_IOSPEC && session->store[0] != '{')
    KN_TRY(kn_target_engine_specify_packed(session->engine, session->store, bytes));
  else
    KN_TRY(kn_target_engine_specify(session->engine, (const char *)session->store, bytes));
  session->extended = offered;
  if (!offered) return NULL;
  session->scratch[0] = kn_message_action(KN_MESSAGE_IO_SPEC);
  kn_grant_write(session->scratch + 1);
  bool early = session->config.wire.format == KN_WIRE_2022; /* whose answers have no action */
  *out_payload = session->scratch + early;
  *out_bytes = KN_GRANT_BYTES + !early;
  return NULL;
}

static kn_status act(kn_target_session *session, void **out_payload, size_t *out_bytes) {
  kn_target_engine *engine = session->engine;
  *out_payload = NULL;
  *out_bytes = 0;
  switch (session->type) {
    case KN_MESSAGE_PING:
      return NULL;
    case KN_MESSAGE_IO_SPEC:
      return specify(session, out_payload, out_bytes);
    case KN_MESSAGE_MODEL:
      return load_model(session);
    case KN_MESSAGE_DATA:
      KN_TRY(kn_target_engine_input(engine, session->input.data));
      session->input_set = true;
      return NULL;
    case KN_MESSAGE_PROCESS:
      KN_TRY(kn_target_engine_process(engine));
      session->output_ready = true;
      return NULL;
    case KN_MESSAGE_OUTPUT:
      *out_payload = output_payload(session);
      *out_bytes = engine->output.bytes;
      return kn_target_engine_output(engine, *out_payload);
    case KN_MESSAGE_INFER:
      return infer(session, out_payload, out_bytes);
    case KN_MESSAGE_IDENTITY:
      return load_known(session);
    case KN_MESSAGE_CLOCK:
      kn_wire_put(session->scratch, (uint64_t)kn_now_ns(), 8);
      *out_payload = session->scratch;
      *out_bytes = 8;
      return NULL;
    case KN_MESSAGE_STATS:
      return kn_target_engine_statistics(engine, (char **)out_payload, out_bytes);
    default:
      return kn_status_make(KN_INTERNAL, "a message without an action");
  }
}

kn_session_next kn_target_session_work(kn_target_session *session) {
  const kn_wire_config *wire = &session->config.wire;
  void *payload = NULL;
  size_t bytes = 0;
  if (!session->refusal) check(session, act(session, &payload, &bytes));
  if (session->sink == SINK_MODEL) drop_store(session);
  if (session->refusal)
    add_refusal(session);
  else
    kn_replies_success(&session->replies, wire, session->type, payload, bytes);
  if (session->type == KN_MESSAGE_STATS) kn_free(payload);
  session->open = false;
  session->got = 0;
  return session->replies.lost ? KN_SESSION_CLOSE : KN_SESSION_READ;
}

/* ---- replies ---- */

const void *kn_target_session_replies(const kn_target_session *session, size_t *out_bytes) {
  *out_bytes = session->replies.lost ? 0 : session->replies.bytes;
  return session->replies.data;
}

void kn_target_session_sent(kn_target_session *session) {
  session->replies.bytes = 0;
  if (session->replies.capacity > REPLIES_KEPT) kn_replies_clear(&session->replies);
}

uint64_t kn_target_session_size(const kn_target_session *session) {
  return session->got + (session->in_payload ? session->frame.payload - session->frame_got : 0);
}

bool kn_target_session_extended(const kn_target_session *session) { return session->extended; }

bool kn_target_session_amid(const kn_target_session *session) {
  return session->open || session->in_payload || session->header_bytes;
}
