/* The header of one wire format, FUZZED_FORMAT, in both directions: whatever it decodes it encodes to bytes that decode
 * alike, and whatever is encoded is decoded as the fields allow. */
#include "wire/frame.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds) {
  if (!holds) abort();
}

static bool same(const kn_frame *a, const kn_frame *b) {
  return a->type == b->type && a->flow == b->flow && a->checksum == b->checksum && a->flags == b->flags &&
         a->payload == b->payload;
}

static void check_decoding(const uint8_t *header, bool big_endian) {
  kn_frame frame, again;
  uint8_t bytes[KN_FRAME_HEADER_MAXIMUM];
  size_t size = kn_frame_header_size(FUZZED_FORMAT);
  if (!kn_frame_decode(FUZZED_FORMAT, big_endian, header, &frame)) {
    expect(FUZZED_FORMAT == KN_WIRE_2022);
    return;
  }
  expect(frame.payload <= kn_frame_payload_limit(FUZZED_FORMAT));
  expect(frame.payload == 0 || frame.flags & KN_FLAG_PAYLOAD);
  /* A big-endian peer's type is read in both byte orders, which tells types apart up to 255; there are none above. */
  if (FUZZED_FORMAT == KN_WIRE_2022 && big_endian && frame.type > UINT8_MAX) return;
  kn_frame_encode(FUZZED_FORMAT, big_endian, &frame, bytes);
  expect(kn_frame_decode(FUZZED_FORMAT, big_endian, bytes, &again) && same(&frame, &again));
  /* The same bytes, but for a size that says nothing, and a big-endian peer's type, which has two spellings. */
  if (!big_endian && frame.flags & KN_FLAG_PAYLOAD) expect(!memcmp(bytes, header, size));
}

static void check_encoding(const uint8_t *fields, bool big_endian) {
  static const uint64_t types[] = {[KN_WIRE_2022] = 0xFF, [KN_WIRE_8] = 0x3F, [KN_WIRE_12] = 0x3FFFFFFFFF};
  kn_frame frame = {.flow = fields[0] & 3, .checksum = fields[1]}, again;
  uint8_t bytes[KN_FRAME_HEADER_MAXIMUM];
  memcpy(&frame.type, fields + 2, 5);
  memcpy(&frame.flags, fields + 7, 2);
  memcpy(&frame.payload, fields + 9, 3);
  frame.type &= types[FUZZED_FORMAT];
  if (FUZZED_FORMAT == KN_WIRE_2022) {
    frame.flow = frame.checksum = 0;
    frame.flags = KN_FLAG_FIRST | KN_FLAG_LAST;
  }
  frame.flags = frame.payload ? (uint16_t)(frame.flags | KN_FLAG_PAYLOAD) : (uint16_t)(frame.flags & ~KN_FLAG_PAYLOAD);
  kn_frame_encode(FUZZED_FORMAT, big_endian, &frame, bytes);
  expect(kn_frame_decode(FUZZED_FORMAT, big_endian, bytes, &again) && same(&frame, &again));
}

/* The sum of a frame with its checksum in place is KN_CHECKSUM, however it is cut. */
static void check_sum(const uint8_t *data, size_t size) {
  uint8_t sum = 0;
  for (size_t i = 0; i < size; i++) sum ^= data[i];
  expect(kn_frame_sum(0, data, size) == sum);
  size_t cut = size ? data[0] % (size + 1) : 0;
  expect(kn_frame_sum(kn_frame_sum(0, data, cut), data + cut, size - cut) == sum);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  check_sum(data, size);
  if (size <= KN_FRAME_HEADER_MAXIMUM) return 0;
  check_decoding(data + 1, data[0] & 1);
  check_encoding(data + 1, data[0] & 1);
  return 0;
}
