/* Lets each system call of a server fail, the first one and the second, with several reasons, and each allocation: a
 * server that has come as far as to listen serves the next client. No process and no descriptor is left. */
#include "torture/system.h"

#include "core/log.h"
#include "core/memory.h"
#include "core/registry.h"
#include "support/directory.h"
#include "support/instance.h"
#include "support/status.h"
#include "support/unit.h"
#include "target/server.h"
#include "transport/unix.h"

#include <errno.h>
#include <kenning/run.h>
#include <kenning/services.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

extern const kn_class kn_null_runtime_class;

enum { CLIENTS = 2 };
/* Divides words of a shell; blanks divide those of the launcher. */
#define TAB "\t"

static char *directory;

/* A server whose workers are shells that greet. */

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

/* The server's own status; whether the last one of CLIENTS was served, or the one after it. */
static kn_status serve_clients(serving *s, bool *out_last) {
  pthread_t thread;
  atomic_store(&s->over, false);
  unlink(s->place);
  *out_last = false;
  assert_int_equal(pthread_create(&thread, NULL, serve, s), 0);
  for (int i = 0; i < CLIENTS; i++) *out_last = greeted(s);
  if (!*out_last) *out_last = greeted(s);
  pthread_kill(thread, SIGTERM);
  assert_int_equal(pthread_join(thread, NULL), 0);
  kn_cancel_reset();
  return s->status;
}

/* The server is over, or serves. */
static kn_status serve_or_end(void *context) {
  bool last;
  kn_status status = serve_clients(context, &last);
  return status || last ? status : kn_status_make(KN_INTERNAL, "wrong: the server is there and does not serve");
}

static void open_server(serving *s, const char *launcher) {
  const kn_class *cls;
  *s = (serving){.place = kt_path(directory, "socket"), .launcher = launcher};
  kt_assert_ok(
      kn_registry_find("kenning.runtimeprotocols.unix_socket.UnixSocketProtocol", KN_KIND_RUNTIMEPROTOCOL, &cls));
  kt_assert_ok(kn_instance_create(cls, &s->scenario.runtime_protocol));
  kt_assert_ok(kn_instance_create(&kn_null_runtime_class, &s->scenario.runtime));
  kt_set(&s->scenario.runtime_protocol, "socket_path", s->place);
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
                                      "pipe2",
                                      "posix_spawn_file_actions_init",
                                      "posix_spawn_file_actions_addopen",
                                      "posix_spawn_file_actions_adddup2",
                                      "posix_spawnattr_init",
                                      "posix_spawnattr_setsigmask",
                                      "posix_spawnattr_setflags",
                                      "posix_spawnp",
                                      NULL};
  serving s;
  open_server(&s, "/bin/sh -c echo" TAB "hi" TAB ">&3");
  kt_torture torture = {.what = "a server",
                        .operation = serve_or_end,
                        .context = &s,
                        .calls = calls,
                        .errors = (const int[]){EMFILE, 0},
                        .most = 2};
  kt_system_torture(&torture);
  torture.errors = (const int[]){EINTR, 0};
  torture.most = 1;
  kt_system_torture(&torture);
  close_server(&s);
}

/* One that does not want to end is ended. */
static void a_server_ends_its_worker(void **state) {
  (void)state;
  serving s;
  bool last;
  open_server(&s, "/bin/sh -c trap" TAB "''" TAB "TERM;echo" TAB "hi" TAB ">&3;exec" TAB "sleep" TAB "60");
  const int before = kt_descriptors();
  kn_status status = serve_clients(&s, &last);
  assert_false(last); /* the first one still is served */
  kt_system_check("none", 0, status, before);
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

/* Up to where it listens; then it is told to stop. */
static void a_server_without_memory(void **state) {
  (void)state;
  serving s;
  kn_instance optimizers[2];
  const kn_class *cls;
  open_server(&s, "/bin/sh -c exit");
  kt_assert_ok(kn_registry_find("ModelInserter", KN_KIND_OPTIMIZER, &cls));
  for (int i = 0; i < 2; i++) kt_assert_ok(kn_instance_create(cls, &optimizers[i]));
  s.scenario.optimizers = optimizers;
  s.scenario.optimizer_count = 2;
  const int before = kt_descriptors();
  const kn_server_request request = {
      .scenario = &s.scenario, .worker_arguments = (const char *const[]){"--worker", NULL}, .launcher = s.launcher};
  kn_cancel();
  kn_code code = KN_OUT_OF_MEMORY;
  for (uint64_t n = 0; code; n++) {
    assert_true(n < 500);
    unlink(s.place);
    kn_memory_fail_after(n);
    kn_status status = kn_server_run(&request);
    kn_memory_fail_after(UINT64_MAX);
    code = kn_status_code(status);
    kt_system_check("memory", (unsigned)n, status, before);
    assert_true(code == KN_OUT_OF_MEMORY || code == KN_OK);
  }
  kn_cancel_reset();
  for (int i = 0; i < 2; i++) kn_instance_destroy(&optimizers[i]);
  s.scenario.optimizers = NULL;
  s.scenario.optimizer_count = 0;
  close_server(&s);
}

static int set_up(void **state) {
  (void)state;
  kn_log_set_level(KN_LOG_CRITICAL + 1);
  signal(SIGPIPE, SIG_IGN);
  const struct sigaction action = {.sa_handler = stop};
  sigaction(SIGTERM, &action, NULL);
  directory = kt_directory_make();
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  kt_directory_remove(directory);
  kn_registry_unload();
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_server),
      cmocka_unit_test(a_server_without_memory),
      cmocka_unit_test(a_server_ends_its_worker),
      cmocka_unit_test(launchers_are_judged),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
