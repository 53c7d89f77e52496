/* Headers as the original's programs were recorded to send them. */
#include "support/unit.h"

#include "wire/frame.h"

#include <string.h>

static const struct {
  kn_wire_format format;
  uint8_t bytes[12];
  kn_frame frame;
} seen[] = {
    /* 2022: io specification of 209 bytes, OK, 602112 bytes of data, OK with 20 bytes */
    {KN_WIRE_2022, {0xd3, 0, 0, 0, 7, 0}, {.type = KN_MESSAGE_IO_SPEC, .flags = 0x38, .payload = 209}},
    {KN_WIRE_2022, {2, 0, 0, 0, 0, 0}, {.type = KN_REPLY_OK, .flags = 0x30}},
    {KN_WIRE_2022, {2, 0x30, 9, 0, 2, 0}, {.type = KN_MESSAGE_DATA, .flags = 0x38, .payload = 602112}},
    {KN_WIRE_2022, {0x16, 0, 0, 0, 0, 0}, {.type = KN_REPLY_OK, .flags = 0x38, .payload = 20}},
    /* today: request and answer, with a checksum, a log message, a refusal, an acknowledgement */
    {KN_WIRE_12,
     {7, 0, 0, 0, 0, 0x15, 0x38, 0, 0x6a, 3, 0, 0},
     {.type = KN_MESSAGE_IO_SPEC, .checksum = 0x15, .flags = 0x38, .payload = 874}},
    {KN_WIRE_12,
     {7, 0, 0, 0, 0xc0, 0, 0x79, 0, 1, 0, 0, 0},
     {.type = KN_MESSAGE_IO_SPEC, .flow = KN_FLOW_TRANSMISSION, .flags = 0x79, .payload = 1}},
    {KN_WIRE_12,
     {13, 0, 0, 0, 0xc0, 0, 0x78, 0, 0x2a, 0, 0, 0},
     {.type = KN_MESSAGE_LOGS, .flow = KN_FLOW_TRANSMISSION, .flags = 0x78, .payload = 42}},
    {KN_WIRE_12,
     {5, 0, 0, 0, 0xc0, 0, 0x7a, 0, 1, 0, 0, 0},
     {.type = KN_MESSAGE_OUTPUT, .flow = KN_FLOW_TRANSMISSION, .flags = 0x7a, .payload = 1}},
    {KN_WIRE_12,
     {2, 0, 0, 0, 0x80, 0, 0x31, 0, 0, 0, 0, 0},
     {.type = KN_MESSAGE_DATA, .flow = KN_FLOW_ACKNOWLEDGE, .flags = 0x31}},
    /* tag v0.8.2: the same request in 8 bytes */
    {KN_WIRE_8,
     {7, 0x15, 0x38, 0, 0x6a, 3, 0, 0},
     {.type = KN_MESSAGE_IO_SPEC, .checksum = 0x15, .flags = 0x38, .payload = 874}},
    {KN_WIRE_8,
     {0xc7, 0, 0x79, 0, 1, 0, 0, 0},
     {.type = KN_MESSAGE_IO_SPEC, .flow = KN_FLOW_TRANSMISSION, .flags = 0x79, .payload = 1}},
};

static void headers_are_those_that_were_seen(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof seen / sizeof *seen; i++) {
    size_t size = kn_frame_header_size(seen[i].format);
    uint8_t out[KN_FRAME_HEADER_MAXIMUM] = {0};
    kn_frame_encode(seen[i].format, false, &seen[i].frame, out);
    assert_memory_equal(out, seen[i].bytes, size);
    kn_frame frame;
    assert_true(kn_frame_decode(seen[i].format, false, seen[i].bytes, &frame));
    assert_int_equal(frame.type, seen[i].frame.type);
    assert_int_equal(frame.flow, seen[i].frame.flow);
    assert_int_equal(frame.checksum, seen[i].frame.checksum);
    assert_int_equal(frame.flags, seen[i].frame.flags);
    assert_int_equal(frame.payload, seen[i].frame.payload);
  }
}

static void a_size_below_that_of_the_type_is_no_frame(void **state) {
  (void)state;
  for (uint8_t size = 0; size < 2; size++) {
    const uint8_t header[6] = {size, 0, 0, 0, 2, 0};
    kn_frame frame;
    assert_false(kn_frame_decode(KN_WIRE_2022, false, header, &frame));
  }
}

static void the_largest_frames_are_read(void **state) {
  (void)state;
  const uint8_t header[6] = {0xff, 0xff, 0xff, 0xff, 2, 0};
  kn_frame frame;
  assert_true(kn_frame_decode(KN_WIRE_2022, false, header, &frame));
  assert_int_equal(frame.payload, UINT32_MAX - 2);
  const uint8_t twelve[12] = {0xff, 0xff, 0xff, 0xff, 0x3f, 0, 8, 0, 0xff, 0xff, 0xff, 0xff};
  assert_true(kn_frame_decode(KN_WIRE_12, false, twelve, &frame));
  assert_int_equal(frame.type, 0x3fffffffff);
  assert_int_equal(frame.flow, KN_FLOW_REQUEST);
  assert_int_equal(frame.payload, UINT32_MAX);
}

/* The original reverses the size only; its other half reads the type reversed too. */
static void a_big_endian_peer_is_understood_both_ways(void **state) {
  (void)state;
  const kn_frame sent = {.type = KN_MESSAGE_MODEL, .payload = 0x010203};
  uint8_t out[KN_FRAME_HEADER_MAXIMUM];
  kn_frame_encode(KN_WIRE_2022, true, &sent, out);
  assert_memory_equal(out, ((const uint8_t[]){0, 1, 2, 5, 0, 3}), 6);
  const uint8_t original[6] = {0, 1, 2, 5, 3, 0};
  kn_frame frame;
  assert_true(kn_frame_decode(KN_WIRE_2022, true, out, &frame));
  assert_int_equal(frame.type, KN_MESSAGE_MODEL);
  assert_int_equal(frame.payload, 0x010203);
  assert_true(kn_frame_decode(KN_WIRE_2022, true, original, &frame));
  assert_int_equal(frame.type, KN_MESSAGE_MODEL);
}

static void sums_do_not_depend_on_pieces(void **state) {
  (void)state;
  uint8_t data[67], plain = 0;
  for (size_t i = 0; i < sizeof data; i++) plain ^= data[i] = (uint8_t)(i * 37 + 11);
  for (size_t cut = 0; cut <= sizeof data; cut++)
    assert_int_equal(kn_frame_sum(kn_frame_sum(0, data, cut), data + cut, sizeof data - cut), plain);
  /* 12 bytes that were seen with their checksum and no payload: STATS */
  const uint8_t stats[12] = {6, 0, 0, 0, 0, 0x7d, 0x30, 0, 0, 0, 0, 0};
  assert_int_equal(kn_frame_sum(0, stats, sizeof stats), KN_CHECKSUM);
}

static void every_message_has_name_direction_and_action(void **state) {
  (void)state;
  for (uint64_t i = 0; i < KN_MESSAGE_COUNT; i++) {
    assert_non_null(kn_message_name(i));
    assert_in_range(kn_message_direction(i), KN_UPLOAD, KN_NOTICE);
    assert_in_range(kn_message_action(i), 0, 12);
  }
  assert_null(kn_message_name(KN_MESSAGE_COUNT));
  assert_int_equal(kn_message_direction(UINT64_MAX), KN_NOTICE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(headers_are_those_that_were_seen), cmocka_unit_test(a_size_below_that_of_the_type_is_no_frame),
      cmocka_unit_test(the_largest_frames_are_read),      cmocka_unit_test(a_big_endian_peer_is_understood_both_ways),
      cmocka_unit_test(sums_do_not_depend_on_pieces),     cmocka_unit_test(every_message_has_name_direction_and_action),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
