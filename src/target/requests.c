#include "core/file.h"
#include "target/session_state.h"
#include "target/upload.h"
#include "wire/extension.h"
#include "wire/packed.h"

#include <kenning/services.h>
#include <string.h>

enum { CLIENT_CONNECTED = 1 }; /* the original's number for a session in which nothing happened yet */

/* ---- a message begins ---- */

static void begin_model(kn_target_session *session) {
  if (session->config.in_place) {
    if (session->frame.payload) kn_session_refuse(session, KN_REFUSED_NOT_SUPPORTED, NULL);
    return;
  }
  session->sink = SINK_MODEL;
  session->limit = session->config.model_limit;
}

static void begin_input(kn_target_session *session) {
  session->sink = SINK_INPUT;
  session->limit = session->engine->input.bytes;
  session->input_set = session->output_ready = false;
  if (session->ready) return;
  session->limit = session->engine->payload_limit;
  kn_session_refuse(session, KN_REFUSED_WRONG_STATE, NULL);
}

/* Optimizers, an unoptimized model, the wish for the result: in this order. */
static void begin_optimization(kn_target_session *session) {
  const kn_optimization *optimization = &session->optimization;
  bool upload = session->type == KN_MESSAGE_UNOPTIMIZED_MODEL;
  if (upload && optimization->own_count) {
    session->sink = SINK_MODEL;
    session->limit = session->config.model_limit;
  } else if (session->type == KN_MESSAGE_OPTIMIZERS) {
    session->sink = SINK_TEXT;
    session->limit = TEXT_LIMIT;
  }
  if (!optimization->own_count)
    kn_session_refuse(session, KN_REFUSED_NOT_SUPPORTED, NULL);
  else if (upload ? !optimization->count : session->type == KN_MESSAGE_OPTIMIZE_MODEL && !optimization->input)
    kn_session_refuse(session, KN_REFUSED_WRONG_STATE, NULL);
}

void kn_request_begin(kn_target_session *session) {
  if (kn_message_extends(session->type) && !session->extended) {
    kn_session_refuse(session, KN_REFUSED_UNKNOWN_TYPE, NULL);
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
      if (!session->ready || !session->input_set) kn_session_refuse(session, KN_REFUSED_WRONG_STATE, NULL);
      break;
    case KN_MESSAGE_OUTPUT:
      if (!session->ready || !session->output_ready) kn_session_refuse(session, KN_REFUSED_WRONG_STATE, NULL);
      break;
    case KN_MESSAGE_OPTIMIZERS:
    case KN_MESSAGE_UNOPTIMIZED_MODEL:
    case KN_MESSAGE_OPTIMIZE_MODEL:
      begin_optimization(session);
      break;
    case KN_MESSAGE_STATS:
    case KN_MESSAGE_CLOCK:
      break;
    case KN_MESSAGE_PING: /* in the format of 2022 the numbers are those of answers */
    case KN_MESSAGE_STATUS:
      if (session->config.wire.format != KN_WIRE_2022) break;
      kn_session_refuse(session, KN_REFUSED_UNKNOWN_TYPE, NULL);
      break;
    default:
      kn_session_refuse(session, kn_message_name(session->type) ? KN_REFUSED_NOT_SUPPORTED : KN_REFUSED_UNKNOWN_TYPE,
                        NULL);
  }
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
  int64_t start = kn_now_ns();
  KN_TRY(kn_upload_begin(session->config.model_path, &upload));
  kn_status status = kn_upload_add(&upload, session->store, (size_t)session->got);
  if (!status) status = kn_upload_commit(&upload);
  kn_upload_clear(&upload);
  session->engine->model_times.store = (double)(kn_now_ns() - start) / 1e9;
  drop_store(session);
  return status;
}

static kn_status load_stored(kn_target_session *session) {
  session->ready = session->input_set = session->output_ready = false;
  KN_TRY(kn_target_engine_load(session->engine, session->config.model_path, session->config.sampled));
  KN_TRY(make_payload(&session->input, session->engine->input.bytes));
  KN_TRY(make_payload(&session->output, OUTPUT_AT + session->engine->output.bytes));
  session->ready = true;
  return NULL;
}

static kn_status load_model(kn_target_session *session) {
  session->engine->model_times = (struct kn_model_times){0};
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
  int64_t start = kn_now_ns();
  KN_TRY(kn_sha256_file(path, sha256));
  session->engine->model_times = (struct kn_model_times){.hash = (double)(kn_now_ns() - start) / 1e9};
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
  session->packed = bytes == KN_PACKED_IOSPEC && session->store[0] != '{';
  if (session->packed)
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

/* What was done last: the number that the original has for it. */
static uint8_t last_action(const kn_target_session *session) {
  if (session->output_ready) return kn_message_action(KN_MESSAGE_PROCESS);
  if (session->input_set) return kn_message_action(KN_MESSAGE_DATA);
  if (session->ready) return kn_message_action(KN_MESSAGE_MODEL);
  return session->engine->has_spec ? kn_message_action(KN_MESSAGE_IO_SPEC) : CLIENT_CONNECTED;
}

/* Hosts that packed their io specification get packed statistics, but for those that know the extensions and read both.
 */
static kn_status statistics(kn_target_session *session, void **out_payload, size_t *out_bytes) {
  bool packed = session->packed && !session->extended;
  KN_TRY(packed ? kn_target_engine_statistics_packed(session->engine, (uint8_t **)&session->result, out_bytes)
                : kn_target_engine_statistics(session->engine, (char **)&session->result, out_bytes));
  *out_payload = session->result;
  return NULL;
}

kn_status kn_request_act(kn_target_session *session, void **out_payload, size_t *out_bytes) {
  kn_target_engine *engine = session->engine;
  *out_payload = NULL;
  *out_bytes = 0;
  switch (session->type) {
    case KN_MESSAGE_PING: /* one that fails ends the connection, where the line itself cannot be closed */
      session->over = session->frame.flags & KN_FLAG_FAIL;
      return NULL;
    case KN_MESSAGE_STATUS:
      session->scratch[0] = last_action(session);
      *out_payload = session->scratch;
      *out_bytes = 1;
      return NULL;
    case KN_MESSAGE_OPTIMIZERS:
      return kn_optimization_choose(&session->optimization, (const char *)session->store, (size_t)session->got);
    case KN_MESSAGE_UNOPTIMIZED_MODEL:
      return kn_optimization_take(&session->optimization, session->store, (size_t)session->got);
    case KN_MESSAGE_OPTIMIZE_MODEL:
      KN_TRY(kn_optimization_run(&session->optimization, (size_t)session->config.model_limit, (char **)&session->result,
                                 out_bytes));
      *out_payload = session->result;
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
      return statistics(session, out_payload, out_bytes);
    default:
      return kn_status_make(KN_INTERNAL, "a message without an action");
  }
}

void kn_request_drop(kn_target_session *session) {
  if (session->sink == SINK_MODEL) drop_store(session);
  kn_free(session->result);
  session->result = NULL;
}
