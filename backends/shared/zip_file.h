/* Zip archives as PyTorch and IREE write them, with the 64-bit extension. Every place and length is checked; what is
 * read is verified before, for the engines compare no checksums. Format: PKWARE's APPNOTE.TXT, 4.3 and 4.5.3. */
#ifndef KN_SHARED_ZIP_FILE_H
#define KN_SHARED_ZIP_FILE_H

#include <kenning/plugin.h>

typedef struct zip_member {
  const char *name; /* not NUL-terminated; points into the archive */
  size_t name_length;
  const unsigned char *data; /* points into the archive */
  size_t bytes;
  uint32_t checksum;
  bool compressed; /* then `data` are of no use here */
} zip_member;

typedef struct zip_file {
  zip_member *members;
  size_t count;
} zip_file;

/* Whether the bytes begin like a zip archive. */
bool zip_is(const void *data, size_t bytes);
/* Takes the archive of `bytes` at `data` apart; the result points into it. KN_BAD_DATA, KN_INCOMPATIBLE (encrypted). */
kn_status zip_parse(const char *path, const void *data, size_t bytes, zip_file *out_file) KN_MUST_USE;
void zip_clear(zip_file *file);
/* The member whose name behind its first directory is `name` ("data.pkl" finds "archive/data.pkl"), or NULL. */
const zip_member *zip_find(const zip_file *file, const char *name);
/* The member whose name ends with `end`, or NULL. */
const zip_member *zip_find_end(const zip_file *file, const char *end);
/* KN_BAD_DATA when the contents are not those that were put in, KN_INCOMPATIBLE when they are compressed: data never
 * are, source code beside them is, which only PyTorch reads. */
kn_status zip_verify(const char *path, const zip_member *member) KN_MUST_USE;
/* The same for all members; `compressed` ones are allowed, and not verified. */
kn_status zip_verify_all(const char *path, const zip_file *file, bool compressed) KN_MUST_USE;

#endif
