#include "transport/connection.h"

#include "transport/deadline.h"
#include "transport/pipe_signal.h"
#include "transport/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <kenning/services.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
  SLICE_MS = 500,    /* how late a wish to stop may be noticed when the signal comes just before the wait */
  SHORTLY_NS = 50000 /* as long as an idle processor takes to wake, so that looking costs no more than sleeping */
};

kn_status kn_connection_adopt(int fd, kn_connection *out_connection) {
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
    *out_connection = (kn_connection){.fd = -1};
    return kn_status_make(KN_IO_ERROR, "descriptor %d cannot be used: %s", fd, strerror(errno));
  }
  *out_connection = (kn_connection){.fd = fd};
  return NULL;
}

void kn_connection_close(kn_connection *connection) {
  kn_tls_end(connection->tls);
  connection->tls = NULL;
  if (connection->fd >= 0) close(connection->fd);
  connection->fd = -1;
}

kn_status kn_connection_patience(int64_t deadline_ns, bool writing) {
  if (kn_cancelled()) return kn_status_make(KN_CANCELLED, "stopped while waiting for the peer");
  if (deadline_ns == KN_NO_DEADLINE || kn_deadline_now() < deadline_ns) return NULL;
  return kn_status_make(KN_TIMEOUT, "the peer did not %s in time", writing ? "take data" : "answer");
}

/* Whether the peer, which has a processor of its own, is there before this one would have fallen asleep and woken. What
 * else wants this processor goes first. */
static bool ready_shortly(int fd, short event) {
  struct pollfd one = {.fd = fd, .events = event};
  for (int64_t until = kn_now_ns() + SHORTLY_NS; kn_now_ns() < until; sched_yield())
    if (poll(&one, 1, 0) > 0) return true;
  return false;
}

kn_status kn_connection_wait(int fd, bool writing, int64_t deadline_ns) {
  const short event = writing ? POLLOUT : POLLIN;
  for (bool looked = false;; looked = true) {
    KN_TRY(kn_connection_patience(deadline_ns, writing));
    int wait = SLICE_MS;
    if (deadline_ns != KN_NO_DEADLINE) {
      int64_t left = deadline_ns - kn_deadline_now();
      if (left <= 0) continue;
      if (left < (int64_t)SLICE_MS * 1000000) wait = (int)(left / 1000000) + 1;
    }
    if (!looked && ready_shortly(fd, event)) return NULL;
    struct pollfd one = {.fd = fd, .events = event};
    int ready = kn_deadline_wait(&one, 1, wait);
    if (ready > 0) return NULL; /* errors and hang-ups are told by the read or write that follows */
    if (ready < 0 && errno != EINTR)
      return kn_status_make(KN_IO_ERROR, "waiting for the peer failed: %s", strerror(errno));
  }
}

static bool again(int error) { return error == EAGAIN; }

static kn_status broken(int error) { return kn_status_make(KN_IO_ERROR, "the connection broke: %s", strerror(error)); }

/* ---- through TLS ---- */

/* Waits for what a step of TLS wants; NULL when it is to be tried again. */
static kn_status wait_for_tls(const kn_connection *connection, kn_tls_step step, int64_t deadline_ns) {
  if (step == KN_TLS_BROKEN) return kn_tls_fault(connection->tls);
  return kn_connection_wait(connection->fd, step == KN_TLS_WANTS_WRITE, deadline_ns);
}

static kn_status read_tls(kn_connection *connection, void *to, size_t size, int64_t deadline_ns, size_t *out_got) {
  for (;;) {
    kn_tls_step step = kn_tls_read(connection->tls, to, size, out_got);
    if (step == KN_TLS_DONE) return NULL;
    *out_got = 0;
    if (step == KN_TLS_CLOSED) return NULL;
    KN_TRY(wait_for_tls(connection, step, deadline_ns));
  }
}

static kn_status write_tls(kn_connection *connection, const uint8_t *data, size_t bytes, int64_t deadline_ns) {
  while (bytes) {
    size_t sent;
    kn_tls_step step = kn_tls_write(connection->tls, data, bytes, &sent);
    if (step == KN_TLS_DONE) {
      data += sent;
      bytes -= sent;
      continue;
    }
    if (step == KN_TLS_CLOSED) return broken(EPIPE);
    KN_TRY(wait_for_tls(connection, step, deadline_ns));
  }
  return NULL;
}

/* A short piece and what follows it are one record: the peer would be woken twice. */
static kn_status write_tls_pieces(kn_connection *connection, const kn_piece *pieces, size_t count,
                                  int64_t deadline_ns) {
  uint8_t *record = kn_tls_record(connection->tls);
  size_t gathered = 0;
  for (size_t i = 0; i < count; i++) {
    const uint8_t *data = pieces[i].data;
    size_t left = pieces[i].bytes, room = KN_TLS_RECORD - gathered, taken = left < room ? left : room;
    bool last = i + 1 == count;
    if (!gathered && (last || left >= KN_TLS_RECORD)) {
      KN_TRY(write_tls(connection, data, left, deadline_ns));
      continue;
    }
    if (taken) memcpy(record + gathered, data, taken);
    gathered += taken;
    if (last || taken < left) {
      KN_TRY(write_tls(connection, record, gathered, deadline_ns));
      gathered = 0;
      KN_TRY(write_tls(connection, data + taken, left - taken, deadline_ns));
    }
  }
  return gathered ? write_tls(connection, record, gathered, deadline_ns) : NULL;
}

static kn_status send_file_tls(kn_connection *connection, int file, size_t bytes, int64_t deadline_ns) {
  uint8_t *record = kn_tls_record(connection->tls);
  while (bytes) {
    ssize_t got = read(file, record, bytes < KN_TLS_RECORD ? bytes : KN_TLS_RECORD);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return kn_status_make(KN_IO_ERROR, "the file cannot be read: %s", strerror(errno));
    if (!got) return kn_status_make(KN_BAD_DATA, "the file became shorter while it was sent");
    KN_TRY(write_tls(connection, record, (size_t)got, deadline_ns));
    bytes -= (size_t)got;
  }
  return NULL;
}

/* ---- reading and writing ---- */

kn_status kn_connection_read(kn_connection *connection, void *to, size_t size, int64_t deadline_ns, size_t *out_got) {
  *out_got = 0;
  if (connection->tls) return read_tls(connection, to, size, deadline_ns, out_got);
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
  if (connection->tls) return write_tls_pieces(connection, pieces, count, deadline_ns);
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

/* Without a flag against SIGPIPE. */
static ssize_t send_some_of(int fd, int file, size_t bytes) {
  const kn_pipe_signal held = kn_pipe_signal_hold();
  ssize_t sent = sendfile(fd, file, NULL, bytes);
  kn_pipe_signal_release(&held, sent < 0 && errno == EPIPE);
  return sent;
}

kn_status kn_connection_send_file(kn_connection *connection, int file, size_t bytes, int64_t deadline_ns) {
  if (connection->tls) return send_file_tls(connection, file, bytes, deadline_ns);
  while (bytes) {
    ssize_t sent = send_some_of(connection->fd, file, bytes);
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

void kn_connection_part(kn_connection *connection, int64_t deadline_ns, size_t limit) {
  uint8_t away[16384];
  kn_tls_end(connection->tls);
  connection->tls = NULL;
  if (connection->fd < 0 || shutdown(connection->fd, SHUT_WR) < 0) return; /* a line stays what it is */
  for (size_t got = 1, all = 0; got && all < limit; all += got) {
    kn_status status = kn_connection_patience(deadline_ns, false);
    if (!status) status = kn_connection_read(connection, away, sizeof away, deadline_ns, &got);
    if (status) return kn_status_free(status);
  }
}
