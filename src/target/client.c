#include "target/client.h"

#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <kenning/services.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
  PING_TRIES = 5,
  PING_TIMEOUT_S = 1,
  LOG_LIMIT = 64 << 10,
  NOTICES_LIMIT = 10000 /* messages that a target may put between a request and its answer */
};

/* Where the payload of an answer goes. */
typedef struct kn_answer {
  uint8_t *data;
  size_t capacity; /* of `data` */
  size_t limit;    /* `grows`: the most it may become */
  bool grows;      /* `data` is the client's own, with room for one byte behind */
  size_t bytes;
} kn_answer;

static int64_t deadline(const kn_client *client, uint64_t bytes) {
  return kn_now_ns() + (int64_t)((client->link.timeout_s + (double)bytes / client->link.slowest) * 1e9);
}

static const char *name_of(uint64_t type) {
  const char *name = kn_message_name(type);
  return name ? name : "a message";
}

/* ---- receiving ---- */

static kn_status read_exactly(kn_client *client, void *to, size_t bytes, int64_t until) {
  for (size_t got = 0; got < bytes;) {
    size_t now;
    KN_TRY(kn_connection_read(&client->connection, (uint8_t *)to + got, bytes - got, until, &now));
    if (!now)
      return kn_status_make(KN_IO_ERROR,
                            "the target closed the connection: it serves another client, or its runtime ended; its "
                            "log tells more");
    got += now;
  }
  return NULL;
}

static kn_status reserve(kn_answer *answer, size_t bytes) {
  if (bytes > (answer->grows ? answer->limit : answer->capacity))
    return kn_status_make(KN_BAD_DATA, "the target answers with %zu bytes; at most %zu make sense", bytes,
                          answer->grows ? answer->limit : answer->capacity);
  if (bytes <= answer->capacity && answer->data) return NULL;
  uint8_t *data = kn_realloc(answer->data, bytes + 1);
  if (!data) return kn_status_out_of_memory();
  answer->data = data;
  answer->capacity = bytes;
  return NULL;
}

static kn_status read_payload(kn_client *client, const kn_frame *frame, uint8_t sum, kn_answer *answer) {
  size_t needed;
  if (!kn_add_size(answer->bytes, frame->payload, &needed)) return kn_status_out_of_memory();
  KN_TRY(reserve(answer, needed));
  uint8_t *to = answer->data + answer->bytes;
  KN_TRY(read_exactly(client, to, frame->payload, deadline(client, frame->payload)));
  answer->bytes = needed;
  if (client->link.wire.checksums && client->link.wire.format != KN_WIRE_2022 &&
      kn_frame_sum(sum, to, frame->payload) != KN_CHECKSUM)
    return kn_status_make(KN_BAD_DATA, "the checksum of the target's %s is wrong: the connection is disturbed",
                          name_of(frame->type));
  return NULL;
}

/* Lines of a target's log, each behind its length; bytes that are no text are shown as '?'. */
static void show_log(kn_client *client, const kn_answer *answer) {
  for (size_t at = 0; at < answer->bytes;) {
    char line[256];
    size_t length = answer->data[at++], left = answer->bytes - at;
    if (length > left) length = left;
    for (size_t i = 0; i < length; i++) {
      uint8_t byte = answer->data[at + i];
      line[i] = byte >= 0x20 && byte < 0x7F ? (char)byte : '?';
    }
    line[length] = '\0';
    at += length;
    kn_log(KN_LOG_DEBUG, "target: %s", line);
    if (strstr(line, "[ERROR]")) memcpy(client->last_log, line, length + 1);
  }
}

static kn_status take_log(kn_client *client, const kn_frame *frame, uint8_t sum) {
  kn_answer answer = {.grows = true, .limit = LOG_LIMIT};
  kn_status status = read_payload(client, frame, sum, &answer);
  if (!status) show_log(client, &answer);
  kn_free(answer.data);
  return status;
}

static kn_status skip(kn_client *client, const kn_frame *frame, uint8_t sum) {
  kn_answer answer = {.grows = true, .limit = LOG_LIMIT};
  kn_status status = read_payload(client, frame, sum, &answer);
  kn_free(answer.data);
  return status;
}

static kn_status refused(const kn_client *client, kn_message type) {
  const char *log = client->last_log;
  return kn_status_make(KN_BACKEND_FAILED, "the target refused %s%s%s; its log tells more", name_of(type),
                        *log ? ": " : "", log);
}

static kn_status read_header(kn_client *client, int64_t until, kn_frame *frame, uint8_t *out_sum) {
  const kn_wire_config *wire = &client->link.wire;
  uint8_t header[KN_FRAME_HEADER_MAXIMUM];
  size_t size = kn_frame_header_size(wire->format);
  KN_TRY(read_exactly(client, header, size, until));
  if (!kn_frame_decode(wire->format, wire->big_endian, header, frame))
    return kn_status_make(KN_BAD_DATA, "the target sends what is no message: does it speak this wire format?");
  *out_sum = kn_frame_sum(0, header, size);
  return NULL;
}

static kn_status answer_of_2022(kn_client *client, kn_message type, kn_answer *answer) {
  kn_frame frame = {0};
  uint8_t sum = 0;
  KN_TRY(read_header(client, deadline(client, 0), &frame, &sum));
  if (frame.type == KN_REPLY_OK) return read_payload(client, &frame, sum, answer);
  if (frame.type != KN_REPLY_ERROR)
    return kn_status_make(KN_BAD_DATA, "the target answers %s with type %llu: does it speak the format of 2022?",
                          name_of(type), (unsigned long long)frame.type);
  KN_TRY(skip(client, &frame, sum));
  return refused(client, type);
}

static kn_status check_action(const kn_frame *frame, kn_message type, const kn_answer *answer) {
  if (kn_message_direction(type) == KN_DOWNLOAD || !(frame->flags & KN_FLAG_KENNING)) return NULL;
  if (answer->bytes && answer->data && answer->data[0] == kn_message_action(type)) return NULL;
  return kn_status_make(KN_BAD_DATA, "the target says that it did something else than %s", name_of(type));
}

/* The frames of the answer; those of other messages in between are looked at and left. */
static kn_status answer_of_today(kn_client *client, kn_message type, kn_answer *answer) {
  bool begun = false;
  int64_t until = deadline(client, 0);
  for (size_t notices = 0; notices < NOTICES_LIMIT;) {
    kn_frame frame = {0};
    uint8_t sum = 0;
    KN_TRY(read_header(client, until, &frame, &sum));
    bool ours = frame.flow == KN_FLOW_TRANSMISSION && frame.type == (uint64_t)type;
    if (!ours) {
      notices++;
      bool log = frame.flow == KN_FLOW_TRANSMISSION && frame.type == KN_MESSAGE_LOGS;
      KN_TRY(log ? take_log(client, &frame, sum) : skip(client, &frame, sum));
      continue;
    }
    if (begun == !!(frame.flags & KN_FLAG_FIRST))
      return kn_status_make(KN_BAD_DATA, "the pieces of the target's answer to %s are out of order", name_of(type));
    begun = true;
    if (frame.flags & KN_FLAG_FAIL) {
      KN_TRY(skip(client, &frame, sum));
      return refused(client, type);
    }
    KN_TRY(read_payload(client, &frame, sum, answer));
    if (frame.flags & KN_FLAG_LAST) return check_action(&frame, type, answer);
    until = deadline(client, 0);
  }
  return kn_status_make(KN_BAD_DATA, "the target sends one message after the other, but no answer to %s",
                        name_of(type));
}

/* What follows on a connection that failed once cannot be understood: it is closed, so that later requests do not wait
 * for an answer. A refusal is an answer like another. */
static kn_status settle(kn_client *client, kn_status status, kn_message type) {
  if (status && kn_status_code(status) != KN_BACKEND_FAILED) kn_connection_close(&client->connection);
  return kn_status_annotate(status, "while the target was asked for %s", name_of(type));
}

static kn_status receive(kn_client *client, kn_message type, kn_answer *answer) {
  client->last_log[0] = '\0';
  return settle(client,
                client->link.wire.format == KN_WIRE_2022 ? answer_of_2022(client, type, answer)
                                                         : answer_of_today(client, type, answer),
                type);
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
  return kn_connection_write(&client->connection, pieces, 2, deadline(client, here));
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
  return settle(client, send_frames(client, type, payload, bytes), type);
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
      KN_TRY(kn_connection_send_file(&client->connection, file, piece, deadline(client, piece)));
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
  if (!status) status = send_file(client, type, file, path, (size_t)found.st_size);
  close(file);
  KN_TRY(settle(client, kn_status_annotate(status, "while sending %s", path), type));
  uint8_t action[8];
  kn_answer answer = {.data = action, .capacity = sizeof action};
  return receive(client, type, &answer);
}

/* ---- requests ---- */

/* A PING that succeeds begins a connection, one that fails ends it. */
static kn_status ping(kn_client *client, unsigned flag) {
  uint8_t action[8];
  kn_answer answer = {.data = action, .capacity = sizeof action};
  kn_frame frame = request_frame(KN_MESSAGE_PING, 0, 0, 0);
  frame.flags |= (uint16_t)flag;
  KN_TRY(settle(client, send_frame(client, frame, NULL, 0), KN_MESSAGE_PING));
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
    if (!status) status = answer_of_today(client, KN_MESSAGE_PING, &answer);
    if (kn_status_code(status) != KN_TIMEOUT) break;
  }
  client->link.timeout_s = timeout_s;
  return settle(client, status, KN_MESSAGE_PING);
}

kn_status kn_client_open(kn_connection connection, const kn_link_config *link, kn_client *out_client) {
  *out_client = (kn_client){.connection = connection, .link = *link};
  uint8_t hello;
  kn_status status = link->hello ? read_exactly(out_client, &hello, 1, deadline(out_client, 0)) : NULL;
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

kn_status kn_client_upload(kn_client *client, kn_message type, const void *payload, size_t bytes) {
  uint8_t action[8];
  kn_answer answer = {.data = action, .capacity = sizeof action};
  KN_TRY(send_request(client, type, payload, bytes));
  return receive(client, type, &answer);
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
  KN_TRY(send_request(client, KN_MESSAGE_OUTPUT, NULL, 0));
  KN_TRY(receive(client, KN_MESSAGE_OUTPUT, &answer));
  if (answer.bytes == bytes) return NULL;
  return settle(client,
                kn_status_make(KN_BAD_DATA, "the target's output has %zu bytes; the io specification says %zu",
                               answer.bytes, bytes),
                KN_MESSAGE_OUTPUT);
}

kn_status kn_client_statistics(kn_client *client, size_t limit, char **out_text, size_t *out_bytes) {
  kn_answer answer = {.grows = true, .limit = limit};
  *out_text = NULL;
  *out_bytes = 0;
  kn_status status = send_request(client, KN_MESSAGE_STATS, NULL, 0);
  if (!status) status = receive(client, KN_MESSAGE_STATS, &answer);
  if (!status && !answer.data) status = reserve(&answer, 0);
  if (status || !answer.data) {
    kn_free(answer.data);
    return status ? status : kn_status_out_of_memory();
  }
  answer.data[answer.bytes] = '\0';
  *out_text = (char *)answer.data;
  *out_bytes = answer.bytes;
  return NULL;
}
