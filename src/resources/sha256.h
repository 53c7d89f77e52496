/* SHA-256 (FIPS 180-4) in plain C, for targets that have no libcrypto. kn_hash chooses. */
#ifndef KENNING_RESOURCES_SHA256_H
#define KENNING_RESOURCES_SHA256_H

#include <kenning/base.h>

enum { KN_SHA256_BYTES = 32, KN_SHA256_BLOCK = 64 };

typedef struct kn_sha256_state {
  uint32_t words[8];
  uint64_t bytes; /* taken so far */
  uint8_t block[KN_SHA256_BLOCK];
} kn_sha256_state;

void kn_sha256_begin(kn_sha256_state *state);
void kn_sha256_add(kn_sha256_state *state, const void *data, size_t bytes);
void kn_sha256_end(kn_sha256_state *state, uint8_t out_sum[KN_SHA256_BYTES]);

#endif
