#include "transport/tcp.h"

#include "transport/address.h"
#include "transport/deadline.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 16, SILENCE_S = 60, PROBE_S = 20, PROBES = 3 };

kn_status kn_tcp_prepare(int fd) {
  static const struct {
    int level, name, value;
  } options[] = {{IPPROTO_TCP, TCP_NODELAY, 1},
                 {SOL_SOCKET, SO_KEEPALIVE, 1},
                 {IPPROTO_TCP, TCP_KEEPIDLE, SILENCE_S},
                 {IPPROTO_TCP, TCP_KEEPINTVL, PROBE_S},
                 {IPPROTO_TCP, TCP_KEEPCNT, PROBES}};
  for (size_t i = 0; i < sizeof options / sizeof *options; i++)
    if (setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof options[i].value) < 0)
      return kn_status_make(KN_IO_ERROR, "the connection cannot be prepared: %s", strerror(errno));
  return NULL;
}

/* One address: waits for the handshake. */
static kn_status connect_to(const kn_address *address, int64_t deadline_ns, kn_connection *connection) {
  int fd = socket(address->name.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return kn_status_make(KN_IO_ERROR, "%s", strerror(errno));
  connection->fd = fd;
  int error = connect(fd, (const struct sockaddr *)&address->name, address->size) < 0 ? errno : 0;
  if (error == EINPROGRESS) {
    KN_TRY(kn_connection_wait(fd, true, deadline_ns));
    socklen_t size = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0) error = errno;
  }
  if (error) return kn_status_make(KN_IO_ERROR, "%s", strerror(error));
  return kn_tcp_prepare(fd);
}

/* Of the time that is left, what each of `count` addresses has: one that is dead leaves some for the others. */
static int64_t share_of(int64_t deadline_ns, size_t count) {
  const int64_t now = kn_deadline_now();
  return deadline_ns == KN_NO_DEADLINE || deadline_ns <= now ? deadline_ns : now + (deadline_ns - now) / (int64_t)count;
}

kn_status kn_tcp_connect(const char *host, int64_t port, int64_t deadline_ns, kn_connection *out_connection) {
  *out_connection = (kn_connection){.fd = -1};
  kn_address list[KN_ADDRESSES];
  size_t count;
  KN_TRY(kn_address_resolve(host, port, false, list, &count));
  kn_status status = kn_status_make(KN_NOT_FOUND, "no address");
  for (size_t i = 0; i < count && status; i++) {
    kn_status_free(status);
    status = connect_to(&list[i], share_of(deadline_ns, count - i), out_connection);
    if (status) kn_connection_close(out_connection);
    if (kn_status_code(status) == KN_CANCELLED) break;
  }
  if (!status || kn_status_code(status) == KN_CANCELLED) return status;
  kn_status told = kn_status_make(kn_status_code(status), "cannot connect to %.200s, port %lld: %s", host,
                                  (long long)port, kn_status_message(status, 0));
  kn_status_free(status);
  return told;
}

/* Of those that there are for TCP: of version 4 or 6. */
static bool is_loopback(const struct sockaddr_storage *address) {
  if (address->ss_family == AF_INET) {
    struct sockaddr_in four;
    memcpy(&four, address, sizeof four);
    return ntohl(four.sin_addr.s_addr) >> 24 == 127;
  }
  struct sockaddr_in6 six;
  memcpy(&six, address, sizeof six);
  return IN6_IS_ADDR_LOOPBACK(&six.sin6_addr);
}

static int64_t port_of(int fd) {
  struct sockaddr_storage name = {0};
  socklen_t size = sizeof name;
  if (getsockname(fd, (struct sockaddr *)&name, &size) < 0) return 0;
  in_port_t port;
  if (name.ss_family == AF_INET6)
    memcpy(&port, (const char *)&name + offsetof(struct sockaddr_in6, sin6_port), sizeof port);
  else
    memcpy(&port, (const char *)&name + offsetof(struct sockaddr_in, sin_port), sizeof port);
  return ntohs(port);
}

/* The original's hosts know version 4 alone: a name that has an address of it is listened on there. */
static const kn_address *choose(const kn_address *list, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (list[i].name.ss_family == AF_INET) return &list[i];
  return list;
}

kn_status kn_tcp_listen(const char *host, int64_t port, int *out_fd, bool *out_loopback, int64_t *out_port) {
  *out_fd = -1;
  *out_loopback = false;
  *out_port = 0;
  kn_address list[KN_ADDRESSES];
  size_t count;
  KN_TRY(kn_address_resolve(host, port, true, list, &count));
  const kn_address *address = choose(list, count);
  int on = 1, error = 0;
  int fd = socket(address->name.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
      bind(fd, (const struct sockaddr *)&address->name, address->size) < 0 || listen(fd, BACKLOG) < 0)
    error = errno;
  *out_loopback = is_loopback(&address->name);
  if (error) {
    if (fd >= 0) close(fd);
    if (error == EADDRINUSE)
      return kn_status_make(
          KN_BUSY,
          "cannot listen on %.200s, port %lld: another program does, perhaps a server started before; "
          "`ss -ltnp 'sport = :%lld'` shows it; end it or choose another port (0: any that is free)",
          host, (long long)port, (long long)port);
    return kn_status_make(KN_IO_ERROR, "cannot listen on %.200s, port %lld: %s%s", host, (long long)port,
                          strerror(error), error == EACCES ? "; ports from 1024 on are for everyone" : "");
  }
  *out_port = port_of(fd);
  *out_fd = fd;
  return NULL;
}
