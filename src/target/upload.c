#include "target/upload.h"

#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether the file under its name is still the one that is open: another server may have published or removed it
 * between the opening and the lock. */
static bool is_there(const kn_upload *upload, int fd) {
  struct stat open_one, named;
  return fstat(fd, &open_one) == 0 && lstat(upload->temporary, &named) == 0 && open_one.st_dev == named.st_dev &&
         open_one.st_ino == named.st_ino;
}

static kn_status open_locked(kn_upload *upload) {
  int fd = open(upload->temporary, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return kn_file_fault(upload->temporary, "write", errno);
  if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
    int error = errno;
    close(fd);
    if (error == EWOULDBLOCK)
      return kn_status_make(KN_BUSY, "another server is receiving a model into %s", upload->path);
    return kn_file_fault(upload->temporary, "lock", error);
  }
  if (!is_there(upload, fd)) {
    close(fd);
    return kn_status_make(KN_BUSY, "another server has just received a model into %s", upload->path);
  }
  upload->fd = fd;
  return ftruncate(fd, 0) < 0 ? kn_file_fault(upload->temporary, "empty", errno) : NULL;
}

kn_status kn_upload_begin(const char *path, kn_upload *out_upload) {
  *out_upload = (kn_upload){.fd = -1};
  KN_TRY(kn_directory_make_parent(path));
  out_upload->path = kn_strdup(path);
  out_upload->temporary = kn_format("%s.upload", path);
  kn_status status = out_upload->path && out_upload->temporary ? open_locked(out_upload) : kn_status_out_of_memory();
  if (status) kn_upload_clear(out_upload);
  return status;
}

kn_status kn_upload_add(kn_upload *upload, const void *data, size_t bytes) {
  const char *at = data;
  while (bytes) {
    ssize_t written = write(upload->fd, at, bytes);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return kn_file_fault(upload->temporary, "write", errno);
    at += written;
    bytes -= (size_t)written;
    upload->bytes += (uint64_t)written;
  }
  return NULL;
}

kn_status kn_upload_commit(kn_upload *upload) {
  kn_status status = kn_file_publish(upload->temporary, upload->path);
  close(upload->fd);
  upload->fd = -1;
  return status;
}

void kn_upload_clear(kn_upload *upload) {
  if (upload->fd >= 0 && upload->temporary) {
    unlink(upload->temporary);
    close(upload->fd);
  }
  kn_free(upload->path);
  kn_free(upload->temporary);
  *upload = (kn_upload){.fd = -1};
}
