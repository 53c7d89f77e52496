/* TLS with a pre-shared key: between our two ends, and against peers that are something else. */
#include "support/directory.h"
#include "support/program.h"
#include "support/status.h"
#include "support/unit.h"
#include "transport/psk.h"
#include "transport/tcp.h"
#include "transport/tls.h"

#include <fcntl.h>
#include <kenning/services.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct keys {
  char *directory, *one, *other;
} keys;

static keys make_keys(void) {
  keys k = {.directory = kt_directory_make()};
  k.one = kt_path(k.directory, "one");
  k.other = kt_path(k.directory, "other");
  kt_assert_ok(kn_psk_make(k.one));
  kt_assert_ok(kn_psk_make(k.other));
  return k;
}

static void drop_keys(keys *k) {
  free(k->one);
  free(k->other);
  kt_directory_remove(k->directory);
}

static int64_t soon(void) { return kn_now_ns() + 40000000000; }

typedef struct peer {
  kn_connection connection;
  const char *psk_file;
  kn_status status;
  void (*then)(kn_connection *connection);
} peer;

static void *serve(void *context) {
  peer *p = context;
  p->status = p->psk_file ? kn_tls_begin(&p->connection, true, p->psk_file, soon()) : NULL;
  if (!p->status && p->then) p->then(&p->connection);
  kn_connection_close(&p->connection);
  return NULL;
}

static kn_connection start(peer *p, pthread_t *thread) {
  int ends[2];
  kn_connection client;
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  kt_assert_ok(kn_connection_adopt(ends[0], &client));
  kt_assert_ok(kn_connection_adopt(ends[1], &p->connection));
  assert_int_equal(pthread_create(thread, NULL, serve, p), 0);
  return client;
}

/* ---- bytes ---- */

enum { LARGE = 1 << 20 };

static void echo(kn_connection *connection) {
  uint8_t *data = malloc(LARGE);
  for (;;) {
    size_t got;
    kn_status status = kn_connection_read(connection, data, LARGE, soon(), &got);
    const kn_piece piece = {data, got};
    if (!status && got) status = kn_connection_write(connection, &piece, 1, soon());
    if (status || !got) {
      kn_status_free(status);
      break;
    }
  }
  free(data);
}

static void expect(kn_connection *connection, const uint8_t *data, size_t bytes) {
  uint8_t *back = malloc(bytes + 1);
  assert_non_null(back);
  for (size_t all = 0; all < bytes;) {
    size_t got;
    kt_assert_ok(kn_connection_read(connection, back + all, bytes - all, soon(), &got));
    assert_true(got > 0);
    all += got;
  }
  assert_memory_equal(back, data, bytes);
  free(back);
}

static void bytes_arrive_as_they_were(void **state) {
  (void)state;
  keys k = make_keys();
  peer p = {.psk_file = k.one, .then = echo};
  pthread_t thread;
  kn_connection client = start(&p, &thread);
  kt_assert_ok(kn_tls_begin(&client, false, k.one, soon()));
  static uint8_t data[300000];
  for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)(i * 7 + i / 251);
  static const size_t sizes[][3] = {{1, 0, 0},       {12, 200000, 0},   {12, 16372, 1},     {12, 16373, 5}, {0, 0, 3},
                                    {100, 100, 100}, {16384, 16384, 0}, {20000, 12, 70000}, {12, 4, 16384}};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    kn_piece pieces[3];
    size_t at = 0;
    for (int j = 0; j < 3; at += sizes[i][j], j++) pieces[j] = (kn_piece){data + at, sizes[i][j]};
    kt_assert_ok(kn_connection_write(&client, pieces, 3, soon()));
    expect(&client, data, at);
  }
  char *path = kt_path(k.directory, "file");
  kt_assert_ok(kn_file_write(path, data, sizeof data));
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  kt_assert_ok(kn_connection_send_file(&client, fileno(file), sizeof data, soon()));
  fclose(file);
  expect(&client, data, sizeof data);
  kn_connection_close(&client);
  pthread_join(thread, NULL);
  kt_assert_ok(p.status);
  free(path);
  drop_keys(&k);
}

static void goodbye(kn_connection *connection) { (void)connection; }

static void hang_up(kn_connection *connection) { shutdown(connection->fd, SHUT_RDWR); }

/* An end is told from a connection that somebody cut. */
static void an_end_is_one_that_was_said(void **state) {
  (void)state;
  keys k = make_keys();
  for (int cut = 0; cut < 2; cut++) {
    peer p = {.psk_file = k.one, .then = cut ? hang_up : goodbye};
    pthread_t thread;
    uint8_t byte;
    size_t got = 1;
    kn_connection client = start(&p, &thread);
    kt_assert_ok(kn_tls_begin(&client, false, k.one, soon()));
    kn_status status = kn_connection_read(&client, &byte, 1, soon(), &got);
    assert_int_equal(kn_status_code(status), cut ? KN_IO_ERROR : KN_OK);
    assert_int_equal(got, 0);
    kn_status_free(status);
    kn_connection_close(&client);
    pthread_join(thread, NULL);
    kt_assert_ok(p.status);
  }
  drop_keys(&k);
}

/* ---- strangers ---- */

static void close_at_once(kn_connection *connection) {
  close(connection->fd);
  connection->fd = open("/dev/null", O_RDWR | O_CLOEXEC); /* what else is said goes nowhere */
  assert_true(connection->fd >= 0);
}

/* libssl writes without a flag against SIGPIPE, which would end this process. */
static void a_peer_that_is_gone_does_not_end_the_process(void **state) {
  (void)state;
  keys k = make_keys();
  peer p = {.psk_file = k.one, .then = close_at_once};
  pthread_t thread;
  kn_connection client = start(&p, &thread);
  signal(SIGPIPE, SIG_DFL);
  kt_assert_ok(kn_tls_begin(&client, false, k.one, soon()));
  pthread_join(thread, NULL);
  static const uint8_t data[20000];
  const kn_piece piece = {data, sizeof data};
  kt_assert_fault(kn_connection_write(&client, &piece, 1, soon()), KN_IO_ERROR, "broke");
  kn_connection_close(&client);
  drop_keys(&k);
}

static void another_key_is_refused_on_both_sides(void **state) {
  (void)state;
  keys k = make_keys();
  peer p = {.psk_file = k.one};
  pthread_t thread;
  kn_connection client = start(&p, &thread);
  kt_assert_fault(kn_tls_begin(&client, false, k.other, soon()), KN_INVALID_ARGUMENT, "same --psk-file");
  assert_null(client.tls);
  kn_connection_close(&client);
  pthread_join(thread, NULL);
  kt_assert_fault(p.status, KN_INVALID_ARGUMENT, "turned away");
  drop_keys(&k);
}

static void say_hello(kn_connection *connection) {
  static const uint8_t zeros[64];
  const kn_piece piece = {zeros, sizeof zeros};
  kn_status_free(kn_connection_write(connection, &piece, 1, soon()));
}

static void peers_without_tls_are_refused(void **state) {
  (void)state;
  keys k = make_keys();
  peer plain = {.then = say_hello};
  pthread_t thread;
  kn_connection client = start(&plain, &thread);
  kt_assert_fault(kn_tls_begin(&client, false, k.one, soon()), KN_INVALID_ARGUMENT, "no secure connection");
  kn_connection_close(&client);
  pthread_join(thread, NULL);
  peer secure = {.psk_file = k.one};
  client = start(&secure, &thread);
  say_hello(&client);
  pthread_join(thread, NULL);
  kn_connection_close(&client);
  kt_assert_fault(secure.status, KN_INVALID_ARGUMENT, "turned away");
  peer silent = {.psk_file = NULL, .then = echo};
  client = start(&silent, &thread);
  shutdown(client.fd, SHUT_WR);
  kt_assert_fault(kn_tls_begin(&client, true, k.one, soon()), KN_INVALID_ARGUMENT, NULL);
  kn_connection_close(&client);
  pthread_join(thread, NULL);
  drop_keys(&k);
}

static void a_silent_peer_costs_no_more_than_the_deadline(void **state) {
  (void)state;
  keys k = make_keys();
  int ends[2];
  kn_connection end;
  for (int server = 0; server < 2; server++) {
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    kt_assert_ok(kn_connection_adopt(ends[0], &end));
    int64_t begin = kn_now_ns();
    kt_assert_fault(kn_tls_begin(&end, server, k.one, begin + 50000000), KN_TIMEOUT, NULL);
    assert_true(kn_now_ns() - begin < 5000000000);
    kn_connection_close(&end);
    close(ends[1]);
  }
  drop_keys(&k);
}

/* ---- OpenSSL's own programs ---- */

static char *hex_of(const char *path) {
  char *text = kt_file_read(path, NULL);
  text[64] = '\0';
  return text;
}

/* What is agreed on: TLS 1.3, the one suite, a fresh Diffie-Hellman key, no ticket. */
static void openssl_agrees_on_what_is_promised(void **state) {
  (void)state;
  keys k = make_keys();
  int listener;
  bool loopback;
  int64_t port;
  char command[1024];
  kt_assert_ok(kn_tcp_listen("127.0.0.1", 0, &listener, &loopback, &port));
  char *hex = hex_of(k.one);
  snprintf(command, sizeof command,
           "sleep 1 | openssl s_client -connect 127.0.0.1:%lld -psk %s -psk_identity kenning -tls1_3 2>&1",
           (long long)port, hex);
  kt_process *client = kt_start((const char *const[]){"/bin/sh", "-c", command, NULL}, NULL);
  kt_assert_ok(kn_connection_wait(listener, false, soon()));
  peer p = {.psk_file = k.one, .then = echo};
  kt_assert_ok(kn_connection_adopt(accept(listener, NULL, NULL), &p.connection));
  serve(&p);
  kt_assert_ok(p.status);
  kt_run run = kt_finish(client);
  kt_assert_contains(run.out, "Reused, TLSv1.3, Cipher is TLS_AES_128_GCM_SHA256");
  kt_assert_contains(run.out, "Server Temp Key: ");
  kt_assert_contains(run.out, "no peer certificate available");
  assert_null(strstr(run.out, "TLS session ticket:"));
  kt_run_free(&run);
  close(listener);
  free(hex);
  drop_keys(&k);
}

/* A server with a certificate in place of the key is nobody. */
static void a_certificate_is_no_key(void **state) {
  (void)state;
  keys k = make_keys();
  int listener;
  bool loopback;
  int64_t port;
  char command[2048];
  kt_assert_ok(kn_tcp_listen("127.0.0.1", 0, &listener, &loopback, &port));
  close(listener); /* its port is free again */
  snprintf(command, sizeof command,
           "cd %s && openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out cert -days 1 -subj /CN=localhost "
           "2>/dev/null && exec openssl s_server -accept 127.0.0.1:%lld -key key -cert cert -tls1_3 -naccept 1",
           k.directory, (long long)port);
  kt_process *server = kt_start((const char *const[]){"/bin/sh", "-c", command, NULL}, NULL);
  assert_true(kt_wait_output(server, "ACCEPT", 60));
  kn_connection client;
  kt_assert_ok(kn_tcp_connect("127.0.0.1", port, soon(), &client));
  kt_assert_fault(kn_tls_begin(&client, false, k.one, soon()), KN_INVALID_ARGUMENT, "no secure connection");
  kn_connection_close(&client);
  kt_run run = kt_finish(server);
  kt_run_free(&run);
  drop_keys(&k);
}

int main(void) {
  signal(SIGPIPE, SIG_IGN); /* as the programs do */
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bytes_arrive_as_they_were),
      cmocka_unit_test(an_end_is_one_that_was_said),
      cmocka_unit_test(a_peer_that_is_gone_does_not_end_the_process),
      cmocka_unit_test(another_key_is_refused_on_both_sides),
      cmocka_unit_test(peers_without_tls_are_refused),
      cmocka_unit_test(a_silent_peer_costs_no_more_than_the_deadline),
      cmocka_unit_test(openssl_agrees_on_what_is_promised),
      cmocka_unit_test(a_certificate_is_no_key),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
