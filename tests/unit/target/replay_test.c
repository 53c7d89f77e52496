/* The original's recorded sessions, played to our target and to our client: each must say byte for byte what the
 * original said, but for what an engine computes and measures, and for log lines. */
#include "support/directory.h"
#include "support/status.h"
#include "support/unit.h"
#include "target/client.h"
#include "unit/target/peer.h"
#include "unit/target/recording.h"

#include <kenning/services.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

static kn_wire_config wire_of(size_t i) {
  return (kn_wire_config){
      .format = kt_recordings[i].format, .checksums = kt_recordings[i].checksums, .frame_limit = 1 << 20};
}

/* ---- the original's client, our target ---- */

static void feed_cut(kt_target *target, const uint8_t *data, size_t count, size_t cut) {
  if (cut > count) cut = count;
  kt_target_feed(target, data, cut, SIZE_MAX);
  kt_target_feed(target, data + cut, count - cut, SIZE_MAX);
}

/* A frame whose payload depends on the engine: the request that it answers is known in 2022 alone by its order. */
static bool computed(const kt_recording *recording, size_t answer) {
  const kt_frame *frame = &recording->frames[answer];
  uint64_t type = frame->decoded.type;
  if (frame->header_bytes == 6) {
    size_t i = answer;
    while (!recording->frames[i].from_host) i--;
    type = recording->frames[i].decoded.type;
  }
  return type == KN_MESSAGE_OUTPUT || type == KN_MESSAGE_STATS;
}

static void compare_answer(const kt_recording *recording, size_t i, const kt_target *target, size_t *at) {
  const kt_frame *expected = &recording->frames[i];
  const uint8_t *said = target->replies.data + *at;
  size_t size = expected->header_bytes;
  kn_frame frame;
  assert_true(target->replies.count - *at >= size);
  assert_true(kn_frame_decode(size == 6 ? KN_WIRE_2022 : KN_WIRE_12, false, said, &frame));
  *at += size + frame.payload;
  if (!computed(recording, i)) {
    assert_memory_equal(said, expected->header, size);
    assert_memory_equal(said + size, expected->payload, expected->bytes);
    return;
  }
  assert_int_equal(frame.type, expected->decoded.type);
  assert_int_equal(frame.flow, expected->decoded.flow);
  assert_int_equal(frame.flags, expected->decoded.flags);
  if (expected->bytes < 100) assert_int_equal(frame.payload, expected->bytes); /* outputs */
  if (expected->decoded.checksum) assert_int_equal(kn_frame_sum(0, said, size + frame.payload), KN_CHECKSUM);
}

static void compare_answers(const kt_recording *recording, const kt_target *target) {
  size_t at = 0;
  for (size_t i = 0; i < recording->count; i++) {
    const kt_frame *frame = &recording->frames[i];
    bool log = frame->header_bytes == 12 && frame->decoded.type == KN_MESSAGE_LOGS;
    if (!frame->from_host && !frame->hello && !log) compare_answer(recording, i, target, &at);
  }
  assert_int_equal(at, target->replies.count);
}

/* `cut`: where every frame is cut in two; 0: everything in random pieces. */
static void play_to_target(size_t which, const kt_recording *recording, size_t cut, uint32_t seed) {
  kn_wire_config wire = wire_of(which);
  kt_target target;
  kt_target_open_for(&target, &wire, 8 << 20);
  for (size_t i = 0; i < recording->count; i++) {
    const kt_frame *frame = &recording->frames[i];
    if (!frame->from_host) continue;
    seed = seed * 1664525 + 1013904223;
    if (cut) {
      kt_bytes all = {0};
      kt_bytes_add(&all, frame->header, frame->header_bytes);
      kt_bytes_add(&all, frame->payload, frame->bytes);
      feed_cut(&target, all.data, all.count, cut);
      kt_bytes_free(&all);
    } else {
      kt_target_feed(&target, frame->header, frame->header_bytes, 1 + (seed >> 8) % 12);
      kt_target_feed(&target, frame->payload, frame->bytes, 1 + (seed >> 8) % 70000);
    }
  }
  assert_false(target.closed);
  assert_false(kn_target_session_extended(target.session));
  compare_answers(recording, &target);
  kt_target_close(&target);
}

static void our_target_answers_as_the_original(void **state) {
  (void)state;
  for (size_t i = 0; i < KT_RECORDINGS; i++) {
    kt_recording recording = kt_recording_read(kt_recordings[i].name, kt_recordings[i].format);
    for (size_t cut = 1; cut <= 14; cut++) play_to_target(i, &recording, cut, 0);
    for (uint32_t seed = 1; seed <= 6; seed++) play_to_target(i, &recording, 0, seed);
    kt_recording_free(&recording);
  }
}

/* ---- our client, the original's server ---- */

typedef struct original {
  const kt_recording *recording;
  kn_connection connection;
  bool offered; /* white space is to be found behind the io specification, and nothing else that is new */
  bool differs;
} original;

static bool read_all(original *o, uint8_t *to, size_t bytes) {
  for (size_t got = 0; got < bytes;) {
    size_t now;
    kn_status status = kn_connection_read(&o->connection, to + got, bytes - got, kn_now_ns() + 20000000000, &now);
    if (status || !now) {
      kn_status_free(status);
      return false;
    }
    got += now;
  }
  return true;
}

static bool hears(original *o, const kt_frame *frame) {
  bool spec = frame->decoded.type == KN_MESSAGE_IO_SPEC;
  size_t more = o->offered && spec ? KN_OFFER_BYTES : 0, all = frame->header_bytes + frame->bytes + more;
  uint8_t *got = malloc(all);
  if (!got || !read_all(o, got, all)) return free(got), false;
  kn_frame said;
  bool same = kn_frame_decode(frame->header_bytes == 6 ? KN_WIRE_2022 : KN_WIRE_12, false, got, &said);
  if (more) { /* the same document */
    same = same && said.type == frame->decoded.type && said.flags == frame->decoded.flags &&
           said.payload == frame->bytes + more;
    for (size_t i = all - more; i < all; i++) same = same && (got[i] == ' ' || got[i] == '\t');
  } else {
    same = same && !memcmp(got, frame->header, frame->header_bytes);
  }
  same = same && !memcmp(got + frame->header_bytes, frame->payload, frame->bytes);
  free(got);
  return same;
}

static void *be_the_original(void *context) {
  original *o = context;
  static const uint8_t hello = KN_HELLO;
  for (size_t i = 0; i < o->recording->count && !o->differs; i++) {
    const kt_frame *frame = &o->recording->frames[i];
    if (frame->from_host) {
      o->differs = !hears(o, frame);
      continue;
    }
    const kn_piece pieces[] = {{frame->hello ? &hello : frame->header, frame->hello ? 1 : frame->header_bytes},
                               {frame->payload, frame->bytes}};
    kn_status_free(kn_connection_write(&o->connection, pieces, 2, kn_now_ns() + 20000000000));
  }
  if (o->differs) kn_connection_close(&o->connection); /* the client shall not wait */
  return NULL;
}

/* All frames of the request at `*i`, which is moved to its last one. */
static kt_bytes request_at(const kt_recording *recording, size_t *i) {
  kt_bytes payload = {0};
  for (;; ++*i) {
    const kt_frame *frame = &recording->frames[*i];
    if (frame->from_host) kt_bytes_add(&payload, frame->payload, frame->bytes);
    if (frame->from_host && frame->decoded.flags & KN_FLAG_LAST) return payload;
  }
}

/* What the server answered to the request at `i`. */
static const kt_frame *answer_to(const kt_recording *recording, size_t i) {
  while (recording->frames[i].from_host || (recording->frames[i].decoded.type == KN_MESSAGE_LOGS)) i++;
  return &recording->frames[i];
}

static void ask(kn_client *client, const kt_recording *recording, size_t *i, const char *path) {
  kn_message type = (kn_message)recording->frames[*i].decoded.type;
  kt_bytes payload = request_at(recording, i);
  const kt_frame *answer = answer_to(recording, *i);
  uint8_t output[64];
  char *text;
  size_t bytes;
  switch ((int)type) {
    case KN_MESSAGE_IO_SPEC:
      kt_assert_ok(kn_client_specify(client, payload.data, payload.count));
      assert_false(client->extended);
      break;
    case KN_MESSAGE_MODEL:
      kt_assert_ok(kn_file_write(path, payload.data, payload.count));
      kt_assert_ok(kn_client_upload_file(client, type, path));
      break;
    case KN_MESSAGE_PROCESS:
      kt_assert_ok(kn_client_process(client));
      break;
    case KN_MESSAGE_OUTPUT:
      kt_assert_ok(kn_client_output(client, output, answer->bytes));
      assert_memory_equal(output, answer->payload, answer->bytes);
      break;
    case KN_MESSAGE_STATS:
      kt_assert_ok(kn_client_statistics(client, 1 << 20, &text, &bytes));
      assert_int_equal(bytes, answer->bytes);
      assert_memory_equal(text, answer->payload, bytes);
      kn_free(text);
      break;
    default:
      assert_int_equal(type, KN_MESSAGE_DATA);
      kt_assert_ok(kn_client_upload(client, type, payload.data, payload.count));
  }
  kt_bytes_free(&payload);
}

static void play_to_client(size_t which, const kt_recording *recording, bool offer) {
  kn_wire_config wire = wire_of(which);
  const kn_link_config link = {
      .wire = wire, .hello = wire.format != KN_WIRE_2022, .offer = offer, .timeout_s = 20, .slowest = 1e6};
  original o = {.recording = recording, .offered = offer};
  int ends[2];
  kn_connection host;
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  kt_assert_ok(kn_connection_adopt(ends[0], &host));
  kt_assert_ok(kn_connection_adopt(ends[1], &o.connection));
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, be_the_original, &o), 0);
  kn_client client;
  kt_assert_ok(kn_client_open(host, &link, &client));
  char *directory = kt_directory_make(), *path = kt_path(directory, "model");
  for (size_t i = 0; i < recording->count; i++)
    if (recording->frames[i].from_host) ask(&client, recording, &i, path);
  pthread_join(thread, NULL);
  assert_false(o.differs);
  kn_client_close(&client);
  kn_connection_close(&o.connection);
  free(path);
  kt_directory_remove(directory);
}

static void our_client_asks_as_the_original(void **state) {
  (void)state;
  for (size_t i = 0; i < KT_RECORDINGS; i++) {
    kt_recording recording = kt_recording_read(kt_recordings[i].name, kt_recordings[i].format);
    play_to_client(i, &recording, false);
    kt_recording_free(&recording);
  }
}

/* The offer of the extensions is white space behind a JSON document; all else stays what the original sends. */
static void an_original_does_not_notice_the_offer(void **state) {
  (void)state;
  for (size_t i = 0; i < KT_RECORDINGS; i++) {
    kt_recording recording = kt_recording_read(kt_recordings[i].name, kt_recordings[i].format);
    play_to_client(i, &recording, true);
    kt_recording_free(&recording);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(our_target_answers_as_the_original),
      cmocka_unit_test(our_client_asks_as_the_original),
      cmocka_unit_test(an_original_does_not_notice_the_offer),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
