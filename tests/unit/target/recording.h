/* Sessions of the original that were recorded (tests/golden/wire). */
#ifndef TESTS_UNIT_TARGET_RECORDING_H
#define TESTS_UNIT_TARGET_RECORDING_H

#include "wire/frame.h"

typedef struct kt_frame {
  bool from_host;
  bool hello; /* the byte with which the server greets; nothing else is set */
  uint8_t header[KN_FRAME_HEADER_MAXIMUM];
  size_t header_bytes;
  uint8_t *payload; /* of a large one: the beginning is as recorded, the rest zeros, and the sum is right */
  size_t bytes;
  kn_frame decoded;
} kt_frame;

typedef struct kt_recording {
  kt_frame *frames; /* in the order in which they were sent */
  size_t count;
} kt_recording;

kt_recording kt_recording_read(const char *name, kn_wire_format format);
void kt_recording_free(kt_recording *recording);

static const struct {
  const char *name;
  kn_wire_format format;
  bool checksums;
} kt_recordings[] = {
    {"2022.txt", KN_WIRE_2022, false}, {"12-byte.txt", KN_WIRE_12, false}, {"12-byte-checksums.txt", KN_WIRE_12, true}};
enum { KT_RECORDINGS = sizeof kt_recordings / sizeof kt_recordings[0] };

#endif
