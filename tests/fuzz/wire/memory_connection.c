#include "memory_connection.h"

#include <string.h>

/* Descriptors of ours look like any other, so that they are told apart from a closed one. */
enum { DESCRIPTOR = 1000 };

static struct {
  const uint8_t *said;
  size_t left;
  bool stalls;
} peer;

kn_connection kt_memory_connection(const void *said, size_t bytes, bool stalls) {
  peer.said = said;
  peer.left = bytes;
  peer.stalls = stalls;
  return (kn_connection){.fd = DESCRIPTOR};
}

kn_status kn_connection_adopt(int fd, kn_connection *out_connection) {
  *out_connection = (kn_connection){.fd = fd};
  return NULL;
}

void kn_connection_close(kn_connection *connection) { connection->fd = -1; }

kn_status kn_connection_wait(int fd, bool writing, int64_t deadline_ns) {
  (void)fd, (void)writing, (void)deadline_ns;
  return NULL;
}

kn_status kn_connection_read(kn_connection *connection, void *to, size_t size, int64_t deadline_ns, size_t *out_got) {
  (void)connection, (void)deadline_ns;
  size_t got = size < peer.left ? size : peer.left;
  *out_got = got;
  if (!got) return peer.stalls ? kn_status_make(KN_TIMEOUT, "the peer did not answer in time") : NULL;
  memcpy(to, peer.said, got);
  peer.said += got;
  peer.left -= got;
  return NULL;
}

kn_status kn_connection_write(kn_connection *connection, const kn_piece *pieces, size_t count, int64_t deadline_ns) {
  (void)connection, (void)pieces, (void)deadline_ns;
  return count > KN_CONNECTION_PIECES ? kn_status_make(KN_INTERNAL, "too many pieces in one write") : NULL;
}

kn_status kn_connection_send_file(kn_connection *connection, int file, size_t bytes, int64_t deadline_ns) {
  (void)connection, (void)file, (void)bytes, (void)deadline_ns;
  return NULL;
}
