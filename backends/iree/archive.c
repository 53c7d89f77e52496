#include "archive.h"

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
  const void *data;
  size_t bytes;
  KN_TRY(kn_file_map(path, &data, &bytes));
  kn_status status = bytes ? check(path, data, bytes) : kn_status_make(KN_BAD_DATA, "%s is empty", path);
  kn_file_unmap(data, bytes);
  return kn_status_annotate(status, "the module is not what the compiler wrote: compile it again");
}
