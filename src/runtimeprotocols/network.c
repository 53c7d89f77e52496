/* NetworkProtocol: the parameters stand, so that scenarios that name it are checked in full; the protocol itself comes
 * with the target server. */
#include <kenning/block.h>

typedef struct network_protocol {
  char *host;
  int64_t port, packet_size;
  int endianness;
} network_protocol;

static const kn_choice endiannesses[] = {{"little", 0, "least significant byte first"},
                                         {"big", 1, "most significant byte first"},
                                         {0}};

static const kn_option options[] = {
    {"host", "Address of the target", KN_OPTION_STRING, KN_OPTION_REQUIRED, KN_FIELD(network_protocol, host)},
    {"port", "TCP port of the target", KN_OPTION_INT, KN_OPTION_REQUIRED, KN_FIELD(network_protocol, port), .min = 1,
     .max = 65535},
    {"packet_size", "Bytes received at once", KN_OPTION_INT, 0, KN_FIELD(network_protocol, packet_size),
     .def.i = 4096, .min = 1, .max = 1 << 30},
    {"endianness", "Byte order of the wire", KN_OPTION_ENUM, 0, KN_FIELD(network_protocol, endianness),
     .choices = endiannesses},
    {0}};

const kn_class kn_network_protocol_class = {.struct_size = sizeof(kn_class),
                                            .name = "kenning.runtimeprotocols.network.NetworkProtocol",
                                            .kind = KN_KIND_RUNTIMEPROTOCOL,
                                            .summary = "Talks to a target over TCP",
                                            .options = options,
                                            .instance_size = sizeof(network_protocol)};
