/* TCP: no delay, peers that are gone are noticed by the kernel, and what cannot be connected to or listened on is told.
 */
#include "transport/tcp.h"
#include "support/status.h"
#include "support/unit.h"

#include <kenning/services.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(half_open_peers_are_noticed_at_both_ends),
      cmocka_unit_test(what_is_no_socket_is_told),
      cmocka_unit_test(nobody_there_is_told_with_the_place),
      cmocka_unit_test(what_others_reach_is_told_apart),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
