#include "transport/unix.h"

#include "core/file.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static kn_status address_of(const char *path, struct sockaddr_un *out) {
  *out = (struct sockaddr_un){.sun_family = AF_UNIX};
  size_t length = strlen(path);
  if (!length || length >= sizeof out->sun_path)
    return kn_status_make(KN_INVALID_ARGUMENT, "'%.200s': the path of a socket has 1 to %zu bytes", path,
                          sizeof out->sun_path - 1);
  memcpy(out->sun_path, path, length + 1);
  return NULL;
}

kn_status kn_unix_connect(const char *path, int64_t deadline_ns, kn_connection *out_connection) {
  struct sockaddr_un address;
  *out_connection = (kn_connection){.fd = -1};
  KN_TRY(address_of(path, &address));
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error = fd < 0 ? errno : 0;
  kn_status status = NULL;
  if (!error && connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) error = errno;
  if (error == EAGAIN) { /* the backlog is full: that is as good as nobody answering */
    status = kn_connection_wait(fd, true, deadline_ns);
    if (!status) status = kn_status_make(KN_BUSY, "cannot connect to %s: its server is busy", path);
  } else if (error) {
    status =
        kn_status_make(error == ENOENT ? KN_NOT_FOUND : KN_IO_ERROR, "cannot connect to %s: %s", path, strerror(error));
  }
  if (!status) {
    out_connection->fd = fd;
    return NULL;
  }
  if (fd >= 0) close(fd);
  return status;
}

/* Whether there is a socket at `path` that refuses connections. */
static bool is_left_over(const struct sockaddr_un *address) {
  struct stat found;
  if (lstat(address->sun_path, &found) < 0 || !S_ISSOCK(found.st_mode)) return false;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  bool refused = connect(fd, (const struct sockaddr *)address, sizeof *address) < 0 && errno == ECONNREFUSED;
  close(fd);
  return refused;
}

kn_status kn_unix_listen(const char *path, int *out_fd) {
  struct sockaddr_un address;
  *out_fd = -1;
  KN_TRY(address_of(path, &address));
  KN_TRY(kn_directory_make_parent(path));
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error = fd < 0 ? errno : 0;
  if (!error && is_left_over(&address)) unlink(path);
  mode_t mask = umask(0177);
  if (!error && (bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 16) < 0)) error = errno;
  umask(mask);
  if (!error) {
    *out_fd = fd;
    return NULL;
  }
  if (fd >= 0) close(fd);
  if (error == EADDRINUSE)
    return kn_status_make(
        KN_BUSY,
        "cannot listen on %s: a program does already, or it is no socket; end that program, or choose "
        "another path",
        path);
  return kn_status_make(KN_IO_ERROR, "cannot listen on %s: %s", path, strerror(error));
}
