#include "wire/frame.h"

#include <string.h>

static void put(uint8_t *out, uint64_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) out[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get(const uint8_t *in, size_t bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes; i++) value |= (uint64_t)in[i] << (8 * i);
  return value;
}

static uint32_t reversed(uint32_t value) {
  return value << 24 | (value & 0xFF00) << 8 | (value >> 8 & 0xFF00) | value >> 24;
}

size_t kn_frame_header_size(kn_wire_format format) { return format == KN_WIRE_2022 ? 6 : format == KN_WIRE_8 ? 8 : 12; }

uint32_t kn_frame_payload_limit(kn_wire_format format) { return format == KN_WIRE_2022 ? UINT32_MAX - 2 : UINT32_MAX; }

static void encode_2022(bool big_endian, const kn_frame *frame, uint8_t *out) {
  uint32_t size = frame->payload + 2;
  uint64_t type = frame->type;
  put(out, big_endian ? reversed(size) : size, 4);
  put(out + 4, big_endian ? type << 8 | type >> 8 : type, 2);
}

void kn_frame_encode(kn_wire_format format, bool big_endian, const kn_frame *frame,
                     uint8_t out[KN_FRAME_HEADER_MAXIMUM]) {
  if (format == KN_WIRE_2022) {
    encode_2022(big_endian, frame, out);
    return;
  }
  uint8_t *rest = out + 1;
  if (format == KN_WIRE_8) {
    out[0] = (uint8_t)((frame->type & 0x3F) | (unsigned)frame->flow << 6);
  } else {
    put(out, (frame->type & 0x3FFFFFFFFF) | (uint64_t)(frame->flow & 3) << 38, 5);
    rest = out + 5;
  }
  rest[0] = frame->checksum;
  put(rest + 1, frame->flags, 2);
  put(rest + 3, frame->payload, 4);
}

static bool decode_2022(bool big_endian, const uint8_t *header, kn_frame *out) {
  uint32_t size = (uint32_t)get(header, 4);
  uint64_t type = get(header + 4, 2);
  if (big_endian) size = reversed(size);
  if (big_endian && type > UINT8_MAX && !(type & UINT8_MAX)) type >>= 8;
  if (size < 2) return false;
  out->type = type;
  out->payload = size - 2;
  out->flags = KN_FLAG_FIRST | KN_FLAG_LAST | (out->payload ? KN_FLAG_PAYLOAD : 0);
  return true;
}

bool kn_frame_decode(kn_wire_format format, bool big_endian, const uint8_t *header, kn_frame *out_frame) {
  *out_frame = (kn_frame){0};
  if (format == KN_WIRE_2022) return decode_2022(big_endian, header, out_frame);
  const uint8_t *rest = header + 1;
  if (format == KN_WIRE_8) {
    out_frame->type = header[0] & 0x3F;
    out_frame->flow = header[0] >> 6;
  } else {
    uint64_t id = get(header, 5);
    out_frame->type = id & 0x3FFFFFFFFF;
    out_frame->flow = (uint8_t)(id >> 38);
    rest = header + 5;
  }
  out_frame->checksum = rest[0];
  out_frame->flags = (uint16_t)get(rest + 1, 2);
  out_frame->payload = out_frame->flags & KN_FLAG_PAYLOAD ? (uint32_t)get(rest + 3, 4) : 0;
  return true;
}

uint8_t kn_frame_sum(uint8_t sum, const void *data, size_t bytes) {
  const uint8_t *at = data;
  uint64_t word, wide = 0;
  for (; bytes >= sizeof word; bytes -= sizeof word, at += sizeof word) {
    memcpy(&word, at, sizeof word);
    wide ^= word;
  }
  for (size_t i = 0; i < sizeof wide; i++) sum ^= (uint8_t)(wide >> (8 * i));
  while (bytes--) sum ^= *at++;
  return sum;
}
