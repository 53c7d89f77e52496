/* A walk over the fields of a Protocol Buffers message: bounded, without copies, without a schema. Encoding:
 * protobuf.dev/programming-guides/encoding. */
#ifndef KN_ONNX_WIRE_H
#define KN_ONNX_WIRE_H

#include <kenning/status.h>

typedef enum kn_onnx_wire {
  KN_ONNX_VARINT = 0,
  KN_ONNX_FIXED64 = 1,
  KN_ONNX_BYTES = 2,
  KN_ONNX_FIXED32 = 5
} kn_onnx_wire;

/* Bytes of a message, a text or a packed list, inside a file that begins at `file`. */
typedef struct kn_onnx_span {
  const uint8_t *file, *at, *end;
} kn_onnx_span;

typedef struct kn_onnx_field {
  uint32_t number;
  kn_onnx_wire wire;
  uint64_t value;     /* of the integers */
  kn_onnx_span bytes; /* of KN_ONNX_BYTES; empty otherwise */
} kn_onnx_field;

/* Takes the next field off `message`. *out_more is false at the end of the message. KN_BAD_DATA with the offset where
 * the bytes are no message. */
kn_status kn_onnx_next(kn_onnx_span *message, kn_onnx_field *out_field, bool *out_more) KN_MUST_USE;
/* Takes an integer off a packed list. */
kn_status kn_onnx_varint(kn_onnx_span *bytes, uint64_t *out_value) KN_MUST_USE;
/* KN_BAD_DATA unless the field is encoded as `wire`. `what` names it. */
kn_status kn_onnx_expect(const kn_onnx_field *field, kn_onnx_wire wire, const char *what) KN_MUST_USE;

static inline size_t kn_onnx_length(kn_onnx_span span) { return (size_t)(span.end - span.at); }
static inline size_t kn_onnx_offset(kn_onnx_span span) { return (size_t)(span.at - span.file); }

#endif
