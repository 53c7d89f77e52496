/* A worker that is stopped (SIGSTOP) at each wait and before each request of its host, from the start to the end: the
 * host is done, and the worker gone. While the worker is stopped, waiting takes no time. */
#include "core/instance.h"
#include "core/log.h"
#include "support/program.h"
#include "support/status.h"
#include "support/unit.h"
#include "target/isolated.h"
#include "target/remote.h"
#include "transport/deadline.h"

#include <kenning/services.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

extern const kn_class kn_null_runtime_class;

enum { NEVER = -1, MOMENTS_LIMIT = 200, INFERENCES = 3 };

typedef struct story {
  const kn_isolated *isolated;
  int moments, stop_at; /* waits and requests; the worker is stopped at this one */
  bool stopped;
  int64_t passed; /* ns that nobody waited for */
} story;

static int64_t story_now(void *context) { return kn_now_ns() + ((story *)context)->passed; }

static void pass_moment(story *s) {
  if (s->stopped || s->stop_at != s->moments++ || !s->isolated->child.pid) return;
  assert_int_equal(kill(s->isolated->child.pid, SIGSTOP), 0);
  s->stopped = true;
}

static int story_wait(void *context, struct pollfd *list, size_t count, int milliseconds) {
  story *s = context;
  pass_moment(s);
  if (!s->stopped) return poll(list, count, milliseconds);
  int ready = poll(list, count, 1);
  if (!ready) s->passed += 60 * (int64_t)1000000000;
  return ready;
}

/* What a run does: start, load, inferences, statistics, end. */
static kn_status run(story *s, kn_isolated *isolated, kn_remote *remote, const kn_load_request *request) {
  static float x[32], y[3];
  const kn_tensor_view input = {.data = x, .bytes = sizeof x, .dtype = KN_FLOAT32, .rank = 2, .shape = {1, 32}};
  const kn_tensor_view output = {.data = y, .bytes = sizeof y, .dtype = KN_FLOAT32, .rank = 2, .shape = {1, 3}};
  KN_TRY(kn_isolated_inference.load(isolated, request));
  for (int i = 0; i < INFERENCES; i++) {
    KN_TRY(kn_isolated_inference.set_input(isolated, &input, 1));
    pass_moment(s);
    KN_TRY(kn_isolated_inference.invoke(isolated));
    KN_TRY(kn_isolated_inference.output(isolated, &output, 1));
  }
  pass_moment(s);
  KN_TRY(kn_remote_ask_statistics(remote));
  pass_moment(s);
  return NULL;
}

/* The moments there were. */
static int run_stopped(int stop_at, bool *out_stopped, kn_status *out_status) {
  static const char spec_json[] =
      "{\"input\": [{\"name\": \"x\", \"shape\": [1, 32], \"dtype\": \"float32\"}], "
      "\"output\": [{\"name\": \"y\", \"shape\": [1, 3], \"dtype\": \"float32\"}]}";
  kn_instance runtime;
  kn_iospec spec;
  kn_isolated isolated;
  kt_assert_ok(kn_instance_create(&kn_null_runtime_class, &runtime));
  kt_assert_ok(kn_iospec_parse(spec_json, sizeof spec_json - 1, "test", &spec));
  kn_remote remote = {.client.connection.fd = -1};
  remote.protocol = kn_isolated_protocol(&isolated, &runtime, &remote);
  story s = {.isolated = &isolated, .stop_at = stop_at};
  const kn_deadline_clock clock = {.context = &s, .now = story_now, .wait = story_wait};
  kn_deadline_use(&clock);
  *out_status = run(&s, &isolated, &remote, &(kn_load_request){.path = "none", .spec = &spec, .batch = 1});
  pid_t child = isolated.child.pid;
  kn_isolated_inference.unload(&isolated);
  kn_deadline_use(NULL);
  if (child) assert_int_equal(kill(child, 0), -1);
  *out_stopped = s.stopped;
  kn_iospec_clear(&spec);
  kn_instance_destroy(&runtime);
  return s.moments;
}

static void a_stopped_worker_is_waited_for_until_a_deadline(void **state) {
  (void)state;
  bool stopped;
  int ended = 0;
  kn_status status;
  const int moments = run_stopped(NEVER, &stopped, &status);
  kt_assert_ok(status);
  assert_false(stopped);
  assert_in_range(moments, INFERENCES + 2, MOMENTS_LIMIT);
  for (int at = 0; at < moments; at++) {
    (void)run_stopped(at, &stopped, &status);
    if (!status) continue; /* it had said everything */
    assert_true(stopped);
    ended++;
    kt_assert_contains(kn_status_message(status, 0), "did not answer");
    kn_status_free(status);
  }
  assert_true(ended > INFERENCES); /* at least before each inference and before the statistics */
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_stopped_worker_is_waited_for_until_a_deadline)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
