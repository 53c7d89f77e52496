#include "unit/target/peer.h"

#include "support/directory.h"
#include "support/instance.h"
#include "support/status.h"
#include "support/unit.h"

#include <stdio.h>
#include <string.h>

extern const kn_class kn_null_runtime_class;

void kt_bytes_add(kt_bytes *bytes, const void *data, size_t count) {
  bytes->data = realloc(bytes->data, bytes->count + count + 1);
  assert_non_null(bytes->data);
  if (count) memcpy(bytes->data + bytes->count, data, count);
  bytes->count += count;
}

void kt_bytes_free(kt_bytes *bytes) {
  free(bytes->data);
  *bytes = (kt_bytes){0};
}

void kt_bytes_add_request(kt_bytes *bytes, const kn_wire_config *wire, kn_message type, const void *payload,
                          size_t count) {
  size_t size = kn_frame_header_size(wire->format), room = wire->frame_limit - size, sent = 0;
  if (wire->format == KN_WIRE_2022) room = SIZE_MAX;
  do {
    size_t piece = count - sent < room ? count - sent : room;
    kn_frame frame = {.type = type,
                      .flags = (uint16_t)((sent ? 0 : KN_FLAG_FIRST) | (sent + piece == count ? KN_FLAG_LAST : 0) |
                                          (piece ? KN_FLAG_PAYLOAD : 0)),
                      .payload = (uint32_t)piece};
    const uint8_t *at = piece ? (const uint8_t *)payload + sent : (const uint8_t *)"";
    uint8_t header[KN_FRAME_HEADER_MAXIMUM];
    kn_frame_encode(wire->format, wire->big_endian, &frame, header);
    if (wire->checksums) {
      frame.checksum = kn_frame_sum(kn_frame_sum(0, header, size), at, piece) ^ KN_CHECKSUM;
      kn_frame_encode(wire->format, wire->big_endian, &frame, header);
    }
    kt_bytes_add(bytes, header, size);
    kt_bytes_add(bytes, at, piece);
    sent += piece;
  } while (sent < count);
}

kt_bytes kt_bytes_session(const kn_wire_config *wire, int inferences) {
  kt_bytes bytes = {0};
  static const float input[4] = {1.5F, -2, 3, 4};
  static const char model[150] = "a model of 150 bytes, which takes several frames where these are small";
  kt_bytes_add_request(&bytes, wire, KN_MESSAGE_IO_SPEC, KT_SPEC, strlen(KT_SPEC));
  kt_bytes_add_request(&bytes, wire, KN_MESSAGE_MODEL, model, sizeof model);
  for (int i = 0; i < inferences; i++) {
    kt_bytes_add_request(&bytes, wire, KN_MESSAGE_DATA, input, sizeof input);
    kt_bytes_add_request(&bytes, wire, KN_MESSAGE_PROCESS, NULL, 0);
    kt_bytes_add_request(&bytes, wire, KN_MESSAGE_OUTPUT, NULL, 0);
  }
  return bytes;
}

void kt_target_open(kt_target *target, const kn_wire_config *wire) { kt_target_open_for(target, wire, 1000); }

void kt_target_open_for(kt_target *target, const kn_wire_config *wire, uint64_t model_limit) {
  *target = (kt_target){.directory = kt_directory_make()};
  target->model = kt_path(target->directory, "model.bin");
  kt_assert_ok(kn_instance_create(&kn_null_runtime_class, &target->runtime));
  kt_set(&target->runtime, "result", "echo");
  const kn_runtime_ops *ops = kn_null_runtime_class.ops;
  kt_assert_ok(ops->open(target->runtime.self));
  target->engine = (kn_target_engine){.ops = ops->inference, .self = target->runtime.self, .payload_limit = 1 << 20};
  kt_assert_ok(kn_target_engine_open(&target->engine));
  const kn_session_config config = {.wire = *wire, .model_path = target->model, .model_limit = model_limit};
  kt_assert_ok(kn_target_session_create(&config, &target->engine, &target->session));
}

void kt_target_close(kt_target *target) {
  kn_target_session_destroy(target->session);
  kn_target_engine_close(&target->engine);
  const kn_runtime_ops *ops = kn_null_runtime_class.ops;
  ops->close(target->runtime.self);
  kn_instance_destroy(&target->runtime);
  kt_bytes_free(&target->replies);
  free(target->model);
  kt_directory_remove(target->directory);
}

static void gather(kt_target *target) {
  size_t count;
  const void *data = kn_target_session_replies(target->session, &count);
  kt_bytes_add(&target->replies, data, count);
  kn_target_session_sent(target->session);
}

void kt_target_feed(kt_target *target, const uint8_t *data, size_t count, size_t piece) {
  while (count && !target->closed) {
    size_t room;
    void *window = kn_target_session_window(target->session, &room);
    assert_true(room > 0);
    if (room > piece) room = piece;
    if (room > count) room = count;
    memcpy(window, data, room);
    data += room;
    count -= room;
    kn_session_next next = kn_target_session_received(target->session, room);
    if (next != KN_SESSION_READ) gather(target);
    if (next == KN_SESSION_WORK) {
      next = kn_target_session_work(target->session);
      gather(target);
    }
    target->closed = next == KN_SESSION_CLOSE;
  }
}

char *kt_replies_text(const kt_target *target, const kn_wire_config *wire) {
  size_t size = kn_frame_header_size(wire->format), at = 0, room = target->replies.count * 8 + 256, used = 0;
  char *text = calloc(1, room);
  assert_non_null(text);
  while (at < target->replies.count) {
    assert_true(target->replies.count - at >= size);
    const uint8_t *bytes = target->replies.data + at;
    kn_frame frame;
    assert_true(kn_frame_decode(wire->format, wire->big_endian, bytes, &frame));
    assert_true(frame.payload <= target->replies.count - at - size);
    if (wire->checksums) assert_int_equal(kn_frame_sum(0, bytes, size + frame.payload), KN_CHECKSUM);
    if (wire->format == KN_WIRE_2022) {
      used += (size_t)snprintf(text + used, room - used, "%s", frame.type == KN_REPLY_OK ? "OK" : "ERROR");
      if (frame.payload) used += (size_t)snprintf(text + used, room - used, " %u", (unsigned)frame.payload);
    } else {
      assert_int_equal(frame.flow, KN_FLOW_TRANSMISSION);
      const char *name = kn_message_name(frame.type), *how = frame.flags & KN_FLAG_SUCCESS ? "success"
                                                             : frame.flags & KN_FLAG_FAIL  ? "fail"
                                                                                           : "";
      used += (size_t)snprintf(text + used, room - used, "%s %s", name ? name : "?", how);
      if (frame.type == KN_MESSAGE_LOGS)
        used += (size_t)snprintf(text + used, room - used, "%.*s", (int)bytes[size], (const char *)bytes + size + 1);
      else if (frame.payload == 1)
        used += (size_t)snprintf(text + used, room - used, " %u", (unsigned)bytes[size]);
      else
        used += (size_t)snprintf(text + used, room - used, " of %u", (unsigned)frame.payload);
    }
    used += (size_t)snprintf(text + used, room - used, "\n");
    at += size + frame.payload;
  }
  return text;
}
