#include "scratch.h"

#include <kenning/services.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

kn_status kn_tvm_scratch_make(kn_tvm_scratch *out_scratch) {
  const char *root = getenv("TMPDIR");
  *out_scratch = (kn_tvm_scratch){0};
  char *wish = kn_format("%s/kenning-tvm", root && *root ? root : "/tmp"), *directory = NULL;
  kn_status status = wish ? kn_file_temporary(wish, &directory) : kn_status_out_of_memory();
  kn_free(wish);
  if (!status && mkdir(directory, 0700) != 0)
    status =
        kn_status_make(KN_IO_ERROR, "%s: no directory can be made there (%s); set TMPDIR", directory, strerror(errno));
  if (status) return kn_free(directory), status;
  out_scratch->directory = directory;
  return NULL;
}

static kn_status write_all(const char *path, const void *data, size_t bytes) {
  FILE *file = fopen(path, "wbxe");
  if (!file) return kn_status_make(KN_IO_ERROR, "cannot write %s: %s", path, strerror(errno));
  bool whole = fwrite(data, 1, bytes, file) == bytes;
  whole = fclose(file) == 0 && whole;
  return whole ? NULL : kn_status_make(KN_IO_ERROR, "cannot write %s: %s", path, strerror(errno));
}

kn_status kn_tvm_scratch_write(const kn_tvm_scratch *scratch, const char *name, const void *data, size_t bytes,
                               char **out_path) {
  *out_path = kn_format("%s/%s", scratch->directory, name);
  if (!*out_path) return kn_status_out_of_memory();
  kn_status status = write_all(*out_path, data, bytes);
  if (status) {
    kn_free(*out_path);
    *out_path = NULL;
  }
  return status;
}

void kn_tvm_scratch_remove(kn_tvm_scratch *scratch) {
  DIR *listing = scratch->directory ? opendir(scratch->directory) : NULL;
  for (struct dirent *entry; listing && (entry = readdir(listing));)
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
      (void)unlinkat(dirfd(listing), entry->d_name, 0);
  if (listing) closedir(listing);
  if (scratch->directory) (void)rmdir(scratch->directory);
  kn_free(scratch->directory);
  *scratch = (kn_tvm_scratch){0};
}
