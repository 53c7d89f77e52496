/* Models of PyTorch to ONNX, TorchScript and AOTInductor packages, and what is refused. That outputs are right is
 * checked twice: by the tool against its source, and here against recorded ones. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenario/conversion/engine.h"

static const recorded *const models[] = {&recorded_script, &recorded_state};
enum { MODELS = sizeof models / sizeof *models };

static void models_become_onnx(void **state) {
  (void)state;
  kt_need("pytorch-tools");
  kt_need("onnxruntime");
  for (size_t i = 0; i < MODELS; i++) {
    char *directory = kt_directory_make(), *in = recorded_copy(models[i], directory, "in.pt"),
         *out = kt_path(directory, "out.onnx");
    assert_converted(directory, in, out);
    assert_runs(directory, "onnxruntime", "ONNXRuntime", "onnx", out, models[i], NULL);
    free(in);
    free(out);
    kt_directory_remove(directory);
  }
}

/* ... and an ONNX model becomes TorchScript again. */
static void models_become_torchscript(void **state) {
  (void)state;
  kt_need("pytorch-tools");
  kt_need("pytorch");
  char *directory = kt_directory_make(), *in = recorded_copy(&recorded_state, directory, "in.pth"),
       *onnx = kt_path(directory, "out.onnx"), *out = kt_path(directory, "out.torchscript"),
       *again = kt_path(directory, "again.torchscript");
  assert_converted(directory, in, out);
  assert_converted(directory, in, onnx);
  assert_converted(directory, onnx, again);
  assert_runs(directory, "pytorch", "PyTorchRuntime", "torchscript", out, &recorded_state, NULL);
  assert_runs(directory, "pytorch", "PyTorchRuntime", "torchscript", again, &recorded_state, NULL);
  free(in);
  free(onnx);
  free(out);
  free(again);
  kt_directory_remove(directory);
}

/* Compiled of TorchScript and of a state dictionary; compiling takes a minute each, so the second is for test-all. */
static void packages_run_in_libtorch(void **state) {
  (void)state;
  kt_need("pytorch-tools");
  kt_need("pytorch");
  for (size_t i = 0; i < (getenv("KENNING_TEST_ALL") ? MODELS : 1); i++) {
    char *directory = kt_directory_make(), *in = recorded_copy(models[i], directory, "in.pt"),
         *out = kt_path(directory, "out.pt2"), *other = kt_path(directory, "other.onnx");
    assert_converted(directory, in, out);
    assert_runs(directory, "pytorch", "PyTorchRuntime", "aotinductor", out, models[i],
                ", \"fragile\": \"a package is a program: what is damaged in it is run\""
                ", \"stays\": \"the C library never unloads a package's code, which has unique symbols\"");
    /* What is compiled cannot become anything else. */
    kt_run run = convert(directory, out, other, "--from", "torch", NULL);
    kt_assert_exit(&run, 2);
    kt_assert_contains(run.err, "is a compiled package");
    kt_run_free(&run);
    free(other);
    free(in);
    free(out);
    kt_directory_remove(directory);
  }
}

static void pickled_modules_are_refused_by_name(void **state) {
  (void)state;
  kt_need("pytorch-tools");
  static const struct {
    const char *file, *part;
  } cases[] = {{"module.pth", "torchvision.models.mobilenetv2.MobileNetV2"}, {"attack.pth", "posix.system"}};
  char *directory = kt_directory_make(), *out = kt_path(directory, "out.onnx");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char file[80];
    snprintf(file, sizeof file, "tests/unit/pytorch/data/%s", cases[i].file);
    const recorded of = {.file = file, .shape = "3, 8, 8", .classes = 3};
    char *in = recorded_copy(&of, directory, cases[i].file);
    kt_run run = convert(directory, in, out, NULL);
    kt_assert_exit(&run, 2);
    kt_assert_contains(run.err, cases[i].part);
    kt_assert_contains(run.err, "load_pickled_modules");
    kt_run_free(&run);
    free(in);
  }
  free(out);
  kt_directory_remove(directory);
}

/* A module that torch.save pickled as a whole, by the Python of the tools. */
static void pickled_modules_are_converted_when_told_to(void **state) {
  (void)state;
  kt_need("pytorch-tools");
  char *directory = kt_directory_make(), *in = kt_path(directory, "in.pth"), *out = kt_path(directory, "out.onnx"),
       *script = kt_source_path("tests/scenario/conversion/pickle-module");
  kt_run run = kt_run_program((const char *const[]){script, in, NULL}, &(kt_run_options){.timeout_s = 300});
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  run = convert(directory, in, out, NULL);
  kt_assert_exit(&run, 2);
  kt_assert_contains(run.err, "torch.nn.modules.container.Sequential");
  kt_run_free(&run);
  run = convert(directory, in, out, "--load-pickled-modules", NULL);
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  free(in);
  free(out);
  free(script);
  kt_directory_remove(directory);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(models_become_onnx), cmocka_unit_test(models_become_torchscript),
                                     cmocka_unit_test(packages_run_in_libtorch),
                                     cmocka_unit_test(pickled_modules_are_refused_by_name),
                                     cmocka_unit_test(pickled_modules_are_converted_when_told_to)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
