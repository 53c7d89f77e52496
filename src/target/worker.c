#include "target/worker.h"

#include "core/file.h"
#include "target/heartbeat.h"
#include "target/limits.h"
#include "target/server.h"
#include "target/slots.h"
#include "transport/deadline.h"

#include <errno.h>
#include <kenning/services.h>
#include <time.h>
#include <unistd.h>

enum {
  HANDSHAKE_S = 10,  /* the most that a client has, which is nobody yet */
  PARTING_MS = 1500, /* shorter than a server waits for its worker before it turns the next client away */
  PARTING_BYTES = 256 << 20
};

/* ---- one client ---- */

/* *out_sent (or NULL): whether there were any. */
static kn_status send_replies(kn_connection *connection, const kn_link_config *link, kn_target_session *session,
                              bool *out_sent) {
  kn_piece piece;
  piece.data = kn_target_session_replies(session, &piece.bytes);
  if (out_sent) *out_sent = piece.bytes > 0;
  if (!piece.bytes) return NULL;
  kn_status status = kn_connection_write(connection, &piece, 1,
                                         kn_deadline_after(link->timeout_s + (double)piece.bytes / link->slowest));
  kn_target_session_sent(session);
  return status;
}

/* A message has `timeout_s` and the time that its bytes take; between messages a client may be idle for longer. */
static int64_t deadline(const kn_link_config *link, const kn_target_session *session, int64_t begun) {
  double allowed = kn_target_session_amid(session)
                       ? link->timeout_s + (double)kn_target_session_size(session) / link->slowest
                       : link->idle_s;
  return begun + (int64_t)(allowed * 1e9);
}

/* The thread for signs of life is there as soon as a client is who understands them. */
static kn_status keep_beating(kn_connection *connection, const kn_link_config *link, const kn_target_session *session,
                              kn_heartbeat *heartbeat) {
  if (heartbeat->started || !kn_target_session_extended(session)) return NULL;
  return kn_heartbeat_start(connection, link, heartbeat);
}

static void wait_until(int64_t ns) {
  for (int64_t left; !kn_cancelled() && (left = ns - kn_now_ns()) > 0;)
    nanosleep(&(struct timespec){.tv_sec = left / 1000000000, .tv_nsec = left % 1000000000}, NULL);
}

static kn_status serve(kn_connection *connection, const kn_link_config *link, kn_target_session *session,
                       kn_target_engine *engine, kn_heartbeat *heartbeat) {
  int64_t begun = kn_deadline_now();
  bool amid = false;
  for (;;) {
    size_t room, got;
    if (engine->slots && !amid) KN_TRY(kn_slots_serve(engine->slots, engine, connection->fd));
    void *window = kn_target_session_window(session, &room);
    const int64_t until = deadline(link, session, begun);
    KN_TRY(kn_connection_patience(amid ? until : KN_NO_DEADLINE, false));
    KN_TRY(kn_connection_read(connection, window, room, until, &got));
    if (!got && !amid) return NULL;
    if (!got) return kn_status_make(KN_IO_ERROR, "the client was gone amid a message");
    if (!amid) begun = kn_deadline_now();
    kn_session_next next = kn_target_session_received(session, got);
    bool answered = false;
    if (next != KN_SESSION_READ) KN_TRY(send_replies(connection, link, session, &answered));
    if (next == KN_SESSION_WORK) {
      int64_t gap_until = kn_now_ns() + (int64_t)(link->gap_s * 1e9);
      kn_heartbeat_begin(heartbeat);
      next = kn_target_session_work(session);
      kn_heartbeat_end(heartbeat);
      KN_TRY(keep_beating(connection, link, session, heartbeat));
      if (answered && !kn_target_session_extended(session)) wait_until(gap_until);
      KN_TRY(send_replies(connection, link, session, NULL));
      begun = kn_deadline_now();
    }
    if (next == KN_SESSION_CLOSE) return NULL;
    amid = kn_target_session_amid(session);
  }
}

kn_status kn_worker_serve(kn_connection *connection, const kn_link_config *link, const kn_session_config *config,
                          kn_target_engine *engine) {
  static const uint8_t hello = KN_HELLO;
  kn_target_session *session;
  KN_TRY(kn_target_session_create(config, engine, &session));
  const kn_piece greeting = {&hello, 1};
  kn_status status =
      link->hello ? kn_connection_write(connection, &greeting, 1, kn_deadline_after(link->timeout_s)) : NULL;
  kn_heartbeat heartbeat = {0};
  if (!status) status = serve(connection, link, session, engine, &heartbeat);
  kn_heartbeat_stop(&heartbeat);
  if (!status) kn_connection_part(connection, kn_deadline_after(PARTING_MS / 1e3), PARTING_BYTES);
  kn_target_session_destroy(session);
  return status;
}

/* ---- the process ---- */

/* The runtime's own save_model_path, or for one without it a file in a directory that goes with the process and that
 * nobody else may write to; *out_directory is NULL where there is none. */
static kn_status place_of_model(const kn_instance *runtime, const char *given, char **out_path, char **out_directory) {
  const kn_runtime_ops *ops = runtime->cls->ops;
  const char *path = given ? given : ops->model_path ? ops->model_path(runtime->self) : NULL;
  *out_path = *out_directory = NULL;
  if (!path) KN_TRY(kn_directory_temporary(NULL, "kenning-model", out_directory));
  *out_path = path ? kn_strdup(path) : kn_format("%s/model", *out_directory);
  return *out_path ? NULL : kn_status_out_of_memory();
}

static void leave_place(char *path, char *directory) {
  kn_free(path);
  kn_directory_discard(directory);
}

static kn_status run_engine(const kn_scenario *scenario, const kn_link_config *link, const char *model_path,
                            kn_connection *connection) {
  const kn_instance *runtime = &scenario->runtime;
  const kn_runtime_ops *ops = runtime->cls->ops;
  kn_target_engine engine = {.ops = ops->inference,
                             .self = runtime->self,
                             .payload_limit = (size_t)link->tensor_limit,
                             .deadline_s = link->engine_s};
  char *path, *directory;
  kn_status status = place_of_model(runtime, model_path, &path, &directory);
  const kn_session_config config = {
      .wire = link->wire,
      .model_path = path,
      .in_place = model_path != NULL,
      .model_limit = link->model_limit,
      .optimizers = scenario->optimizers,
      .optimizer_count = scenario->optimizer_count,
      .sampled = !((const kn_runtime_options *)runtime->self)->disable_performance_measurements};
  kn_slots_peer slots = {.channel = -1, .memory = -1};
  if (!status && model_path) status = kn_slots_peer_open(KN_WORKER_SLOTS_FD, &slots);
  engine.slots = model_path ? &slots : NULL;
  if (!status) status = kn_target_engine_open(&engine);
  if (!status) status = kn_worker_serve(connection, link, &config, &engine);
  kn_target_engine_close(&engine);
  kn_slots_peer_close(&slots);
  leave_place(path, directory);
  return status;
}

static kn_status limit(const kn_runtime_options *options) {
  const uint64_t bytes = (uint64_t)options->isolate_memory << 20;
  const kn_limits limits = {
      .data_bytes = bytes, .resident_bytes = bytes, .processor_s = (uint64_t)options->isolate_processor};
  return kn_limits_apply(&limits);
}

kn_status kn_worker_run(const kn_scenario *scenario, int client_fd, const char *model_path) {
  const kn_instance *protocol = &scenario->runtime_protocol, *runtime = &scenario->runtime;
  const kn_runtimeprotocol_ops *wire = protocol->cls->ops;
  const kn_runtime_ops *ops = runtime->cls->ops;
  kn_link_config link;
  kn_connection connection;
  KN_TRY(kn_connection_adopt(client_fd, &connection));
  kn_status status = wire->open(protocol->self, &link);
  if (!status && wire->prepare) {
    double patience = link.timeout_s < HANDSHAKE_S ? link.timeout_s : HANDSHAKE_S;
    status = wire->prepare(protocol->self, &connection, kn_deadline_after(patience));
  }
  if (!status) {
    status = limit(runtime->self);
    if (!status) status = ops->open(runtime->self);
    if (!status) status = run_engine(scenario, &link, model_path, &connection);
    ops->close(runtime->self);
  }
  wire->close(protocol->self);
  kn_connection_close(&connection);
  return status;
}
