/* MXNet and PyTorch as a user runs them: training on Fashion-MNIST, native inference, their runtimes, and files that
 * are refused. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/directory.h"
#include "support/program.h"
#include "support/status.h"
#include "support/unit.h"

#define SOURCE(name) \
  (snprintf(source_path, sizeof source_path, "%s/" name, getenv("KENNING_TEST_SOURCE_DIR")), source_path)

/* Where Fashion-MNIST is: named by the environment, of the demonstration, or Debian's package. */
static const char *data_set(void) {
  static char path[4096];
  const char *named = getenv("KENNING_TEST_FASHION_MNIST"), *source = getenv("KENNING_TEST_SOURCE_DIR");
  char demo[4000], file[4096];
  snprintf(demo, sizeof demo, "%s/build/demo/fashion-mnist", source ? source : ".");
  const char *const places[] = {named ? named : demo, demo, "/usr/share/datasets/fashion-mnist"};
  for (size_t i = 0; i < 3; i++) {
    snprintf(path, sizeof path, "%s", places[i]);
    snprintf(file, sizeof file, "%.4000s/train-images-idx3-ubyte.gz", path);
    if (access(file, R_OK) == 0) return path;
  }
  return NULL;
}

typedef struct framework {
  const char *name, *wrapper, *trained, *runtime, *model;
} framework;

static const framework frameworks[] = {
    {"mxnet", "MXNetWrapper", "MXNetFashionMNISTCNN", "MXNetRuntime", "model.params"},
    {"pytorch", "PyTorchWrapper", "PyTorchFashionMNISTCNN", "PyTorchRuntime", "model.pt"}};

static const kt_run_options options = {.environment = (const char *const[]){"KENNING_PLUGIN_PATH", NULL},
                                       .timeout_s = 300};
static char source_path[4096];
static unsigned skipped;

#define run(...) kt_run_program((const char *const[]){kt_kenning_release(), __VA_ARGS__, NULL}, &options)

/* Skips, and says what to install. */
static void require(const framework *of) {
  if (!data_set()) {
    print_message("    not run: the Debian package dataset-fashion-mnist is not installed\n");
    skipped++;
    skip();
  }
  kt_run doctor = run("doctor", of->name);
  bool installed = doctor.exit_code == 0;
  kt_run_free(&doctor);
  if (installed) return;
  print_message("    not run: `kenning install %s`\n", of->name);
  skipped++;
  skip();
}

static double number_in(const char *json, const char *key) {
  char quoted[64];
  snprintf(quoted, sizeof quoted, "\"%s\"", key);
  const char *at = strstr(json, quoted);
  return at ? strtod(at + strlen(quoted) + strspn(at + strlen(quoted), " :"), NULL) : -1;
}

static double accuracy(const char *path) {
  char *text = kt_file_read(path, NULL);
  double hits = 0, all = number_in(text, "total");
  const char *matrix = strstr(text, "\"eval_confusion_matrix\"");
  assert_non_null(matrix);
  matrix = strchr(matrix, '[') + 1;
  for (int row = 0; row < 10; row++) {
    matrix = strchr(matrix, '[') + 1;
    for (int column = 0; column < 10; column++) {
      char *end;
      double count = strtod(matrix + strspn(matrix, ", \n\r\t"), &end);
      if (row == column) hits += count;
      matrix = end;
    }
  }
  free(text);
  assert_true(all > 0);
  return hits / all;
}

static void write_scenario(const char *path, const framework *of, const char *model, bool runtime) {
  char text[4096], part[1024] = "";
  if (runtime)
    snprintf(part, sizeof part,
             ", \"runtime\": {\"type\": \"%s\", \"parameters\": {\"save_model_path\": \"%s\", \"num_threads\": 1}}",
             of->runtime, model);
  snprintf(text, sizeof text,
           "{\"model_wrapper\": {\"type\": \"%s\", \"parameters\": {\"model_path\": \"%s\", \"num_threads\": 1}},"
           " \"dataset\": {\"type\": \"FashionMNISTDataset\", \"parameters\": {\"dataset_root\": \"%s\"}}%s}",
           of->wrapper, model, data_set(), part);
  kt_file_write_text(path, text);
}

/* Trained for two epochs, run natively and by the runtime: the same predictions. */
static void a_trained_network_runs(const framework *of) {
  require(of);
  char *directory = kt_directory_make(), *model = kt_path(directory, of->model),
       *scenario = kt_path(directory, "s.json"), *native = kt_path(directory, "native.json"),
       *runtime = kt_path(directory, "runtime.json");
  kt_run trained =
      run("model_training", of->trained, "FashionMNISTDataset", "--dataset-root", data_set(), "--model-path", model,
          "--batch-size", "128", "--learning-rate", "0.003", "--num-epochs", "2", "--seed", "1", "--num-threads", "1");
  kt_assert_exit(&trained, 0);
  kt_run_free(&trained);
  for (int i = 0; i < 2; i++) {
    write_scenario(scenario, of, model, i == 1);
    kt_run tested = run("json_inference_tester", scenario, i ? runtime : native);
    kt_assert_exit(&tested, 0);
    kt_run_free(&tested);
  }
  double one = accuracy(native), other = accuracy(runtime);
  print_message("    %s: %.4f natively, %.4f by its runtime\n", of->name, one, other);
  assert_true(one > 0.85);
  assert_true(one == other);
  free(model);
  free(scenario);
  free(native);
  free(runtime);
  kt_directory_remove(directory);
}

static void mxnet_is_trained_and_runs(void **state) {
  (void)state;
  a_trained_network_runs(&frameworks[0]);
}

static void pytorch_is_trained_and_runs(void **state) {
  (void)state;
  a_trained_network_runs(&frameworks[1]);
}

/* A file of another framework, of text, or with code in it: exit 2, and the message says why. */
static void foreign_files_are_refused(const framework *of, const char *file, const char *part) {
  require(of);
  char *directory = kt_directory_make(), *scenario = kt_path(directory, "s.json"),
       *out = kt_path(directory, "out.json");
  write_scenario(scenario, of, file, false);
  kt_run refused = run("json_inference_tester", scenario, out);
  kt_assert_exit(&refused, 2);
  kt_assert_contains(refused.err, part);
  kt_run_free(&refused);
  free(scenario);
  free(out);
  kt_directory_remove(directory);
}

static void mxnet_refuses_what_is_not_its_own(void **state) {
  (void)state;
  foreign_files_are_refused(&frameworks[0], SOURCE("tests/unit/tflite/data/fp32.tflite"), "no file of MXNet arrays");
}

static void pytorch_refuses_what_is_not_its_own(void **state) {
  (void)state;
  foreign_files_are_refused(&frameworks[1], SOURCE("tests/unit/tflite/data/fp32.tflite"), "no file of PyTorch's");
}

static void pytorch_refuses_code(void **state) {
  (void)state;
  foreign_files_are_refused(&frameworks[1], SOURCE("tests/unit/pytorch/data/attack.pth"), "posix.system");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(mxnet_is_trained_and_runs), cmocka_unit_test(mxnet_refuses_what_is_not_its_own),
      cmocka_unit_test(pytorch_is_trained_and_runs), cmocka_unit_test(pytorch_refuses_what_is_not_its_own),
      cmocka_unit_test(pytorch_refuses_code)};
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  return failed ? failed : skipped ? 77 : 0;
}
