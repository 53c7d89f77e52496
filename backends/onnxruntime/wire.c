#include "wire.h"

static kn_status cut(const kn_onnx_span *at) {
  return kn_status_make(KN_BAD_DATA, "the file is cut or damaged at byte %zu", kn_onnx_offset(*at));
}

kn_status kn_onnx_varint(kn_onnx_span *bytes, uint64_t *out_value) {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 70 && bytes->at < bytes->end; shift += 7) {
    uint8_t byte = *bytes->at++;
    if (shift < 64) value |= (uint64_t)(byte & 127) << shift;
    if (byte & 128) continue;
    *out_value = value;
    return NULL;
  }
  return cut(bytes);
}

static kn_status take(kn_onnx_span *message, uint64_t length, kn_onnx_span *out_bytes) {
  if (length > kn_onnx_length(*message)) return cut(message);
  *out_bytes = (kn_onnx_span){message->file, message->at, message->at + length};
  message->at += length;
  return NULL;
}

kn_status kn_onnx_next(kn_onnx_span *message, kn_onnx_field *out_field, bool *out_more) {
  *out_field = (kn_onnx_field){.bytes = {message->file, message->end, message->end}};
  *out_more = message->at < message->end;
  if (!*out_more) return NULL;
  kn_onnx_span start = *message, fixed;
  uint64_t tag, length;
  KN_TRY(kn_onnx_varint(message, &tag));
  if (tag >> 3 == 0 || tag >> 3 > (1u << 29) - 1) return cut(&start);
  out_field->number = (uint32_t)(tag >> 3);
  out_field->wire = (kn_onnx_wire)(tag & 7);
  switch (tag & 7) {
    case KN_ONNX_VARINT:
      return kn_onnx_varint(message, &out_field->value);
    case KN_ONNX_BYTES:
      KN_TRY(kn_onnx_varint(message, &length));
      return take(message, length, &out_field->bytes);
    case KN_ONNX_FIXED64:
      return take(message, 8, &fixed);
    case KN_ONNX_FIXED32:
      return take(message, 4, &fixed);
    default: /* groups, which ONNX does not have, and what is not defined */
      return cut(&start);
  }
}

kn_status kn_onnx_expect(const kn_onnx_field *field, kn_onnx_wire wire, const char *what) {
  if (field->wire == wire) return NULL;
  return kn_status_make(KN_BAD_DATA, "%s near byte %zu is not encoded as in ONNX", what, kn_onnx_offset(field->bytes));
}
