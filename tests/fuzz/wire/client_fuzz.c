/* The host's end under arbitrary answers. The first byte chooses the wire format and two requests; with its highest bit
 * the second one says how many requests follow, one a byte, the negotiated ones among them, and how the link is. The
 * rest is what the target says. A request that fails says why, and one that succeeds has what it asked for. */
#include "core/log.h"
#include "memory_connection.h"
#include "target/client.h"
#include "wire/packed.h"

#include <kenning/services.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const kn_wire_config wires[] = {{.format = KN_WIRE_2022, .frame_limit = 1 << 20},
                                       {.format = KN_WIRE_8, .frame_limit = 64},
                                       {.format = KN_WIRE_12, .frame_limit = 1 << 20},
                                       {.format = KN_WIRE_12, .frame_limit = 64, .checksums = true}};

enum { HELLO = 16, SEVERAL = 128 };                         /* of the first byte */
enum { STALLS = 8, PINGS = 16, PACKS = 32, NO_OFFER = 64 }; /* of the second */
enum { LIMIT = 4096, FILLED = 0x5A };

static void expect(bool holds) {
  if (!holds) abort();
}

/* Takes `status`. */
static bool succeeded(kn_status status) {
  expect(!status || *kn_status_message(status, 0));
  bool good = !status;
  kn_status_free(status);
  return good;
}

static void specify(kn_client *client) {
  static const uint8_t packed[KN_PACKED_IOSPEC] = {1};
  static const char json[] = "{\"input\": [], \"output\": []}";
  bool good = client->link.packed ? succeeded(kn_client_specify(client, packed, sizeof packed))
                                  : succeeded(kn_client_specify(client, json, sizeof json - 1));
  expect(!client->extended || (good && client->link.offer));
}

static void infer(kn_client *client) {
  uint8_t output[16];
  kn_infer_times times;
  memset(output, FILLED, sizeof output);
  if (!succeeded(kn_client_infer_begin(client, "12345678", 8)) || !succeeded(kn_client_infer_wait(client, &times)))
    return;
  (void)succeeded(kn_client_infer_finish(client, output, 12));
  for (size_t i = 12; i < sizeof output; i++) expect(output[i] == FILLED);
}

static void fetch_output(kn_client *client) {
  uint8_t output[20];
  memset(output, FILLED, sizeof output);
  (void)succeeded(kn_client_output(client, output, 16));
  for (size_t i = 16; i < sizeof output; i++) expect(output[i] == FILLED);
}

static void download(kn_client *client, bool model) {
  char *text = NULL;
  size_t bytes = 0;
  bool good = succeeded(model ? kn_client_optimize(client, LIMIT, &text, &bytes)
                              : kn_client_statistics(client, LIMIT, &text, &bytes));
  expect(good ? text && bytes <= LIMIT && !text[bytes] : !text);
  kn_free(text);
}

static void identify(kn_client *client) {
  kn_identity identity = {.bytes = 5};
  bool loaded;
  memset(identity.sha256, 'a', sizeof identity.sha256 - 1);
  (void)succeeded(kn_client_identify(client, &identity, &loaded));
}

static void ask(kn_client *client, unsigned what) {
  int64_t clock;
  switch (what % 9) {
    case 0:
      (void)succeeded(kn_client_upload(client, KN_MESSAGE_DATA, "12345678", 8));
      break;
    case 1:
      (void)succeeded(kn_client_process(client));
      break;
    case 2:
      fetch_output(client);
      break;
    case 3:
      download(client, false);
      break;
    case 4:
      specify(client);
      break;
    case 5:
      infer(client);
      break;
    case 6:
      (void)succeeded(kn_client_clock(client, &clock));
      break;
    case 7:
      identify(client);
      break;
    default:
      download(client, true);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2 || size > 32768) return 0;
  kn_log_set_level(KN_LOG_CRITICAL);
  const unsigned first = data[0], how = first & SEVERAL ? data[1] : 0;
  uint8_t requests[8] = {first >> 2 & 3, first >> 5 & 3};
  size_t count = 2, begin = 1;
  if (first & SEVERAL) {
    count = 1 + (how & 7);
    begin = 2 + count;
    if (size < begin) return 0;
    memcpy(requests, data + 2, count);
  }
  const kn_link_config link = {.wire = wires[first & 3],
                               .hello = first & HELLO,
                               .ping = how & PINGS,
                               .packed = how & PACKS,
                               .offer = first & SEVERAL && !(how & NO_OFFER),
                               .timeout_s = 5,
                               .slowest = 1e6};
  kn_client client;
  if (succeeded(kn_client_open(kt_memory_connection(data + begin, size - begin, how & STALLS), &link, &client))) {
    for (size_t i = 0; i < count; i++) ask(&client, requests[i]);
    kn_client_close(&client);
  }
  return 0;
}
