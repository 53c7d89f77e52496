#include "wire_peers.h"

#include "core/instance.h"
#include "core/log.h"
#include "target/worker.h"
#include "transport/tcp.h"
#include "transport/tls.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <kenning/services.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

extern const kn_class kn_null_runtime_class;

void give_up(kn_status status) {
  if (!status) return;
  kn_log_status(status);
  kn_status_free(status);
  exit(1);
}

/* ---- the other ends, each a process ---- */

void raw_all(int fd, void *data, size_t bytes, bool writing) {
  for (size_t done = 0; done < bytes;) {
    ssize_t now = writing ? send(fd, (char *)data + done, bytes - done, MSG_NOSIGNAL)
                          : recv(fd, (char *)data + done, bytes - done, 0);
    if (now <= 0) _exit(0); /* the other end is done */
    done += (size_t)now;
  }
}

void block(int fd) {
  kn_connection connection;
  give_up(kn_connection_adopt(fd, &connection));
  (void)!fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
}

/* INPUT bytes in, OUTPUT bytes out. */
static void serve_raw(int fd) {
  char *input = malloc(INPUT), output[OUTPUT] = {0};
  if (!input) _exit(1);
  block(fd);
  for (;;) {
    raw_all(fd, input, INPUT, false);
    raw_all(fd, output, OUTPUT, true);
  }
}

/* ---- the same with nothing but libssl ---- */

static int (*ssl_read)(void *ssl, void *to, int size);
static int (*ssl_write)(void *ssl, const void *data, int size);

void find_ssl(void) {
  void *library = dlopen("libssl.so.3", RTLD_NOW | RTLD_LOCAL);
  if (!library) give_up(kn_status_make(KN_NOT_INSTALLED, "libssl.so.3 is missing: install libssl3"));
  *(void **)&ssl_read = dlsym(library, "SSL_read");
  *(void **)&ssl_write = dlsym(library, "SSL_write");
  if (!ssl_read || !ssl_write) give_up(kn_status_make(KN_NOT_INSTALLED, "libssl.so.3 is not what it should be"));
}

void tls_all(void *ssl, void *data, size_t bytes, bool writing) {
  for (size_t done = 0; done < bytes;) {
    int now = writing ? ssl_write(ssl, (char *)data + done, (int)(bytes - done))
                      : ssl_read(ssl, (char *)data + done, (int)(bytes - done));
    if (now <= 0) _exit(0);
    done += (size_t)now;
  }
}

/* The handshake on a connection that then blocks. */
void *bare_tls(kn_connection *connection, bool server) {
  give_up(kn_tls_begin(connection, server, psk_path, kn_now_ns() + 10000000000));
  (void)!fcntl(connection->fd, F_SETFL, fcntl(connection->fd, F_GETFL) & ~O_NONBLOCK);
  return kn_tls_ssl(connection->tls);
}

static void serve_raw_tls(int fd) {
  kn_connection connection;
  char *input = malloc(INPUT), output[OUTPUT] = {0};
  if (!input) _exit(1);
  give_up(kn_connection_adopt(fd, &connection));
  void *ssl = bare_tls(&connection, true);
  for (;;) {
    tls_all(ssl, input, INPUT, false);
    tls_all(ssl, output, OUTPUT, true);
  }
}

/* UPLOAD bytes in, one byte out. */
static void serve_raw_upload(int fd) {
  enum { PIECE = 128 << 10 };
  char *piece = malloc(PIECE), done = 0;
  if (!piece) _exit(1);
  block(fd);
  for (;;) {
    for (size_t left = UPLOAD; left;) {
      ssize_t got = recv(fd, piece, left < PIECE ? left : PIECE, 0);
      if (got <= 0) _exit(0);
      left -= (size_t)got;
    }
    raw_all(fd, &done, 1, true);
  }
}

kn_link_config link_of(kn_wire_format format, bool checksums) {
  return (kn_link_config){.wire = {.format = format, .frame_limit = 1 << 20, .checksums = checksums},
                          .offer = true,
                          .heartbeat_s = 1,
                          .timeout_s = 60,
                          .idle_s = 60,
                          .slowest = 1 << 20,
                          .model_limit = 1 << 30,
                          .tensor_limit = 1 << 26};
}

char model_path[64], psk_path[64];

static void serve_ours(int fd, kn_link_config link, bool tls) {
  kn_instance runtime;
  kn_connection connection;
  give_up(kn_instance_create(&kn_null_runtime_class, &runtime));
  give_up(kn_connection_adopt(fd, &connection));
  if (tls) give_up(kn_tls_begin(&connection, true, psk_path, kn_now_ns() + 10000000000));
  kn_target_engine engine = {.ops = ((const kn_runtime_ops *)kn_null_runtime_class.ops)->inference,
                             .self = runtime.self,
                             .payload_limit = (size_t)link.tensor_limit};
  give_up(kn_target_engine_open(&engine));
  const kn_session_config config = {.wire = link.wire, .model_path = model_path, .model_limit = link.model_limit};
  kn_status_free(kn_worker_serve(&connection, &link, &config, &engine));
  _exit(0);
}

/* As kn_worker_serve does it, and says when a message was whole. */
struct timed *timed;

static void serve_timed(int fd, kn_link_config link) {
  kn_instance runtime;
  kn_connection connection;
  kn_target_session *session;
  give_up(kn_instance_create(&kn_null_runtime_class, &runtime));
  give_up(kn_connection_adopt(fd, &connection));
  kn_target_engine engine = {.ops = ((const kn_runtime_ops *)kn_null_runtime_class.ops)->inference,
                             .self = runtime.self,
                             .payload_limit = (size_t)link.tensor_limit};
  give_up(kn_target_engine_open(&engine));
  const kn_session_config config = {.wire = link.wire, .model_path = model_path, .model_limit = link.model_limit};
  give_up(kn_target_session_create(&config, &engine, &session));
  for (;;) {
    size_t room, got;
    void *window = kn_target_session_window(session, &room);
    give_up(kn_connection_read(&connection, window, room, KN_NO_DEADLINE, &got));
    if (!got) _exit(0);
    if (kn_target_session_received(session, got) != KN_SESSION_WORK) continue;
    timed->whole = kn_now_ns();
    (void)!kn_target_session_work(session);
    timed->store = engine.model_times.store;
    timed->load = engine.model_times.load;
    kn_piece piece;
    piece.data = kn_target_session_replies(session, &piece.bytes);
    give_up(kn_connection_write(&connection, &piece, 1, KN_NO_DEADLINE));
    kn_target_session_sent(session);
  }
}

pid_t last_server;

kn_connection start(kn_peer peer, kn_link_config link) {
  int listener;
  bool loopback;
  int64_t port;
  kn_connection connection;
  give_up(kn_tcp_listen("127.0.0.1", 0, &listener, &loopback, &port));
  pid_t pid = fork(); /* there is no other thread */
  if (pid < 0) give_up(kn_status_make(KN_IO_ERROR, "fork failed"));
  if (!pid) {
    give_up(kn_connection_wait(listener, false, kn_now_ns() + 10000000000));
    int fd = accept(listener, NULL, NULL);
    close(listener);
    give_up(kn_tcp_prepare(fd));
    if (peer == RAW) serve_raw(fd);
    if (peer == RAW_TLS) serve_raw_tls(fd);
    if (peer == RAW_UPLOAD) serve_raw_upload(fd);
    if (peer == TIMED) serve_timed(fd, link);
    serve_ours(fd, link, peer == OURS_TLS);
  }
  last_server = pid;
  give_up(kn_tcp_connect("127.0.0.1", port, kn_now_ns() + 10000000000, &connection));
  if (peer == OURS_TLS) give_up(kn_tls_begin(&connection, false, psk_path, kn_now_ns() + 10000000000));
  close(listener);
  return connection;
}
