/* The two answers of 2022 to PROCESS do not come at once, as the original's host needs it; hosts of ours may have them
 * without a pause. */
#include "core/instance.h"
#include "support/directory.h"
#include "support/status.h"
#include "support/unit.h"
#include "target/client.h"
#include "target/worker.h"
#include "unit/target/peer.h"

#include <kenning/services.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

extern const kn_class kn_null_runtime_class;

typedef struct target {
  kn_link_config link;
  int fd;
  char *model;
} target;

static void *serve(void *context) {
  target *t = context;
  kn_instance runtime;
  kn_connection connection;
  kt_assert_ok(kn_instance_create(&kn_null_runtime_class, &runtime));
  kt_assert_ok(kn_connection_adopt(t->fd, &connection));
  kn_target_engine engine = {.ops = ((const kn_runtime_ops *)kn_null_runtime_class.ops)->inference,
                             .self = runtime.self,
                             .payload_limit = 1 << 20};
  kt_assert_ok(kn_target_engine_open(&engine));
  const kn_session_config config = {.wire = t->link.wire, .model_path = t->model, .model_limit = 1 << 20};
  kn_status_free(kn_worker_serve(&connection, &t->link, &config, &engine));
  kn_target_engine_close(&engine);
  kn_connection_close(&connection);
  kn_instance_destroy(&runtime);
  return NULL;
}

/* Seconds between the first and the second answer. */
static double gap_of(kn_wire_format format, double gap_s) {
  char *directory = kt_directory_make();
  const float x[4] = {1, 2, 3, 4};
  int ends[2];
  kn_connection connection;
  kn_client client;
  pthread_t thread;
  target t = {.link = {.wire = {.format = format, .frame_limit = 1 << 20},
                       .timeout_s = 30,
                       .idle_s = 30,
                       .gap_s = gap_s,
                       .slowest = 1e6,
                       .model_limit = 1 << 20,
                       .tensor_limit = 1 << 20},
              .model = kt_path(directory, "model")};
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  t.fd = ends[1];
  assert_int_equal(pthread_create(&thread, NULL, serve, &t), 0);
  kt_assert_ok(kn_connection_adopt(ends[0], &connection));
  kt_assert_ok(kn_client_open(connection, &t.link, &client));
  kt_assert_ok(kn_client_specify(&client, KT_SPEC, sizeof KT_SPEC - 1));
  kt_assert_ok(kn_client_upload(&client, KN_MESSAGE_MODEL, "model", 5));
  kt_assert_ok(kn_client_upload(&client, KN_MESSAGE_DATA, x, sizeof x));
  kt_assert_ok(kn_client_upload(&client, KN_MESSAGE_PROCESS, NULL, 0)); /* the first, or the only answer */
  int64_t start = kn_now_ns();
  if (format == KN_WIRE_2022) {
    uint8_t header[6];
    size_t got, count = 0;
    while (count < sizeof header) {
      kt_assert_ok(kn_connection_read(&client.connection, header + count, sizeof header - count, KN_NO_DEADLINE, &got));
      assert_true(got > 0);
      count += got;
    }
  }
  int64_t end = kn_now_ns();
  kn_client_close(&client);
  assert_int_equal(pthread_join(thread, NULL), 0);
  free(t.model);
  kt_directory_remove(directory);
  return (double)(end - start) / 1e9;
}

static void two_answers_have_a_pause_between_them(void **state) {
  (void)state;
  double gap = gap_of(KN_WIRE_2022, 0.3);
  if (gap < 0.2) kt_fail("the second answer came %.3f s after the first", gap); /* both ends are on one machine */
  (void)gap_of(KN_WIRE_2022, 0);
}

static void one_answer_waits_for_nothing(void **state) {
  (void)state;
  int64_t start = kn_now_ns();
  (void)gap_of(KN_WIRE_12, 20);
  assert_true((double)(kn_now_ns() - start) / 1e9 < 20);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(two_answers_have_a_pause_between_them),
      cmocka_unit_test(one_answer_waits_for_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
