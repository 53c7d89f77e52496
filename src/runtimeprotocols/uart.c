/* UARTProtocol: a target on a serial line, as kenning-zephyr-runtime is one. The original has the host's end alone. */
#include "runtimeprotocols/link.h"
#include "transport/uart.h"

#include <kenning/services.h>

typedef struct uart_protocol {
  kn_link_options link;
  char *port;
  int64_t baudrate, max_message_size;
  bool error_recovery;
} uart_protocol;

static const kn_option options[] = {
    {"port", "Serial device, for example /dev/ttyACM0", KN_OPTION_PATH, KN_OPTION_REQUIRED,
     KN_FIELD(uart_protocol, port)},
    {"baudrate", "Speed in baud", KN_OPTION_INT, 0, KN_FIELD(uart_protocol, baudrate), .def.i = 9600, .min = 1200,
     .max = 4000000},
    {"error_recovery", "Send checksums and demand them", KN_OPTION_BOOL, 0, KN_FIELD(uart_protocol, error_recovery),
     .def.b = true},
    {"max_message_size", "Bytes of one piece of a message, with its header", KN_OPTION_INT, 0,
     KN_FIELD(uart_protocol, max_message_size), .def.i = 136, .min = 64, .max = 1 << 20},
    KN_LINK_ROWS(uart_protocol, KN_WIRE_12),
    {0}};

enum { BITS_PER_BYTE = 10, PATIENCE = 4 };

static kn_status open_protocol(void *self, kn_link_config *out_config) {
  const uart_protocol *protocol = self;
  *out_config = kn_link_configure(&protocol->link);
  if (out_config->wire.format == KN_WIRE_2022)
    return kn_status_make(KN_INVALID_ARGUMENT,
                          "the format of 2022 was never spoken on a serial line: it cannot tell "
                          "disturbed bytes; choose another 'wire'");
  out_config->wire.checksums = protocol->error_recovery;
  out_config->wire.frame_limit = (uint32_t)protocol->max_message_size;
  out_config->ping = true;
  out_config->packed = true;
  out_config->slowest = (double)protocol->baudrate / (BITS_PER_BYTE * PATIENCE);
  return NULL;
}

static void close_protocol(void *self) { (void)self; }

static kn_status connect_to(void *self, const char *model_path, int64_t deadline_ns, kn_connection *out_connection) {
  const uart_protocol *protocol = self;
  (void)model_path, (void)deadline_ns;
  return kn_uart_open(protocol->port, protocol->baudrate, out_connection);
}

static kn_status listen_on(void *self, int *out_fd, char **out_where) {
  const uart_protocol *protocol = self;
  kn_connection line;
  *out_fd = -1;
  *out_where = NULL;
  KN_TRY(kn_uart_open(protocol->port, protocol->baudrate, &line));
  *out_where = kn_format("%s, %lld baud", protocol->port, (long long)protocol->baudrate);
  if (!*out_where) {
    kn_connection_close(&line);
    return kn_status_out_of_memory();
  }
  *out_fd = line.fd;
  return NULL;
}

static const kn_runtimeprotocol_ops ops = {.struct_size = sizeof ops,
                                           .open = open_protocol,
                                           .close = close_protocol,
                                           .connect = connect_to,
                                           .listen = listen_on,
                                           .line = true};

extern const kn_class kn_uart_protocol_class;
const kn_class kn_uart_protocol_class = {.struct_size = sizeof(kn_class),
                                         .name = "kenning.runtimeprotocols.uart.UARTProtocol",
                                         .kind = KN_KIND_RUNTIMEPROTOCOL,
                                         .summary = "Talks to a target over a serial line",
                                         .options = options,
                                         .instance_size = sizeof(uart_protocol),
                                         .ops = &ops};
