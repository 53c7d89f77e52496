/* Members of zip archives, read whole into memory by libarchive, which is opened on use. Thread-safe. */
#ifndef TENSORFLOW_ZIP_MEMBER_H
#define TENSORFLOW_ZIP_MEMBER_H

#include <kenning/plugin.h>

typedef struct zip_member {
  const char *name; /* in the archive: "config.json" */
  char *data;       /* NULL when the archive does not hold it; a zero byte follows the last one. kn_free */
  size_t bytes;
} zip_member;

/* Whether the file begins like a zip archive. */
bool zip_is_at(const char *path);
/* Reads the members that are named in one pass. After a failure there is nothing to free. KN_NOT_INSTALLED, KN_BAD_DATA
 * (damaged, encrypted, larger than the archive can hold). */
kn_status zip_read(const char *path, zip_member *members, size_t count) KN_MUST_USE;

#endif
