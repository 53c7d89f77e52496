/* SHA-256 in pieces (FIPS 180-4), by libcrypto, which is opened on first use, or without it in plain C. */
#ifndef KENNING_RESOURCES_HASH_H
#define KENNING_RESOURCES_HASH_H

#include <dirent.h>

#include "core/text.h"
#include "resources/sha256.h"

#include <kenning/services.h>

typedef struct kn_hash {
  void *context;          /* libcrypto's */
  kn_sha256_state *plain; /* where there is none; both NULL: nothing begun */
} kn_hash;

kn_status kn_hash_begin(kn_hash *out_hash) KN_MUST_USE;
kn_status kn_hash_add(kn_hash *hash, const void *data, size_t bytes) KN_MUST_USE;
/* Writes the sum and frees what `hash` holds, also on failure. */
kn_status kn_hash_end(kn_hash *hash, char out_hex[65]) KN_MUST_USE;
/* Sum of what a descriptor gives from its place to its end; `path` is for messages. */
kn_status kn_hash_descriptor(int file, const char *path, char out_hex[65]) KN_MUST_USE;
/* Frees without a sum; a zeroed one is allowed. */
void kn_hash_abandon(kn_hash *hash);

/* Appends "SUM NAME" and a line's end for each file of the directory that is `wanted`, in the order of their names. */
kn_status kn_hash_entries(const char *directory, int (*wanted)(const struct dirent *entry), kn_text *list) KN_MUST_USE;

#endif
