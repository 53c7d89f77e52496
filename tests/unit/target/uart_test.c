/* A serial line: two pseudo-terminals with a relay between them that passes bytes on at the pace of 115200 baud. */
#include "core/record_json.h"
#include "core/registry.h"
#include "support/directory.h"
#include "support/status.h"
#include "support/unit.h"
#include "target/remote.h"
#include "target/worker.h"
#include "transport/uart.h"
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

enum { BYTES_PER_SECOND = 11520, PIECE = 64 };

typedef struct line {
  int masters[2];
  char names[2][64];
  pthread_t relay;
  volatile bool stop;
  size_t disturb; /* the byte of this number, of those that go to the target, is changed; 0: none */
  size_t passed;
} line;

static int open_terminal(char *name, size_t size) {
  int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  assert_true(master >= 0);
  assert_int_equal(grantpt(master), 0);
  assert_int_equal(unlockpt(master), 0);
  assert_int_equal(ptsname_r(master, name, size), 0);
  /* Raw from the start, and the other end stays open: otherwise the first reader gets an error before it is. */
  int slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
  assert_true(slave >= 0);
  struct termios settings;
  assert_int_equal(tcgetattr(slave, &settings), 0);
  cfmakeraw(&settings);
  assert_int_equal(tcsetattr(slave, TCSANOW, &settings), 0);
  return master;
}

static void *relay(void *context) {
  line *l = context;
  while (!l->stop) {
    struct pollfd both[] = {{.fd = l->masters[0], .events = POLLIN}, {.fd = l->masters[1], .events = POLLIN}};
    if (poll(both, 2, 20) <= 0) continue;
    for (int i = 0; i < 2; i++) {
      uint8_t bytes[PIECE];
      ssize_t got = both[i].revents & POLLIN ? read(l->masters[i], bytes, sizeof bytes) : 0;
      if (got <= 0) continue;
      for (ssize_t k = 0; i == 0 && k < got; k++)
        if (++l->passed == l->disturb) bytes[k] ^= 0x10;
      usleep((useconds_t)(got * 1000000 / BYTES_PER_SECOND));
      for (ssize_t sent = 0; sent < got;) {
        ssize_t now = write(l->masters[1 - i], bytes + sent, (size_t)(got - sent));
        if (now > 0)
          sent += now;
        else if (errno != EINTR && errno != EAGAIN)
          return NULL;
      }
    }
  }
  return NULL;
}

static void open_line(line *l, size_t disturb) {
  *l = (line){.disturb = disturb};
  for (int i = 0; i < 2; i++) l->masters[i] = open_terminal(l->names[i], sizeof l->names[i]);
  assert_int_equal(pthread_create(&l->relay, NULL, relay, l), 0);
}

static void close_line(line *l) {
  l->stop = true;
  pthread_join(l->relay, NULL);
  for (int i = 0; i < 2; i++) close(l->masters[i]);
}

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

static void set(kn_instance *instance, const char *name, const char *text) {
  size_t index;
  const kn_option *row = kn_option_find(instance->cls, name, &index);
  assert_non_null(row);
  kt_assert_ok(kn_instance_set_text(instance, row, index, text, "test"));
}

static kn_instance make_protocol(const char *device, const char *timeout) {
  const kn_class *cls;
  kn_instance protocol;
  kt_assert_ok(kn_registry_find("kenning.protocols.uart.UARTProtocol", KN_KIND_RUNTIMEPROTOCOL, &cls));
  kt_assert_ok(kn_instance_create(cls, &protocol));
  set(&protocol, "port", device);
  set(&protocol, "baudrate", "115200");
  set(&protocol, "timeout", timeout);
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

static void inferences_go_over_a_serial_line(void **state) {
  (void)state;
  line l;
  board b;
  pthread_t thread;
  open_line(&l, 0);
  start_board(&b, &l);
  assert_int_equal(pthread_create(&thread, NULL, serve, &b), 0);
  kn_instance protocol = make_protocol(l.names[0], "10");
  kn_remote remote = {.protocol = &protocol, .client.connection.fd = -1};
  kn_iospec spec = make_spec();
  char *model = kt_path(b.target.directory, "sent.bin");
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
  kt_assert_fault(b.status, KN_TIMEOUT, NULL); /* a line is not closed: the board waits until it is tired of it */
  kn_connection_close(&b.connection);
  kn_instance_destroy(&protocol);
  kn_iospec_clear(&spec);
  free(model);
  kt_target_close(&b.target);
  close_line(&l);
}

/* Byte 40 lies in the io specification. */
static void a_disturbed_byte_is_noticed(void **state) {
  (void)state;
  line l;
  board b;
  pthread_t thread;
  open_line(&l, 40);
  start_board(&b, &l);
  b.link.idle_s = 1;
  assert_int_equal(pthread_create(&thread, NULL, serve, &b), 0);
  kn_instance protocol = make_protocol(l.names[0], "5");
  kn_remote remote = {.protocol = &protocol, .client.connection.fd = -1};
  kn_iospec spec = make_spec();
  const kn_load_request request = {.path = "/nonexistent", .spec = &spec, .batch = 1};
  kt_assert_fault(kn_remote_inference.load(&remote, &request), KN_BACKEND_FAILED, "bad checksum");
  pthread_join(thread, NULL);
  kn_status_free(b.status);
  kn_connection_close(&b.connection);
  kn_instance_destroy(&protocol);
  kn_iospec_clear(&spec);
  kt_target_close(&b.target);
  close_line(&l);
}

static void a_dead_line_is_given_up(void **state) {
  (void)state;
  line l;
  open_line(&l, 0);
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
      cmocka_unit_test(inferences_go_over_a_serial_line),
      cmocka_unit_test(a_disturbed_byte_is_noticed),
      cmocka_unit_test(a_dead_line_is_given_up),
      cmocka_unit_test(what_is_no_line_is_told),
  };
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  kn_registry_unload();
  return failed;
}
