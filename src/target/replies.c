#include "target/replies.h"

#include "wire/extension.h"

#include <string.h>

/* Room for `bytes` more. */
static bool make_room(kn_replies *replies, size_t bytes) {
  size_t needed;
  if (replies->lost || !kn_add_size(replies->bytes, bytes, &needed)) return false;
  if (needed <= replies->capacity) return true;
  uint8_t *data = kn_realloc(replies->data, needed);
  if (!data) return false;
  replies->data = data;
  replies->capacity = needed;
  return true;
}

static uint8_t *reserve(kn_replies *replies, size_t bytes) {
  if (!make_room(replies, bytes)) return NULL;
  uint8_t *at = replies->data + replies->bytes;
  replies->bytes += bytes;
  return at;
}

static void add_frame(kn_replies *replies, const kn_wire_config *wire, kn_frame frame, const uint8_t *payload) {
  uint8_t header[KN_FRAME_HEADER_MAXIMUM];
  size_t size = kn_frame_header_size(wire->format);
  kn_frame_encode(wire->format, wire->big_endian, &frame, header);
  if (wire->checksums && wire->format != KN_WIRE_2022) {
    uint8_t sum = kn_frame_sum(kn_frame_sum(0, header, size), payload, frame.payload);
    frame.checksum = sum ^ KN_CHECKSUM;
    kn_frame_encode(wire->format, wire->big_endian, &frame, header);
  }
  uint8_t *at = reserve(replies, size + frame.payload);
  if (!at) {
    replies->lost = true;
    return;
  }
  memcpy(at, header, size);
  if (frame.payload) memcpy(at + size, payload, frame.payload);
}

static void add_message(kn_replies *replies, const kn_wire_config *wire, uint64_t type, unsigned flags,
                        const uint8_t *payload, size_t bytes) {
  const size_t header = kn_frame_header_size(wire->format), most = wire->frame_limit - header;
  size_t sent = 0, whole;
  /* All frames at once: what grew with each of them would be moved for each of them. */
  replies->lost |= !kn_add_size(bytes, (bytes / most + 1) * header, &whole) || !make_room(replies, whole);
  if (replies->lost) return;
  do {
    size_t piece = bytes - sent < most ? bytes - sent : most;
    unsigned place = (sent ? 0 : KN_FLAG_FIRST) | (sent + piece == bytes ? KN_FLAG_LAST : 0);
    kn_frame frame = {.type = type,
                      .flow = KN_FLOW_TRANSMISSION,
                      .flags = (uint16_t)(flags | place | KN_FLAG_KENNING | (piece ? KN_FLAG_PAYLOAD : 0)),
                      .payload = (uint32_t)piece};
    add_frame(replies, wire, frame, payload + sent);
    sent += piece;
  } while (sent < bytes && !replies->lost);
}

/* The format of 2022 has one frame per message, whatever its size. */
static void add_2022(kn_replies *replies, const kn_wire_config *wire, uint64_t type, const uint8_t *payload,
                     size_t bytes) {
  if (bytes > kn_frame_payload_limit(wire->format)) {
    replies->lost = true;
    return;
  }
  add_frame(replies, wire, (kn_frame){.type = type, .payload = (uint32_t)bytes}, payload);
}

void kn_replies_success(kn_replies *replies, const kn_wire_config *wire, uint64_t type, const void *payload,
                        size_t bytes) {
  static const uint8_t nothing;
  const uint8_t *data = payload ? payload : &nothing;
  if (wire->format == KN_WIRE_2022) {
    add_2022(replies, wire, KN_REPLY_OK, data, bytes);
    return;
  }
  /* Uploads and commands are answered by what the target did. */
  const uint8_t action = kn_message_action(type);
  if (!bytes && kn_message_direction(type) != KN_DOWNLOAD) data = &action, bytes = 1;
  add_message(replies, wire, type, KN_FLAG_SUCCESS, data, bytes);
}

static void add_log(kn_replies *replies, const kn_wire_config *wire, kn_refusal refusal) {
  uint8_t line[64] = {0};
  static const char label[] = "[ERROR] ";
  const char *text = kn_refusal_text(refusal);
  size_t length = strlen(text), before = sizeof label - 1;
  if (length > sizeof line - 1 - before) length = sizeof line - 1 - before;
  line[0] = (uint8_t)(before + length);
  memcpy(line + 1, label, before);
  for (size_t i = 0; i < length; i++)
    line[1 + before + i] = (uint8_t)text[i]; /* a length stands in front, no NUL behind */
  add_message(replies, wire, KN_MESSAGE_LOGS, 0, line, 1 + before + length);
}

void kn_replies_refusal(kn_replies *replies, const kn_wire_config *wire, uint64_t type, kn_refusal refusal,
                        kn_code code) {
  uint8_t payload[1 + KN_CODE_BYTES] = {kn_message_action(type)};
  size_t bytes = code ? KN_CODE_BYTES : 0;
  kn_wire_put(payload + 1, code, KN_CODE_BYTES);
  if (wire->format == KN_WIRE_2022) {
    add_2022(replies, wire, KN_REPLY_ERROR, payload + 1, bytes);
    return;
  }
  add_log(replies, wire, refusal);
  add_message(replies, wire, type, KN_FLAG_FAIL, payload, 1 + bytes);
}

void kn_replies_notice(kn_replies *replies, const kn_wire_config *wire, kn_message type) {
  static const uint8_t nothing;
  if (wire->format == KN_WIRE_2022)
    add_2022(replies, wire, type, &nothing, 0);
  else
    add_message(replies, wire, type, 0, &nothing, 0);
}

void kn_replies_clear(kn_replies *replies) {
  kn_free(replies->data);
  *replies = (kn_replies){0};
}
