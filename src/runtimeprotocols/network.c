/* NetworkProtocol: a target over TCP. Two classes, as the original's of 2022 and of today differ in their wire format.
 */
#include "runtimeprotocols/link.h"
#include "transport/tcp.h"
#include "transport/tls.h"

#include <unistd.h>

typedef struct network_protocol {
  kn_link_options link;
  char *host, *psk_file;
  int64_t port, packet_size, max_message_size;
  int endianness;
  bool error_recovery, insecure;
} network_protocol;

static const kn_choice endiannesses[] = {
    {"little", 0, "least significant byte first"}, {"big", 1, "most significant byte first"}, {0}};

#define INSECURE_ROW                                                                                                  \
  {"insecure", "Listen on an address that other machines reach, without knowing who they are", KN_OPTION_BOOL, 0,     \
   KN_FIELD(network_protocol, insecure)},                                                                             \
  {                                                                                                                   \
    "psk_file", "Key that both ends have, made by 'kenning psk': TLS 1.3 for those who know it, and for nobody else", \
        KN_OPTION_PATH, KN_OPTION_NULLABLE, KN_FIELD(network_protocol, psk_file)                                      \
  }

static const kn_option options_of_2022[] = {
    {"host", "Address of the target", KN_OPTION_STRING, KN_OPTION_REQUIRED, KN_FIELD(network_protocol, host)},
    {"port", "TCP port of the target", KN_OPTION_INT, KN_OPTION_REQUIRED, KN_FIELD(network_protocol, port), .min = 1,
     .max = 65535},
    {"packet_size", "Bytes received at once by the original; any peer's is fine", KN_OPTION_INT, 0,
     KN_FIELD(network_protocol, packet_size), .def.i = 4096, .min = 1, .max = 1 << 30},
    {"endianness", "Byte order of the wire", KN_OPTION_ENUM, 0, KN_FIELD(network_protocol, endianness),
     .choices = endiannesses},
    INSECURE_ROW,
    KN_LINK_ROWS(network_protocol, KN_WIRE_2022),
    {0}};

static const kn_option options_of_today[] = {
    {"host", "Address of the target", KN_OPTION_STRING, 0, KN_FIELD(network_protocol, host), .def.s = "localhost"},
    {"port", "TCP port of the target", KN_OPTION_INT, 0, KN_FIELD(network_protocol, port), .def.i = 12345, .min = 1,
     .max = 65535},
    {"packet_size", "Bytes received at once by the original; any peer's is fine", KN_OPTION_INT, 0,
     KN_FIELD(network_protocol, packet_size), .def.i = 4096, .min = 1, .max = 1 << 30},
    {"max_message_size", "Bytes of one piece of a message, with its header", KN_OPTION_INT, 0,
     KN_FIELD(network_protocol, max_message_size), .def.i = 1 << 20, .min = 64, .max = 1 << 30},
    {"error_recovery", "Send checksums and demand them", KN_OPTION_BOOL, 0, KN_FIELD(network_protocol, error_recovery)},
    INSECURE_ROW,
    KN_LINK_ROWS(network_protocol, KN_WIRE_12),
    {0}};

/* In the format of 2022 nobody waits for a greeting. */
static bool greets(const network_protocol *protocol) {
  return kn_link_configure(&protocol->link).wire.format != KN_WIRE_2022;
}

static kn_status open_protocol(void *self, kn_link_config *out_config) {
  const network_protocol *protocol = self;
  *out_config = kn_link_configure(&protocol->link);
  out_config->wire.big_endian = protocol->endianness;
  out_config->wire.checksums = protocol->error_recovery;
  out_config->hello = greets(protocol);
  if (protocol->max_message_size) out_config->wire.frame_limit = (uint32_t)protocol->max_message_size;
  return NULL;
}

static void close_protocol(void *self) { (void)self; }

/* The greeting comes before the handshake, whether the target has a key or not: without one it is told by the handshake
 * that this host has. */
static kn_status secure(const network_protocol *protocol, int64_t deadline_ns, kn_connection *connection) {
  uint8_t greeting;
  size_t got = 1;
  if (greets(protocol)) KN_TRY(kn_connection_read(connection, &greeting, 1, deadline_ns, &got));
  if (!got) return kn_status_make(KN_IO_ERROR, "the target closed the connection: it serves another client");
  return kn_tls_begin(connection, false, protocol->psk_file, deadline_ns);
}

static kn_status connect_to(void *self, const char *model_path, int64_t deadline_ns, kn_connection *out_connection) {
  (void)model_path;
  const network_protocol *protocol = self;
  KN_TRY(kn_tcp_connect(protocol->host, protocol->port, deadline_ns, out_connection));
  kn_status status = protocol->psk_file ? secure(protocol, deadline_ns, out_connection) : NULL;
  if (status) kn_connection_close(out_connection);
  return status;
}

static kn_status prepare_client(void *self, kn_connection *connection, int64_t deadline_ns) {
  const network_protocol *protocol = self;
  KN_TRY(kn_tcp_prepare(connection->fd));
  if (!protocol->psk_file) return NULL;
  static const uint8_t greeting = KN_TLS_GREETING;
  const kn_piece piece = {&greeting, 1};
  if (greets(protocol)) KN_TRY(kn_connection_write(connection, &piece, 1, deadline_ns));
  return kn_tls_begin(connection, true, protocol->psk_file, deadline_ns);
}

static kn_status listen_on(void *self, int *out_fd, char **out_where) {
  const network_protocol *protocol = self;
  bool loopback;
  int64_t port;
  *out_fd = -1;
  *out_where = NULL;
  if (protocol->psk_file) KN_TRY(kn_tls_check(protocol->psk_file)); /* before a client has to find out */
  KN_TRY(kn_tcp_listen(protocol->host, protocol->port, out_fd, &loopback, &port));
  kn_status status = NULL;
  if (!loopback && !protocol->insecure && !protocol->psk_file)
    status = kn_status_make(
        KN_INVALID_ARGUMENT,
        "other machines reach %s, and whoever does may run models here: give a key with --psk-file ('kenning psk FILE' "
        "makes one), listen on 127.0.0.1 and let clients come through an SSH tunnel, or allow everybody with "
        "--insecure "
        "(in the scenario: \"insecure\": true)",
        protocol->host);
  if (!status) {
    *out_where = kn_format("%s, port %lld%s", protocol->host, (long long)port, protocol->psk_file ? ", with TLS" : "");
    if (!*out_where) status = kn_status_out_of_memory();
  }
  if (!status) return NULL;
  close(*out_fd);
  *out_fd = -1;
  return status;
}

static const kn_runtimeprotocol_ops ops = {.struct_size = sizeof ops,
                                           .open = open_protocol,
                                           .close = close_protocol,
                                           .connect = connect_to,
                                           .listen = listen_on,
                                           .prepare = prepare_client};

extern const kn_class kn_network_protocol_class, kn_network_protocol_today_class;
const kn_class kn_network_protocol_class = {.struct_size = sizeof(kn_class),
                                            .name = "kenning.runtimeprotocols.network.NetworkProtocol",
                                            .kind = KN_KIND_RUNTIMEPROTOCOL,
                                            .summary = "Talks to a target over TCP, in the wire format of 2022",
                                            .options = options_of_2022,
                                            .instance_size = sizeof(network_protocol),
                                            .ops = &ops};
const kn_class kn_network_protocol_today_class = {.struct_size = sizeof(kn_class),
                                                  .name = "kenning.protocols.network.NetworkProtocol",
                                                  .kind = KN_KIND_RUNTIMEPROTOCOL,
                                                  .summary = "Talks to a target over TCP, in today's wire format",
                                                  .options = options_of_today,
                                                  .instance_size = sizeof(network_protocol),
                                                  .ops = &ops};
