/* IDX files, the format of MNIST and its relatives: a big-endian header and bytes, plain or compressed by gzip. */
#ifndef KENNING_DATASETS_IDX_H
#define KENNING_DATASETS_IDX_H

#include <kenning/status.h>

enum { KN_IDX_MAX_RANK = 3, KN_IDX_LIMIT_BYTES = 256 << 20 };

typedef struct kn_idx {
  uint32_t rank;
  uint32_t shape[KN_IDX_MAX_RANK];
  uint8_t *values;  /* [shape] uint8, inside `content` */
  uint8_t *content; /* the whole file, uncompressed; owned */
  size_t bytes;     /* of content */
} kn_idx;

/* Reads a file of uint8 values with `rank` dimensions. KN_BAD_DATA, with the reason, for a wrong header, a file that
 * ends early or goes on behind its values, and damaged compression; KN_NOT_FOUND; KN_NOT_INSTALLED without zlib. */
kn_status kn_idx_read(const char *path, uint32_t rank, kn_idx *out_idx) KN_MUST_USE;
/* A zeroed struct is allowed. */
void kn_idx_clear(kn_idx *idx);

#endif
