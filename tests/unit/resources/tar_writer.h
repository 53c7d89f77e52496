/* Writes small tar.gz archives, hostile ones too: POSIX ustar (IEEE Std 1003.1, pax). */
#ifndef TESTS_UNIT_RESOURCES_TAR_WRITER_H
#define TESTS_UNIT_RESOURCES_TAR_WRITER_H

#include <stddef.h>

typedef struct kt_tar_entry {
  const char *name;
  char type;           /* '0' file, '1' hard link, '2' symbolic link, '3' device, '5' directory */
  const char *content; /* of a file; NULL: `bytes` zeros */
  size_t bytes;        /* 0: the length of `content` */
  const char *link;
} kt_tar_entry;

/* Fails the running test when it cannot. `entries` end with one without name. */
void kt_tar_write(const char *path, const kt_tar_entry *entries);
/* The directory `from` of the source of the archive under the name `name`, with the files in it. */
void kt_tar_write_directory(const char *path, const char *from, const char *name);

#endif
