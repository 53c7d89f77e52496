/* The host's end under arbitrary answers: the first byte chooses the wire format and the request. */
#include "core/log.h"
#include "target/client.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const kn_wire_config wires[] = {{.format = KN_WIRE_2022, .frame_limit = 1 << 20},
                                       {.format = KN_WIRE_8, .frame_limit = 64},
                                       {.format = KN_WIRE_12, .frame_limit = 1 << 20},
                                       {.format = KN_WIRE_12, .frame_limit = 64, .checksums = true}};

static void ask(kn_client *client, unsigned what) {
  char output[16], *text = NULL;
  size_t bytes;
  switch (what) {
    case 0:
      kn_status_free(kn_client_upload(client, KN_MESSAGE_DATA, "12345678", 8));
      break;
    case 1:
      kn_status_free(kn_client_process(client));
      break;
    case 2:
      kn_status_free(kn_client_output(client, output, sizeof output));
      break;
    default:
      kn_status_free(kn_client_statistics(client, 4096, &text, &bytes));
      kn_free(text);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 1 || size > 32768) return 0;
  kn_log_set_level(KN_LOG_CRITICAL);
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0) abort();
  if (size > 1 && write(ends[1], data + 1, size - 1) < 0) abort();
  shutdown(ends[1], SHUT_WR);
  kn_link_config link = {.wire = wires[data[0] & 3], .hello = data[0] & 16, .timeout_s = 5, .slowest = 1e6};
  kn_connection connection;
  kn_client client;
  kn_status status = kn_connection_adopt(ends[0], &connection);
  if (status) abort();
  status = kn_client_open(connection, &link, &client);
  if (!status) {
    ask(&client, data[0] >> 2 & 3);
    ask(&client, data[0] >> 5 & 3);
  }
  kn_status_free(status);
  kn_client_close(&client);
  close(ends[1]);
  return 0;
}
