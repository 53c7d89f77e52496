#include "transport/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <kenning/services.h>
#include <poll.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { SLICE_MS = 500 }; /* how late a wish to stop may be noticed when the signal comes just before the wait */

kn_status kn_connection_adopt(int fd, kn_connection *out_connection) {
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
    out_connection->fd = -1;
    return kn_status_make(KN_IO_ERROR, "descriptor %d cannot be used: %s", fd, strerror(errno));
  }
  out_connection->fd = fd;
  return NULL;
}

void kn_connection_close(kn_connection *connection) {
  if (connection->fd >= 0) close(connection->fd);
  connection->fd = -1;
}

kn_status kn_connection_wait(int fd, bool writing, int64_t deadline_ns) {
  for (;;) {
    if (kn_cancelled()) return kn_status_make(KN_CANCELLED, "stopped while waiting for the peer");
    int wait = SLICE_MS;
    if (deadline_ns != KN_NO_DEADLINE) {
      int64_t left = deadline_ns - kn_now_ns();
      if (left <= 0) return kn_status_make(KN_TIMEOUT, "the peer did not %s in time", writing ? "take data" : "answer");
      if (left < (int64_t)SLICE_MS * 1000000) wait = (int)(left / 1000000) + 1;
    }
    struct pollfd one = {.fd = fd, .events = writing ? POLLOUT : POLLIN};
    int ready = poll(&one, 1, wait);
    if (ready > 0) return NULL; /* errors and hang-ups are told by the read or write that follows */
    if (ready < 0 && errno != EINTR)
      return kn_status_make(KN_IO_ERROR, "waiting for the peer failed: %s", strerror(errno));
  }
}

static bool again(int error) { return error == EAGAIN; }

static kn_status broken(int error) { return kn_status_make(KN_IO_ERROR, "the connection broke: %s", strerror(error)); }

kn_status kn_connection_read(kn_connection *connection, void *to, size_t size, int64_t deadline_ns, size_t *out_got) {
  *out_got = 0;
  for (;;) {
    ssize_t got = read(connection->fd, to, size);
    if (got >= 0) {
      *out_got = (size_t)got;
      return NULL;
    }
    if (errno == EINTR) continue;
    if (errno == EIO) return NULL; /* the other end of a pseudo-terminal is closed */
    if (!again(errno)) return broken(errno);
    KN_TRY(kn_connection_wait(connection->fd, false, deadline_ns));
  }
}

/* writev(2) on what is not a socket; SIGPIPE is ignored by the programs, MSG_NOSIGNAL serves users of the library. */
static ssize_t write_some(int fd, struct iovec *vectors, size_t count) {
  struct msghdr message = {.msg_iov = vectors, .msg_iovlen = count};
  ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
  return sent < 0 && errno == ENOTSOCK ? writev(fd, vectors, (int)count) : sent;
}

kn_status kn_connection_write(kn_connection *connection, const kn_piece *pieces, size_t count, int64_t deadline_ns) {
  struct iovec vectors[KN_CONNECTION_PIECES];
  size_t first = 0;
  if (count > KN_CONNECTION_PIECES) return kn_status_make(KN_INTERNAL, "too many pieces in one write");
  for (size_t i = 0; i < count; i++)
    vectors[i] = (struct iovec){.iov_base = (void *)(uintptr_t)pieces[i].data, .iov_len = pieces[i].bytes};
  while (first < count) {
    if (!vectors[first].iov_len) {
      first++;
      continue;
    }
    ssize_t sent = write_some(connection->fd, vectors + first, count - first);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && !again(errno)) return broken(errno);
    if (sent < 0) {
      KN_TRY(kn_connection_wait(connection->fd, true, deadline_ns));
      continue;
    }
    for (size_t left = (size_t)sent; first < count;) {
      size_t taken = left < vectors[first].iov_len ? left : vectors[first].iov_len;
      vectors[first].iov_base = (char *)vectors[first].iov_base + taken;
      vectors[first].iov_len -= taken;
      left -= taken;
      if (vectors[first].iov_len) break;
      first++;
    }
  }
  return NULL;
}

kn_status kn_connection_send_file(kn_connection *connection, int file, size_t bytes, int64_t deadline_ns) {
  while (bytes) {
    ssize_t sent = sendfile(connection->fd, file, NULL, bytes);
    if (sent > 0) {
      bytes -= (size_t)sent;
    } else if (!sent) {
      return kn_status_make(KN_BAD_DATA, "the file became shorter while it was sent");
    } else if (again(errno)) {
      KN_TRY(kn_connection_wait(connection->fd, true, deadline_ns));
    } else if (errno != EINTR) {
      return broken(errno);
    }
  }
  return NULL;
}
