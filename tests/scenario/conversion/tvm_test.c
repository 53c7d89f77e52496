/* What TVM compiles of models in the formats that it does not read itself, through conversions, and of Darknet's. */
#include <stdio.h>
#include <stdlib.h>

#include "scenario/conversion/engine.h"

static const char excuses[] = ", \"fragile\": \"a library holds machine code, which runs as it is\"";

static void compiled_as_recorded(const recorded *of, const char *name) {
  kt_need("tvm");
  char *directory = kt_directory_make(), *in = recorded_copy(of, directory, name), *out = kt_path(directory, "out.so");
  assert_converted(directory, in, out);
  assert_runs(directory, "tvm", "TVMRuntime", "tvm", out, of, excuses);
  free(in);
  free(out);
  kt_directory_remove(directory);
}

static void keras_models(void **state) {
  (void)state;
  kt_need("onnx");
  compiled_as_recorded(&recorded_keras, "in.h5");
}

static void torchscript(void **state) {
  (void)state;
  kt_need("pytorch-tools");
  compiled_as_recorded(&recorded_script, "in.pt");
}

static void state_dictionaries(void **state) {
  (void)state;
  kt_need("pytorch-tools");
  compiled_as_recorded(&recorded_state, "in.pth");
}

/* A network of seeded weights, as Darknet's two files, against what plain arithmetic makes of them. */
static void darknet_networks(void **state) {
  (void)state;
  kt_need("tvm");
  char *directory = kt_directory_make(), *runner = kt_source_path("tests/unit/tvm/run-in-environment"),
       *script = kt_source_path("tests/unit/tvm/darknet_network.py"), *in = kt_path(directory, "net.weights"),
       *out = kt_path(directory, "net.so"), *samples = kt_path(directory, "samples.f32"),
       *outputs = kt_path(directory, "outputs.f32");
  kt_run run =
      kt_run_program((const char *const[]){runner, script, directory, NULL}, &(kt_run_options){.timeout_s = 120});
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  assert_converted(directory, in, out);
  const recorded of = {.samples = samples, .outputs = outputs, .shape = "3, 8, 8", .classes = 512};
  assert_runs(directory, "tvm", "TVMRuntime", "tvm", out, &of, excuses);
  char *configuration = kt_path(directory, "net.cfg");
  assert_int_equal(remove(configuration), 0);
  run = convert(directory, in, out, NULL);
  kt_assert_exit(&run, 2);
  kt_assert_contains(run.err, "net.cfg");
  kt_run_free(&run);
  free(configuration);
  free(runner);
  free(script);
  free(in);
  free(out);
  free(samples);
  free(outputs);
  kt_directory_remove(directory);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(keras_models), cmocka_unit_test(torchscript),
                                     cmocka_unit_test(state_dictionaries), cmocka_unit_test(darknet_networks)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
