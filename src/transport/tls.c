#include "transport/tls.h"

#include "core/library.h"
#include "transport/pipe_signal.h"
#include "transport/psk.h"

#include <errno.h>
#include <kenning/services.h>
#include <string.h>
#include <sys/socket.h>

/* Prototypes of our own: libssl's types are opaque to us. */
typedef struct ssl_st SSL;
typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_session_st SSL_SESSION;
typedef int (*find_function)(SSL *ssl, const unsigned char *identity, size_t bytes, SSL_SESSION **out_session);
typedef int (*use_function)(SSL *ssl, const void *digest, const unsigned char **out_identity, size_t *out_bytes,
                            SSL_SESSION **out_session);
#define SSL_FUNCTIONS(X)                                                                         \
  X(const void *, TLS_method, (void))                                                            \
  X(SSL_CTX *, SSL_CTX_new, (const void *method))                                                \
  X(void, SSL_CTX_free, (SSL_CTX * context))                                                     \
  X(long, SSL_CTX_ctrl, (SSL_CTX * context, int command, long number, void *pointer))            \
  X(uint64_t, SSL_CTX_set_options, (SSL_CTX * context, uint64_t options))                        \
  X(uint64_t, SSL_CTX_clear_options, (SSL_CTX * context, uint64_t options))                      \
  X(int, SSL_CTX_set_ciphersuites, (SSL_CTX * context, const char *names))                       \
  X(int, SSL_CTX_set_num_tickets, (SSL_CTX * context, size_t count))                             \
  X(int, SSL_CTX_set_max_early_data, (SSL_CTX * context, uint32_t bytes))                        \
  X(void, SSL_CTX_set_verify, (SSL_CTX * context, int mode, void *callback))                     \
  X(void, SSL_CTX_set_default_read_buffer_len, (SSL_CTX * context, size_t bytes))                \
  X(void, SSL_CTX_set_psk_find_session_callback, (SSL_CTX * context, find_function find))        \
  X(void, SSL_CTX_set_psk_use_session_callback, (SSL_CTX * context, use_function use))           \
  X(SSL *, SSL_new, (SSL_CTX * context))                                                         \
  X(void, SSL_free, (SSL * ssl))                                                                 \
  X(int, SSL_set_fd, (SSL * ssl, int fd))                                                        \
  X(int, SSL_set_ex_data, (SSL * ssl, int index, void *data))                                    \
  X(void *, SSL_get_ex_data, (const SSL *ssl, int index))                                        \
  X(void, SSL_set_accept_state, (SSL * ssl))                                                     \
  X(void, SSL_set_connect_state, (SSL * ssl))                                                    \
  X(int, SSL_do_handshake, (SSL * ssl))                                                          \
  X(int, SSL_read_ex, (SSL * ssl, void *to, size_t size, size_t *got))                           \
  X(int, SSL_write_ex, (SSL * ssl, const void *data, size_t bytes, size_t *sent))                \
  X(int, SSL_get_error, (const SSL *ssl, int result))                                            \
  X(int, SSL_shutdown, (SSL * ssl))                                                              \
  X(int, SSL_version, (const SSL *ssl))                                                          \
  X(int, SSL_session_reused, (const SSL *ssl))                                                   \
  X(const void *, SSL_CIPHER_find, (SSL * ssl, const unsigned char *number))                     \
  X(SSL_SESSION *, SSL_SESSION_new, (void))                                                      \
  X(void, SSL_SESSION_free, (SSL_SESSION * session))                                             \
  X(int, SSL_SESSION_set1_master_key, (SSL_SESSION * session, const unsigned char *key, size_t)) \
  X(int, SSL_SESSION_set_cipher, (SSL_SESSION * session, const void *cipher))                    \
  X(int, SSL_SESSION_set_protocol_version, (SSL_SESSION * session, int version))                 \
  X(unsigned long, ERR_peek_error, (void))                                                       \
  X(void, ERR_clear_error, (void))                                                               \
  X(const char *, ERR_reason_error_string, (unsigned long error))

static struct {
#define SLOT(type, name, parameters) type(*name) parameters;
  SSL_FUNCTIONS(SLOT)
#undef SLOT
} ssl_api;
#define NAME(type, name, parameters) #name,
static const char *const names[] = {SSL_FUNCTIONS(NAME)};
#undef NAME
static kn_library library = {.file = "libssl.so.3",
                             .package = "libssl3",
                             .names = names,
                             .count = sizeof names / sizeof *names,
                             .table = &ssl_api};

/* Numbers of libssl's interface. */
enum {
  VERSION_1_3 = 0x0304,
  CONTROL_MODE = 33,
  CONTROL_READ_AHEAD = 41,
  CONTROL_SESSION_CACHE = 44,
  CONTROL_MINIMUM = 123,
  CONTROL_MAXIMUM = 124,
  MODE_PARTIAL_MOVING_RETRYING = 1 | 2 | 4,
  OPTION_NO_TICKET = 1 << 14,
  OPTION_ALLOW_NO_DHE = 1 << 10,
  VERIFY_PEER = 1,
  ERROR_WANT_READ = 2,
  ERROR_WANT_WRITE = 3,
  ERROR_SYSTEM = 5,
  ERROR_CLOSED = 6,
  READ_BUFFER = 128 << 10
};

static const unsigned char identity[] = "kenning", aes_128_gcm_sha256[] = {0x13, 0x01};
enum { IDENTITY_BYTES = sizeof identity - 1 };

struct kn_tls {
  SSL_CTX *context;
  SSL *ssl;
  uint8_t key[KN_PSK_BYTES];
  uint8_t record[KN_TLS_RECORD];
  char fault[128];
};

/* ---- the key ---- */

static SSL_SESSION *session_of(SSL *ssl) {
  const kn_tls *tls = ssl_api.SSL_get_ex_data(ssl, 0);
  SSL_SESSION *session = ssl_api.SSL_SESSION_new();
  const void *cipher = ssl_api.SSL_CIPHER_find(ssl, aes_128_gcm_sha256);
  if (session && cipher && ssl_api.SSL_SESSION_set1_master_key(session, tls->key, sizeof tls->key) &&
      ssl_api.SSL_SESSION_set_cipher(session, cipher) && ssl_api.SSL_SESSION_set_protocol_version(session, VERSION_1_3))
    return session;
  if (session) ssl_api.SSL_SESSION_free(session);
  return NULL;
}

static int use_key(SSL *ssl, const void *digest, const unsigned char **out_identity, size_t *out_bytes,
                   SSL_SESSION **out_session) {
  (void)digest;
  *out_identity = identity;
  *out_bytes = IDENTITY_BYTES;
  *out_session = session_of(ssl);
  return *out_session != NULL;
}

static int find_key(SSL *ssl, const unsigned char *named, size_t bytes, SSL_SESSION **out_session) {
  bool ours = bytes == IDENTITY_BYTES && !memcmp(named, identity, bytes);
  *out_session = ours ? session_of(ssl) : NULL;
  return !ours || *out_session; /* no session: the handshake ends, since there is no certificate */
}

/* ---- set up ---- */

static bool configure(SSL_CTX *context, bool server) {
  ssl_api.SSL_CTX_ctrl(context, CONTROL_MODE, MODE_PARTIAL_MOVING_RETRYING, NULL);
  ssl_api.SSL_CTX_ctrl(context, CONTROL_SESSION_CACHE, 0, NULL);
  ssl_api.SSL_CTX_ctrl(context, CONTROL_READ_AHEAD, 1, NULL);
  ssl_api.SSL_CTX_set_default_read_buffer_len(context, READ_BUFFER);
  ssl_api.SSL_CTX_set_options(context, OPTION_NO_TICKET);
  ssl_api.SSL_CTX_clear_options(context, OPTION_ALLOW_NO_DHE);
  if (!server) ssl_api.SSL_CTX_set_verify(context, VERIFY_PEER, NULL); /* nobody signs for one without the key */
  ssl_api.SSL_CTX_set_psk_find_session_callback(context, find_key);
  ssl_api.SSL_CTX_set_psk_use_session_callback(context, use_key);
  return ssl_api.SSL_CTX_ctrl(context, CONTROL_MINIMUM, VERSION_1_3, NULL) == 1 &&
         ssl_api.SSL_CTX_ctrl(context, CONTROL_MAXIMUM, VERSION_1_3, NULL) == 1 &&
         ssl_api.SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256") == 1 &&
         ssl_api.SSL_CTX_set_num_tickets(context, 0) == 1 && ssl_api.SSL_CTX_set_max_early_data(context, 0) == 1;
}

static kn_status prepare(kn_tls *tls, int fd, bool server) {
  tls->context = ssl_api.SSL_CTX_new(ssl_api.TLS_method());
  if (!tls->context) return kn_status_out_of_memory();
  if (!configure(tls->context, server))
    return kn_status_make(KN_INTERNAL, "libssl does not take the settings of TLS 1.3");
  tls->ssl = ssl_api.SSL_new(tls->context);
  if (!tls->ssl || ssl_api.SSL_set_ex_data(tls->ssl, 0, tls) != 1 || ssl_api.SSL_set_fd(tls->ssl, fd) != 1)
    return kn_status_out_of_memory();
  if (server)
    ssl_api.SSL_set_accept_state(tls->ssl);
  else
    ssl_api.SSL_set_connect_state(tls->ssl);
  return NULL;
}

/* ---- steps ---- */

static kn_tls_step step_of(kn_tls *tls, int result) {
  int error = errno;
  if (result == 1) return KN_TLS_DONE;
  switch (ssl_api.SSL_get_error(tls->ssl, result)) {
    case ERROR_WANT_READ:
      return KN_TLS_WANTS_READ;
    case ERROR_WANT_WRITE:
      return KN_TLS_WANTS_WRITE;
    case ERROR_CLOSED:
      return KN_TLS_CLOSED;
    case ERROR_SYSTEM:
      strncpy(tls->fault, error ? strerror(error) : "the peer hung up", sizeof tls->fault - 1);
      return KN_TLS_BROKEN;
    default: {
      const char *reason = ssl_api.ERR_reason_error_string(ssl_api.ERR_peek_error());
      strncpy(tls->fault, reason ? reason : "TLS failed", sizeof tls->fault - 1);
      return KN_TLS_BROKEN;
    }
  }
}

static kn_pipe_signal begin_step(void) {
  ssl_api.ERR_clear_error();
  errno = 0;
  return kn_pipe_signal_hold();
}

static kn_tls_step end_step(kn_tls *tls, const kn_pipe_signal *held, int result) {
  kn_tls_step step = step_of(tls, result);
  kn_pipe_signal_release(held, step != KN_TLS_DONE);
  return step;
}

kn_tls_step kn_tls_read(kn_tls *tls, void *to, size_t size, size_t *out_got) {
  const kn_pipe_signal held = begin_step();
  return end_step(tls, &held, ssl_api.SSL_read_ex(tls->ssl, to, size, out_got));
}

kn_tls_step kn_tls_write(kn_tls *tls, const void *data, size_t bytes, size_t *out_sent) {
  const kn_pipe_signal held = begin_step();
  return end_step(tls, &held, ssl_api.SSL_write_ex(tls->ssl, data, bytes, out_sent));
}

kn_status kn_tls_fault(const kn_tls *tls) {
  return kn_status_make(KN_IO_ERROR, "the secure connection broke: %s", tls->fault);
}

uint8_t *kn_tls_record(kn_tls *tls) { return tls->record; }

void *kn_tls_ssl(kn_tls *tls) { return tls->ssl; }

void kn_tls_end(kn_tls *tls) {
  if (!tls) return;
  if (tls->ssl) {
    const kn_pipe_signal held = begin_step();
    ssl_api.SSL_shutdown(tls->ssl); /* the descriptor does not block */
    kn_pipe_signal_release(&held, true);
    ssl_api.SSL_free(tls->ssl);
  }
  if (tls->context) ssl_api.SSL_CTX_free(tls->context);
  explicit_bzero(tls->key, sizeof tls->key);
  kn_free(tls);
}

/* ---- the handshake ---- */

static kn_status refused(const kn_tls *tls, bool server, const char *psk_file) {
  if (server)
    return kn_status_make(KN_INVALID_ARGUMENT, "a client that does not have the key of %s was turned away: %s",
                          psk_file, tls->fault);
  return kn_status_make(
      KN_INVALID_ARGUMENT,
      "no secure connection with the key of %s: %s; both ends need the same --psk-file, and a server that was "
      "started without one speaks no TLS",
      psk_file, tls->fault);
}

/* libssl hangs up without a word on a client that speaks no TLS. One that gets an alert in plain can say what is
 * missing; what it has said is read, since otherwise the kernel would take the alert back. */
static kn_status expect_tls(kn_tls *tls, int fd, const char *psk_file, int64_t deadline_ns) {
  static const uint8_t alert[] = {0x15, 3, 3, 0, 2, 2, 70}; /* RFC 8446, 5.1 and 6: fatal, protocol_version */
  uint8_t said[1024];
  KN_TRY(kn_connection_wait(fd, false, deadline_ns));
  if (recv(fd, said, 1, MSG_PEEK) != 1 || said[0] == 0x16) return NULL; /* a handshake, or libssl says what it is */
  (void)!send(fd, alert, sizeof alert, MSG_NOSIGNAL);
  shutdown(fd, SHUT_WR);
  while (recv(fd, said, sizeof said, MSG_DONTWAIT) > 0) continue;
  strncpy(tls->fault, "it speaks no TLS", sizeof tls->fault - 1);
  return refused(tls, true, psk_file);
}

static kn_status shake_hands(kn_tls *tls, int fd, bool server, const char *psk_file, int64_t deadline_ns) {
  if (server) KN_TRY(expect_tls(tls, fd, psk_file, deadline_ns));
  for (;;) {
    const kn_pipe_signal held = begin_step();
    kn_tls_step step = end_step(tls, &held, ssl_api.SSL_do_handshake(tls->ssl));
    if (step == KN_TLS_DONE) break;
    if (step == KN_TLS_CLOSED) strncpy(tls->fault, "the peer hung up", sizeof tls->fault - 1);
    if (step == KN_TLS_CLOSED || step == KN_TLS_BROKEN) return refused(tls, server, psk_file);
    KN_TRY(kn_connection_wait(fd, step == KN_TLS_WANTS_WRITE, deadline_ns));
  }
  /* That the key was used and not something else that libssl would have been content with. */
  if (ssl_api.SSL_session_reused(tls->ssl) == 1 && ssl_api.SSL_version(tls->ssl) == VERSION_1_3) return NULL;
  strncpy(tls->fault, "the peer did not prove that it has the key", sizeof tls->fault - 1);
  return refused(tls, server, psk_file);
}

kn_status kn_tls_begin(kn_connection *connection, bool server, const char *psk_file, int64_t deadline_ns) {
  KN_TRY(kn_library_use(&library));
  kn_tls *tls = kn_alloc(sizeof *tls);
  if (!tls) return kn_status_out_of_memory();
  kn_status status = kn_psk_read(psk_file, tls->key);
  if (!status) status = prepare(tls, connection->fd, server);
  if (!status) status = shake_hands(tls, connection->fd, server, psk_file, deadline_ns);
  if (status)
    kn_tls_end(tls);
  else
    connection->tls = tls;
  return status;
}

kn_status kn_tls_check(const char *psk_file) {
  uint8_t key[KN_PSK_BYTES];
  KN_TRY(kn_library_use(&library));
  kn_status status = kn_psk_read(psk_file, key);
  explicit_bzero(key, sizeof key);
  return status;
}
