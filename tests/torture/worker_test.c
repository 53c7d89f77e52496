/* Lets each system call fail with which worker processes are started, talked to and ended, by a host that isolates a
 * runtime and by a server: the host's run is told to have failed or is right; a server that has come as far as to
 * listen serves the next client. No process and no descriptor is left. */
#include "torture/system.h"

#include "core/instance.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/record_json.h"
#include "core/registry.h"
#include "support/directory.h"
#include "support/program.h"
#include "support/status.h"
#include "support/unit.h"
#include "target/heartbeat.h"
#include "target/isolated.h"
#include "target/limits.h"
#include "target/server.h"
#include "transport/unix.h"

#include <dirent.h>
#include <errno.h>
#include <kenning/run.h>
#include <kenning/services.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern const kn_class kn_null_runtime_class;

/* Waiting calls poll as often as it takes: not each of them is tried. */
enum { MOST_CALLS = 4, CLIENTS = 3, MEMORY_STEP = 11 };

/* What worked and should not have, or gave another result. */
static bool is_wrong(kn_status status) { return status && !strncmp(kn_status_message(status, 0), "wrong: ", 7); }

static int descriptors(void) {
  int count = 0;
  DIR *listing = opendir("/proc/self/fd");
  assert_non_null(listing);
  while (readdir(listing)) count++;
  closedir(listing);
  return count;
}

static bool has_children(void) { return waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD; }

/* ---- an isolated runtime ---- */

static kn_instance runtime;
static kn_iospec spec;

static kn_status infer(kn_isolated *isolated) {
  float x[4] = {1.5F, -2, 3, 4}, y[2] = {0};
  const kn_tensor_view input = {.data = x, .bytes = sizeof x, .dtype = KN_FLOAT32, .rank = 2, .shape = {1, 4}};
  const kn_tensor_view output = {.data = y, .bytes = sizeof y, .dtype = KN_FLOAT32, .rank = 2, .shape = {1, 2}};
  KN_TRY(kn_isolated_inference.set_input(isolated, &input, 1));
  KN_TRY(kn_isolated_inference.invoke(isolated));
  KN_TRY(kn_isolated_inference.output(isolated, &output, 1));
  return y[0] == x[0] && y[1] == x[1] ? NULL : kn_status_make(KN_BAD_DATA, "wrong: another result");
}

static kn_status isolate(void) {
  kn_isolated isolated;
  kn_remote remote = {.client.connection.fd = -1};
  kn_record *record;
  KN_TRY(kn_record_create(&record));
  remote.protocol = kn_isolated_protocol(&isolated, &runtime, &remote);
  kn_status status =
      kn_isolated_inference.load(&isolated, &(kn_load_request){.path = "none", .spec = &spec, .batch = 1});
  for (int i = 0; i < 2 && !status; i++) status = infer(&isolated);
  if (!status) status = kn_isolated_inference.statistics(&isolated, record);
  kn_isolated_inference.unload(&isolated);
  kn_record_destroy(record);
  return status;
}

static void check(const char *function, unsigned nth, kn_status status, int before) {
  if (is_wrong(status) || (status && !*kn_status_message(status, 0)))
    kt_fail("call %u of %s: '%s'", nth, function, kn_status_message(status, 0));
  kn_status_free(status);
  if (descriptors() != before)
    kt_fail("call %u of %s: %d descriptors, before %d", nth, function, descriptors(), before);
  if (has_children()) kt_fail("call %u of %s: a process is left", nth, function);
}

/* False when there is no such call. */
static bool isolate_without(const char *function, unsigned nth, int before) {
  const bool waits = !strcmp(function, "waitpid"); /* a child can be waited for, sooner or later */
  kt_system_fail(function, nth, waits ? EINTR : EIO);
  kn_status status = isolate();
  bool done = kt_system_mend();
  check(function, nth, status, before);
  if (!done || waits) return done;
  kt_system_fail(function, nth, EINTR);
  status = isolate();
  done = kt_system_mend();
  check(function, nth, status, before);
  return done;
}

static void an_isolated_runtime(void **state) {
  (void)state;
  static const char *const vital[] = {"socketpair",
                                      "memfd_create",
                                      "fcntl",
                                      "sendmsg",
                                      "ftruncate",
                                      "mmap",
                                      "write",
                                      "pipe2",
                                      "posix_spawn_file_actions_init",
                                      "posix_spawn_file_actions_addopen",
                                      "posix_spawn_file_actions_adddup2",
                                      "posix_spawnattr_init",
                                      "posix_spawnattr_setsigmask",
                                      "posix_spawnattr_setflags",
                                      "posix_spawnp",
                                      "syscall",
                                      "send",
                                      NULL};
  kt_assert_ok(isolate());
  const int before = descriptors();
  for (size_t f = 0; kt_system_calls[f]; f++)
    for (unsigned nth = 1; nth <= MOST_CALLS; nth++)
      if (!isolate_without(kt_system_calls[f], nth, before)) break;
  for (size_t v = 0; vital[v]; v++) {
    kt_system_fail(vital[v], 1, EIO);
    kn_status status = isolate();
    if (!kt_system_mend() || !status) kt_fail("it works without %s", vital[v]);
    kn_status_free(status);
  }
  kt_assert_ok(isolate());
}

static void an_isolated_runtime_without_memory(void **state) {
  (void)state;
  const int before = descriptors();
  uint64_t start = kn_memory_allocations();
  kt_assert_ok(isolate());
  uint64_t needed = kn_memory_allocations() - start;
  for (uint64_t n = 0; n < needed; n += MEMORY_STEP) {
    kn_memory_fail_after(n);
    kn_status status = isolate();
    kn_memory_fail_after(UINT64_MAX);
    if (status && kn_status_code(status) != KN_OUT_OF_MEMORY)
      kt_fail("allocation %llu: %s", (unsigned long long)n, kn_status_message(status, 0));
    check("memory", (unsigned)n, status, before);
  }
}

/* ---- a server, whose workers are shells that greet ---- */

typedef struct serving {
  kn_scenario scenario;
  char *place;
  const char *launcher;
  kn_status status;
  atomic_bool over;
} serving;

static void stop(int number) {
  (void)number;
  kn_cancel();
}

static void *serve(void *context) {
  serving *s = context;
  static const char *const arguments[] = {"--worker", NULL};
  const kn_server_request request = {.scenario = &s->scenario, .worker_arguments = arguments, .launcher = s->launcher};
  s->status = kn_server_run(&request);
  atomic_store(&s->over, true);
  return NULL;
}

/* Whether a worker said "hi". */
static bool greeted(serving *s) {
  kn_connection client = {.fd = -1};
  char heard[3];
  size_t got = 0;
  for (int tries = 0; client.fd < 0 && tries < 400 && !atomic_load(&s->over); tries++) {
    kn_status_free(kn_unix_connect(s->place, kn_now_ns() + 1000000000, &client));
    if (client.fd < 0) nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
  }
  if (client.fd < 0) return false;
  kn_status_free(kn_connection_read(&client, heard, sizeof heard, kn_now_ns() + 5000000000, &got));
  kn_connection_close(&client);
  return got == 3 && !memcmp(heard, "hi\n", 3);
}

/* The server's own status; whether the last one of CLIENTS was served. */
static kn_status serve_clients(serving *s, bool *out_last) {
  pthread_t thread;
  atomic_store(&s->over, false);
  unlink(s->place);
  *out_last = false;
  assert_int_equal(pthread_create(&thread, NULL, serve, s), 0);
  for (int i = 0; i < CLIENTS; i++) *out_last = greeted(s);
  pthread_kill(thread, SIGTERM);
  assert_int_equal(pthread_join(thread, NULL), 0);
  kn_cancel_reset();
  return s->status;
}

static void set(kn_instance *instance, const char *name, const char *text) {
  size_t index;
  const kn_option *row = kn_option_find(instance->cls, name, &index);
  assert_non_null(row);
  kt_assert_ok(kn_instance_set_text(instance, row, index, text, "test"));
}

static void open_server(serving *s, const char *launcher) {
  const kn_class *cls;
  *s = (serving){.place = kt_path("/tmp", "kenning-torture-server"), .launcher = launcher};
  kt_assert_ok(
      kn_registry_find("kenning.runtimeprotocols.unix_socket.UnixSocketProtocol", KN_KIND_RUNTIMEPROTOCOL, &cls));
  kt_assert_ok(kn_instance_create(cls, &s->scenario.runtime_protocol));
  kt_assert_ok(kn_instance_create(&kn_null_runtime_class, &s->scenario.runtime));
  set(&s->scenario.runtime_protocol, "socket_path", s->place);
}

static void close_server(serving *s) {
  kn_instance_destroy(&s->scenario.runtime_protocol);
  kn_instance_destroy(&s->scenario.runtime);
  unlink(s->place);
  free(s->place);
}

static void a_server(void **state) {
  (void)state;
  static const char *const calls[] = {"memfd_create",
                                      "write",
                                      "readlink",
                                      "socket",
                                      "bind",
                                      "listen",
                                      "fcntl",
                                      "accept4",
                                      "ppoll",
                                      "poll",

                                      "syscall",
                                      "posix_spawn_file_actions_init",
                                      "posix_spawn_file_actions_addopen",
                                      "posix_spawn_file_actions_adddup2",
                                      "posix_spawnattr_init",
                                      "posix_spawnattr_setsigmask",
                                      "posix_spawnattr_setflags",
                                      "posix_spawnp",
                                      NULL};
  static const int errors[] = {EIO, EINTR, EMFILE};
  serving s;
  bool last;
  open_server(&s, "/bin/sh -c echo\thi\t>&3");
  kt_assert_ok(serve_clients(&s, &last));
  assert_true(last);
  const int before = descriptors();
  for (size_t f = 0; calls[f]; f++)
    for (int e = 0; e < 3; e++)
      for (unsigned nth = 1; nth <= 2; nth++) {
        if (nth > 1 && errors[e] != EMFILE) break;
        kt_system_fail(calls[f], nth, errors[e]);
        kn_status status = serve_clients(&s, &last);
        bool done = kt_system_mend();
        if (!status && !last) kt_fail("call %u of %s: the server is there and does not serve", nth, calls[f]);
        if (status && !done) kt_fail("the server ended: %s", kn_status_message(status, 0));
        check(calls[f], nth, status, before);
      }
  close_server(&s);
}

/* One that does not want to end is ended. */
static void a_server_ends_its_worker(void **state) {
  (void)state;
  serving s;
  bool last;
  open_server(&s, "/bin/sh -c trap\t''\tTERM;echo\thi\t>&3;sleep\t60");
  const int before = descriptors();
  kn_status status = serve_clients(&s, &last);
  assert_false(last); /* the first one still is served */
  check("none", 0, status, before);
  close_server(&s);
}

static void launchers_are_judged(void **state) {
  (void)state;
  serving s;
  open_server(&s, "   ");
  const kn_server_request request = {
      .scenario = &s.scenario, .worker_arguments = (const char *const[]){"--worker", NULL}, .launcher = "   "};
  kt_assert_fault(kn_server_run(&request), KN_INVALID_ARGUMENT, "empty");
  const kn_server_request many = {.scenario = &s.scenario,
                                  .worker_arguments = (const char *const[]){"--worker", NULL},
                                  .launcher = "a b c d e f g h i j k l m n o p q r s"};
  kt_assert_fault(kn_server_run(&many), KN_INVALID_ARGUMENT, "too many words");
  close_server(&s);
}

/* ---- what a worker cannot do without ---- */

static void limits(void **state) {
  (void)state;
  const kn_limits processor = {.processor_s = 3600}, memory = {.resident_bytes = UINT64_MAX};
  kt_system_fail("setrlimit", 1, EPERM);
  kt_assert_fault(kn_limits_apply(&processor), KN_IO_ERROR, "processor time");
  assert_true(kt_system_mend());
  static const char *const calls[] = {"pthread_attr_init", "pthread_create"};
  for (int i = 0; i < 2; i++) {
    kt_system_fail(calls[i], 1, EAGAIN);
    kt_assert_fault(kn_limits_apply(&memory), KN_OUT_OF_MEMORY, "watched");
    assert_true(kt_system_mend());
  }
}

static void signs_of_life(void **state) {
  (void)state;
  static const char *const calls[] = {"pthread_condattr_init", "pthread_create"};
  const kn_link_config link = {.heartbeat_s = 1};
  kn_connection connection = {.fd = -1};
  kn_heartbeat heartbeat;
  for (int i = 0; i < 2; i++) {
    kt_system_fail(calls[i], 1, EAGAIN);
    kn_status status = kn_heartbeat_start(&connection, &link, &heartbeat);
    assert_true(kt_system_mend());
    assert_true(status);
    assert_false(heartbeat.started);
    kn_heartbeat_stop(&heartbeat);
    kn_status_free(status);
  }
  kt_assert_ok(kn_heartbeat_start(&connection, &link, &heartbeat));
  assert_true(heartbeat.started);
  kn_heartbeat_stop(&heartbeat);
}

static int set_up(void **state) {
  static const char json[] =
      "{\"input\": [{\"name\": \"x\", \"shape\": [1, 4], \"dtype\": \"float32\"}], "
      "\"output\": [{\"name\": \"y\", \"shape\": [1, 2], \"dtype\": \"float32\"}]}";
  (void)state;
  kn_log_set_level(KN_LOG_CRITICAL + 1);
  signal(SIGPIPE, SIG_IGN);
  const struct sigaction action = {.sa_handler = stop};
  sigaction(SIGTERM, &action, NULL);
  kt_assert_ok(kn_instance_create(&kn_null_runtime_class, &runtime));
  set(&runtime, "result", "echo");
  kt_assert_ok(kn_iospec_parse(json, sizeof json - 1, "test", &spec));
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  kn_iospec_clear(&spec);
  kn_instance_destroy(&runtime);
  kn_registry_unload();
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_isolated_runtime),
      cmocka_unit_test(an_isolated_runtime_without_memory),
      cmocka_unit_test(a_server),
      cmocka_unit_test(a_server_ends_its_worker),
      cmocka_unit_test(launchers_are_judged),
      cmocka_unit_test(limits),
      cmocka_unit_test(signs_of_life),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
