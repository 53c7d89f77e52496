/* A board on a serial line of 115200 baud, and lines that disturb what they carry. */
#include "core/record_json.h"
#include "core/registry.h"
#include "support/directory.h"
#include "support/instance.h"
#include "support/status.h"
#include "support/unit.h"
#include "target/remote.h"
#include "target/worker.h"
#include "transport/deadline.h"
#include "transport/uart.h"
#include "unit/target/line.h"
#include "unit/target/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <kenning/services.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

typedef struct board {
  kt_target target;
  kn_link_config link;
  kn_connection connection;
  kn_status status;
} board;

static void *serve(void *context) {
  board *b = context;
  const kn_session_config config = {.wire = b->link.wire, .model_path = b->target.model, .model_limit = 1000};
  b->status = kn_worker_serve(&b->connection, &b->link, &config, &b->target.engine);
  return NULL;
}

static kn_instance make_protocol(const char *device, const char *timeout) {
  const kn_class *cls;
  kn_instance protocol;
  kt_assert_ok(kn_registry_find("kenning.protocols.uart.UARTProtocol", KN_KIND_RUNTIMEPROTOCOL, &cls));
  kt_assert_ok(kn_instance_create(cls, &protocol));
  kt_set(&protocol, "port", device);
  kt_set(&protocol, "baudrate", "115200");
  kt_set(&protocol, "timeout", timeout);
  return protocol;
}

static void start_board(board *b, const line *l) {
  *b = (board){.link = {.wire = {.format = KN_WIRE_12, .checksums = true, .frame_limit = 136},
                        .timeout_s = 5,
                        .idle_s = 2,
                        .slowest = 1e4,
                        .model_limit = 1000,
                        .tensor_limit = 1000}};
  kt_target_open(&b->target, &b->link.wire);
  kt_assert_ok(kn_uart_open(l->names[1], 115200, &b->connection));
}

static kn_iospec make_spec(void) {
  kn_iospec spec;
  kt_assert_ok(kn_iospec_parse(KT_SPEC, strlen(KT_SPEC), "test", &spec));
  return spec;
}

static void infer_over(line *l, board *b) {
  pthread_t thread;
  start_board(b, l);
  assert_int_equal(pthread_create(&thread, NULL, serve, b), 0);
  kn_instance protocol = make_protocol(l->names[0], "10");
  kn_remote remote = {.protocol = &protocol, .client.connection.fd = -1};
  kn_iospec spec = make_spec();
  char *model = kt_path(b->target.directory, "sent.bin");
  kt_file_write_text(model,
                     "a model in pieces of 136 bytes, of which there are two: .............................."
                     "......................................................................................");
  const kn_load_request request = {.path = model, .spec = &spec, .batch = 1};
  kt_assert_ok(kn_remote_inference.load(&remote, &request));
  float input[4] = {3, 4, 5, 6}, output[2] = {0};
  kn_tensor_view in = {.data = input, .bytes = sizeof input, .dtype = KN_FLOAT32, .rank = 2, .shape = {1, 4}};
  kn_tensor_view out = {.data = output, .bytes = sizeof output, .dtype = KN_FLOAT32, .rank = 2, .shape = {1, 2}};
  for (int i = 0; i < 3; i++) {
    kt_assert_ok(kn_remote_inference.set_input(&remote, &in, 1));
    kt_assert_ok(kn_remote_inference.invoke(&remote));
    kt_assert_ok(kn_remote_inference.output(&remote, &out, 1));
    assert_memory_equal(output, input, sizeof output);
  }
  kn_record *record;
  kt_assert_ok(kn_record_create(&record));
  kt_assert_ok(kn_remote_measurements(&remote, 3, record));
  assert_int_equal(yyjson_mut_arr_size(yyjson_mut_obj_get(kn_record_value(record), "target_inference_step")), 3);
  kn_record_destroy(record);
  kn_remote_inference.unload(&remote);
  pthread_join(thread, NULL);
  kt_assert_ok(b->status); /* a line is not closed, but the host said goodbye */
  kn_connection_close(&b->connection);
  kn_instance_destroy(&protocol);
  kn_iospec_clear(&spec);
  free(model);
  kt_target_close(&b->target);
}

static void inferences_go_over_a_serial_line(void **state) {
  (void)state;
  line l;
  board b;
  open_line(&l, 0, 0);
  infer_over(&l, &b);
  close_line(&l);
}

/* A byte of a payload, which the sum finds: to the target in the io specification, the identity, the model, the inputs;
 * back in the answer to the io specification, a clock, the times of an inference, its outputs, the statistics; in both
 * directions, in outputs and in the wish to hear them again. Whatever it was, it is said again. (Where a header is
 * disturbed nobody knows any more where the next one begins.) */
static void what_a_line_disturbs_is_said_again(void **state) {
  (void)state;
  static const size_t places[][2] = {{40, 0},  {430, 0}, {500, 0}, {860, 0}, {0, 27},
                                     {0, 101}, {0, 425}, {0, 455}, {0, 950}, {878, 455}};
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    line l;
    board b;
    open_line(&l, places[i][0], places[i][1]);
    infer_over(&l, &b);
    for (int way = 0; way < 2; way++) assert_true(l.passed[way] > l.disturb[way]);
    close_line(&l);
  }
}

static void a_dead_line_is_given_up(void **state) {
  (void)state;
  line l;
  open_line(&l, 0, 0);
  kn_instance protocol = make_protocol(l.names[0], "60");
  kn_remote remote = {.protocol = &protocol, .client.connection.fd = -1};
  kn_iospec spec = make_spec();
  const kn_load_request request = {.path = "/nonexistent", .spec = &spec, .batch = 1};
  int64_t start = kn_now_ns();
  kt_assert_fault(kn_remote_inference.load(&remote, &request), KN_TIMEOUT, "PING");
  assert_true(kn_now_ns() - start < 10000000000); /* five times a second, whatever the timeout of messages is */
  kn_instance_destroy(&protocol);
  kn_iospec_clear(&spec);
  close_line(&l);
}

/* The original's word for waiting without limit; the clock does not overflow. */
static void a_timeout_below_zero_is_no_limit(void **state) {
  (void)state;
  kn_instance protocol = make_protocol("/dev/null", "-1");
  const kn_runtimeprotocol_ops *ops = protocol.cls->ops;
  kn_link_config link;
  kt_assert_ok(ops->open(protocol.self, &link));
  assert_true(link.timeout_s > 86400);
  assert_true(kn_deadline_after(link.timeout_s) > kn_deadline_after(86400));
  ops->close(protocol.self);
  kn_instance_destroy(&protocol);
}

static void what_is_no_line_is_told(void **state) {
  (void)state;
  kn_connection connection;
  char *directory = kt_directory_make(), *path = kt_path(directory, "file");
  kt_file_write_text(path, "");
  kt_assert_fault(kn_uart_open(path, 9600, &connection), KN_IO_ERROR, "no serial device");
  kt_assert_fault(kn_uart_open("/nonexistent", 9600, &connection), KN_NOT_FOUND, NULL);
  kt_assert_fault(kn_uart_open(path, 9601, &connection), KN_INVALID_ARGUMENT, "9600");
  free(path);
  kt_directory_remove(directory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(inferences_go_over_a_serial_line), cmocka_unit_test(what_a_line_disturbs_is_said_again),
      cmocka_unit_test(a_dead_line_is_given_up),          cmocka_unit_test(a_timeout_below_zero_is_no_limit),
      cmocka_unit_test(what_is_no_line_is_told),
  };
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  kn_registry_unload();
  return failed;
}
