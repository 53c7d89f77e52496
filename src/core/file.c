#include "core/file.h"

#include "core/temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { DEFAULT_LIMIT = 1 << 30, FIRST_PIECE = 64 << 10, LOCK_POLL_NS = 50000000, LINK_LIMIT = 40 };

kn_status kn_file_fault(const char *path, const char *verb, int error) {
  switch (error) {
    case ENOMEM:
      return kn_status_out_of_memory();
    case ENOENT:
      return kn_status_make(KN_NOT_FOUND, "%s: cannot %s: there is no such file or directory", path, verb);
    case ENOSPC:
    case EDQUOT:
      return kn_status_make(KN_IO_ERROR, "%s: cannot %s: the disk is full; free some space or choose another place",
                            path, verb);
    default:
      return kn_status_make(KN_IO_ERROR, "%s: cannot %s: %s", path, verb, strerror(error));
  }
}

kn_status kn_file_input_fault(const char *path, const char *verb, int error) {
  switch (error) {
    case EACCES:
    case EPERM:
      return kn_status_make(KN_INVALID_ARGUMENT, "%s: cannot %s: permission denied; give yourself the right to read it",
                            path, verb);
    case ENOTDIR:
      return kn_status_make(KN_NOT_FOUND, "%s: cannot %s: there is a file where a directory should be", path, verb);
    case ELOOP:
    case ENAMETOOLONG:
      return kn_status_make(KN_INVALID_ARGUMENT, "%s: cannot %s: %s", path, verb, strerror(error));
    default:
      return kn_file_fault(path, verb, error);
  }
}

static kn_status check_kind(const char *path, mode_t mode, bool directory) {
  if (S_ISREG(mode) || (directory && S_ISDIR(mode))) return NULL;
  const char *kind = S_ISDIR(mode)    ? "a directory"
                     : S_ISFIFO(mode) ? "a pipe"
                     : S_ISSOCK(mode) ? "a socket"
                                      : "a device";
  return kn_status_make(KN_BAD_DATA, "%s is %s, not a file%s", path, kind, directory ? " or a directory" : "");
}

kn_status kn_file_check_input(const char *path, bool directory) {
  struct stat found;
  if (!*path) return kn_status_make(KN_INVALID_ARGUMENT, "the name of a file to read is empty");
  if (stat(path, &found) != 0) return kn_file_input_fault(path, "read", errno);
  KN_TRY(check_kind(path, found.st_mode, directory));
  if (access(path, S_ISDIR(found.st_mode) ? R_OK | X_OK : R_OK) != 0) return kn_file_input_fault(path, "read", errno);
  return NULL;
}

kn_status kn_file_open(const char *path, int *out_file) {
  *out_file = -1;
  /* Opening a device may already do something. */
  KN_TRY(kn_file_check_input(path, false));
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (file < 0) return kn_file_input_fault(path, "read", errno);
  struct stat found;
  kn_status status =
      fstat(file, &found) != 0 ? kn_file_fault(path, "read", errno) : check_kind(path, found.st_mode, false);
  if (status)
    close(file);
  else
    *out_file = file;
  return status;
}

bool kn_file_exists(const char *path, uint64_t *out_bytes) {
  struct stat status;
  if (stat(path, &status) != 0 || !S_ISREG(status.st_mode)) return false;
  if (out_bytes) *out_bytes = (uint64_t)status.st_size;
  return true;
}

bool kn_file_in_place(const char *path) {
  struct stat found;
  if (!strncmp(path, "/dev/", 5) && lstat(path, &found) == 0 && S_ISLNK(found.st_mode)) return true;
  return stat(path, &found) == 0 && S_ISCHR(found.st_mode);
}

/* What a chain of symbolic links leads to, whether it exists or not: an output is written there and the link stays. The
 * path itself where it is none. */
static kn_status follow_links(const char *path, char **out_target) {
  *out_target = NULL;
  char *target = kn_strdup(path);
  for (int links = 0; target; links++) {
    char next[PATH_MAX];
    ssize_t length = readlink(target, next, sizeof next - 1);
    if (length < 0) { /* no link: the end */
      *out_target = target;
      return NULL;
    }
    if (links == LINK_LIMIT) {
      kn_free(target);
      return kn_file_input_fault(path, "follow the link", ELOOP);
    }
    next[length] = '\0';
    const char *slash = next[0] == '/' ? NULL : strrchr(target, '/');
    char *followed = kn_format("%.*s%s", slash ? (int)(slash - target + 1) : 0, target, next);
    kn_free(target);
    target = followed;
  }
  return kn_status_out_of_memory();
}

static kn_status check_replaceable(const char *path) {
  struct stat found;
  if (stat(path, &found) != 0 || (S_ISREG(found.st_mode) && !kn_file_in_place(path))) return NULL;
  if (S_ISDIR(found.st_mode)) return kn_status_make(KN_INVALID_ARGUMENT, "%s is a directory: name a file in it", path);
  /* Writing to a pipe waits for a reader, perhaps for ever. */
  if (S_ISFIFO(found.st_mode) && !kn_file_in_place(path))
    return kn_status_make(KN_INVALID_ARGUMENT,
                          "%s is a pipe: nothing is written to it; name a file, or /dev/stdout and pipe that", path);
  return kn_status_make(KN_INVALID_ARGUMENT, "%s is not a regular file: nothing is written over it; name a file", path);
}

/* Whether `path`, which is no link, can be the name of a file. */
static kn_status check_name(const char *path) {
  if (!*path) return kn_status_make(KN_INVALID_ARGUMENT, "the name of a file to write is empty");
  const char *slash = strrchr(path, '/');
  const char *name = slash ? slash + 1 : path;
  if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
    return kn_status_make(KN_INVALID_ARGUMENT, "%s is the name of a directory, not of a file to write", path);
  return check_replaceable(path);
}

/* What `path` leads to; it can be replaced, or made. */
static kn_status find_target(const char *path, char **out_target) {
  *out_target = NULL;
  KN_TRY(check_replaceable(path));
  KN_TRY(follow_links(path, out_target));
  kn_status status = check_name(*out_target);
  if (!status) return NULL;
  kn_free(*out_target);
  *out_target = NULL;
  return status;
}

kn_status kn_file_temporary(const char *path, char **out_temporary) {
  *out_temporary = NULL;
  char *target;
  KN_TRY(find_target(path, &target));
  kn_status status = kn_directory_make_parent(target);
  if (!status) *out_temporary = kn_temporary_name(target);
  kn_free(target);
  return !status && !*out_temporary ? kn_status_out_of_memory() : status;
}

/* The directory of a file name: "." for one without '/'. */
static char *parent_of(const char *path) {
  const char *slash = strrchr(path, '/');
  if (!slash) return kn_strdup(".");
  return kn_strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

/* Makes a rename last. Not every file system can; then there is nothing more to do. */
static void flush_directory(const char *path) {
  char *parent = parent_of(path);
  int directory = parent ? open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
  if (directory >= 0) {
    (void)fsync(directory);
    close(directory);
  }
  kn_free(parent);
}

kn_status kn_file_publish(const char *temporary, const char *path) {
  kn_status status = check_replaceable(path);
  if (!status) {
    int file = open(temporary, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
      status = kn_file_fault(temporary, "open what was written", errno);
    } else {
      if (fsync(file) != 0 && errno != EINVAL && errno != EROFS) status = kn_file_fault(path, "write", errno);
      close(file);
    }
    char *target = NULL;
    if (!status) status = follow_links(path, &target);
    if (!status && rename(temporary, target) != 0) status = kn_file_fault(path, "write", errno);
    if (!status) flush_directory(target);
    kn_free(target);
  }
  if (status) (void)unlink(temporary);
  return status;
}

bool kn_file_same(const char *one, const char *other) {
  struct stat first, second;
  return one && other && stat(one, &first) == 0 && stat(other, &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

kn_status kn_file_check_output(const char *path) {
  return kn_file_in_place(path) ? NULL : kn_file_check_replaced(path);
}

kn_status kn_file_check_replaced(const char *path) {
  char *target, *temporary = NULL;
  bool there;
  KN_TRY(find_target(path, &target));
  kn_status status = kn_directory_check_parent(target, &there);
  if (!status && there && !(temporary = kn_temporary_name(target))) status = kn_status_out_of_memory();
  if (temporary) {
    int file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    /* The directory exists: a file system that lacks the name refuses to make it. */
    if (file < 0)
      status = kn_file_fault(path, "write", errno == ENOENT ? EPERM : errno);
    else
      (void)unlink(temporary);
    if (file >= 0) close(file);
  }
  kn_free(temporary);
  kn_free(target);
  return status;
}

/* 0 or an errno. */
static int write_all(int file, const char *data, size_t bytes) {
  while (bytes > 0) {
    ssize_t written = write(file, data, bytes);
    if (written < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    data += written;
    bytes -= (size_t)written;
  }
  return 0;
}

/* The descriptor of this process that a name in /dev stands for, where that is a file; else -1. */
static int own_file(const char *path) {
  static const char directory[] = "/dev/fd/";
  struct stat found;
  int file = !strcmp(path, "/dev/stdout") ? STDOUT_FILENO : !strcmp(path, "/dev/stderr") ? STDERR_FILENO : -1;
  if (!strncmp(path, directory, sizeof directory - 1)) {
    char *end;
    long number = strtol(path + sizeof directory - 1, &end, 10);
    if (!*end && end > path + sizeof directory - 1 && number >= 0 && number < INT_MAX) file = (int)number;
  }
  return file >= 0 && fstat(file, &found) == 0 && S_ISREG(found.st_mode) ? file : -1;
}

/* Devices and what the links of /dev lead to (/dev/stdout, /dev/full) have nothing to rename. Opening a pipe that
 * nobody reads any more would wait for ever; a file opened anew would be written from its beginning, whatever the
 * shell's other commands have put there. */
static kn_status write_through(const char *path, const void *data, size_t bytes) {
  int own = own_file(path);
  if (own >= 0) (void)fflush(NULL);
  int file = own >= 0 ? fcntl(own, F_DUPFD_CLOEXEC, 0) : open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (file < 0 && errno == ENXIO) return kn_status_make(KN_IO_ERROR, "%s: cannot write: nobody reads it", path);
  if (file < 0) return kn_file_fault(path, "open for writing", errno);
  int flags = own >= 0 ? -1 : fcntl(file, F_GETFL);
  if (flags >= 0) (void)fcntl(file, F_SETFL, flags & ~O_NONBLOCK);
  int error = write_all(file, data, bytes);
  if (close(file) != 0 && !error) error = errno;
  return error ? kn_file_fault(path, "write", error) : NULL;
}

kn_status kn_file_write(const char *path, const void *data, size_t bytes) {
  if (kn_file_in_place(path)) return write_through(path, data, bytes);
  char *temporary;
  KN_TRY(kn_file_temporary(path, &temporary));
  kn_status status = NULL;
  int file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file < 0) {
    status = kn_file_fault(path, "write", errno);
  } else {
    int error = write_all(file, data, bytes);
    if (close(file) != 0 && !error) error = errno;
    if (error) {
      status = kn_file_fault(path, "write", error);
      (void)unlink(temporary);
    } else {
      status = kn_file_publish(temporary, path);
    }
  }
  kn_free(temporary);
  return status;
}

/* Reads to the end; `room` bytes are at hand in *data and grow as needed, up to `limit` and one. */
static kn_status read_all(int file, const char *path, size_t limit, char **data, size_t *out_bytes) {
  size_t bytes = 0, room = 0;
  struct stat status;
  if (fstat(file, &status) == 0 && status.st_size > 0 && (uint64_t)status.st_size <= limit)
    room = (size_t)status.st_size + 1;
  if (room < FIRST_PIECE) room = FIRST_PIECE;
  for (;;) {
    char *more = kn_realloc(*data, room + 1);
    if (!more) return kn_status_out_of_memory();
    *data = more;
    while (bytes < room) {
      ssize_t got = read(file, more + bytes, room - bytes);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return kn_file_fault(path, "read", errno);
      if (got == 0) {
        more[bytes] = '\0';
        *out_bytes = bytes;
        return bytes <= limit ? NULL
                              : kn_status_make(KN_BAD_DATA, "%s is larger than the %zu bytes allowed", path, limit);
      }
      bytes += (size_t)got;
    }
    if (bytes > limit) return kn_status_make(KN_BAD_DATA, "%s is larger than the %zu bytes allowed", path, limit);
    if (!kn_mul_size(room, 2, &room) || room > limit + 1) room = limit + 1;
  }
}

kn_status kn_file_read(const char *path, size_t limit, char **out_data, size_t *out_bytes) {
  *out_data = NULL;
  *out_bytes = 0;
  if (limit == 0) limit = DEFAULT_LIMIT;
  if (limit > SIZE_MAX - 2) limit = SIZE_MAX - 2;
  int file;
  KN_TRY(kn_file_open(path, &file));
  struct stat found = {0};
  kn_status status = NULL;
  if (fstat(file, &found) != 0) {
    status = kn_file_fault(path, "read", errno);
  } else if ((uint64_t)found.st_size > limit) {
    status = kn_status_make(KN_BAD_DATA, "%s has %lld bytes; at most %zu are allowed", path, (long long)found.st_size,
                            limit);
  } else {
    status = read_all(file, path, limit, out_data, out_bytes);
  }
  close(file);
  if (status) {
    kn_free(*out_data);
    *out_data = NULL;
    *out_bytes = 0;
  }
  return status;
}

kn_status kn_file_map(const char *path, const void **out_data, size_t *out_bytes) {
  int file;
  struct stat found;
  void *data = NULL;
  *out_data = NULL;
  *out_bytes = 0;
  KN_TRY(kn_file_open(path, &file));
  int error = fstat(file, &found) != 0 ? errno : 0;
  size_t bytes = error ? 0 : (size_t)found.st_size;
  if (bytes && (data = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, file, 0)) == MAP_FAILED) error = errno;
  close(file);
  if (error) return kn_file_fault(path, "map", error);
  *out_data = data;
  *out_bytes = bytes;
  return NULL;
}

void kn_file_unmap(const void *data, size_t bytes) {
  if (bytes) (void)munmap((void *)(uintptr_t)data, bytes);
}

kn_status kn_file_lock(const char *path, bool shared, const char *waiting, int *out_lock) {
  *out_lock = -1;
  KN_TRY(kn_directory_make_parent(path));
  int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (lock < 0) return kn_file_fault(path, "lock", errno);
  bool told = false;
  while (flock(lock, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    kn_status status = NULL;
    if (errno != EWOULDBLOCK) {
      status = kn_file_fault(path, "lock", errno);
    } else if (kn_cancelled()) {
      status = kn_status_make(KN_CANCELLED, "stopped while waiting for %s", path);
    }
    if (status) {
      close(lock);
      return status;
    }
    if (!told && waiting) kn_log(KN_LOG_INFO, "%s", waiting);
    told = true;
    nanosleep(&(struct timespec){.tv_nsec = LOCK_POLL_NS}, NULL);
  }
  *out_lock = lock;
  return NULL;
}

void kn_file_unlock(int lock) {
  if (lock >= 0) close(lock);
}
