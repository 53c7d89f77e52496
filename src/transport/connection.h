/* A connection to a peer: a descriptor that is never waited on for longer than a deadline. Points in time are
 * kn_now_ns(); KN_NO_DEADLINE waits until the peer does something or the user stops the program. */
#ifndef KENNING_TRANSPORT_CONNECTION_H
#define KENNING_TRANSPORT_CONNECTION_H

#include <kenning/status.h>

#define KN_NO_DEADLINE INT64_MAX

typedef struct kn_connection {
  int fd;             /* non-blocking, close-on-exec; negative: closed */
  struct kn_tls *tls; /* NULL: bytes are on the wire as they are */
} kn_connection;

/* A piece of memory to be written; several are one write. */
typedef struct kn_piece {
  const void *data;
  size_t bytes;
} kn_piece;

enum { KN_CONNECTION_PIECES = 4 };

/* Makes a connected descriptor non-blocking and close-on-exec, and takes it over. */
kn_status kn_connection_adopt(int fd, kn_connection *out_connection) KN_MUST_USE;
/* A closed one is allowed. */
void kn_connection_close(kn_connection *connection);

/* Reads at least one byte and at most `size` (above 0). *out_got is 0 when the peer has closed the connection.
 * KN_TIMEOUT at the deadline, KN_IO_ERROR when the connection broke, KN_CANCELLED when the user asked to stop. */
kn_status kn_connection_read(kn_connection *connection, void *to, size_t size, int64_t deadline_ns,
                             size_t *out_got) KN_MUST_USE;
/* Writes all of at most KN_CONNECTION_PIECES pieces. */
kn_status kn_connection_write(kn_connection *connection, const kn_piece *pieces, size_t count,
                              int64_t deadline_ns) KN_MUST_USE;

/* Writes `bytes` bytes of a file from its position on. KN_BAD_DATA when it has fewer. */
kn_status kn_connection_send_file(kn_connection *connection, int file, size_t bytes, int64_t deadline_ns) KN_MUST_USE;

/* Says goodbye to a peer that may still be sending, and throws away what it sends until it hangs up too, at most
 * `limit` bytes and until the deadline: one that is closed upon at once loses what it was told last. */
void kn_connection_part(kn_connection *connection, int64_t deadline_ns, size_t limit);

/* KN_TIMEOUT past the deadline, KN_CANCELLED when the user asked to stop: for those who read what never ceases to come.
 */
kn_status kn_connection_patience(int64_t deadline_ns, bool writing) KN_MUST_USE;

/* Waits until `fd` can be read or (`writing`) written. The same statuses. */
kn_status kn_connection_wait(int fd, bool writing, int64_t deadline_ns) KN_MUST_USE;

#endif
