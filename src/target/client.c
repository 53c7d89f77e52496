#include "target/client.h"

#include "core/file.h"
#include "target/answer.h"
#include "transport/tls.h"
#include "wire/packed.h"

#include <errno.h>
#include <fcntl.h>
#include <kenning/services.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PING_TRIES = 5, PING_TIMEOUT_S = 1, LAST_WORDS_S = 1, SENDINGS = 4 /* of a request that arrives disturbed */ };

/* What follows on a connection that failed once cannot be understood: it is closed, so that later requests do not wait
 * for an answer. A refusal is an answer like another. */
static kn_status settle(kn_client *client, kn_status status, kn_message type, bool refusal) {
  if (status && !refusal) kn_connection_close(&client->connection);
  return kn_status_annotate(status, "while the target was asked for %s", kn_answer_name(type));
}

/* Takes the failure of a request that could not be sent whole. A target that hangs up amid one may have said why. */
static kn_status unsent(kn_client *client, kn_status status, kn_message type) {
  if (kn_status_code(status) != KN_IO_ERROR) return settle(client, status, type, false);
  uint8_t action[8];
  kn_answer answer = {.data = action, .capacity = sizeof action};
  const double timeout_s = client->link.timeout_s;
  client->last_log[0] = '\0';
  client->link.timeout_s = LAST_WORDS_S;
  kn_status said = kn_answer_read(client, type, &answer);
  client->link.timeout_s = timeout_s;
  client->misheard = false; /* there is nobody to send it to again */
  kn_status_free(answer.refused ? status : said);
  return settle(client, answer.refused ? said : status, type, answer.refused);
}

static kn_status receive(kn_client *client, kn_message type, kn_answer *answer) {
  client->last_log[0] = '\0';
  client->misheard = answer->refused = false;
  kn_status status = kn_answer_read(client, type, answer);
  return settle(client, status, type, answer->refused);
}

/* ---- sending ---- */

static kn_status send_frame(kn_client *client, kn_frame frame, const void *payload, size_t here) {
  const kn_wire_config *wire = &client->link.wire;
  uint8_t header[KN_FRAME_HEADER_MAXIMUM];
  size_t size = kn_frame_header_size(wire->format);
  kn_frame_encode(wire->format, wire->big_endian, &frame, header);
  if (wire->checksums && wire->format != KN_WIRE_2022) {
    frame.checksum = kn_frame_sum(kn_frame_sum(0, header, size), payload, here) ^ KN_CHECKSUM;
    kn_frame_encode(wire->format, wire->big_endian, &frame, header);
  }
  const kn_piece pieces[] = {{header, size}, {payload, here}};
  return kn_connection_write(&client->connection, pieces, 2, kn_client_deadline(client, here));
}

/* The flags of a frame that holds `piece` bytes from `sent` of `bytes`. */
static kn_frame request_frame(kn_message type, size_t sent, size_t piece, size_t bytes) {
  unsigned flags =
      (sent ? 0 : KN_FLAG_FIRST) | (sent + piece == bytes ? KN_FLAG_LAST : 0) | (piece ? KN_FLAG_PAYLOAD : 0);
  return (kn_frame){.type = type, .flow = KN_FLOW_REQUEST, .flags = (uint16_t)flags, .payload = (uint32_t)piece};
}

static size_t frame_room(const kn_client *client) {
  const kn_wire_config *wire = &client->link.wire;
  return wire->format == KN_WIRE_2022 ? kn_frame_payload_limit(wire->format)
                                      : wire->frame_limit - kn_frame_header_size(wire->format);
}

static kn_status send_frames(kn_client *client, kn_message type, const void *payload, size_t bytes) {
  static const uint8_t nothing;
  const uint8_t *data = payload ? payload : &nothing;
  size_t room = frame_room(client), sent = 0;
  if (client->link.wire.format == KN_WIRE_2022 && bytes > room)
    return kn_status_make(KN_INCOMPATIBLE, "the format of 2022 has no messages of %zu bytes", bytes);
  do {
    size_t piece = bytes - sent < room ? bytes - sent : room;
    KN_TRY(send_frame(client, request_frame(type, sent, piece, bytes), data + sent, piece));
    sent += piece;
  } while (sent < bytes);
  return NULL;
}

static kn_status check_connected(const kn_client *client) {
  return client->connection.fd >= 0 ? NULL : kn_status_make(KN_IO_ERROR, "the connection to the target is gone");
}

static kn_status send_request(kn_client *client, kn_message type, const void *payload, size_t bytes) {
  KN_TRY(check_connected(client));
  kn_status status = send_frames(client, type, payload, bytes);
  return status ? unsent(client, status, type) : NULL;
}

/* ---- files ---- */

static kn_status read_piece(int file, const char *path, uint8_t *to, size_t bytes) {
  while (bytes) {
    ssize_t got = read(file, to, bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return kn_file_fault(path, "read", errno);
    if (!got) return kn_status_make(KN_BAD_DATA, "%s became shorter while it was sent", path);
    to += got;
    bytes -= (size_t)got;
  }
  return NULL;
}

/* A frame whose sum must be known before it is sent. */
static kn_status send_summed_piece(kn_client *client, kn_frame frame, int file, const char *path) {
  if (client->piece_bytes < frame.payload) {
    kn_free(client->piece);
    client->piece_bytes = frame.payload;
    client->piece = kn_alloc(client->piece_bytes);
    if (!client->piece) return client->piece_bytes = 0, kn_status_out_of_memory();
  }
  KN_TRY(read_piece(file, path, client->piece, frame.payload));
  return send_frame(client, frame, client->piece, frame.payload);
}

static kn_status send_file(kn_client *client, kn_message type, int file, const char *path, size_t bytes) {
  const kn_wire_config *wire = &client->link.wire;
  size_t room = frame_room(client), sent = 0;
  if (wire->format == KN_WIRE_2022 && bytes > room)
    return kn_status_make(KN_INCOMPATIBLE, "%s is too large for the format of 2022", path);
  while (sent < bytes) {
    size_t piece = bytes - sent < room ? bytes - sent : room;
    kn_frame frame = request_frame(type, sent, piece, bytes);
    if (wire->checksums && wire->format != KN_WIRE_2022) {
      KN_TRY(send_summed_piece(client, frame, file, path));
    } else {
      KN_TRY(send_frame(client, frame, NULL, 0));
      KN_TRY(kn_connection_send_file(&client->connection, file, piece, kn_client_deadline(client, piece)));
    }
    sent += piece;
  }
  return NULL;
}

kn_status kn_client_upload_file(kn_client *client, kn_message type, const char *path) {
  KN_TRY(check_connected(client));
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return kn_file_fault(path, "read", errno);
  struct stat found;
  kn_status status = NULL;
  if (fstat(file, &found) < 0)
    status = kn_file_fault(path, "read", errno);
  else if (!S_ISREG(found.st_mode) || !found.st_size)
    status =
        kn_status_make(KN_INCOMPATIBLE, "%s is no file with something in it: only those are sent to a target", path);
  for (int tries = 1; !status; tries++) {
    uint8_t action[8];
    kn_answer answer = {.data = action, .capacity = sizeof action};
    status = send_file(client, type, file, path, (size_t)found.st_size);
    if (status) break;
    status = receive(client, type, &answer);
    bool again = answer.refused && client->misheard && tries < SENDINGS && lseek(file, 0, SEEK_SET) == 0;
    if (!again) return close(file), status;
    kn_status_free(status);
    status = NULL;
  }
  close(file);
  return status ? unsent(client, kn_status_annotate(status, "while sending %s", path), type) : NULL;
}

/* ---- requests ---- */

/* A PING that succeeds begins a connection, one that fails ends it. */
static kn_status ping(kn_client *client, unsigned flag) {
  uint8_t action[8];
  kn_answer answer = {.data = action, .capacity = sizeof action};
  kn_frame frame = request_frame(KN_MESSAGE_PING, 0, 0, 0);
  frame.flags |= (uint16_t)flag;
  KN_TRY(settle(client, send_frame(client, frame, NULL, 0), KN_MESSAGE_PING, false));
  return receive(client, KN_MESSAGE_PING, &answer);
}

/* A target that is still busy with the end of another connection, or was reset amid a message, hears a later one. What
 * it says late is read as notices. */
static kn_status begin_by_ping(kn_client *client) {
  const double timeout_s = client->link.timeout_s;
  kn_frame frame = request_frame(KN_MESSAGE_PING, 0, 0, 0);
  frame.flags |= KN_FLAG_SUCCESS;
  kn_status status = NULL;
  client->link.timeout_s = PING_TIMEOUT_S;
  for (int i = 0; i < PING_TRIES; i++) {
    uint8_t action[8];
    kn_answer answer = {.data = action, .capacity = sizeof action};
    kn_status_free(status);
    status = send_frame(client, frame, NULL, 0);
    if (!status) status = kn_answer_read(client, KN_MESSAGE_PING, &answer);
    if (kn_status_code(status) != KN_TIMEOUT) break;
  }
  client->link.timeout_s = timeout_s;
  return settle(client, status, KN_MESSAGE_PING, false);
}

kn_status kn_client_open(kn_connection connection, const kn_link_config *link, kn_client *out_client) {
  *out_client = (kn_client){.connection = connection, .link = *link};
  uint8_t hello;
  kn_status status = link->hello ? kn_client_read(out_client, &hello, 1, kn_client_deadline(out_client, 0)) : NULL;
  if (!status && link->hello && hello == KN_TLS_GREETING && !connection.tls) status = kn_client_lacks_key();
  if (!status && link->hello && hello != KN_HELLO)
    status = kn_status_make(KN_BAD_DATA, "the target does not greet as one of this wire format does");
  if (!status && link->ping) status = begin_by_ping(out_client);
  if (status) {
    kn_connection_close(&out_client->connection);
    kn_client_close(out_client);
  }
  return status;
}

void kn_client_close(kn_client *client) {
  if (client->connection.fd >= 0 && client->link.ping) {
    client->link.timeout_s = PING_TIMEOUT_S;
    kn_status_free(ping(client, KN_FLAG_FAIL)); /* whether it is heard or not: the connection ends */
  }
  kn_connection_close(&client->connection);
  kn_free(client->piece);
  *client = (kn_client){.connection.fd = -1};
}

/* A request that arrives disturbed is sent again. */
static kn_status request(kn_client *client, kn_message type, const void *payload, size_t bytes, kn_answer *answer) {
  for (int tries = 1;; tries++) {
    answer->bytes = 0;
    KN_TRY(send_request(client, type, payload, bytes));
    kn_status status = receive(client, type, answer);
    if (!answer->refused || !client->misheard || tries == SENDINGS) return status;
    kn_status_free(status);
  }
}

kn_status kn_client_upload(kn_client *client, kn_message type, const void *payload, size_t bytes) {
  uint8_t action[8];
  kn_answer answer = {.data = action, .capacity = sizeof action};
  return request(client, type, payload, bytes, &answer);
}

kn_status kn_client_specify(kn_client *client, const void *spec, size_t bytes) {
  uint8_t reply[16], packed[KN_PACKED_IOSPEC], *text = NULL;
  kn_answer answer = {.data = reply, .capacity = sizeof reply};
  client->extended = false;
  if (client->link.offer && client->link.packed && bytes == sizeof packed) {
    memcpy(packed, spec, sizeof packed);
    kn_offer_write_packed(packed);
    spec = packed;
  } else if (client->link.offer && !client->link.packed) {
    text = kn_alloc(bytes + KN_OFFER_BYTES);
    if (!text) return kn_status_out_of_memory();
    memcpy(text, spec, bytes);
    kn_offer_write(text + bytes);
    spec = text;
    bytes += KN_OFFER_BYTES;
  }
  kn_status status = request(client, KN_MESSAGE_IO_SPEC, spec, bytes, &answer);
  kn_free(text);
  if (status) return status;
  size_t before = client->link.wire.format == KN_WIRE_2022 ? 0 : 1;
  client->extended =
      client->link.offer && answer.bytes > before && kn_grant_found(reply + before, answer.bytes - before);
  return NULL;
}

kn_status kn_client_process(kn_client *client) {
  KN_TRY(kn_client_upload(client, KN_MESSAGE_PROCESS, NULL, 0));
  if (client->link.wire.format != KN_WIRE_2022) return NULL;
  uint8_t action[8]; /* of 2022: the first answer came before the inference, the second comes after it */
  kn_answer answer = {.data = action, .capacity = sizeof action};
  return receive(client, KN_MESSAGE_PROCESS, &answer);
}

kn_status kn_client_output(kn_client *client, void *to, size_t bytes) {
  kn_answer answer = {.data = to, .capacity = bytes};
  KN_TRY(request(client, KN_MESSAGE_OUTPUT, NULL, 0, &answer));
  if (answer.bytes == bytes) return NULL;
  return settle(client,
                kn_status_make(KN_BAD_DATA, "the target's output has %zu bytes; the io specification says %zu",
                               answer.bytes, bytes),
                KN_MESSAGE_OUTPUT, false);
}

static kn_status download(kn_client *client, kn_message type, size_t limit, char **out_text, size_t *out_bytes) {
  kn_answer answer = {.grows = true, .limit = limit};
  *out_text = NULL;
  *out_bytes = 0;
  kn_status status = request(client, type, NULL, 0, &answer);
  if (!status) status = kn_answer_reserve(&answer, 0); /* an empty one has its NUL too */
  if (status) {
    kn_free(answer.data);
    return status;
  }
  answer.data[answer.bytes] = '\0';
  *out_text = (char *)answer.data;
  *out_bytes = answer.bytes;
  return NULL;
}

kn_status kn_client_statistics(kn_client *client, size_t limit, char **out_text, size_t *out_bytes) {
  return download(client, KN_MESSAGE_STATS, limit, out_text, out_bytes);
}

kn_status kn_client_optimize(kn_client *client, size_t limit, char **out_model, size_t *out_bytes) {
  return download(client, KN_MESSAGE_OPTIMIZE_MODEL, limit, out_model, out_bytes);
}

/* ---- extensions ---- */

kn_status kn_client_infer_begin(kn_client *client, const void *inputs, size_t bytes) {
  client->pending.open = false;
  return send_request(client, KN_MESSAGE_INFER, inputs, bytes);
}

/* The first frame of the answer begins with the times. */
static kn_status read_times(kn_client *client, kn_infer_times *out_times, kn_answer *answer) {
  kn_pending *pending = &client->pending;
  uint8_t prefix[KN_INFER_PREFIX];
  KN_TRY(kn_answer_begin(client, KN_MESSAGE_INFER, true, &pending->frame, &pending->sum, answer));
  if (pending->frame.payload < sizeof prefix)
    return kn_status_make(KN_BAD_DATA, "the target's answer to INFER is too short");
  KN_TRY(kn_client_read(client, prefix, sizeof prefix, client->until));
  if (kn_client_has_sums(client)) pending->sum = kn_frame_sum(pending->sum, prefix, sizeof prefix);
  pending->frame.payload -= (uint32_t)sizeof prefix;
  pending->open = true;
  *out_times = kn_infer_times_read(prefix);
  return NULL;
}

kn_status kn_client_infer_wait(kn_client *client, kn_infer_times *out_times) {
  kn_answer answer = {0};
  *out_times = (kn_infer_times){0};
  KN_TRY(check_connected(client));
  client->last_log[0] = '\0';
  client->misheard = false;
  client->repetitions = 0;
  kn_status status = read_times(client, out_times, &answer);
  return settle(client, status, KN_MESSAGE_INFER, answer.refused);
}

static kn_status read_outputs(kn_client *client, kn_answer *answer) {
  kn_pending *pending = &client->pending;
  for (;;) {
    KN_TRY(kn_answer_payload(client, &pending->frame, pending->sum, answer));
    if (pending->frame.flags & KN_FLAG_LAST) return NULL;
    KN_TRY(kn_answer_begin(client, KN_MESSAGE_INFER, false, &pending->frame, &pending->sum, answer));
  }
}

static kn_status finish(kn_client *client, kn_answer *answer, size_t bytes) {
  kn_infer_times times;
  KN_TRY(read_outputs(client, answer));
  while (answer->disturbed) {
    KN_TRY(kn_answer_again(client, KN_MESSAGE_INFER, answer));
    KN_TRY(read_times(client, &times, answer));
    KN_TRY(read_outputs(client, answer));
  }
  if (answer->bytes == bytes) return NULL;
  return kn_status_make(KN_BAD_DATA, "the target's output has %zu bytes; the io specification says %zu", answer->bytes,
                        bytes);
}

kn_status kn_client_infer_finish(kn_client *client, void *to, size_t bytes) {
  kn_answer answer = {.data = to, .capacity = bytes};
  KN_TRY(check_connected(client));
  if (!client->pending.open) return kn_status_make(KN_INVALID_ARGUMENT, "there is no inference under way");
  client->until = kn_client_deadline(client, 0); /* what the caller did since the answer's beginning does not count */
  kn_status status = finish(client, &answer, bytes);
  client->pending.open = false;
  return settle(client, status, KN_MESSAGE_INFER, answer.refused);
}

kn_status kn_client_clock(kn_client *client, int64_t *out_ns) {
  uint8_t reply[8];
  kn_answer answer = {.data = reply, .capacity = sizeof reply};
  *out_ns = 0;
  KN_TRY(request(client, KN_MESSAGE_CLOCK, NULL, 0, &answer));
  uint64_t ns = answer.bytes == sizeof reply ? kn_wire_get(reply, sizeof reply) : UINT64_MAX;
  if (ns > INT64_MAX)
    return settle(client, kn_status_make(KN_BAD_DATA, "the target's clock is none"), KN_MESSAGE_CLOCK, false);
  *out_ns = (int64_t)ns;
  return NULL;
}

kn_status kn_client_identify(kn_client *client, const kn_identity *model, bool *out_loaded) {
  uint8_t payload[KN_IDENTITY_BYTES], action[8];
  kn_answer answer = {.data = action, .capacity = sizeof action};
  *out_loaded = false;
  kn_identity_write(model, payload);
  kn_status status = request(client, KN_MESSAGE_IDENTITY, payload, sizeof payload, &answer);
  *out_loaded = !status;
  if (!answer.refused) return status;
  kn_log(KN_LOG_DEBUG, "the model is sent: %s", kn_status_message(status, 0));
  kn_status_free(status);
  return NULL;
}
