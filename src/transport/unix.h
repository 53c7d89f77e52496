/* Sockets in the file system, for peers on the same machine: what may use them is told by the permissions of the path.
 */
#ifndef KENNING_TRANSPORT_UNIX_H
#define KENNING_TRANSPORT_UNIX_H

#include "transport/connection.h"

kn_status kn_unix_connect(const char *path, int64_t deadline_ns, kn_connection *out_connection) KN_MUST_USE;
/* Only the user who runs the server may connect (mode 0600). A socket that nobody listens on any more is replaced,
 * anything else at `path` is KN_BUSY. */
kn_status kn_unix_listen(const char *path, int *out_fd) KN_MUST_USE;

#endif
