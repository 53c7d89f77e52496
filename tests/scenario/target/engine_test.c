/* A real engine behind the server: TensorFlow Lite, where it is installed. What comes back over the wire is what the
 * models were recorded to give. */
#include "support/directory.h"
#include "support/near.h"
#include "support/program.h"
#include "support/status.h"
#include "support/unit.h"
#include "target/client.h"
#include "transport/unix.h"

#include <kenning/services.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { INPUTS = 16, OUTPUTS = 3 };

static float *read_floats(const char *name, size_t *out_count) {
  char *path = kt_source_path(name), *data = kt_file_read(path, out_count);
  *out_count /= sizeof(float);
  free(path);
  return (float *)(void *)data;
}

/* Model after model over one connection; no io specification: the engine knows its models. */
static void run_model(kn_client *client, const char *model, const char *recorded, double tolerance) {
  size_t inputs, outputs;
  char *path = kt_source_path(model);
  float *samples = read_floats("tests/unit/tflite/data/samples.f32", &inputs);
  float *expected = read_floats(recorded, &outputs);
  assert_true(inputs / INPUTS > 0);
  assert_int_equal(inputs / INPUTS, outputs / OUTPUTS);
  kt_assert_ok(kn_client_upload_file(client, KN_MESSAGE_MODEL, path));
  for (size_t i = 0; i < inputs / INPUTS; i++) {
    float output[OUTPUTS];
    kt_assert_ok(kn_client_upload(client, KN_MESSAGE_DATA, samples + i * INPUTS, INPUTS * sizeof *samples));
    kt_assert_ok(kn_client_process(client));
    kt_assert_ok(kn_client_output(client, output, sizeof output));
    for (size_t k = 0; k < OUTPUTS; k++) kt_assert_near(output[k], expected[i * OUTPUTS + k], tolerance);
  }
  free(samples);
  free(expected);
  free(path);
}

/* Half a model, a model with a hole, and somebody else's: refused, and the connection goes on. */
static void refuse_models(kn_client *client) {
  size_t bytes;
  char *path = kt_source_path("tests/unit/tflite/data/fp32.tflite"), *model = kt_file_read(path, &bytes);
  static const char foreign[] = "\211HDF\r\n\032\n and so on";
  kt_assert_fault(kn_client_upload(client, KN_MESSAGE_MODEL, "no model at all", 15), KN_BACKEND_FAILED,
                  "refused MODEL");
  kt_assert_fault(kn_client_upload(client, KN_MESSAGE_MODEL, foreign, sizeof foreign), KN_BACKEND_FAILED,
                  "refused MODEL");
  kt_assert_fault(kn_client_upload(client, KN_MESSAGE_MODEL, model, bytes / 2), KN_BACKEND_FAILED, "refused MODEL");
  memset(model + 16, 0xFF, bytes / 4);
  kt_assert_fault(kn_client_upload(client, KN_MESSAGE_MODEL, model, bytes), KN_BACKEND_FAILED, "refused MODEL");
  kt_assert_fault(kn_client_process(client), KN_BACKEND_FAILED, "wrong state");
  free(model);
  free(path);
}

static void a_real_engine_gives_what_was_recorded(void **state) {
  (void)state;
  const char *program = kt_kenning_release();
  const kt_run_options options = {.environment = (const char *const[]){"KENNING_PLUGIN_PATH", NULL}};
  kt_need("tflite");
  char *directory = kt_directory_make(), *path = kt_path(directory, "s.sock"), *model = kt_path(directory, "m.tflite");
  char server[4096];
  snprintf(server, sizeof server, "%s-server", program);
  kt_process *process = kt_start((const char *const[]){server, "UnixSocketProtocol", "TFLiteRuntime", "--socket-path",
                                                       path, "--save-model-path", model, "--num-threads", "1", NULL},
                                 &options);
  assert_true(kt_wait_output(process, "serving on", 30));
  kn_connection connection;
  kn_client client;
  const kn_link_config link = {.wire = {.format = KN_WIRE_12, .frame_limit = 1 << 20}, .timeout_s = 60, .slowest = 1e6};
  kt_assert_ok(kn_unix_connect(path, kn_now_ns() + 10000000000, &connection));
  kt_assert_ok(kn_client_open(connection, &link, &client));
  refuse_models(&client);
  run_model(&client, "tests/unit/tflite/data/fp32.tflite", "tests/unit/tflite/data/fp32.f32", 1e-5);
  run_model(&client, "tests/unit/tflite/data/int8.tflite", "tests/unit/tflite/data/int8.f32", 0.01);
  refuse_models(&client);
  kn_client_close(&client);
  kt_signal(process, SIGTERM);
  kt_run run = kt_finish(process);
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  free(path);
  free(model);
  kt_directory_remove(directory);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_real_engine_gives_what_was_recorded)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
