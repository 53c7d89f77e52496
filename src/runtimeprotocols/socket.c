/* UnixSocketProtocol: a target on the same machine, over a socket in the file system. */
#include "runtimeprotocols/link.h"
#include "transport/unix.h"

#include <unistd.h>

typedef struct unix_protocol {
  kn_link_options link;
  char *socket_path;
} unix_protocol;

static const kn_option options[] = {{"socket_path", "Path of the socket; only the user who runs the server may connect",
                                     KN_OPTION_PATH, KN_OPTION_REQUIRED, KN_FIELD(unix_protocol, socket_path)},
                                    KN_LINK_ROWS(unix_protocol, KN_WIRE_12),
                                    {0}};

static kn_status open_protocol(void *self, kn_link_config *out_config) {
  *out_config = kn_link_configure(&((const unix_protocol *)self)->link);
  return NULL;
}

static void close_protocol(void *self) { (void)self; }

static kn_status connect_to(void *self, const char *model_path, int64_t deadline_ns, kn_connection *out_connection) {
  (void)model_path;
  return kn_unix_connect(((const unix_protocol *)self)->socket_path, deadline_ns, out_connection);
}

static kn_status listen_on(void *self, int *out_fd, char **out_where) {
  const unix_protocol *protocol = self;
  *out_where = NULL;
  KN_TRY(kn_unix_listen(protocol->socket_path, out_fd));
  *out_where = kn_strdup(protocol->socket_path);
  if (*out_where) return NULL;
  close(*out_fd);
  *out_fd = -1;
  return kn_status_out_of_memory();
}

static const kn_runtimeprotocol_ops ops = {.struct_size = sizeof ops,
                                           .open = open_protocol,
                                           .close = close_protocol,
                                           .connect = connect_to,
                                           .listen = listen_on};

extern const kn_class kn_unix_protocol_class;
const kn_class kn_unix_protocol_class = {.struct_size = sizeof(kn_class),
                                         .name = "kenning.runtimeprotocols.unix_socket.UnixSocketProtocol",
                                         .kind = KN_KIND_RUNTIMEPROTOCOL,
                                         .summary = "Talks to a target on the same machine over a Unix socket",
                                         .options = options,
                                         .instance_size = sizeof(unix_protocol),
                                         .ops = &ops};
