/* How the host of a run and a server are stopped, whatever they are at. */
#include "scenario/target/pair.h"
#include "support/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { CROWD = 20, MOST_SECONDS = 20 }; /* of 2 s for each client there would be twice as many */

/* Ctrl-C, whatever the host is waiting for then: one error, which says that it was stopped. */
static void stop_host(pair *p) {
  const char *arguments[] = {kt_kenning(), "json_inference_tester", "c.json", "out.json", NULL};
  kt_process *client = kt_start(arguments, &p->options);
  assert_true(kt_wait_output(client, "inference", 30));
  usleep(300000);
  kt_signal(client, SIGINT);
  kt_run run = kt_finish(client);
  kt_assert_exit(&run, 1);
  const char *error = strstr(run.err, "error: ");
  assert_non_null(error);
  kt_assert_contains(error, "stopped");
  if (strstr(error + 1, "error: ")) kt_fail("there is more than one error:\n%s", run.err);
  if (strstr(run.err, "not known") || strstr(run.err, "process")) kt_fail("there is more to it:\n%s", run.err);
  kt_run_free(&run);
  expect_incomplete(p, "out.json", 1);
}

static void a_stopped_host_tells_that_it_was_stopped(void **state) {
  (void)state;
  pair p = make_pair(TODAY, FAULTY("slow"), 3000);
  start_server(&p);
  stop_host(&p);
  stop_server(&p);
  drop_pair(&p);
}

/* A terminal tells the worker too. */
static void so_does_one_with_an_isolated_runtime(void **state) {
  (void)state;
  pair p = make_isolated(FAULTY("slow\", \"isolate\": true, \"save_model_path\": \"faulty.bin"), "4, 4, 3", 3000);
  stop_host(&p);
  drop_pair(&p);
}

static double now_s(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static int connect_to(const pair *p) {
  const struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)p->port)};
  const struct timeval patience = {.tv_sec = 2 * MOST_SECONDS};
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  assert_true(fd >= 0);
  assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
  assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
  return fd;
}

/* One client is served, a crowd wants to be: they are turned away together, or the server ends while they wait. */
static void a_crowd_is_turned_away_together(void **state) {
  (void)state;
  int crowd[CROWD];
  char byte;
  pair p = make_pair(TODAY, ECHO, 10);
  start_server(&p);
  const int first = connect_to(&p);
  assert_int_equal(recv(first, &byte, 1, 0), 1);
  for (int round = 0; round < 2; round++) {
    const double begun = now_s();
    for (int i = 0; i < CROWD; i++) crowd[i] = connect_to(&p);
    if (round) stop_server(&p);
    for (int i = 0; i < CROWD; i++) {
      assert_true(recv(crowd[i], &byte, 1, 0) <= 0);
      close(crowd[i]);
    }
    assert_true(now_s() - begun < MOST_SECONDS);
  }
  close(first);
  drop_pair(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_stopped_host_tells_that_it_was_stopped),
      cmocka_unit_test(so_does_one_with_an_isolated_runtime),
      cmocka_unit_test(a_crowd_is_turned_away_together),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
