/* A walk over the fields of a Protocol Buffers message: bounded, without copies, without a schema. Encoding:
 * protobuf.dev/programming-guides/encoding. Pure functions; the same names in the library and in plug-ins.
 *
 *     kn_protobuf message = kn_protobuf_of(data, bytes);
 *     kn_protobuf_field field;
 *     while (kn_protobuf_next(&message, &field)) ...
 *     if (!kn_protobuf_ended(&message)) ... the bytes are no message
 */
#ifndef KENNING_PROTOBUF_H
#define KENNING_PROTOBUF_H

#include <kenning/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum kn_protobuf_type {
  KN_PROTOBUF_VARINT = 0,
  KN_PROTOBUF_FIXED64 = 1,
  KN_PROTOBUF_BYTES = 2,
  KN_PROTOBUF_FIXED32 = 5
} kn_protobuf_type;

/* What is left of a message, a text or a packed list, inside bytes that begin at `file`. All three may be NULL: empty.
 */
typedef struct kn_protobuf {
  const uint8_t *file, *at, *end;
} kn_protobuf;

typedef struct kn_protobuf_field {
  uint32_t number;
  kn_protobuf_type type;
  uint64_t value;    /* of KN_PROTOBUF_VARINT; else 0 */
  kn_protobuf bytes; /* of KN_PROTOBUF_BYTES; empty, behind the field, for others */
} kn_protobuf_field;

/* Takes the next field off `message`. False at the end, where kn_protobuf_ended, and where the bytes are no message
 * (cut, a field of no number, a group, which nobody writes any more): then `message` stays before that field. */
KN_API bool kn_protobuf_next(kn_protobuf *message, kn_protobuf_field *out_field);
/* Takes an integer off a packed list, in the same way. */
KN_API bool kn_protobuf_varint(kn_protobuf *list, uint64_t *out_value);

static inline kn_protobuf kn_protobuf_of(const void *data, size_t bytes) {
  const uint8_t *begin = (const uint8_t *)data;
  kn_protobuf all = {begin, begin, begin ? begin + bytes : begin};
  return all;
}
static inline bool kn_protobuf_ended(const kn_protobuf *message) { return message->at == message->end; }
static inline size_t kn_protobuf_length(kn_protobuf bytes) { return (size_t)(bytes.end - bytes.at); }
/* Where it stands in the file. */
static inline size_t kn_protobuf_offset(kn_protobuf bytes) { return (size_t)(bytes.at - bytes.file); }
/* Whether it is this text, no more and no less. */
static inline bool kn_protobuf_is(kn_protobuf bytes, const char *text) {
  size_t i = 0, length = kn_protobuf_length(bytes);
  while (i < length && text[i] && (uint8_t)text[i] == bytes.at[i]) i++;
  return i == length && !text[i];
}

#ifdef __cplusplus
}
#endif
#endif
