/* Peers that say more than anybody waits for, and what is heard of one that was refused amid it. */
#include "core/record_json.h"
#include "support/directory.h"
#include "support/status.h"
#include "support/unit.h"
#include "target/client.h"
#include "target/remote.h"
#include "transport/tcp.h"
#include "unit/target/served.h"

#include <kenning/services.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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
/* ---- without end ---- */

/* Writes the same again and again, until nobody listens any more. */
typedef struct talker {
  kn_connection connection;
  const void *said;
  size_t bytes;
} talker;

static void *talk(void *context) {
  talker *t = context;
  const kn_piece piece = {t->said, t->bytes};
  kn_status status = NULL;
  while (!status) status = kn_connection_write(&t->connection, &piece, 1, kn_now_ns() + 20000000000);
  kn_status_free(status);
  return NULL;
}

/* There always is something to read, and the answer is not in it. */
static void a_target_that_never_pauses_is_given_up(void **state) {
  (void)state;
  static char log[12 + 65536];
  memcpy(log, "\xd\0\0\0\xc0\0\x78\0\0\0\1\0", 12);
  talker t = {.said = log, .bytes = sizeof log};
  kn_connection host;
  kt_connect_pair(&host, &t.connection);
  kn_link_config link = kt_link_of(&today, 0.2);
  link.hello = false;
  kn_client client;
  kt_assert_ok(kn_client_open(host, &link, &client));
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, talk, &t), 0);
  const int64_t start = kn_now_ns();
  kt_assert_fault(kn_client_process(&client), KN_TIMEOUT, "in time");
  assert_true(kn_now_ns() - start < 5000000000);
  kn_client_close(&client);
  pthread_join(thread, NULL);
  kn_connection_close(&t.connection);
}

/* A client that never pauses has no more time than others: pieces of a byte, one after the other. */
static void a_client_that_never_pauses_is_given_up(void **state) {
  (void)state;
  kt_served s = {.link = kt_link_of(&today, 0.1)};
  talker t = {.said = "\7\0\0\0\0\0\x08\0\1\0\0\0x", .bytes = 13};
  s.link.hello = false;
  kt_connect_pair(&t.connection, &s.connection);
  kt_target_open(&s.target, &today);
  const kn_piece first = {"\7\0\0\0\0\0\x18\0\1\0\0\0x", 13};
  kt_assert_ok(kn_connection_write(&t.connection, &first, 1, KN_NO_DEADLINE));
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, talk, &t), 0);
  kt_serve(&s);
  pthread_join(thread, NULL);
  kt_assert_fault(s.status, KN_TIMEOUT, NULL);
  kn_connection_close(&t.connection);
  kt_target_close(&s.target);
}

/* Log lines count together, however many pieces of the answer are between them. */
static void notices_between_pieces_are_counted(void **state) {
  (void)state;
  enum { EACH = 6000, SIZE = 12 * EACH + 13 };
  static char said[1 + 2 * SIZE];
  for (size_t part = 0; part < 2; part++) {
    char *at = said + 1 + part * SIZE;
    for (size_t i = 0; i < EACH; i++) memcpy(at + 12 * i, "\xd\0\0\0\xc0\0\x70\0\0\0\0\0", 12);
    memcpy(at + 12 * (size_t)EACH, "\5\0\0\0\xc0\0\x49\0\1\0\0\0x", 13);
    if (!part) at[12 * EACH + 6] = '\x59'; /* the first piece */
  }
  kn_connection host, target;
  kt_connect_pair(&host, &target);
  int room = 1 << 20;
  setsockopt(target.fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
  const kn_piece piece = {said, sizeof said};
  kt_assert_ok(kn_connection_write(&target, &piece, 1, kn_now_ns() + 5000000000));
  kn_link_config link = kt_link_of(&today, 20);
  kn_client client;
  kt_assert_ok(kn_client_open(host, &link, &client));
  char output[4];
  kt_assert_fault(kn_client_output(&client, output, sizeof output), KN_BAD_DATA, "one message after the other");
  kn_client_close(&client);
  kn_connection_close(&target);
}

/* ---- too much ---- */

/* A model of `bytes` zeros. */
static char *make_model(const char *directory, off_t bytes) {
  char *path = kt_path(directory, "large.bin");
  kt_file_write_text(path, "");
  assert_int_equal(truncate(path, bytes), 0);
  return path;
}

/* Refused, and hung up on while it was still sending, the host reads why. */
static void what_was_said_before_the_end_is_heard(void **state) {
  (void)state;
  static const char said[] = "\0\xd\0\0\0\xc0\0\x78\0\x12\0\0\0\x11[ERROR] too large\3\0\0\0\xc0\0\x7a\0\1\0\0\0\4";
  char *directory = kt_directory_make(), *path = make_model(directory, 8 << 20);
  for (int i = 0; i < 2; i++) {
    kn_client client;
    kn_connection target;
    kt_assert_ok(open_scripted(&today, said, i ? 1 : sizeof said - 1, false, &client, &target));
    kn_connection_close(&target);
    kt_assert_fault(kn_client_upload_file(&client, KN_MESSAGE_MODEL, path), i ? KN_IO_ERROR : KN_BACKEND_FAILED,
                    i ? "broke" : "refused MODEL: [ERROR] too large");
    kn_client_close(&client);
  }
  free(path);
  kt_directory_remove(directory);
}

/* Over TCP, where a connection that is closed upon unread data takes back what was said last. */
static void a_model_that_is_too_large_is_told(void **state) {
  (void)state;
  const kn_wire_config *wire = &today;
  kt_served s = {.link = kt_link_of(wire, 20)};
  int listener;
  bool loopback;
  int64_t port;
  kn_connection host;
  kt_assert_ok(kn_tcp_listen("127.0.0.1", 0, &listener, &loopback, &port));
  kt_assert_ok(kn_tcp_connect("127.0.0.1", port, kn_now_ns() + 10000000000, &host));
  kt_assert_ok(kn_connection_adopt(accept(listener, NULL, NULL), &s.connection));
  kt_target_open(&s.target, wire);
  char *path = make_model(s.target.directory, 32 << 20);
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, kt_serve, &s), 0);
  kn_client client;
  kt_assert_ok(kn_client_open(host, &s.link, &client));
  kt_assert_fault(kn_client_upload_file(&client, KN_MESSAGE_MODEL, path), KN_BACKEND_FAILED, "too large");
  kn_client_close(&client);
  pthread_join(thread, NULL);
  kt_assert_ok(s.status);
  close(listener);
  free(path);
  kt_target_close(&s.target);
}

/* Rows that no target has would be looked for one by one. */
static void statistics_of_too_many_rows_are_refused(void **state) {
  (void)state;
  enum { ROW = 48, MOST = 1024 };
  for (size_t rows = MOST; rows <= MOST + 1; rows++) {
    static char said[1 + 12 + (MOST + 1) * ROW];
    const uint32_t bytes = (uint32_t)(rows * ROW);
    memcpy(said, "\0\6\0\0\0\xc0\0\x79\0", 9);
    for (size_t i = 0; i < 4; i++) said[9 + i] = (char)(bytes >> (8 * i));
    for (size_t i = 0; i < rows; i++) snprintf(said + 13 + i * ROW, ROW, "row %zu", i);
    kn_connection target;
    kn_remote remote = {0};
    kt_assert_ok(open_scripted(&today, said, 13 + bytes, false, &remote.client, &target));
    kn_status status = kn_remote_ask_statistics(&remote);
    if (rows > MOST)
      kt_assert_fault(status, KN_BAD_DATA, "1025 rows");
    else
      kt_assert_ok(status);
    kn_record_destroy(remote.statistics);
    kn_client_close(&remote.client);
    kn_connection_close(&target);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_target_that_never_pauses_is_given_up),
      cmocka_unit_test(a_client_that_never_pauses_is_given_up),
      cmocka_unit_test(notices_between_pieces_are_counted),
      cmocka_unit_test(what_was_said_before_the_end_is_heard),
      cmocka_unit_test(a_model_that_is_too_large_is_told),
      cmocka_unit_test(statistics_of_too_many_rows_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
