/* The tar archives of compiled models (ustar): members one after another, in memory. */
#ifndef KN_TVM_ARCHIVE_H
#define KN_TVM_ARCHIVE_H

#include <kenning/status.h>

typedef struct kn_tvm_member {
  char name[101];
  const char *data; /* borrowed from the archive */
  size_t bytes;
} kn_tvm_member;

/* Whether the bytes begin like an archive. */
bool kn_tvm_archive_is(const char *bytes, size_t count);
/* The regular file at *at (0: the first), which is moved behind it; *out_member has no data at the end. KN_BAD_DATA for
 * a damaged or cut archive: it must end in two blocks of zeros. */
kn_status kn_tvm_archive_next(const char *bytes, size_t count, size_t *at, kn_tvm_member *out_member) KN_MUST_USE;
/* The member of that name; KN_BAD_DATA as above; *out_member has no data when there is none. */
kn_status kn_tvm_archive_find(const char *bytes, size_t count, const char *name, kn_tvm_member *out_member) KN_MUST_USE;

#endif
