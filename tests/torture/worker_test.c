/* Lets each system call fail with which a worker process is started, talked to and ended by a host that isolates a
 * runtime, and each of both ends of shared memory: the run is told to have failed or is right. No process and no
 * descriptor is left. */
#include "torture/system.h"

#include "core/instance.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/record_json.h"
#include "core/registry.h"
#include "support/instance.h"
#include "support/status.h"
#include "support/unit.h"
#include "target/heartbeat.h"
#include "target/isolated.h"
#include "target/limits.h"

#include <errno.h>
#include <kenning/run.h>
#include <kenning/services.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

extern const kn_class kn_null_runtime_class;

/* Waiting calls poll as often as it takes: not each of them is tried. */
enum { MOST_CALLS = 4, MEMORY_STEP = 11, MOST_FUNCTIONS = 100 };

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

static kn_status isolate(void *context) {
  (void)context;
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
                                      "send",
                                      NULL};
  const char *calls[MOST_FUNCTIONS] = {0};
  for (size_t f = 0, count = 0; kt_system_calls[f]; f++) {
    assert_true(count < MOST_FUNCTIONS - 1);
    if (strcmp(kt_system_calls[f], "waitpid") != 0) calls[count++] = kt_system_calls[f];
  }
  kt_torture torture = {.what = "an isolated runtime",
                        .operation = isolate,
                        .calls = calls,
                        .errors = (const int[]){EIO, EINTR, 0},
                        .most = MOST_CALLS,
                        .vital = vital};
  kt_system_torture(&torture);
  /* A child can be waited for, sooner or later. */
  torture.calls = (const char *const[]){"waitpid", NULL};
  torture.errors = (const int[]){EINTR, 0};
  torture.vital = NULL;
  kt_system_torture(&torture);
}

static void an_isolated_runtime_without_memory(void **state) {
  (void)state;
  const int before = kt_descriptors();
  uint64_t start = kn_memory_allocations();
  kt_assert_ok(isolate(NULL));
  uint64_t needed = kn_memory_allocations() - start;
  for (uint64_t n = 0; n < needed; n += MEMORY_STEP) {
    kn_memory_fail_after(n);
    kn_status status = isolate(NULL);
    kn_memory_fail_after(UINT64_MAX);
    if (status && kn_status_code(status) != KN_OUT_OF_MEMORY)
      kt_fail("allocation %llu: %s", (unsigned long long)n, kn_status_message(status, 0));
    kt_system_check("memory", (unsigned)n, status, before);
  }
}

/* What a caller gets wrong. */
static void an_isolated_runtime_that_is_asked_for_what_it_cannot(void **state) {
  (void)state;
  const int before = kt_descriptors();
  kn_isolated isolated;
  kn_remote remote = {.client.connection.fd = -1};
  const kn_load_request request = {.path = "none", .spec = &spec, .batch = 1};
  float x[4] = {1}, y[2];
  const kn_tensor_view good = {.data = x, .bytes = sizeof x, .dtype = KN_FLOAT32, .rank = 2, .shape = {1, 4}};
  const kn_tensor_view two[2] = {good, good};
  kn_tensor_view wrong = good;
  const kn_tensor_view result = {.data = y, .bytes = sizeof y, .dtype = KN_FLOAT32, .rank = 2, .shape = {1, 2}};
  remote.protocol = kn_isolated_protocol(&isolated, &runtime, &remote);
  kt_assert_fault(kn_isolated_inference.set_input(&isolated, &good, 1), KN_INVALID_ARGUMENT, "no model is loaded");
  kt_assert_ok(kn_isolated_inference.load(&isolated, &request));
  kt_assert_fault(kn_isolated_inference.invoke(&isolated), KN_INVALID_ARGUMENT, "no input");
  kt_assert_fault(kn_isolated_inference.set_input(&isolated, two, 2), KN_INVALID_ARGUMENT, "has 1 tensors");
  wrong.bytes--;
  kt_assert_fault(kn_isolated_inference.set_input(&isolated, &wrong, 1), KN_INVALID_ARGUMENT, "type and size");
  wrong = good;
  wrong.dtype = KN_INT32;
  kt_assert_fault(kn_isolated_inference.set_input(&isolated, &wrong, 1), KN_INVALID_ARGUMENT, "type and size");
  /* Inputs in shared memory are used where they are, if they are aligned there. */
  void *memory;
  kt_assert_ok(kn_isolated_memory(&isolated, 256, &memory));
  for (size_t offset = 0; offset <= 64; offset += 4) {
    const float value = (float)offset;
    kn_tensor_view here = good;
    here.data = (char *)memory + offset;
    memcpy(here.data, &value, sizeof value);
    kt_assert_ok(kn_isolated_inference.set_input(&isolated, &here, 1));
    assert_int_equal(isolated.from == here.data, offset % 64 == 0);
    kt_assert_ok(kn_isolated_inference.invoke(&isolated));
    kt_assert_ok(kn_isolated_inference.output(&isolated, &result, 1));
    assert_true(y[0] == value);
  }
  kill(isolated.child.pid, SIGSTOP);
  kn_cancel();
  kt_assert_fault(kn_isolated_inference.invoke(&isolated), KN_CANCELLED, "stopped");
  kn_cancel_reset();
  kill(isolated.child.pid, SIGKILL);
  kt_assert_fault(kn_isolated_inference.invoke(&isolated), KN_BACKEND_FAILED, "signal 9");
  kn_isolated_inference.unload(&isolated);
  kt_system_check("none", 0, NULL, before);
}

/* ---- shared memory, both ends in this process ---- */

typedef struct sharing {
  kn_target_engine engine;
  kn_slots_peer peer;
  int stop[2];
  kn_status status;
} sharing;

static void *share(void *context) {
  sharing *s = context;
  s->status = kn_slots_serve(&s->peer, &s->engine, s->stop[0]);
  return NULL;
}

static kn_status infer_shared(kn_slots *slots) {
  void *memory;
  KN_TRY(kn_slots_memory(slots, 64 + 8, &memory));
  float *x = memory, *y = (float *)memory + 16;
  x[0] = 7;
  kn_status status = kn_slots_infer(slots, x, 16, y, 8);
  return status || y[0] == 7 ? status : kn_status_make(KN_BAD_DATA, "wrong: another result");
}

static kn_status shared_with(kn_slots *slots, sharing *s) {
  pthread_t thread;
  slots->timeout_s = 0.2;
  assert_int_equal(pipe(s->stop), 0);
  assert_int_equal(pthread_create(&thread, NULL, share, s), 0);
  kn_status status = infer_shared(slots);
  if (!status) status = infer_shared(slots); /* in memory that the peer has not seen yet */
  close(s->stop[1]);
  assert_int_equal(pthread_join(thread, NULL), 0);
  close(s->stop[0]);
  return status;
}

static kn_status share_slots(void *context) {
  (void)context;
  int channel;
  kn_slots slots;
  KN_TRY(kn_slots_create(&slots, &channel));
  sharing s = {.engine = {.ops = ((const kn_runtime_ops *)kn_null_runtime_class.ops)->inference,
                          .self = runtime.self,
                          .payload_limit = 1 << 20}};
  kn_status status = kn_slots_peer_open(channel, &s.peer);
  if (!status) status = kn_target_engine_open(&s.engine);
  if (!status) status = kn_iospec_copy(&spec, &s.engine.spec);
  s.engine.has_spec = !status;
  if (!status) status = kn_target_engine_load(&s.engine, "none", false);
  if (!status) status = shared_with(&slots, &s);
  kn_target_engine_close(&s.engine);
  kn_slots_peer_close(&s.peer);
  kn_slots_clear(&slots);
  return kn_status_join(status, s.status);
}

static void shared_memory(void **state) {
  (void)state;
  kt_system_torture(
      &(kt_torture){.what = "shared memory",
                    .operation = share_slots,
                    .calls = (const char *const[]){"socketpair", "memfd_create", "fcntl", "sendmsg", "recvmsg",
                                                   "ftruncate", "mmap", "fstat", "send", "recv", "poll", NULL},
                    .errors = (const int[]){EIO, EINTR, 0},
                    .most = MOST_CALLS,
                    .hasty = true});
  kn_slots slots;
  int channel;
  void *memory;
  kt_assert_ok(kn_slots_create(&slots, &channel));
  kt_assert_fault(kn_slots_memory(&slots, SIZE_MAX, &memory), KN_OUT_OF_MEMORY, NULL);
  kt_assert_ok(kn_slots_memory(&slots, 1, &memory));
  kt_assert_fault(kn_slots_memory(&slots, SIZE_MAX - 4096, &memory), KN_OUT_OF_MEMORY, NULL);
  kn_memory_fail_after(0);
  kt_assert_fault(kn_slots_memory(&slots, 1, &memory), KN_OUT_OF_MEMORY, NULL);
  kn_memory_fail_after(UINT64_MAX);
  kn_slots_clear(&slots);
  close(channel);
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

/* A limit that is far away does nothing; a watcher that cannot look goes on. */
static void limits_that_are_far_away(void **state) {
  (void)state;
  static const char *const calls[] = {"open", "read"};
  const kn_limits far = {.processor_s = 1 << 30, .data_bytes = UINT64_MAX / 4, .resident_bytes = UINT64_MAX};
  kt_assert_ok(kn_limits_apply(&far));
  for (int i = 0; i < 2; i++) {
    kt_system_fail(calls[i], 1, EIO);
    bool done = false;
    for (int tries = 0; !done && tries < 100; tries++) {
      nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
      done = kt_system_mend();
      if (!done) kt_system_fail(calls[i], 1, EIO);
    }
    assert_true(done);
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
  kt_assert_ok(kn_instance_create(&kn_null_runtime_class, &runtime));
  kt_set(&runtime, "result", "echo");
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
      cmocka_unit_test(an_isolated_runtime_that_is_asked_for_what_it_cannot),
      cmocka_unit_test(shared_memory),
      cmocka_unit_test(limits),
      cmocka_unit_test(signs_of_life),
      cmocka_unit_test(limits_that_are_far_away), /* the last one: its watcher stays */
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
