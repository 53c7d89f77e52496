/* TCP, without Nagle's delay: requests and replies wait for each other. */
#ifndef KENNING_TRANSPORT_TCP_H
#define KENNING_TRANSPORT_TCP_H

#include "transport/connection.h"

/* KN_NOT_FOUND for a host that has no address, KN_IO_ERROR when nobody listens there, KN_TIMEOUT. */
kn_status kn_tcp_connect(const char *host, int64_t port, int64_t deadline_ns,
                         kn_connection *out_connection) KN_MUST_USE;

/* Listens on the first address of `host`. *out_loopback: only this machine reaches it. Port 0 takes a free one;
 * *out_port is what it became. */
kn_status kn_tcp_listen(const char *host, int64_t port, int *out_fd, bool *out_loopback, int64_t *out_port) KN_MUST_USE;
/* Options of an accepted connection: no delay, and a peer that is gone is noticed. */
kn_status kn_tcp_prepare(int fd) KN_MUST_USE;

#endif
