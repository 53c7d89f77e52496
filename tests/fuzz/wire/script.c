#include "script.h"

#include "wire/extension.h"
#include "wire/packed.h"

#include <kenning/services.h>
#include <stdlib.h>
#include <string.h>

#define SPEC                                                                     \
  "{\"input\": [{\"name\": \"x\", \"shape\": [1, 4], \"dtype\": \"float32\"}], " \
  "\"output\": [{\"name\": \"y\", \"shape\": [1, 2], \"dtype\": \"float32\"}]}"
#define LARGER                                                                   \
  "{\"input\": [{\"name\": \"x\", \"shape\": [1, 8], \"dtype\": \"float32\"}], " \
  "\"output\": [{\"name\": \"y\", \"shape\": [1, 3], \"dtype\": \"float32\"}]}"
#define OPTIMIZERS                                                                                             \
  "{\"prev_block\": {\"model_path\": \"m.onnx\", \"model_type\": \"onnx\", \"io_spec\": " SPEC                 \
  "}, "                                                                                                        \
  "\"optimizers\": [{\"type\": \"kenning.optimizers.model_inserter.ModelInserter\", \"parameters\": {\"model_" \
  "framework\": \"onnx\"}}]}"

static const float input[8] = {1.5F, -2, 3, 4, 5, 6, 7, 8};
const float kt_script_output[2] = {1.5F, -2};

typedef enum content { NOTHING, TEXT, OFFERED, PACKED, PACKED_OFFERED, VALUES, IDENTITY } content;

/* What hosts say, and two that they do not. */
static const struct {
  uint8_t type, flow;
  uint16_t flags;
  content content;
  const char *text;
  size_t bytes;
} messages[] = {{KN_MESSAGE_IO_SPEC, KN_FLOW_REQUEST, 0, TEXT, SPEC, sizeof SPEC - 1},
                {KN_MESSAGE_IO_SPEC, KN_FLOW_REQUEST, 0, OFFERED, SPEC, sizeof SPEC - 1},
                {KN_MESSAGE_IO_SPEC, KN_FLOW_REQUEST, 0, PACKED, NULL, 0},
                {KN_MESSAGE_IO_SPEC, KN_FLOW_REQUEST, 0, PACKED_OFFERED, NULL, 0},
                {KN_MESSAGE_IO_SPEC, KN_FLOW_REQUEST, 0, OFFERED, LARGER, sizeof LARGER - 1},
                {KN_MESSAGE_MODEL, KN_FLOW_REQUEST, 0, TEXT, KT_SCRIPT_MODEL, sizeof KT_SCRIPT_MODEL - 1},
                {KN_MESSAGE_MODEL, KN_FLOW_REQUEST, 0, NOTHING, NULL, 0},
                {KN_MESSAGE_DATA, KN_FLOW_REQUEST, 0, VALUES, NULL, 4 * sizeof *input},
                {KN_MESSAGE_DATA, KN_FLOW_REQUEST, 0, VALUES, NULL, sizeof input},
                {KN_MESSAGE_PROCESS, KN_FLOW_REQUEST, 0, NOTHING, NULL, 0},
                {KN_MESSAGE_OUTPUT, KN_FLOW_REQUEST, 0, NOTHING, NULL, 0},
                {KN_MESSAGE_STATS, KN_FLOW_REQUEST, 0, NOTHING, NULL, 0},
                {KN_MESSAGE_INFER, KN_FLOW_REQUEST, 0, VALUES, NULL, 4 * sizeof *input},
                {KN_MESSAGE_INFER, KN_FLOW_REQUEST, 0, VALUES, NULL, sizeof input},
                {KN_MESSAGE_CLOCK, KN_FLOW_REQUEST, 0, NOTHING, NULL, 0},
                {KN_MESSAGE_IDENTITY, KN_FLOW_REQUEST, 0, IDENTITY, KT_SCRIPT_MODEL, sizeof KT_SCRIPT_MODEL - 1},
                {KN_MESSAGE_IDENTITY, KN_FLOW_REQUEST, 0, IDENTITY, "another of that size", sizeof KT_SCRIPT_MODEL - 1},
                {KN_MESSAGE_HEARTBEAT, KN_FLOW_REQUEST, 0, NOTHING, NULL, 0},
                {KN_MESSAGE_HEARTBEAT, KN_FLOW_TRANSMISSION, 0, NOTHING, NULL, 0},
                {KN_MESSAGE_PING, KN_FLOW_REQUEST, KN_FLAG_SUCCESS, NOTHING, NULL, 0},
                {KN_MESSAGE_PING, KN_FLOW_REQUEST, KN_FLAG_FAIL, NOTHING, NULL, 0},
                {KN_MESSAGE_STATUS, KN_FLOW_REQUEST, 0, NOTHING, NULL, 0},
                {KN_MESSAGE_OPTIMIZERS, KN_FLOW_REQUEST, 0, TEXT, OPTIMIZERS, sizeof OPTIMIZERS - 1},
                {KN_MESSAGE_UNOPTIMIZED_MODEL, KN_FLOW_REQUEST, 0, TEXT, KT_SCRIPT_MODEL, sizeof KT_SCRIPT_MODEL - 1},
                {KN_MESSAGE_OPTIMIZE_MODEL, KN_FLOW_REQUEST, 0, NOTHING, NULL, 0},
                {KN_MESSAGE_OUTPUT, KN_FLOW_RETRANSMIT, 0, NOTHING, NULL, 0},
                {KN_MESSAGE_INFER, KN_FLOW_RETRANSMIT, 0, NOTHING, NULL, 0},
                {KN_MESSAGE_STATS, KN_FLOW_RETRANSMIT, 0, NOTHING, NULL, 0},
                {KN_MESSAGE_LOGS, KN_FLOW_TRANSMISSION, 0, TEXT, "\4text", 5},
                {KN_MESSAGE_RUNTIME, KN_FLOW_REQUEST, 0, TEXT, "elf", 3},
                {KN_MESSAGE_TRACE_DATA, KN_FLOW_REQUEST, 0, NOTHING, NULL, 0},
                {40, KN_FLOW_REQUEST, 0, NOTHING, NULL, 0}};
enum { MESSAGES = sizeof messages / sizeof *messages };
static_assert(MESSAGES == 32, "five bits choose one");

typedef enum twist { PLAIN, CUT, LONGER, CHANGED, OTHER_FLOW, OTHER_FLAGS, PIECES, WRONG_SUM } twist;

static void make_packed(uint8_t *out) {
  kn_iospec spec;
  if (kn_iospec_parse(SPEC, sizeof SPEC - 1, "script", &spec) || kn_packed_iospec_write(&spec, "model", out)) abort();
  kn_iospec_clear(&spec);
}

static void make_identity(const char *text, size_t bytes, uint8_t *out) {
  kn_identity identity = {.bytes = bytes};
  if (kn_sha256(text, bytes, identity.sha256)) abort();
  kn_identity_write(&identity, out);
}

static size_t fill(size_t which, uint8_t *out) {
  size_t bytes = messages[which].bytes;
  switch (messages[which].content) {
    case NOTHING:
      return 0;
    case VALUES:
      memcpy(out, input, bytes);
      return bytes;
    case TEXT:
      memcpy(out, messages[which].text, bytes);
      return bytes;
    case OFFERED:
      memcpy(out, messages[which].text, bytes);
      kn_offer_write(out + bytes);
      return bytes + KN_OFFER_BYTES;
    case IDENTITY:
      make_identity(messages[which].text, bytes, out);
      return KN_IDENTITY_BYTES;
    default:
      make_packed(out);
      if (messages[which].content == PACKED_OFFERED) kn_offer_write_packed(out);
      return KN_PACKED_IOSPEC;
  }
}

static void add_frame(const kn_wire_config *wire, kn_frame frame, const uint8_t *payload, bool wrong_sum,
                      kt_script_message *out) {
  size_t header = kn_frame_header_size(wire->format);
  uint8_t *at = out->bytes + out->count;
  if (out->count + header + frame.payload > sizeof out->bytes) abort();
  if (frame.payload) frame.flags |= KN_FLAG_PAYLOAD;
  kn_frame_encode(wire->format, wire->big_endian, &frame, at);
  if (frame.payload) memcpy(at + header, payload, frame.payload);
  if (wire->checksums && wire->format != KN_WIRE_2022) {
    frame.checksum = kn_frame_sum(0, at, header + frame.payload) ^ KN_CHECKSUM ^ wrong_sum;
    kn_frame_encode(wire->format, wire->big_endian, &frame, at);
  }
  out->count += header + frame.payload;
}

static void write_message(const kn_wire_config *wire, kn_frame frame, const uint8_t *payload, size_t bytes,
                          size_t first, bool wrong_sum, kt_script_message *out) {
  out->count = 0;
  bool whole = first >= bytes || wire->format == KN_WIRE_2022;
  kn_frame one = frame, other = frame;
  one.payload = (uint32_t)(whole ? bytes : first);
  one.flags |= (uint16_t)(KN_FLAG_FIRST | (whole ? KN_FLAG_LAST : 0));
  add_frame(wire, one, payload, wrong_sum, out);
  if (whole) return;
  other.payload = (uint32_t)(bytes - first);
  other.flags |= KN_FLAG_LAST;
  add_frame(wire, other, payload + first, false, out);
}

size_t kt_script_next(const kn_wire_config *wire, const uint8_t *data, size_t size, kt_script_message *out_message) {
  static uint8_t payload[KT_SCRIPT_BYTES];
  size_t which = data[0] & 31, taken = 1, bytes = fill(which, payload), first = SIZE_MAX;
  twist how = (twist)(data[0] >> 5);
  uint8_t more[2] = {0};
  for (; how != PLAIN && how != WRONG_SUM && taken < size && taken < 3; taken++) more[taken - 1] = data[taken];
  kn_frame frame = {.type = messages[which].type, .flow = messages[which].flow, .flags = messages[which].flags};
  switch (how) {
    case CUT:
      bytes -= more[0] < bytes ? more[0] : bytes;
      break;
    case LONGER:
      memset(payload + bytes, more[1], more[0]);
      bytes += more[0];
      break;
    case CHANGED:
      if (bytes) payload[more[0] % bytes] ^= more[1];
      break;
    case OTHER_FLOW:
      frame.flow = more[0] & 3;
      frame.type = more[1] & 32 ? more[1] & 63 : frame.type;
      break;
    case OTHER_FLAGS:
      frame.flags ^= (uint16_t)(more[0] | more[1] << 8);
      break;
    case PIECES:
      first = more[0];
      break;
    default:
      break;
  }
  write_message(wire, frame, payload, bytes, first, how == WRONG_SUM, out_message);
  return taken;
}

bool kt_script_honest(const kn_wire_config *wire, bool in_place, int step, kt_script_message *out_message) {
  static const uint8_t steps[] = {0, 5, 7, 9, 10}; /* of the messages */
  if (step >= (int)sizeof steps) return false;
  (void)kt_script_next(wire, &(uint8_t){in_place && step == 1 ? 6 : steps[step]}, 1, out_message);
  return true;
}
