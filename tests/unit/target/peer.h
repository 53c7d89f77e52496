/* A target's session with the null runtime, and bytes to feed it with. */
#ifndef TESTS_UNIT_TARGET_PEER_H
#define TESTS_UNIT_TARGET_PEER_H

#include "core/instance.h"
#include "target/session.h"

/* Input [1, 4] float32, output [1, 2] float32: the first two values. */
#define KT_SPEC                                                                  \
  "{\"input\": [{\"name\": \"x\", \"shape\": [1, 4], \"dtype\": \"float32\"}], " \
  "\"output\": [{\"name\": \"y\", \"shape\": [1, 2], \"dtype\": \"float32\"}]}"

typedef struct kt_bytes {
  uint8_t *data;
  size_t count;
} kt_bytes;

void kt_bytes_add(kt_bytes *bytes, const void *data, size_t count);
void kt_bytes_free(kt_bytes *bytes);
/* A request of the given format, in one frame, with its checksum where `wire` has them. */
void kt_bytes_add_request(kt_bytes *bytes, const kn_wire_config *wire, kn_message type, const void *payload,
                          size_t count);
/* Io specification, model, `inferences` times data, process and output. */
kt_bytes kt_bytes_session(const kn_wire_config *wire, int inferences);

typedef struct kt_target {
  kn_instance runtime;
  kn_target_engine engine;
  kn_target_session *session;
  char *directory, *model;
  kt_bytes replies;
  bool closed;
} kt_target;

void kt_target_open(kt_target *target, const kn_wire_config *wire);
/* For models of more than 1000 bytes. */
void kt_target_open_for(kt_target *target, const kn_wire_config *wire, uint64_t model_limit);
void kt_target_close(kt_target *target);
/* Hands bytes over, at most `piece` at a time; replies are gathered. Ends when the session wants to close. */
void kt_target_feed(kt_target *target, const uint8_t *data, size_t count, size_t piece);

/* The frames of gathered replies, one line each: "OK 8", "ERROR", "DATA success", "LOGS [ERROR] wrong state", ... */
char *kt_replies_text(const kt_target *target, const kn_wire_config *wire);

static const kn_wire_config kt_wires[] = {{.format = KN_WIRE_2022, .frame_limit = 1 << 20},
                                          {.format = KN_WIRE_2022, .frame_limit = 1 << 20, .big_endian = true},
                                          {.format = KN_WIRE_8, .frame_limit = 64},
                                          {.format = KN_WIRE_8, .frame_limit = 1 << 20, .checksums = true},
                                          {.format = KN_WIRE_12, .frame_limit = 1 << 20},
                                          {.format = KN_WIRE_12, .frame_limit = 64, .checksums = true}};
enum { KT_WIRES = sizeof kt_wires / sizeof kt_wires[0] };

#endif
