/* The host's end: against our target in every format, against what the original's server was recorded to answer, and
 * against servers that lie, stall or hang up. */
#include "support/directory.h"
#include "support/status.h"
#include "support/unit.h"
#include "target/client.h"
#include "target/remote.h"
#include "unit/target/served.h"

#include <kenning/services.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- our target ---- */

static void client_and_target_understand_each_other(void **state) {
  (void)state;
  for (size_t i = 0; i < KT_WIRES; i++) {
    kt_served s = {.link = kt_link_of(&kt_wires[i], 20)};
    kn_connection host;
    kt_connect_pair(&host, &s.connection);
    kt_target_open(&s.target, &kt_wires[i]);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, kt_serve, &s), 0);
    kn_client client;
    kt_assert_ok(kn_client_open(host, &s.link, &client));
    kt_assert_fault(kn_client_process(&client), KN_BACKEND_FAILED,
                    kt_wires[i].format == KN_WIRE_2022 ? "refused PROCESS" : "wrong state");
    kt_assert_ok(kn_client_upload(&client, KN_MESSAGE_IO_SPEC, KT_SPEC, strlen(KT_SPEC)));
    char *path = kt_path(s.target.directory, "sent.bin");
    kt_file_write_text(path, "a model that is longer than a small frame can hold, so that it takes several of them");
    kt_assert_ok(kn_client_upload_file(&client, KN_MESSAGE_MODEL, path));
    float input[4] = {1, 2, 3, 4}, output[2] = {0};
    for (int k = 0; k < 3; k++) {
      input[0] = (float)k;
      kt_assert_ok(kn_client_upload(&client, KN_MESSAGE_DATA, input, sizeof input));
      kt_assert_ok(kn_client_process(&client));
      kt_assert_ok(kn_client_output(&client, output, sizeof output));
      assert_memory_equal(output, input, sizeof output);
    }
    char *text;
    size_t bytes;
    kt_assert_ok(kn_client_statistics(&client, 1 << 20, &text, &bytes));
    assert_int_equal(strlen(text), bytes);
    assert_non_null(strstr(text, "target_inference_step_timestamp"));
    kn_free(text);
    char *sent = kt_file_read(path, NULL), *arrived = kt_file_read(s.target.model, NULL);
    assert_string_equal(arrived, sent);
    free(sent);
    free(arrived);
    free(path);
    kn_client_close(&client);
    pthread_join(thread, NULL);
    kt_assert_ok(s.status);
    kt_target_close(&s.target);
  }
}

/* ---- what the original answers ---- */

/* A client whose target has already said `count` bytes. */
static kn_status open_scripted(const kn_wire_config *wire, const void *said, size_t count, bool ends, kn_client *client,
                               kn_connection *target) {
  kn_connection host;
  kt_connect_pair(&host, target);
  const kn_piece piece = {said, count};
  if (count) kt_assert_ok(kn_connection_write(target, &piece, 1, KN_NO_DEADLINE));
  if (ends) shutdown(target->fd, SHUT_WR);
  kn_link_config link = kt_link_of(wire, 0.1);
  return kn_client_open(host, &link, client);
}

static const kn_wire_config today = {.format = KN_WIRE_12, .frame_limit = 1 << 20};
static const kn_wire_config early = {.format = KN_WIRE_2022, .frame_limit = 1 << 20};

static void recorded_answers_are_understood(void **state) {
  (void)state;
  /* greeting; a log message and the answer to IO_SPEC; those to DATA, PROCESS and OUTPUT */
  static const char said[] =
      "\0"
      "\xd\0\0\0\xc0\0\x78\0\5\0\0\0\4text"
      "\7\0\0\0\xc0\0\x79\0\1\0\0\0\2"
      "\2\0\0\0\xc0\0\x79\0\1\0\0\0\5"
      "\4\0\0\0\xc0\0\x79\0\1\0\0\0\6"
      "\5\0\0\0\xc0\0\x79\0\x14\0\0\0\x3c\x4e\x59\xbe\xed\x09\x8a\xbe\x75\xe9\x7d\xbf\xc0\x85"
      "\xf0\x3e\x7a\x40\x38\x40";
  kn_client client;
  kn_connection target;
  kt_assert_ok(open_scripted(&today, said, sizeof said - 1, false, &client, &target));
  kt_assert_ok(kn_client_upload(&client, KN_MESSAGE_IO_SPEC, "{}", 2));
  kt_assert_ok(kn_client_upload(&client, KN_MESSAGE_DATA, "1234", 4));
  kt_assert_ok(kn_client_process(&client));
  float output[5];
  kt_assert_ok(kn_client_output(&client, output, sizeof output));
  assert_true(output[4] > 2.878F && output[4] < 2.88F);
  /* and what was asked is what the original's client was recorded to ask */
  uint8_t asked[64];
  size_t got;
  static const char expected[] =
      "\7\0\0\0\0\0\x38\0\2\0\0\0{}"
      "\2\0\0\0\0\0\x38\0\4\0\0\0"
      "1234"
      "\4\0\0\0\0\0\x30\0\0\0\0\0"
      "\5\0\0\0\0\0\x30\0\0\0\0\0";
  kt_assert_ok(kn_connection_read(&target, asked, sizeof asked, KN_NO_DEADLINE, &got));
  assert_int_equal(got, sizeof expected - 1);
  assert_memory_equal(asked, expected, got);
  kn_client_close(&client);
  kn_connection_close(&target);
}

static void answers_of_2022_are_understood(void **state) {
  (void)state;
  static const char said[] =
      "\2\0\0\0\0\0"
      "\2\0\0\0\0\0"
      "\2\0\0\0\0\0"
      "\6\0\0\0\0\0"
      "abcd"
      "\2\0\0\0\1\0";
  kn_client client;
  kn_connection target;
  kt_assert_ok(open_scripted(&early, said, sizeof said - 1, false, &client, &target));
  kt_assert_ok(kn_client_upload(&client, KN_MESSAGE_DATA, "1234", 4));
  kt_assert_ok(kn_client_process(&client));
  char output[4];
  kt_assert_ok(kn_client_output(&client, output, sizeof output));
  assert_memory_equal(output, "abcd", 4);
  kt_assert_fault(kn_client_upload(&client, KN_MESSAGE_DATA, "1234", 4), KN_BACKEND_FAILED, "refused DATA");
  uint8_t asked[64];
  size_t got;
  static const char expected[] =
      "\6\0\0\0\2\0"
      "1234"
      "\2\0\0\0\4\0"
      "\2\0\0\0\5\0"
      "\6\0\0\0\2\0"
      "1234";
  kt_assert_ok(kn_connection_read(&target, asked, sizeof asked, KN_NO_DEADLINE, &got));
  assert_int_equal(got, sizeof expected - 1);
  assert_memory_equal(asked, expected, got);
  kn_client_close(&client);
  kn_connection_close(&target);
}

/* ---- targets that are none ---- */

#define HEX(text) text, sizeof(text) - 1

static const struct {
  const char *name;
  const kn_wire_config *wire;
  const char *said;
  size_t count;
  bool ends;
  kn_code code;
  const char *part;
} liars[] = {
    {"silent", &early, HEX(""), false, KN_TIMEOUT, "in time"},
    {"hangs up", &early, HEX(""), true, KN_IO_ERROR, "closed the connection"},
    {"half a header", &early, HEX("\2\0\0"), false, KN_TIMEOUT, "in time"},
    {"half a header, then nothing", &early, HEX("\2\0\0"), true, KN_IO_ERROR, "closed"},
    {"no message", &early, HEX("\0\0\0\0\0\0"), false, KN_BAD_DATA, "wire format"},
    {"another format", &early, HEX("\2\0\0\0\5\0"), false, KN_BAD_DATA, "format of 2022"},
    {"4 GiB", &early, HEX("\xff\xff\xff\xff\0\0"), false, KN_BAD_DATA, "at most 4"},
    {"too long", &early,
     HEX("\7\0\0\0\0\0"
         "12345"),
     false, KN_BAD_DATA, "at most 4"},
    {"too short", &early,
     HEX("\5\0\0\0\0\0"
         "123"),
     false, KN_BAD_DATA, "3 bytes"},
    {"silent today", &today, HEX("\0"), false, KN_TIMEOUT, "in time"},
    {"4 GiB today", &today, HEX("\0\5\0\0\0\xc0\0\x79\0\xff\xff\xff\xff"), false, KN_BAD_DATA, "at most 4"},
    {"4 GiB of log", &today, HEX("\0\xd\0\0\0\xc0\0\x78\0\xff\xff\xff\xff"), false, KN_BAD_DATA, "at most"},
    {"no first piece", &today,
     HEX("\0\5\0\0\0\xc0\0\x69\0\4\0\0\0"
         "1234"),
     false, KN_BAD_DATA, "out of order"},
    {"two first pieces", &today,
     HEX("\0\5\0\0\0\xc0\0\x59\0\1\0\0\0"
         "1\5\0\0\0\xc0\0\x79\0\1\0\0\0"
         "1"),
     false, KN_BAD_DATA, "out of order"},
    {"pieces too long", &today,
     HEX("\0\5\0\0\0\xc0\0\x59\0\3\0\0\0"
         "123\5\0\0\0\xc0\0\x69\0\3\0\0\0"
         "456"),
     false, KN_BAD_DATA, "at most 4"},
    {"a piece without anything, and more to come", &today, HEX("\0\5\0\0\0\xc0\0\x51\0\0\0\0\0"), false, KN_BAD_DATA,
     "is empty"},
    {"answers something else, then nothing", &today, HEX("\0\4\0\0\0\xc0\0\x79\0\1\0\0\0\6"), true, KN_IO_ERROR,
     "closed"},
    {"refuses with a strange log", &today,
     HEX("\0\xd\0\0\0\xc0\0\x78\0\x0a\0\0\0\xff[ERROR]\x1b\x07\5\0\0\0\xc0\0\x7a\0\1\0\0\0\7"), false,
     KN_BACKEND_FAILED, "[ERROR]??"},
};

static void lies_are_noticed_in_time(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof liars / sizeof *liars; i++) {
    kn_client client;
    kn_connection target;
    int64_t start = kn_now_ns();
    kt_assert_ok(open_scripted(liars[i].wire, liars[i].said, liars[i].count, liars[i].ends, &client, &target));
    char output[4];
    kt_assert_fault(kn_client_output(&client, output, sizeof output), liars[i].code, liars[i].part);
    if (liars[i].code != KN_BACKEND_FAILED) kt_assert_fault(kn_client_process(&client), KN_IO_ERROR, "gone");
    assert_true(kn_now_ns() - start < 5000000000);
    kn_client_close(&client);
    kn_connection_close(&target);
  }
}

static void a_busy_or_foreign_server_is_told_at_once(void **state) {
  (void)state;
  kn_client client;
  kn_connection target;
  kt_assert_fault(open_scripted(&today, "", 0, true, &client, &target), KN_IO_ERROR, "another client");
  kn_connection_close(&target);
  kt_assert_fault(open_scripted(&today, "H", 1, false, &client, &target), KN_BAD_DATA, "greet");
  kn_connection_close(&target);
  kt_assert_fault(open_scripted(&today, "\1", 1, false, &client, &target), KN_INVALID_ARGUMENT,
                  "the target speaks TLS");
  kn_connection_close(&target);
  kt_assert_fault(open_scripted(&today, "", 0, false, &client, &target), KN_TIMEOUT, NULL);
  kn_connection_close(&target);
}

/* A target that tells log lines for ever is given up. */
static void endless_notices_end(void **state) {
  (void)state;
  kn_connection host, target;
  kt_connect_pair(&host, &target);
  int room = 1 << 20;
  setsockopt(target.fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
  static char said[1 + 12 * 12000];
  for (size_t i = 0; i < 12000; i++) memcpy(said + 1 + 12 * i, "\xd\0\0\0\xc0\0\x70\0\0\0\0\0", 12);
  const kn_piece piece = {said, sizeof said};
  kt_assert_ok(kn_connection_write(&target, &piece, 1, kn_now_ns() + 5000000000));
  kn_link_config link = kt_link_of(&today, 20);
  kn_client client;
  kt_assert_ok(kn_client_open(host, &link, &client));
  kt_assert_fault(kn_client_process(&client), KN_BAD_DATA, "one message after the other");
  kn_client_close(&client);
  kn_connection_close(&target);
}

/* A target that takes no data any more does not block the host for ever. */
static void a_target_that_reads_nothing_is_given_up(void **state) {
  (void)state;
  kn_client client;
  kn_connection target;
  kt_assert_ok(open_scripted(&early, "", 0, false, &client, &target));
  size_t bytes = 64 << 20;
  char *data = calloc(1, bytes);
  assert_non_null(data);
  int64_t start = kn_now_ns();
  kt_assert_fault(kn_client_upload(&client, KN_MESSAGE_DATA, data, bytes), KN_TIMEOUT, "in time");
  assert_true(kn_now_ns() - start < 5000000000);
  free(data);
  kn_client_close(&client);
  kn_connection_close(&target);
}

/* ---- clients that are none, against the worker's deadlines ---- */

static kn_status serve_silently(const kn_wire_config *wire, const void *said, size_t count, double timeout_s) {
  kt_served s = {.link = kt_link_of(wire, timeout_s)};
  kn_connection host;
  kt_connect_pair(&host, &s.connection);
  kt_target_open(&s.target, wire);
  const kn_piece piece = {said, count};
  if (count) kt_assert_ok(kn_connection_write(&host, &piece, 1, KN_NO_DEADLINE));
  kt_serve(&s);
  kt_target_close(&s.target);
  kn_connection_close(&host);
  return s.status;
}

static void silent_clients_are_given_up(void **state) {
  (void)state;
  int64_t start = kn_now_ns();
  kt_assert_fault(serve_silently(&early, "", 0, 0.05), KN_TIMEOUT, NULL);
  kt_assert_fault(serve_silently(&early, "\2", 1, 0.05), KN_TIMEOUT, NULL);
  kt_assert_fault(serve_silently(&early, "\x16\0\0\0\7\0{", 7, 0.05), KN_TIMEOUT, NULL);
  kt_assert_fault(serve_silently(&today, "\3\0\0\0\0\0\x18\0\1\0\0\0x", 13, 0.05), KN_TIMEOUT, NULL);
  assert_true(kn_now_ns() - start < 10000000000);
}

typedef struct loris {
  kn_connection connection;
  size_t sent;
} loris;

/* One byte after the other, each well before any single read would time out. */
static void *dribble(void *context) {
  loris *l = context;
  static const uint8_t header[6] = {0x64, 0, 0, 0, 3, 0};
  static const uint8_t byte;
  for (size_t i = 0; i < 106; i++) {
    const kn_piece piece = {i < 6 ? &header[i] : &byte, 1};
    kn_status status = kn_connection_write(&l->connection, &piece, 1, kn_now_ns() + 1000000000);
    if (status) {
      kn_status_free(status);
      break;
    }
    l->sent++;
    usleep(20000);
  }
  return NULL;
}

static void a_slow_loris_has_no_more_time_than_others(void **state) {
  (void)state;
  kt_served s = {.link = kt_link_of(&early, 0.2)};
  loris l = {0};
  kt_connect_pair(&l.connection, &s.connection);
  kt_target_open(&s.target, &early);
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, dribble, &l), 0);
  kt_serve(&s);
  pthread_join(thread, NULL);
  kt_assert_fault(s.status, KN_TIMEOUT, NULL);
  assert_true(l.sent < 106);
  kn_connection_close(&l.connection);
  kt_target_close(&s.target);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(client_and_target_understand_each_other),
      cmocka_unit_test(recorded_answers_are_understood),
      cmocka_unit_test(answers_of_2022_are_understood),
      cmocka_unit_test(lies_are_noticed_in_time),
      cmocka_unit_test(a_busy_or_foreign_server_is_told_at_once),
      cmocka_unit_test(endless_notices_end),
      cmocka_unit_test(a_target_that_reads_nothing_is_given_up),
      cmocka_unit_test(silent_clients_are_given_up),
      cmocka_unit_test(a_slow_loris_has_no_more_time_than_others),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
