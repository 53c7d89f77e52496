/* Frames: the header in front of every piece of a message, in the three formats that exist. None of them names itself
 * on the wire; both ends must be told which one it is. */
#ifndef KENNING_WIRE_FRAME_H
#define KENNING_WIRE_FRAME_H

#include "wire/message.h"

typedef enum kn_wire_format {
  KN_WIRE_2022 = 1, /* u32 bytes that follow | u16 type */
  KN_WIRE_8,        /* u8 type:6 flow:2 | u8 checksum | u16 flags | u32 payload bytes: up to tag v0.8.2 */
  KN_WIRE_12        /* u40 type:38 flow:2 | u8 checksum | u16 flags | u32 payload bytes: since 2026-05-28 */
} kn_wire_format;

typedef enum kn_flow {
  KN_FLOW_REQUEST = 0,
  KN_FLOW_RETRANSMIT = 1, /* asks for the last message of this type again */
  KN_FLOW_ACKNOWLEDGE = 2,
  KN_FLOW_TRANSMISSION = 3
} kn_flow;

enum {
  KN_FLAG_SUCCESS = 1 << 0,
  KN_FLAG_FAIL = 1 << 1,
  KN_FLAG_HOST = 1 << 2,
  KN_FLAG_PAYLOAD = 1 << 3, /* without it the payload size says nothing */
  KN_FLAG_FIRST = 1 << 4,
  KN_FLAG_LAST = 1 << 5,
  KN_FLAG_KENNING = 1 << 6,    /* the target is a Kenning */
  KN_FLAG_ZEPHYR = 1 << 7,     /* the target is a kenning-zephyr-runtime */
  KN_FLAG_SERIALIZED = 1 << 12 /* IO_SPEC: the packed form instead of JSON */
};

enum {
  KN_FRAME_HEADER_MAXIMUM = 12,
  KN_CHECKSUM = 0x4B, /* what all bytes of a frame give when they are combined by exclusive or */
  KN_HELLO = 0        /* the byte with which today's TCP server greets a client */
};

typedef struct kn_frame {
  uint64_t type;    /* kn_message; in replies of 2022 KN_REPLY_... */
  uint8_t flow;     /* kn_flow; 2022: always KN_FLOW_REQUEST */
  uint8_t checksum; /* as sent */
  uint16_t flags;   /* 2022: KN_FLAG_FIRST | KN_FLAG_LAST, and KN_FLAG_PAYLOAD when there is one */
  uint32_t payload; /* bytes behind the header */
} kn_frame;

/* 6, 8 or 12. */
size_t kn_frame_header_size(kn_wire_format format);
/* Largest payload of one frame. */
uint32_t kn_frame_payload_limit(kn_wire_format format);

/* Writes a header. `big_endian` matters to the format of 2022 alone. */
void kn_frame_encode(kn_wire_format format, bool big_endian, const kn_frame *frame,
                     uint8_t out[KN_FRAME_HEADER_MAXIMUM]);
/* Reads a header of kn_frame_header_size bytes. False when no frame can look like this (2022: a size below that of
 * the type). A big-endian peer's type is taken in both byte orders: the original's own `endianness` reverses the size,
 * but not the type that it sends. */
bool kn_frame_decode(kn_wire_format format, bool big_endian, const uint8_t *header, kn_frame *out_frame);

/* All bytes combined by exclusive or, going on from `sum`. */
uint8_t kn_frame_sum(uint8_t sum, const void *data, size_t bytes);

#endif
