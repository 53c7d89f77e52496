/* kenning-server and TensorFlow Lite for 64-bit Arm under qemu-user: what it gives is what this machine's give. */
#include "core/file.h"
#include "resources/place.h"
#include "support/directory.h"
#include "support/near.h"
#include "support/program.h"
#include "support/status.h"
#include "support/unit.h"
#include "target/client.h"
#include "transport/unix.h"

#include <elf.h>
#include <kenning/process.h>
#include <kenning/services.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUTS = 16, OUTPUTS = 3 };
#define SYSROOT "/usr/aarch64-linux-gnu"

static const char launcher[] = "qemu-aarch64 -L " SYSROOT;

/* NULL, or what is missing. */
static const char *missing(const char *server, const char *data) {
  char *qemu = NULL, *lock = kn_format("%s/tflite/lock.json", data);
  kn_status status = kn_process_find("qemu-aarch64", &qemu);
  const char *what = NULL;
  if (status)
    what = "qemu-aarch64 is missing: scripts/bootstrap cross";
  else if (!kn_file_exists(server, NULL))
    what = "kenning-server for aarch64 is missing: make aarch64";
  else if (!kn_file_exists(lock, NULL))
    what = "the engine is missing: kenning install --arch aarch64 tflite";
  kn_status_free(status);
  kn_free(qemu);
  kn_free(lock);
  return what;
}

static void it_is_for_that_machine(const char *server) {
  size_t bytes;
  char *data = kt_file_read(server, &bytes);
  Elf64_Ehdr header;
  assert_true(bytes > sizeof header);
  memcpy(&header, data, sizeof header);
  assert_int_equal(header.e_machine, EM_AARCH64);
  free(data);
}

static kn_client connect_to(const char *path) {
  kn_connection connection;
  kn_client client;
  const kn_link_config link = {
      .wire = {.format = KN_WIRE_12, .frame_limit = 1 << 20}, .timeout_s = 120, .slowest = 1e5};
  kt_assert_ok(kn_unix_connect(path, kn_now_ns() + 10000000000, &connection));
  kt_assert_ok(kn_client_open(connection, &link, &client));
  return client;
}

/* The outputs of every sample by both servers; `tolerance` 0 wants the same bytes. */
static void compare(kn_client *arm, kn_client *here, const char *name, double tolerance) {
  size_t bytes;
  char *samples_path = kt_source_path("tests/unit/tflite/data/samples.f32"),
       *samples = kt_file_read(samples_path, &bytes);
  char *relative = kn_format("tests/unit/tflite/data/%s.tflite", name), *path = kt_source_path(relative);
  const size_t count = bytes / (INPUTS * sizeof(float));
  kn_client *both[] = {arm, here};
  assert_true(count > 0);
  for (int k = 0; k < 2; k++) kt_assert_ok(kn_client_upload_file(both[k], KN_MESSAGE_MODEL, path));
  for (size_t i = 0; i < count; i++) {
    float outputs[2][OUTPUTS];
    for (int k = 0; k < 2; k++) {
      kt_assert_ok(
          kn_client_upload(both[k], KN_MESSAGE_DATA, samples + i * INPUTS * sizeof(float), INPUTS * sizeof(float)));
      kt_assert_ok(kn_client_process(both[k]));
      kt_assert_ok(kn_client_output(both[k], outputs[k], sizeof outputs[k]));
    }
    for (size_t k = 0; k < OUTPUTS; k++) kt_assert_near(outputs[0][k], outputs[1][k], tolerance);
  }
  kn_free(relative);
  free(path);
  free(samples);
  free(samples_path);
}

static void an_arm_board_gives_what_this_machine_gives(void **state) {
  (void)state;
  const char *program = kt_kenning_release();
  char *server = kt_source_path("build/aarch64/kenning-server"), *data, here[4096];
  kt_assert_ok(kn_place_data(&data));
  char *arm_data = kn_format("%s/aarch64", data), *variable = kn_format("KENNING_DATA_DIR=%s", arm_data);
  const char *why = missing(server, arm_data);
  if (why) {
    kn_free(variable);
    kn_free(arm_data);
    kn_free(data);
    free(server);
    kt_skip("%s", why);
  }
  it_is_for_that_machine(server);
  snprintf(here, sizeof here, "%s-server", program);
  char *directory = kt_directory_make(), *sockets[] = {kt_path(directory, "a.sock"), kt_path(directory, "h.sock")},
       *models[] = {kt_path(directory, "a.tflite"), kt_path(directory, "h.tflite")};
  kt_process *servers[] = {
      kt_start((const char *const[]){"qemu-aarch64", "-L", SYSROOT, server, "UnixSocketProtocol", "TFLiteRuntime",
                                     "--launcher", launcher, "--socket-path", sockets[0], "--save-model-path",
                                     models[0], "--num-threads", "1", NULL},
               &(kt_run_options){.environment = (const char *const[]){variable, "KENNING_PLUGIN_PATH", NULL}}),
      kt_start((const char *const[]){here, "UnixSocketProtocol", "TFLiteRuntime", "--socket-path", sockets[1],
                                     "--save-model-path", models[1], "--num-threads", "1", NULL},
               &(kt_run_options){.environment = (const char *const[]){"KENNING_PLUGIN_PATH", NULL}})};
  for (int i = 0; i < 2; i++) assert_true(kt_wait_output(servers[i], "serving on", 60));
  kn_client arm = connect_to(sockets[0]), same = connect_to(sockets[1]);
  compare(&arm, &same, "fp32", 1e-6);
  compare(&arm, &same, "int8", 0);
  kn_client_close(&arm);
  kn_client_close(&same);
  for (int i = 0; i < 2; i++) {
    kt_signal(servers[i], SIGTERM);
    kt_run run = kt_finish(servers[i]);
    kt_assert_exit(&run, 0);
    kt_run_free(&run);
    free(sockets[i]);
    free(models[i]);
  }
  kt_directory_remove(directory);
  kn_free(variable);
  kn_free(arm_data);
  kn_free(data);
  free(server);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(an_arm_board_gives_what_this_machine_gives)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
