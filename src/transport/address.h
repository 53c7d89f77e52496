/* Addresses of hosts for TCP. A static program is built with address_numeric.c: the C library looks names up by means
 * of libraries that it opens. */
#ifndef KENNING_TRANSPORT_ADDRESS_H
#define KENNING_TRANSPORT_ADDRESS_H

#include <kenning/status.h>
#include <sys/socket.h>

typedef struct kn_address {
  struct sockaddr_storage name;
  socklen_t size;
} kn_address;

enum { KN_ADDRESSES = 16 };

/* At least one, at most KN_ADDRESSES, best first. KN_NOT_FOUND. */
kn_status kn_address_resolve(const char *host, int64_t port, bool passive, kn_address *out_list,
                             size_t *out_count) KN_MUST_USE;

#endif
