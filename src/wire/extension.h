/* What both ends may agree on beyond the original's protocol, and how they find out that they may.
 *
 * A host that knows the extensions says so in its io specification, where nothing but the meaning of the document
 * counts: behind the JSON text stand 16 blanks and tabs, the bits of "KN" (tab: 1); in the packed form the last bytes
 * of the model's name, which are padding behind its NUL, are "KN" and the version. A target that does not know them
 * reads the same document as ever. One that does adds a grant to its answer, which then may use the extensions; one
 * that was not offered them sends what the original sends. */
#ifndef KENNING_WIRE_EXTENSION_H
#define KENNING_WIRE_EXTENSION_H

#include <kenning/status.h>

enum {
  KN_EXTENSION_VERSION = 1,
  KN_OFFER_BYTES = 16,   /* behind an io specification in JSON */
  KN_GRANT_BYTES = 3,    /* behind the answer to it: "KN", version */
  KN_CODE_BYTES = 2,     /* behind a refusal: u16, a kn_code */
  KN_IDENTITY_BYTES = 40 /* of IDENTITY: 32 bytes SHA-256 of the model, u64 its size */
};

/* Writes the offer that follows a JSON text. */
void kn_offer_write(uint8_t out[KN_OFFER_BYTES]);
/* Marks a packed io specification (KN_PACKED_IOSPEC bytes) whose model name leaves room. */
void kn_offer_write_packed(uint8_t *packed);
/* Whether an io specification of either form carries the offer. */
bool kn_offer_found(const uint8_t *payload, size_t bytes);

void kn_grant_write(uint8_t out[KN_GRANT_BYTES]);
/* Whether `bytes` bytes behind what the original answers are a grant of a version that this program understands. */
bool kn_grant_found(const uint8_t *data, size_t bytes);

/* In front of INFER's outputs: four u64 of ns on the target's clock. */
typedef struct kn_infer_times {
  int64_t whole;      /* the inputs were there */
  int64_t start, end; /* of the inference alone */
  int64_t ready;      /* the outputs were there */
} kn_infer_times;
enum { KN_INFER_PREFIX = 32 };
void kn_infer_times_write(const kn_infer_times *times, uint8_t out[KN_INFER_PREFIX]);
kn_infer_times kn_infer_times_read(const uint8_t in[KN_INFER_PREFIX]);

typedef struct kn_identity {
  char sha256[65]; /* in hexadecimal digits */
  uint64_t bytes;
} kn_identity;
void kn_identity_write(const kn_identity *identity, uint8_t out[KN_IDENTITY_BYTES]);
kn_identity kn_identity_read(const uint8_t in[KN_IDENTITY_BYTES]);

/* KN_BACKEND_FAILED for a number that this program does not know, and for KN_OK, which is no refusal. */
kn_code kn_code_of_wire(uint64_t number);

/* Numbers in byte order of the wire: least significant byte first; at most 8 bytes. */
void kn_wire_put(uint8_t *out, uint64_t value, size_t bytes);
uint64_t kn_wire_get(const uint8_t *in, size_t bytes);

#endif
