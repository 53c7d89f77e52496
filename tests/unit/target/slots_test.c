/* Tensors in memory that two ends share. The worker's end runs in a thread. */
#include "target/slots.h"
#include "core/instance.h"
#include "support/directory.h"
#include "support/instance.h"
#include "support/status.h"
#include "support/unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

extern const kn_class kn_null_runtime_class;

static const char spec_json[] =
    "{\"input\": [{\"name\": \"x\", \"shape\": [1, 32], \"dtype\": \"float32\"}], "
    "\"output\": [{\"name\": \"y\", \"shape\": [1, 3], \"dtype\": \"float32\"}]}";

typedef struct worker {
  kn_instance runtime;
  kn_target_engine engine;
  kn_slots_peer peer;
  kn_slots slots;
  int stop[2];
  pthread_t thread;
} worker;

static void *serve(void *context) {
  worker *w = context;
  kn_status_free(kn_slots_serve(&w->peer, &w->engine, w->stop[0]));
  return NULL;
}

static void start(worker *w, bool loaded) {
  int channel;
  *w = (worker){0};
  kt_assert_ok(kn_instance_create(&kn_null_runtime_class, &w->runtime));
  kt_set(&w->runtime, "result", "echo");
  w->engine = (kn_target_engine){.ops = ((const kn_runtime_ops *)kn_null_runtime_class.ops)->inference,
                                 .self = w->runtime.self,
                                 .payload_limit = 1 << 20};
  kt_assert_ok(kn_target_engine_open(&w->engine));
  kt_assert_ok(kn_target_engine_specify(&w->engine, spec_json, sizeof spec_json - 1));
  if (loaded) kt_assert_ok(kn_target_engine_load(&w->engine, "none", false));
  kt_assert_ok(kn_slots_create(&w->slots, &channel));
  kt_assert_ok(kn_slots_peer_open(channel, &w->peer));
  assert_int_equal(pipe(w->stop), 0);
  assert_int_equal(pthread_create(&w->thread, NULL, serve, w), 0);
}

static void stop(worker *w) {
  close(w->stop[1]);
  assert_int_equal(pthread_join(w->thread, NULL), 0);
  close(w->stop[0]);
  kn_slots_peer_close(&w->peer);
  kn_slots_clear(&w->slots);
  kn_target_engine_close(&w->engine);
  kn_instance_destroy(&w->runtime);
}

/* Memory that is added later is seen by the worker too. */
static void what_is_shared_is_not_copied(void **state) {
  (void)state;
  worker w;
  start(&w, true);
  void *input, *output, *more;
  kt_assert_ok(kn_slots_memory(&w.slots, 128, &input));
  kt_assert_ok(kn_slots_memory(&w.slots, 12, &output));
  for (int round = 0; round < 3; round++) {
    float *x = input, *y = output;
    for (int i = 0; i < 32; i++) x[i] = (float)(round * 100 + i);
    kt_assert_ok(kn_slots_infer(&w.slots, x, 128, y, 12));
    for (int i = 0; i < 3; i++) assert_true(y[i] == x[i]);
    kt_assert_ok(kn_slots_memory(&w.slots, 128 * 1024, &more));
    input = (char *)more + 64 * 1024;
  }
  assert_true(kn_slots_hold(&w.slots, more, 128 * 1024));
  assert_false(kn_slots_hold(&w.slots, more, 128 * 1024 + 4096));
  assert_false(kn_slots_hold(&w.slots, &w, 1));
  stop(&w);
}

static void what_cannot_be_is_refused(void **state) {
  (void)state;
  worker w;
  start(&w, true);
  void *memory;
  kt_assert_ok(kn_slots_memory(&w.slots, 4096, &memory));
  kt_assert_fault(kn_slots_infer(&w.slots, memory, 64, memory, 12), KN_INCOMPATIBLE, "128 bytes and gives 12, not 64");
  kt_assert_fault(kn_slots_infer(&w.slots, &w, 128, memory, 12), KN_INTERNAL, "outside");
  kt_assert_fault(kn_slots_infer(&w.slots, (char *)memory + 4, 128, memory, 12), KN_INVALID_ARGUMENT, "outside");
  /* The host's end is believed no more than that: offsets and sizes beyond the file, pieces of a request. */
  const uint64_t wild[][4] = {{1 << 30, 128, 0, 12}, {UINT64_MAX - 63, 128, 0, 12}, {0, 128, 4096, 12}};
  for (size_t i = 0; i < 3; i++) {
    char reply[256];
    assert_int_equal(send(w.slots.channel, wild[i], sizeof wild[i], 0), sizeof wild[i]);
    assert_int_equal(recv(w.slots.channel, reply, sizeof reply, 0), sizeof reply);
    assert_int_equal(reply[0], KN_INVALID_ARGUMENT);
  }
  kt_assert_ok(kn_slots_infer(&w.slots, memory, 128, memory, 12));
  assert_int_equal(fcntl(w.slots.memory, F_GET_SEALS) & F_SEAL_SHRINK, F_SEAL_SHRINK);
  assert_true(ftruncate(w.slots.memory, 0) < 0);
  assert_int_equal(send(w.slots.channel, "?", 1, 0), 1); /* it is not listened to any longer */
  stop(&w);
}

static void without_a_model_there_is_an_error(void **state) {
  (void)state;
  worker w;
  start(&w, false);
  void *memory;
  kt_assert_ok(kn_slots_memory(&w.slots, 4096, &memory));
  kt_assert_fault(kn_slots_infer(&w.slots, memory, 128, memory, 12), KN_INVALID_ARGUMENT, "no model is loaded");
  stop(&w);
}

static void a_worker_that_is_gone_is_told(void **state) {
  (void)state;
  kn_slots slots;
  int channel;
  void *memory;
  kt_assert_ok(kn_slots_create(&slots, &channel));
  kt_assert_ok(kn_slots_memory(&slots, 4096, &memory));
  close(channel);
  kt_assert_fault(kn_slots_infer(&slots, memory, 128, memory, 12), KN_IO_ERROR, "gone");
  kn_slots_clear(&slots);
  kn_slots_clear(&slots);
}

/* What is no end of slots. */
static void a_channel_without_memory_is_refused(void **state) {
  (void)state;
  int ends[2];
  kn_slots_peer peer;
  assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
  assert_int_equal(send(ends[0], "x", 1, 0), 1);
  kt_assert_fault(kn_slots_peer_open(ends[1], &peer), KN_IO_ERROR, "no memory");
  kn_slots_peer_close(&peer);
  close(ends[0]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_shared_is_not_copied),        cmocka_unit_test(what_cannot_be_is_refused),
      cmocka_unit_test(without_a_model_there_is_an_error),   cmocka_unit_test(a_worker_that_is_gone_is_told),
      cmocka_unit_test(a_channel_without_memory_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
