/* A runtime protocol over a socket in the file system. What is said on it is not the block's business. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fake.h"
#include "target/protocol.h"

typedef struct fake_protocol {
  int wire;
  double timeout, idle_timeout, engine_timeout;
  int64_t model_limit, tensor_limit;
  bool extensions;
  char *path;
} fake_protocol;

static const kn_choice wires[] = {{"8-byte", KN_WIRE_8, "one"}, {"12-byte", KN_WIRE_12, "another"}, {0}};

#define SECONDS(name_, field)                                                                                \
  {                                                                                                          \
    name_, "Seconds to wait", KN_OPTION_FLOAT, 0, KN_FIELD(fake_protocol, field), .def.f = 60, .min = 0.001, \
                                                                                  .max = 86400               \
  }
#define MEBIBYTES(name_, field) \
  { name_, "Mebibytes to take", KN_OPTION_INT, 0, KN_FIELD(fake_protocol, field), .def.i = 16, .min = 1, .max = 1024 }

static const kn_option options[] = {
    {"path", "Place of the socket", KN_OPTION_PATH, KN_OPTION_REQUIRED, KN_FIELD(fake_protocol, path)},
    {"wire", "Wire format", KN_OPTION_ENUM, 0, KN_FIELD(fake_protocol, wire), .def.i = KN_WIRE_12, .choices = wires},
    {"extensions", "Offer more than the original has", KN_OPTION_BOOL, 0, KN_FIELD(fake_protocol, extensions)},
    SECONDS("timeout", timeout),
    SECONDS("idle_timeout", idle_timeout),
    SECONDS("engine_timeout", engine_timeout),
    MEBIBYTES("model_limit", model_limit),
    MEBIBYTES("tensor_limit", tensor_limit),
    {0}};

static kn_status open_protocol(void *self, kn_link_config *out_config) {
  const fake_protocol *protocol = self;
  *out_config = (kn_link_config){
      .wire = {.format = (kn_wire_format)protocol->wire, .frame_limit = IS_BROKEN(NO_FRAMES) ? 0 : 1 << 20},
      .offer = protocol->extensions,
      .timeout_s = IS_BROKEN(NO_TIMEOUT) ? 60 : protocol->timeout,
      .idle_s = protocol->idle_timeout,
      .engine_s = protocol->engine_timeout,
      .slowest = 1 << 20,
      .model_limit = (uint64_t)protocol->model_limit << 20,
      .tensor_limit = (uint64_t)protocol->tensor_limit << 20};
  return NULL;
}

static void close_protocol(void *self) { (void)self; }

static kn_status make_socket(const fake_protocol *protocol, struct sockaddr_un *out_address, int *out_fd) {
  *out_address = (struct sockaddr_un){.sun_family = AF_UNIX};
  strncpy(out_address->sun_path, protocol->path, sizeof out_address->sun_path - 1);
  *out_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  return *out_fd < 0 ? kn_status_make(KN_IO_ERROR, "no socket: %s", strerror(errno)) : NULL;
}

static kn_status connect_to(void *self, const char *model_path, int64_t deadline_ns, kn_connection *out_connection) {
  struct sockaddr_un address;
  int fd;
  (void)model_path, (void)deadline_ns;
  *out_connection = (kn_connection){.fd = -1};
  KN_TRY(make_socket(self, &address, &fd));
  if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0) {
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    out_connection->fd = fd;
    return NULL;
  }
  int error = errno;
  if (!IS_BROKEN(SOCKET_KEPT)) close(fd);
  return kn_status_make(IS_BROKEN(NOBODY_IS_A_BUG) ? KN_INTERNAL : KN_IO_ERROR, "nobody is at %s: %s", address.sun_path,
                        strerror(error));
}

static kn_status listen_on(void *self, int *out_fd, char **out_where) {
  const fake_protocol *protocol = self;
  struct sockaddr_un address;
  int fd, probe;
  *out_fd = -1;
  *out_where = NULL;
  KN_TRY(make_socket(protocol, &address, &probe));
  bool taken = connect(probe, (const struct sockaddr *)&address, sizeof address) == 0;
  close(probe);
  if (taken && !IS_BROKEN(PLACE_STOLEN)) return kn_status_make(KN_BUSY, "%s is taken", protocol->path);
  KN_TRY(make_socket(protocol, &address, &fd));
  unlink(address.sun_path);
  char *where = kn_strdup(protocol->path);
  bool listens = where && bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 4) == 0;
  if (listens) {
    *out_fd = fd;
    *out_where = where;
    return NULL;
  }
  int error = errno;
  close(fd);
  if (!where) return kn_status_out_of_memory();
  kn_free(where);
  return kn_status_make(KN_IO_ERROR, "cannot listen at %s: %s", protocol->path, strerror(error));
}

static const kn_runtimeprotocol_ops ops = {.struct_size = sizeof ops,
                                           .open = open_protocol,
                                           .close = close_protocol,
                                           .connect = connect_to,
                                           .listen = listen_on};

const kn_class fake_protocol_class = {.struct_size = sizeof(kn_class),
                                      .name = "tests.fake.FakeProtocol",
                                      .kind = KN_KIND_RUNTIMEPROTOCOL,
                                      .summary = "Talks to a target over a socket in the file system",
                                      .options = options,
                                      .instance_size = sizeof(fake_protocol),
                                      .ops = &ops};
