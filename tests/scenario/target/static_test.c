/* The smallest deployment: a static kenning-server for 64-bit Arm with one model compiled to C inside, under qemu-user,
 * driven by a host. tests/support/linked_model.py says what the model computes. */
#include "core/file.h"
#include "support/directory.h"
#include "support/near.h"
#include "support/program.h"
#include "support/status.h"
#include "support/unit.h"
#include "target/client.h"
#include "transport/tcp.h"
#include "transport/unix.h"

#include <elf.h>
#include <kenning/process.h>
#include <kenning/services.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yyjson.h>

enum { INPUTS = 48, CLASSES = 3, LARGEST_STRIPPED = 1500000 };

static char *server, *model;

static int find_parts(void **state) {
  (void)state;
  server = kt_source_path("build/aarch64-static/kenning-server");
  model = kt_source_path("build/linked-model.tar");
  return 0;
}

static int forget_parts(void **state) {
  (void)state;
  free(server);
  free(model);
  return 0;
}

/* Skips the test where something is missing. */
static void need(bool emulator) {
  char *qemu = NULL;
  kn_status status = emulator ? kn_process_find("qemu-aarch64", &qemu) : NULL;
  bool runs = !status, built = kn_file_exists(server, NULL) && kn_file_exists(model, NULL);
  kn_status_free(status);
  kn_free(qemu);
  if (!built) kt_skip("the static kenning-server: make target (scripts/bootstrap cross)");
  if (!runs) kt_skip("qemu-aarch64: scripts/bootstrap cross");
}

/* No program interpreter, no library at start-up; what is ours has no reference to the loader or to TLS. */
static void it_needs_nothing(void **state) {
  (void)state;
  need(false);
  kt_run run = kt_run_program((const char *const[]){"readelf", "-lhdW", server, NULL}, NULL);
  kt_assert_exit(&run, 0);
  kt_assert_contains(run.out, "AArch64");
  assert_null(strstr(run.out, "INTERP"));
  assert_null(strstr(run.out, "(NEEDED)"));
  kt_run_free(&run);
  char *library = kt_source_path("build/aarch64-static/libkenning.a");
  run = kt_run_program((const char *const[]){"nm", "--undefined-only", library, NULL}, NULL);
  kt_assert_exit(&run, 0);
  kt_assert_contains(run.out, " U memcpy");
  static const char *const words[] = {" U dlopen", " U dlsym", " U getaddrinfo", " U getpwuid", " U SSL_"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (strstr(run.out, words[i])) kt_fail("libkenning.a of a static program has%s", words[i]);
  kt_run_free(&run);
  free(library);
}

static void it_is_small(void **state) {
  (void)state;
  need(false);
  char *directory = kt_directory_make(), *copy = kt_path(directory, "stripped");
  kt_run run = kt_run_program((const char *const[]){"aarch64-linux-gnu-strip", "-o", copy, server, NULL}, NULL);
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  uint64_t bytes;
  assert_true(kn_file_exists(copy, &bytes));
  if (bytes > LARGEST_STRIPPED) kt_fail("the static kenning-server has %llu bytes", (unsigned long long)bytes);
  free(copy);
  kt_directory_remove(directory);
}

static kt_process *start(const char *directory, const char *protocol, const char *flag, const char *value,
                         const char *more) {
  const kt_run_options options = {.directory = directory, .timeout_s = 60};
  return kt_start((const char *const[]){"qemu-aarch64", server, protocol, "LinkedRuntime", "--launcher", "qemu-aarch64",
                                        flag, value, more, NULL},
                  &options);
}

static void stop(kt_process *process, int code) {
  kt_signal(process, SIGTERM);
  kt_run run = kt_finish(process);
  kt_assert_exit(&run, code);
  kt_run_free(&run);
}

static float expected(const float *x, int k) {
  float sum = 0;
  for (int j = 0; j < INPUTS; j++) sum += x[j] * (float)((31 * k + 17 * j) % 13 - 6) / 8;
  return sum;
}

static void infer(kn_client *client, int round) {
  float x[INPUTS], y[2 * CLASSES]; /* the second output travels as it is after dequantization */
  for (int j = 0; j < INPUTS; j++) x[j] = (float)((j * 7 + round * 5) % 11) / 4;
  kt_assert_ok(kn_client_upload(client, KN_MESSAGE_DATA, x, sizeof x));
  kt_assert_ok(kn_client_process(client));
  kt_assert_ok(kn_client_output(client, y, sizeof y));
  for (int k = 0; k < CLASSES; k++) {
    float value = expected(x, k), steps = roundf(value / 0.5f + 3);
    kt_assert_near(y[k], value, 1e-6);
    steps = steps < -128 ? -128 : steps > 127 ? 127 : steps;
    kt_assert_near(y[CLASSES + k], 0.5 * (double)(steps - 3), 0.5001); /* a half may be rounded either way */
  }
}

static kn_client connect_to(const char *socket) {
  kn_connection connection;
  kn_client client;
  const kn_link_config link = {.wire = {.format = KN_WIRE_12, .frame_limit = 1 << 20}, .timeout_s = 60, .slowest = 1e5};
  kt_assert_ok(kn_unix_connect(socket, kn_now_ns() + 10000000000, &connection));
  kt_assert_ok(kn_client_open(connection, &link, &client));
  return client;
}

static void it_computes_what_the_model_computes(void **state) {
  (void)state;
  need(true);
  char *directory = kt_directory_make(), *socket = kt_path(directory, "s.sock");
  kt_process *process = start(directory, "UnixSocketProtocol", "--socket-path", socket, NULL);
  assert_true(kt_wait_output(process, "serving on", 60));
  kn_client client = connect_to(socket);
  kt_assert_fault(kn_client_upload(&client, KN_MESSAGE_MODEL, "another", 7), KN_BACKEND_FAILED, "refused MODEL");
  kt_assert_ok(kn_client_upload_file(&client, KN_MESSAGE_MODEL, model));
  for (int round = 0; round < 20; round++) infer(&client, round);
  kn_client_close(&client);
  stop(process, 0);
  free(socket);
  kt_directory_remove(directory);
}

/* What TVM compiled to C gives what TensorFlow Lite was recorded to give, within one step of its output. */
static void what_tvm_compiled_runs_there(void **state) {
  (void)state;
  need(true);
  char *own_server = server, *own_model = model;
  server = kt_source_path("build/aarch64-static-tvm/kenning-server");
  model = kt_source_path("tests/unit/tvm/data/sources.tar");
  bool there = kn_file_exists(server, NULL) && kn_file_exists(model, NULL);
  if (there) {
    char *directory = kt_directory_make(), *socket = kt_path(directory, "s.sock");
    kt_process *process = start(directory, "UnixSocketProtocol", "--socket-path", socket, NULL);
    assert_true(kt_wait_output(process, "serving on", 60));
    char *samples_path = kt_source_path("tests/unit/tflite/data/samples.f32");
    char *recorded_path = kt_source_path("tests/unit/tflite/data/int8.f32");
    size_t bytes, recorded_bytes;
    char *samples = kt_file_read(samples_path, &bytes), *recorded = kt_file_read(recorded_path, &recorded_bytes);
    const size_t count = bytes / (16 * sizeof(float));
    assert_true(count > 0);
    assert_int_equal(recorded_bytes, count * CLASSES * sizeof(float));
    kn_client client = connect_to(socket);
    kt_assert_ok(kn_client_upload_file(&client, KN_MESSAGE_MODEL, model));
    for (size_t i = 0; i < count; i++) {
      float y[CLASSES], expected_y[CLASSES];
      memcpy(expected_y, recorded + i * sizeof y, sizeof y);
      kt_assert_ok(kn_client_upload(&client, KN_MESSAGE_DATA, samples + i * 16 * sizeof(float), 16 * sizeof(float)));
      kt_assert_ok(kn_client_process(&client));
      kt_assert_ok(kn_client_output(&client, y, sizeof y));
      for (int k = 0; k < CLASSES; k++) kt_assert_near(y[k], expected_y[k], 1.0 / 256);
    }
    kn_client_close(&client);
    stop(process, 0);
    free(samples);
    free(recorded);
    free(samples_path);
    free(recorded_path);
    free(socket);
    kt_directory_remove(directory);
  }
  free(server);
  free(model);
  server = own_server;
  model = own_model;
  if (there) return;
  kt_skip("the server with TVM's sources: make target, with tests/unit/tvm/data/sources.tar");
}

/* TVM's archives are of 1970. Whatever was built before in that place, a program holds one archive's model alone. */
static void sources_are_newer_than_what_was_built_of_others(void **state) {
  (void)state;
  need(false);
  char *source = kt_source_path("build/aarch64-static-tvm/linked-model/sources/kenning_model.c");
  struct stat found;
  bool there = stat(source, &found) == 0;
  free(source);
  if (!there) kt_skip("the server with TVM's sources: make target, with tests/unit/tvm/data/sources.tar");
  const time_t year_2020 = 1577836800;
  assert_true(found.st_mtime > year_2020);
}

static const char scenario[] =
    "{\"runtime_protocol\": {\"type\": \"UnixSocketProtocol\", \"parameters\": {\"socket_path\": \"s.sock\"}}, "
    "\"runtime\": {\"type\": \"LinkedRuntime\"}, "
    "\"model_wrapper\": {\"type\": \"NullModelWrapper\", \"parameters\": {\"model_path\": \"%s\"}}, "
    "\"dataset\": {\"type\": \"RandomizedClassificationDataset\", \"parameters\": {\"split\": \"all\", "
    "\"num_samples\": 20, \"num_classes\": 3, \"input_dims\": [4, 4, 3]}}}";

static void a_scenario_runs_there(void **state) {
  (void)state;
  need(true);
  char *directory = kt_directory_make(), *path = kt_path(directory, "s.json"), *copy = kt_path(directory, "model.tar");
  char *text = kn_format(scenario, "model.tar"), *output = kt_path(directory, "out.json");
  size_t bytes;
  char *data = kt_file_read(model, &bytes);
  kt_file_write(copy, data, bytes);
  kt_assert_ok(kn_file_write(path, text, strlen(text)));
  const char spec[] =
      "{\"input\": [{\"name\": \"x\", \"shape\": [1, 4, 4, 3], \"dtype\": \"float32\"}], \"output\": [{\"name\": "
      "\"y\", \"shape\": [1, 3], \"dtype\": \"float32\"}, {\"name\": \"q\", \"shape\": [1, 3], \"dtype\": \"int8\", "
      "\"scale\": 0.5, \"zero_point\": 3}]}";
  char *spec_path = kt_path(directory, "model.tar.json");
  kt_assert_ok(kn_file_write(spec_path, spec, sizeof spec - 1));
  const kt_run_options options = {.directory = directory, .timeout_s = 60};
  /* The same scenario, on a host that has no such runtime: it is refused there, run on the target. */
  kt_run run = kt_run_kenning(&options, "json_inference_server", "s.json");
  kt_assert_exit(&run, 2);
  kt_assert_contains(run.err, "static targets");
  kt_run_free(&run);
  kt_process *process = start(directory, "UnixSocketProtocol", "--socket-path", "s.sock", NULL);
  assert_true(kt_wait_output(process, "serving on", 60));
  run = kt_run_kenning(&options, "json_inference_tester", "s.json", "out.json");
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  stop(process, 0);
  char *json = kt_file_read(output, NULL);
  yyjson_doc *doc = yyjson_read(json, strlen(json), 0);
  yyjson_val *root = yyjson_doc_get_root(doc);
  assert_int_equal(yyjson_get_int(yyjson_ptr_get(root, "/run/samples")), 20);
  assert_true(yyjson_is_true(yyjson_obj_get(root, "complete")));
  assert_int_equal(yyjson_arr_size(yyjson_obj_get(root, "target_inference_step")), 21);
  yyjson_doc_free(doc);
  free(json);
  free(spec_path);
  free(data);
  free(output);
  kn_free(text);
  free(copy);
  free(path);
  kt_directory_remove(directory);
}

static int free_port(void) {
  int fd;
  bool loopback;
  int64_t port;
  kt_assert_ok(kn_tcp_listen("127.0.0.1", 0, &fd, &loopback, &port));
  close(fd);
  return (int)port;
}

/* It serves this machine alone, unless told otherwise, and looks no names up. */
static void it_listens_to_its_own_machine(void **state) {
  (void)state;
  need(true);
  static const char *const hosts[][2] = {{"0.0.0.0", "--insecure"}, {"board.example", "numbers"}};
  char *directory = kt_directory_make();
  for (size_t i = 0; i < 2; i++) {
    kt_process *process = start(directory, "kenning.protocols.network.NetworkProtocol", "--host", hosts[i][0], NULL);
    kt_run run = kt_finish(process);
    kt_assert_exit(&run, 2);
    kt_assert_contains(run.err, hosts[i][1]);
    kt_run_free(&run);
  }
  char port[32];
  snprintf(port, sizeof port, "--port=%d", free_port());
  kt_process *process = start(directory, "NetworkProtocol", "--host", "localhost", port);
  assert_true(kt_wait_output(process, "serving on", 60));
  stop(process, 0);
  kt_directory_remove(directory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(it_needs_nothing),
      cmocka_unit_test(it_is_small),
      cmocka_unit_test(a_scenario_runs_there),
      cmocka_unit_test(it_computes_what_the_model_computes),
      cmocka_unit_test(what_tvm_compiled_runs_there),
      cmocka_unit_test(sources_are_newer_than_what_was_built_of_others),
      cmocka_unit_test(it_listens_to_its_own_machine),
  };
  return cmocka_run_group_tests(tests, find_parts, forget_parts);
}
