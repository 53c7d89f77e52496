/* Peers that take their time, on a clock that is not the machine's: waiting for hours takes no time here. */
#include "support/directory.h"
#include "support/status.h"
#include "support/unit.h"
#include "target/remote.h"
#include "target/worker.h"
#include "transport/deadline.h"
#include "unit/target/peer.h"

#include <kenning/services.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Time passes while somebody waits, and never else. */
typedef struct story {
  int64_t now;
  kn_connection *peer; /* who says `said`, one byte in `pause_ns`; NULL: nobody */
  const uint8_t *said;
  size_t count, sent;
  int64_t pause_ns, next;
} story;

static int64_t story_now(void *context) { return ((story *)context)->now; }

static int story_wait(void *context, struct pollfd *list, size_t count, int milliseconds) {
  story *s = context;
  int ready = poll(list, count, 0);
  if (ready) return ready;
  s->now += (int64_t)milliseconds * 1000000;
  for (; s->peer && s->sent < s->count && s->next <= s->now; s->next += s->pause_ns) {
    const kn_piece piece = {s->said + s->sent++, 1};
    kn_status_free(kn_connection_write(s->peer, &piece, 1, KN_NO_DEADLINE));
  }
  return poll(list, count, 0);
}

static const kn_wire_config today = {.format = KN_WIRE_12, .frame_limit = 1 << 20};

/* The defaults of the runtime protocols. */
static kn_link_config link_of(const kn_wire_config *wire) {
  return (kn_link_config){.wire = *wire,
                          .hello = wire->format != KN_WIRE_2022,
                          .timeout_s = 60,
                          .idle_s = 600,
                          .slowest = 32 << 10,
                          .model_limit = 1 << 30,
                          .tensor_limit = 1 << 20};
}

static void connect_pair(kn_connection *one, kn_connection *other) {
  int ends[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  kt_assert_ok(kn_connection_adopt(ends[0], one));
  kt_assert_ok(kn_connection_adopt(ends[1], other));
}

/* What a worker makes of a client that says `said` at its own pace; the seconds that it took. */
static double serve(story *s, const kn_wire_config *wire, kn_status *out_status) {
  kn_connection host, connection;
  kn_link_config link = link_of(wire);
  kt_target target;
  connect_pair(&host, &connection);
  kt_target_open(&target, wire);
  const kn_session_config config = {.wire = *wire, .model_path = target.model, .model_limit = link.model_limit};
  const kn_deadline_clock clock = {s, story_now, story_wait};
  s->peer = &host;
  int64_t begin = s->now, real = kn_now_ns();
  kn_deadline_use(&clock);
  *out_status = kn_worker_serve(&connection, &link, &config, &target.engine);
  kn_deadline_use(NULL);
  assert_true(kn_now_ns() - real < 20000000000);
  kn_connection_close(&connection);
  kn_connection_close(&host);
  kt_target_close(&target);
  return (double)(s->now - begin) / 1e9;
}

static void a_silent_client_has_ten_minutes(void **state) {
  (void)state;
  story s = {.now = 5};
  kn_status status;
  double took = serve(&s, &today, &status);
  kt_assert_fault(status, KN_TIMEOUT, NULL);
  assert_true(took >= 600 && took < 602);
}

static void one_that_stops_amid_a_message_has_one(void **state) {
  (void)state;
  static const uint8_t header[] = {3, 0, 0, 0, 0, 0, 0x38, 0, 100, 0, 0, 0, 'x'};
  for (size_t count = 1; count <= sizeof header; count++) {
    story s = {.said = header, .count = count};
    kn_status status;
    double took = serve(&s, &today, &status);
    kt_assert_fault(status, KN_TIMEOUT, NULL);
    assert_true(took >= 60 && took < 64);
  }
}

/* A byte every ten seconds: each comes long before any single read would time out. */
static void a_slow_loris_has_no_more_time_than_others(void **state) {
  (void)state;
  static uint8_t message[12 + 4000] = {3, 0, 0, 0, 0, 0, 0x38, 0, 0xa0, 0x0f, 0, 0};
  story s = {.said = message, .count = sizeof message, .pause_ns = 10000000000};
  kn_status status;
  double took = serve(&s, &today, &status);
  kt_assert_fault(status, KN_TIMEOUT, NULL);
  assert_true(took >= 60 && took < 75);
  assert_true(s.sent < 10);
}

/* ---- targets ---- */

static double ask(const kn_link_config *link, const void *said, size_t count, kn_status *out_status) {
  kn_connection host, target;
  story s = {0};
  const kn_deadline_clock clock = {&s, story_now, story_wait};
  const kn_piece piece = {said, count};
  connect_pair(&host, &target);
  if (count) kt_assert_ok(kn_connection_write(&target, &piece, 1, KN_NO_DEADLINE));
  int64_t real = kn_now_ns();
  kn_deadline_use(&clock);
  kn_client client;
  *out_status = kn_client_open(host, link, &client);
  if (!*out_status) {
    *out_status = kn_client_process(&client);
    kn_client_close(&client);
  }
  kn_deadline_use(NULL);
  assert_true(kn_now_ns() - real < 20000000000);
  kn_connection_close(&target);
  return (double)s.now / 1e9;
}

static void a_silent_target_is_given_up(void **state) {
  (void)state;
  kn_link_config link = link_of(&today);
  kn_status status;
  double took = ask(&link, "", 0, &status); /* not even a greeting */
  kt_assert_fault(status, KN_TIMEOUT, NULL);
  assert_true(took >= 60 && took < 62);
  took = ask(&link, "\0", 1, &status);
  kt_assert_fault(status, KN_TIMEOUT, "in time");
  assert_true(took >= 60 && took < 62);
  link.timeout_s = 86400; /* a day */
  took = ask(&link, "\0", 1, &status);
  kt_assert_fault(status, KN_TIMEOUT, "in time");
  assert_true(took >= 86400 && took < 86402);
}

/* A piece of one byte comes well before any single one would be late: all of them have the time of one message. */
static void a_target_that_drips_is_given_up(void **state) {
  (void)state;
  enum { BYTES = 400, FRAME = 13 };
  static uint8_t said[1 + BYTES * FRAME], output[BYTES];
  for (size_t i = 0; i < BYTES; i++) {
    const uint8_t frame[FRAME] = {5, 0, 0, 0, 0xc0, 0, i ? 0x49 : 0x59, 0, 1};
    memcpy(said + 1 + i * FRAME, frame, FRAME);
  }
  kn_connection host, target;
  connect_pair(&host, &target);
  story s = {.peer = &target, .said = said, .count = sizeof said, .pause_ns = 2000000000};
  const kn_deadline_clock clock = {&s, story_now, story_wait};
  const kn_link_config link = link_of(&today);
  kn_client client;
  kn_deadline_use(&clock);
  kt_assert_ok(kn_client_open(host, &link, &client));
  kt_assert_fault(kn_client_output(&client, output, sizeof output), KN_TIMEOUT, "in time");
  kn_client_close(&client);
  kn_deadline_use(NULL);
  assert_true(s.now >= 60000000000 && s.now < 75000000000);
  kn_connection_close(&target);
}

static void a_dead_line_is_tried_for_five_seconds(void **state) {
  (void)state;
  kn_link_config link = link_of(&today);
  link.hello = false;
  link.ping = true;
  kn_status status;
  double took = ask(&link, "", 0, &status);
  kt_assert_fault(status, KN_TIMEOUT, "PING");
  assert_true(took >= 5 && took < 6);
}

/* ---- connecting again ---- */

static kn_status open_protocol(void *self, kn_link_config *out_config) {
  (void)self;
  *out_config = link_of(&today);
  out_config->retries = 10;
  return NULL;
}

static void close_protocol(void *self) { (void)self; }

static int attempts;

static kn_status connect_to_nobody(void *self, const char *model_path, int64_t deadline_ns, kn_connection *out) {
  (void)self, (void)model_path, (void)deadline_ns;
  *out = (kn_connection){.fd = -1};
  attempts++;
  return kn_status_make(KN_IO_ERROR, "nobody is there");
}

static void the_host_gives_up_in_the_end(void **state) {
  (void)state;
  static const kn_runtimeprotocol_ops ops = {
      .struct_size = sizeof ops, .open = open_protocol, .close = close_protocol, .connect = connect_to_nobody};
  static const kn_class cls = {.struct_size = sizeof cls, .name = "kenning.test.Nobody", .ops = &ops};
  const kn_instance protocol = {.cls = &cls};
  kn_remote remote = {.protocol = &protocol, .client.connection.fd = -1};
  kn_iospec spec;
  kt_assert_ok(kn_iospec_parse(KT_SPEC, strlen(KT_SPEC), "test", &spec));
  const kn_load_request request = {.path = "/nonexistent", .spec = &spec, .batch = 1};
  story s = {0};
  const kn_deadline_clock clock = {&s, story_now, story_wait};
  attempts = 0;
  kn_deadline_use(&clock);
  kn_status status = kn_remote_inference.load(&remote, &request);
  kn_deadline_use(NULL);
  kt_assert_fault(status, KN_IO_ERROR, "nobody is there");
  assert_int_equal(attempts, 11);
  double took = (double)s.now / 1e9; /* 0.1 + 0.2 + 0.4 + 0.8 + 1.6 + 5 x 2 */
  assert_true(took >= 13.1 && took < 13.6);
  kn_iospec_clear(&spec);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_silent_client_has_ten_minutes),
      cmocka_unit_test(one_that_stops_amid_a_message_has_one),
      cmocka_unit_test(a_slow_loris_has_no_more_time_than_others),
      cmocka_unit_test(a_silent_target_is_given_up),
      cmocka_unit_test(a_target_that_drips_is_given_up),
      cmocka_unit_test(a_dead_line_is_tried_for_five_seconds),
      cmocka_unit_test(the_host_gives_up_in_the_end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
