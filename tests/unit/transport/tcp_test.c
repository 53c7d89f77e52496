/* TCP: no delay, peers that are gone are noticed by the kernel, and what cannot be connected to or listened on is told.
 * Unix sockets, and files that are sent to nobody. */
#include "transport/tcp.h"
#include "support/directory.h"
#include "support/status.h"
#include "support/unit.h"
#include "transport/unix.h"

#include <kenning/services.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static int option_of(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  assert_int_equal(getsockopt(fd, level, name, &value, &size), 0);
  return value;
}

/* A peer that lost its power or its network says nothing any more: the kernel asks after a minute, and gives up after
 * another. */
static void expect_options(int fd) {
  assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_NODELAY), 1);
  assert_int_equal(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
  int idle = option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE), probe = option_of(fd, IPPROTO_TCP, TCP_KEEPINTVL),
      probes = option_of(fd, IPPROTO_TCP, TCP_KEEPCNT);
  assert_in_range(idle + probe * probes, 1, 180);
}

static void half_open_peers_are_noticed_at_both_ends(void **state) {
  (void)state;
  int listener;
  bool loopback;
  int64_t port;
  kn_connection host;
  kt_assert_ok(kn_tcp_listen("127.0.0.1", 0, &listener, &loopback, &port));
  assert_true(loopback && port > 0);
  kt_assert_ok(kn_tcp_connect("127.0.0.1", port, kn_now_ns() + 10000000000, &host));
  int fd = accept(listener, NULL, NULL);
  kt_assert_ok(kn_tcp_prepare(fd));
  expect_options(host.fd);
  expect_options(fd);
  kn_connection_close(&host);
  close(fd);
  kt_assert_fault(kn_tcp_listen("127.0.0.1", port, &fd, &loopback, &port), KN_BUSY, "cannot listen");
  assert_int_equal(fd, -1);
  close(listener);
}

static void what_is_no_socket_is_told(void **state) {
  (void)state;
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  kt_assert_fault(kn_tcp_prepare(ends[0]), KN_IO_ERROR, "cannot be prepared");
  close(ends[0]);
  close(ends[1]);
}

static void nobody_there_is_told_with_the_place(void **state) {
  (void)state;
  int listener;
  bool loopback;
  int64_t port;
  kn_connection host;
  kt_assert_ok(kn_tcp_listen("127.0.0.1", 0, &listener, &loopback, &port));
  close(listener);
  kt_assert_fault(kn_tcp_connect("127.0.0.1", port, kn_now_ns() + 10000000000, &host), KN_IO_ERROR,
                  "cannot connect to 127.0.0.1");
  assert_int_equal(host.fd, -1);
}

static void what_others_reach_is_told_apart(void **state) {
  (void)state;
  static const struct {
    const char *host;
    bool loopback;
  } cases[] = {{"127.0.0.1", true}, {"127.1.2.3", true}, {"0.0.0.0", false}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    int listener;
    bool loopback;
    int64_t port;
    kt_assert_ok(kn_tcp_listen(cases[i].host, 0, &listener, &loopback, &port));
    assert_int_equal(loopback, cases[i].loopback);
    close(listener);
  }
}

static bool is_pending(void) {
  sigset_t pending;
  sigpending(&pending);
  return sigismember(&pending, SIGPIPE) == 1;
}

/* A file is sent without a flag against SIGPIPE, which would end this process. One that is not ours stays. */
static void a_file_for_nobody_does_not_end_the_process(void **state) {
  (void)state;
  static const char content[100000];
  char *directory = kt_directory_make(), *path = kt_path(directory, "file");
  kt_file_write(path, content, sizeof content);
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  signal(SIGPIPE, SIG_DFL);
  sigset_t set, before;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  for (int other = 0; other < 3; other++) { /* nothing blocked, blocked, blocked and pending */
    int ends[2];
    kn_connection host;
    if (other == 1) pthread_sigmask(SIG_BLOCK, &set, &before);
    if (other == 2) raise(SIGPIPE);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    kt_assert_ok(kn_connection_adopt(ends[0], &host));
    close(ends[1]);
    rewind(file);
    kt_assert_fault(kn_connection_send_file(&host, fileno(file), sizeof content, kn_now_ns() + 10000000000),
                    KN_IO_ERROR, "broke");
    kn_connection_close(&host);
    assert_int_equal(is_pending(), other == 2);
  }
  signal(SIGPIPE, SIG_IGN);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  signal(SIGPIPE, SIG_DFL);
  fclose(file);
  free(path);
  kt_directory_remove(directory);
}

/* The directory of a socket is the server's to make. */
static void connecting_makes_no_directory(void **state) {
  (void)state;
  char *directory = kt_directory_make(), *path = kt_path(directory, "new/s.sock"), *parent = kt_path(directory, "new");
  kn_connection host;
  int listener;
  kt_assert_fault(kn_unix_connect(path, kn_now_ns() + 10000000000, &host), KN_NOT_FOUND, "cannot connect");
  assert_int_not_equal(access(parent, F_OK), 0);
  kt_assert_ok(kn_unix_listen(path, &listener));
  kt_assert_ok(kn_unix_connect(path, kn_now_ns() + 10000000000, &host));
  kn_connection_close(&host);
  close(listener);
  free(parent);
  free(path);
  kt_directory_remove(directory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(half_open_peers_are_noticed_at_both_ends),   cmocka_unit_test(what_is_no_socket_is_told),
      cmocka_unit_test(nobody_there_is_told_with_the_place),        cmocka_unit_test(what_others_reach_is_told_apart),
      cmocka_unit_test(a_file_for_nobody_does_not_end_the_process), cmocka_unit_test(connecting_makes_no_directory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
