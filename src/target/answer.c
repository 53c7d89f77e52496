#include "target/answer.h"

#include "transport/deadline.h"

#include <kenning/services.h>
#include <string.h>

enum {
  REPETITIONS = 3, /* of one answer */
  LOG_LIMIT = 64 << 10,
  NOTICES_LIMIT = 10000 /* messages that a target may put between a request and its answer */
};

int64_t kn_client_deadline(const kn_client *client, uint64_t bytes) {
  return kn_deadline_after(client->link.timeout_s + (double)bytes / client->link.slowest);
}

/* What a server that expected TLS says in plain when it is given up: a record of two bytes (RFC 8446, 5.1 and 6). */
static bool is_alert(const uint8_t *said, size_t bytes) {
  static const uint8_t length[] = {0, 2};
  return bytes >= 5 && said[0] == 0x15 && said[1] == 0x03 && !memcmp(said + 3, length, sizeof length);
}

kn_status kn_client_lacks_key(void) {
  return kn_status_make(KN_INVALID_ARGUMENT,
                        "the target speaks TLS: name a copy of its key by --psk-file, in a scenario \"psk_file\"");
}

kn_status kn_client_read(kn_client *client, void *to, size_t bytes, int64_t until) {
  for (size_t got = 0; got < bytes;) {
    size_t now;
    KN_TRY(kn_connection_patience(until, false)); /* of one who talks without pause too */
    KN_TRY(kn_connection_read(&client->connection, (uint8_t *)to + got, bytes - got, until, &now));
    if (!now && !client->connection.tls && is_alert(to, got)) return kn_client_lacks_key();
    if (!now)
      return kn_status_make(KN_IO_ERROR,
                            "the target closed the connection: it serves another client, or its runtime ended; its "
                            "log tells more");
    got += now;
  }
  return NULL;
}

kn_status kn_answer_reserve(kn_answer *answer, size_t bytes) {
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

const char *kn_answer_name(uint64_t type) {
  const char *name = kn_message_name(type);
  return name ? name : "a message";
}

bool kn_client_has_sums(const kn_client *client) {
  return client->link.wire.checksums && client->link.wire.format != KN_WIRE_2022;
}

kn_status kn_answer_payload(kn_client *client, const kn_frame *frame, uint8_t sum, kn_answer *answer) {
  size_t needed;
  if (!kn_add_size(answer->bytes, frame->payload, &needed)) return kn_status_out_of_memory();
  KN_TRY(kn_answer_reserve(answer, needed));
  uint8_t *to = answer->data + answer->bytes;
  client->until += (int64_t)((double)frame->payload / client->link.slowest * 1e9);
  KN_TRY(kn_client_read(client, to, frame->payload, client->until));
  answer->bytes = needed;
  if (kn_client_has_sums(client) && kn_frame_sum(sum, to, frame->payload) != KN_CHECKSUM) answer->disturbed = true;
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

/* A frame of another message, which gives the answer no more time. */
static kn_status take_notice(kn_client *client, const kn_frame *frame, uint8_t sum) {
  const int64_t until = client->until;
  kn_answer answer = {.grows = true, .limit = LOG_LIMIT};
  kn_status status = kn_answer_payload(client, frame, sum, &answer);
  const bool log = frame->flow == KN_FLOW_TRANSMISSION && frame->type == KN_MESSAGE_LOGS;
  if (!status && log) show_log(client, &answer);
  kn_free(answer.data);
  client->until = until;
  return status;
}

/* A target that speaks the extensions puts a code behind what the original says: one byte, in 2022 nothing. */
static kn_code code_of(const kn_client *client, const kn_answer *said) {
  size_t before = client->link.wire.format == KN_WIRE_2022 ? 0 : 1;
  if (!client->extended || said->bytes != before + KN_CODE_BYTES) return KN_BACKEND_FAILED;
  return kn_code_of_wire(kn_wire_get(said->data + before, KN_CODE_BYTES));
}

/* Takes the rest of a refusal and tells it. */
static kn_status refused(kn_client *client, kn_message type, const kn_frame *frame, uint8_t sum, kn_answer *answer) {
  kn_answer said = {.grows = true, .limit = LOG_LIMIT};
  kn_status status = kn_answer_payload(client, frame, sum, &said);
  kn_code code = status ? KN_OK : code_of(client, &said);
  kn_free(said.data);
  if (status) return status;
  answer->refused = true;
  client->misheard = strstr(client->last_log, "bad checksum");
  const char *log = client->last_log;
  if (!*log && code != KN_BACKEND_FAILED) log = kn_code_name(code);
  return kn_status_make(code, "the target refused %s%s%s; its log tells more", kn_answer_name(type), *log ? ": " : "",
                        log);
}

static kn_status read_header(kn_client *client, kn_frame *frame, uint8_t *out_sum) {
  const kn_wire_config *wire = &client->link.wire;
  uint8_t header[KN_FRAME_HEADER_MAXIMUM];
  size_t size = kn_frame_header_size(wire->format);
  KN_TRY(kn_client_read(client, header, size, client->until));
  /* Shorter than an alert; no type of theirs has these bytes. */
  if (wire->format == KN_WIRE_2022 && !client->connection.tls && is_alert(header, size)) return kn_client_lacks_key();
  if (!kn_frame_decode(wire->format, wire->big_endian, header, frame))
    return kn_status_make(KN_BAD_DATA, "the target sends what is no message: does it speak this wire format?");
  *out_sum = kn_frame_sum(0, header, size);
  return NULL;
}

static kn_status endless(kn_message type) {
  return kn_status_make(KN_BAD_DATA, "the target sends one message after the other, but no answer to %s",
                        kn_answer_name(type));
}

static bool is_sign_of_life(const kn_client *client, const kn_frame *frame) {
  return client->extended && frame->type == KN_MESSAGE_HEARTBEAT && !frame->payload;
}

static kn_status begin_of_2022(kn_client *client, kn_message type, kn_frame *frame, uint8_t *sum, kn_answer *answer) {
  size_t signs = 0;
  do {
    if (signs++ > NOTICES_LIMIT) return endless(type);
    client->until = kn_client_deadline(client, 0);
    KN_TRY(read_header(client, frame, sum));
  } while (is_sign_of_life(client, frame));
  if (frame->type == KN_REPLY_OK) return NULL;
  if (frame->type == KN_REPLY_ERROR) return refused(client, type, frame, *sum, answer);
  return kn_status_make(KN_BAD_DATA, "the target answers %s with type %llu: does it speak the format of 2022?",
                        kn_answer_name(type), (unsigned long long)frame->type);
}

static kn_status check_action(const kn_frame *frame, kn_message type, const kn_answer *answer) {
  if (kn_message_direction(type) == KN_DOWNLOAD || !(frame->flags & KN_FLAG_KENNING)) return NULL;
  if (answer->bytes && answer->data && answer->data[0] == kn_message_action(type)) return NULL;
  return kn_status_make(KN_BAD_DATA, "the target says that it did something else than %s", kn_answer_name(type));
}

/* The next frame of the answer; those of other messages in between are looked at and left. */
static kn_status begin_of_today(kn_client *client, kn_message type, bool first, kn_frame *frame, uint8_t *sum,
                                kn_answer *answer) {
  if (first) {
    client->until = kn_client_deadline(client, 0);
    client->notices = 0;
  }
  for (; client->notices < NOTICES_LIMIT; client->notices++) {
    KN_TRY(read_header(client, frame, sum));
    if (frame->flow != KN_FLOW_TRANSMISSION || frame->type != (uint64_t)type) {
      KN_TRY(take_notice(client, frame, *sum));
      if (is_sign_of_life(client, frame)) client->until = kn_client_deadline(client, 0);
      continue;
    }
    if (first != !!(frame->flags & KN_FLAG_FIRST))
      return kn_status_make(KN_BAD_DATA, "the pieces of the target's answer to %s are out of order",
                            kn_answer_name(type));
    if (frame->flags & KN_FLAG_FAIL) return refused(client, type, frame, *sum, answer);
    if (!frame->payload && !(frame->flags & KN_FLAG_LAST)) /* of such there would be no end */
      return kn_status_make(KN_BAD_DATA, "a piece of the target's answer to %s is empty", kn_answer_name(type));
    return NULL;
  }
  return endless(type);
}

kn_status kn_answer_begin(kn_client *client, kn_message type, bool first, kn_frame *frame, uint8_t *sum,
                          kn_answer *answer) {
  *frame = (kn_frame){0};
  *sum = 0;
  if (client->link.wire.format == KN_WIRE_2022) return begin_of_2022(client, type, frame, sum, answer);
  return begin_of_today(client, type, first, frame, sum, answer);
}

kn_status kn_answer_again(kn_client *client, kn_message type, kn_answer *answer) {
  const kn_wire_config *wire = &client->link.wire;
  uint8_t header[KN_FRAME_HEADER_MAXIMUM];
  size_t size = kn_frame_header_size(wire->format);
  if (++client->repetitions > REPETITIONS)
    return kn_status_make(KN_BAD_DATA,
                          "the checksum of the target's %s is wrong, again and again: the line is disturbed",
                          kn_answer_name(type));
  kn_log(KN_LOG_WARNING, "the target's %s was disturbed: it is asked to say it again", kn_answer_name(type));
  kn_frame frame = {.type = type, .flow = KN_FLOW_RETRANSMIT, .flags = KN_FLAG_FIRST | KN_FLAG_LAST};
  kn_frame_encode(wire->format, wire->big_endian, &frame, header);
  frame.checksum = kn_frame_sum(0, header, size) ^ KN_CHECKSUM;
  kn_frame_encode(wire->format, wire->big_endian, &frame, header);
  const kn_piece piece = {header, size};
  answer->bytes = 0;
  answer->disturbed = false;
  return kn_connection_write(&client->connection, &piece, 1, kn_client_deadline(client, size));
}

static kn_status read_once(kn_client *client, kn_message type, kn_answer *answer, kn_frame *frame) {
  uint8_t sum;
  bool first = true;
  do {
    KN_TRY(kn_answer_begin(client, type, first, frame, &sum, answer));
    KN_TRY(kn_answer_payload(client, frame, sum, answer));
    first = false;
  } while (!(frame->flags & KN_FLAG_LAST));
  return NULL;
}

kn_status kn_answer_read(kn_client *client, kn_message type, kn_answer *answer) {
  kn_frame frame;
  client->repetitions = 0;
  KN_TRY(read_once(client, type, answer, &frame));
  while (answer->disturbed) {
    KN_TRY(kn_answer_again(client, type, answer));
    KN_TRY(read_once(client, type, answer, &frame));
  }
  return client->link.wire.format == KN_WIRE_2022 ? NULL : check_action(&frame, type, answer);
}
