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

size_t kt_memory_answer(uint8_t *out, size_t count, kn_message type, const void *payload, size_t bytes) {
  const kn_frame frame = {
      .type = type,
      .flow = KN_FLOW_TRANSMISSION,
      .flags = KN_FLAG_SUCCESS | KN_FLAG_FIRST | KN_FLAG_LAST | KN_FLAG_KENNING | (bytes ? KN_FLAG_PAYLOAD : 0),
      .payload = (uint32_t)bytes};
  kn_frame_encode(KN_WIRE_12, false, &frame, out + count);
  count += kn_frame_header_size(KN_WIRE_12);
  if (bytes) memcpy(out + count, payload, bytes);
  return count + bytes;
}

size_t kt_memory_done(uint8_t *out, size_t count, kn_message type) {
  const uint8_t action = kn_message_action(type);
  return kt_memory_answer(out, count, type, &action, 1);
}

kn_status kn_connection_adopt(int fd, kn_connection *out_connection) {
  *out_connection = (kn_connection){.fd = fd};
  return NULL;
}

void kn_connection_close(kn_connection *connection) { connection->fd = -1; }

void kn_connection_part(kn_connection *connection, int64_t deadline_ns, size_t limit) {
  (void)connection, (void)deadline_ns, (void)limit;
}

kn_status kn_connection_patience(int64_t deadline_ns, bool writing) {
  (void)deadline_ns, (void)writing;
  return NULL;
}

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
