#include "archive.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/zip_file.h"

static kn_status check(const char *path, const void *data, size_t bytes) {
  zip_file archive;
  KN_TRY(zip_parse(path, data, bytes, &archive));
  kn_status status = zip_verify_all(path, &archive, false);
  zip_clear(&archive);
  return status;
}

/* Mapped, not read: that it is looked at is no memory that the model needs. */
kn_status kn_iree_archive_check(const char *path) {
  struct stat found;
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return kn_status_make(errno == ENOENT ? KN_NOT_FOUND : KN_IO_ERROR, "%s: %s", path, strerror(errno));
  size_t bytes = fstat(file, &found) == 0 && found.st_size > 0 ? (size_t)found.st_size : 0;
  void *data = bytes ? mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, file, 0) : MAP_FAILED;
  close(file);
  kn_status status =
      data == MAP_FAILED ? kn_status_make(KN_BAD_DATA, "%s is empty or no file", path) : check(path, data, bytes);
  if (data != MAP_FAILED) munmap(data, bytes);
  return kn_status_annotate(status, "the module is not what the compiler wrote: compile it again");
}
