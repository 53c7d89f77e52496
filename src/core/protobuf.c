#include <kenning/protobuf.h>

enum { LARGEST_NUMBER = (1 << 29) - 1 };

bool kn_protobuf_varint(kn_protobuf *list, uint64_t *out_value) {
  const uint8_t *at = list->at;
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && at < list->end; shift += 7) {
    uint8_t byte = *at++;
    value |= (uint64_t)(byte & 0x7f) << shift;
    if (byte & 0x80) continue;
    list->at = at;
    *out_value = value;
    return true;
  }
  return false;
}

static bool take(kn_protobuf *rest, uint64_t length, kn_protobuf *out_bytes) {
  if (length > kn_protobuf_length(*rest)) return false;
  *out_bytes = (kn_protobuf){rest->file, rest->at, rest->at + length};
  rest->at += length;
  return true;
}

static bool take_value(kn_protobuf *rest, kn_protobuf_field *field) {
  kn_protobuf fixed;
  uint64_t length;
  switch (field->type) {
    case KN_PROTOBUF_VARINT:
      return kn_protobuf_varint(rest, &field->value);
    case KN_PROTOBUF_BYTES:
      return kn_protobuf_varint(rest, &length) && take(rest, length, &field->bytes);
    case KN_PROTOBUF_FIXED64:
      return take(rest, 8, &fixed);
    case KN_PROTOBUF_FIXED32:
      return take(rest, 4, &fixed);
    default:
      return false;
  }
}

bool kn_protobuf_next(kn_protobuf *message, kn_protobuf_field *out_field) {
  kn_protobuf rest = *message;
  kn_protobuf_field field = {0};
  uint64_t tag;
  *out_field = field;
  if (!kn_protobuf_varint(&rest, &tag) || tag >> 3 == 0 || tag >> 3 > LARGEST_NUMBER) return false;
  field.number = (uint32_t)(tag >> 3);
  field.type = (kn_protobuf_type)(tag & 7);
  if (!take_value(&rest, &field)) return false;
  if (field.type != KN_PROTOBUF_BYTES) field.bytes = (kn_protobuf){rest.file, rest.at, rest.at};
  *out_field = field;
  *message = rest;
  return true;
}
