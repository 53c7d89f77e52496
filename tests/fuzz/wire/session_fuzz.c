/* A target's session under arbitrary bytes. The first byte chooses the wire format and how large the pieces are in
 * which the rest arrives; the second whether the rest are the bytes of the wire or messages in a short form, which get
 * headers with right sizes and sums. */
#include "core/instance.h"
#include "core/log.h"
#include "target/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const kn_class kn_null_runtime_class;

static const kn_wire_config wires[] = {{.format = KN_WIRE_2022, .frame_limit = 1 << 20},
                                       {.format = KN_WIRE_2022, .frame_limit = 1 << 20, .big_endian = true},
                                       {.format = KN_WIRE_8, .frame_limit = 64},
                                       {.format = KN_WIRE_8, .frame_limit = 1 << 20, .checksums = true},
                                       {.format = KN_WIRE_12, .frame_limit = 1 << 20},
                                       {.format = KN_WIRE_12, .frame_limit = 64, .checksums = true}};

/* The session's owner, without a connection. False when it was closed. */
static bool feed(kn_target_session *session, const uint8_t *data, size_t count, size_t piece) {
  while (count) {
    size_t room, replies;
    void *window = kn_target_session_window(session, &room);
    if (!room) abort();
    if (room > count) room = count;
    if (room > piece) room = piece;
    memcpy(window, data, room);
    data += room;
    count -= room;
    kn_session_next next = kn_target_session_received(session, room);
    if (next == KN_SESSION_WORK) next = kn_target_session_work(session);
    (void)kn_target_session_replies(session, &replies);
    kn_target_session_sent(session);
    if (next == KN_SESSION_CLOSE) return false;
  }
  return true;
}

/* Three bytes of structure: type, flags, length; then as many bytes of payload. */
static size_t message(kn_target_session *session, const kn_wire_config *wire, const uint8_t *data, size_t size,
                      size_t piece, bool *open) {
  kn_frame frame = {.type = data[0] & 0x3F, .flow = data[0] >> 6, .flags = data[1]};
  size_t payload = data[2] < size - 3 ? data[2] : size - 3;
  frame.payload = (uint32_t)payload;
  if (payload) frame.flags |= KN_FLAG_PAYLOAD;
  uint8_t bytes[KN_FRAME_HEADER_MAXIMUM + 255];
  size_t header = kn_frame_header_size(wire->format);
  kn_frame_encode(wire->format, wire->big_endian, &frame, bytes);
  memcpy(bytes + header, data + 3, payload);
  frame.checksum = kn_frame_sum(0, bytes, header + payload) ^ KN_CHECKSUM;
  if (wire->checksums) kn_frame_encode(wire->format, wire->big_endian, &frame, bytes);
  *open = feed(session, bytes, header + payload, piece);
  return 3 + payload;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static char path[64];
  if (!path[0]) {
    snprintf(path, sizeof path, "/tmp/kenning-fuzz-%ld", (long)getpid());
    kn_log_set_level(KN_LOG_CRITICAL);
  }
  if (size < 2) return 0;
  const kn_wire_config *wire = &wires[(data[0] & 7) % 6];
  size_t piece = (size_t)(data[0] >> 3) + 1;
  bool structured = data[1] & 1, open = true;
  const kn_runtime_ops *ops = kn_null_runtime_class.ops;
  kn_instance runtime;
  kn_status status = kn_instance_create(&kn_null_runtime_class, &runtime);
  if (status) abort();
  kn_target_engine engine = {.ops = ops->inference, .self = runtime.self, .payload_limit = 1 << 16};
  status = kn_target_engine_open(&engine);
  if (status) abort();
  const kn_session_config config = {.wire = *wire, .model_path = path, .model_limit = 1 << 16, .in_place = data[1] & 2};
  kn_target_session *session;
  status = kn_target_session_create(&config, &engine, &session);
  if (status) abort();
  data += 2, size -= 2;
  if (!structured) {
    feed(session, data, size, piece);
  } else {
    while (open && size > 3) {
      size_t used = message(session, wire, data, size, piece, &open);
      data += used, size -= used;
    }
  }
  kn_target_session_destroy(session);
  unlink(path);
  kn_target_engine_close(&engine);
  ops->close(runtime.self);
  kn_instance_destroy(&runtime);
  return 0;
}
