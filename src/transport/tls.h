/* TLS 1.3 with a pre-shared key, by libssl, which is opened when the first connection asks for it. The key
 * authenticates both ends; every connection has keys of its own from an (elliptic curve) Diffie-Hellman exchange, so
 * who learns the pre-shared key later cannot read what was recorded. TLS_AES_128_GCM_SHA256; no certificates, no
 * session tickets, no early data. libssl writes without MSG_NOSIGNAL, in reading and in closing too: SIGPIPE is held
 * back around each step. */
#ifndef KENNING_TRANSPORT_TLS_H
#define KENNING_TRANSPORT_TLS_H

#include "transport/connection.h"

typedef struct kn_tls kn_tls;

/* Whether libssl is there and `psk_file` holds a key. */
kn_status kn_tls_check(const char *psk_file) KN_MUST_USE;
/* The handshake on a connected socket; from then on the connection is read and written through TLS.
 * KN_INVALID_ARGUMENT when the peer has another key or none, KN_TIMEOUT, KN_IO_ERROR. */
kn_status kn_tls_begin(kn_connection *connection, bool server, const char *psk_file, int64_t deadline_ns) KN_MUST_USE;

/* For connection.c alone. What an attempt came to. */
typedef enum kn_tls_step {
  KN_TLS_DONE,
  KN_TLS_WANTS_READ, /* try again when the descriptor can be read ... */
  KN_TLS_WANTS_WRITE,
  KN_TLS_CLOSED, /* by the peer, properly */
  KN_TLS_BROKEN
} kn_tls_step;

kn_tls_step kn_tls_read(kn_tls *tls, void *to, size_t size, size_t *out_got);
kn_tls_step kn_tls_write(kn_tls *tls, const void *data, size_t bytes, size_t *out_sent);
kn_status kn_tls_fault(const kn_tls *tls) KN_MUST_USE KN_NEVER_NULL;
/* Room of one record, where a header and what follows it become one; KN_TLS_RECORD bytes. */
uint8_t *kn_tls_record(kn_tls *tls);
/* libssl's SSL, for those who measure what is around it. */
void *kn_tls_ssl(kn_tls *tls);
/* Says goodbye as far as that does not wait. NULL is allowed. */
void kn_tls_end(kn_tls *tls);

enum {
  KN_TLS_RECORD = 16384,
  KN_TLS_GREETING = 1 /* said before the handshake by a server whose clients wait to be greeted: one that is without TLS
                       * knows what is missing */
};

#endif
