/* What is wrong with the outputs, the inputs and the flags is told before any work begins. */
#include "support/directory.h"
#include "support/program.h"
#include "support/unit.h"

#include <kenning/base.h>

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Would take minutes: whoever judges only after the run is ended by the time limit. */
static const char long_scenario[] =
    "{\"model_wrapper\": {\"type\": \"NullModelWrapper\"}, \"runtime\": {\"type\": \"NullRuntime\"},\n"
    " \"dataset\": {\"type\": \"RandomizedClassificationDataset\", \"parameters\": {\"split\": \"all\",\n"
    "  \"num_samples\": 5000000, \"input_dims\": [224, 224, 3]}}}\n";
static const char short_scenario[] =
    "{\"model_wrapper\": {\"type\": \"NullModelWrapper\"}, \"runtime\": {\"type\": \"NullRuntime\"},\n"
    " \"dataset\": {\"type\": \"RandomizedClassificationDataset\", \"parameters\": {\"num_samples\": 20}}}\n";

static char *directory; /* of the running test */

static int make_directory(void **state) {
  (void)state;
  directory = kt_directory_make();
  return 0;
}

static int remove_directory(void **state) {
  (void)state;
  kt_directory_remove(directory);
  return 0;
}

static void write_file(const char *name, const char *text) {
  char *path = kt_path(directory, name);
  kt_file_write_text(path, text);
  free(path);
}

static bool there(const char *name) {
  char *path = kt_path(directory, name);
  bool found = access(path, F_OK) == 0;
  free(path);
  return found;
}

enum { WORDS = 14 };

/* Runs kenning in the test's directory and expects the exit code and, in stderr, the text. */
static void expect(int code, const char *text, const char *const *words) {
  const char *arguments[WORDS + 2] = {kt_kenning()};
  for (size_t i = 0; i < WORDS && words[i]; i++) arguments[i + 1] = words[i];
  kt_run_options options = {.directory = directory, .timeout_s = 20};
  kt_run run = kt_run_program(arguments, &options);
  kt_assert_exit(&run, code);
  if (text) kt_assert_contains(run.err, text);
  kt_run_free(&run);
}
#define EXPECT(code, text, ...) expect(code, text, (const char *const[WORDS + 1]){__VA_ARGS__})

static void a_report_is_judged_before_its_run(void **state) {
  (void)state;
  write_file("s.json", long_scenario);
  write_file("file", "");
#define CHAIN "test", "report", "--json-cfg", "s.json", "--measurements", "m.json"
  EXPECT(2, "ends in .rst, .md or .html", CHAIN, "--report-path", "r.txt");
  EXPECT(2, "--to-html names a directory", CHAIN, "--to-html", "file");
  EXPECT(2, "unknown report type \"speed\"", CHAIN, "--to-html", "d", "--report-types", "speed");
  EXPECT(2, "2 model names for 1", CHAIN, "--to-html", "d", "--model-names", "a", "b");
  EXPECT(2, "'to_html' is an empty path", CHAIN, "--to-html", "");
  EXPECT(2, "the name of the report", CHAIN, "--to-html", "d", "--report-name", "a\nb");
  EXPECT(2, "is a measurement file", "test", "report", "--json-cfg", "s.json", "--measurements", "m.html",
         "--report-path", "m.html");
  EXPECT(1, "/proc/nowhere", CHAIN, "--report-path", "/proc/nowhere/r.html");
  EXPECT(2, "is not below the root directory", CHAIN, "--report-path", "r.rst", "--root-dir", "one", "--img-dir",
         "two");
  EXPECT(2, "--report-path and --to-html are of the step 'report'", "test", "--json-cfg", "s.json", "--measurements",
         "m.json", "--to-html", "d");
  EXPECT(2, "--run-benchmarks-only compiles nothing", "optimize", "--json-cfg", "s.json", "--run-benchmarks-only");
  EXPECT(2, "the flags of blocks where classes are named", "test", "--json-cfg", "s.json", "--num-threads", "1");
  assert_false(there("m.json"));
  assert_false(there("d"));
}

/* Training and optimizing write nothing that a report shows: the files must be there, and stay as they are. */
static void a_report_of_older_files_is_judged_before_its_run(void **state) {
  (void)state;
  write_file("s.json", short_scenario);
  EXPECT(2, "m.json", "optimize", "report", "--json-cfg", "s.json", "--measurements", "m.json", "--to-html", "d");
  write_file("m.json", "{}");
  EXPECT(2, "this is no measurement file", "optimize", "report", "--json-cfg", "s.json", "--measurements", "m.json",
         "--to-html", "d");
  write_file("m.json", "{\"target_inference_step\": [1, 2]}");
  EXPECT(0, NULL, "optimize", "report", "--json-cfg", "s.json", "--measurements", "m.json", "--to-html", "d");
  assert_true(there("d/index.html"));
  char *path = kt_path(directory, "m.json"), *text = kt_file_read(path, NULL);
  assert_string_equal(text, "{\"target_inference_step\": [1, 2]}");
  free(text);
  free(path);
}

static void flags_are_given_once(void **state) {
  (void)state;
  write_file("s.json", long_scenario);
#define TESTER \
  "inference_tester", "NullModelWrapper", "RandomizedClassificationDataset", "m.json", "--runtime-cls", "NullRuntime"
  EXPECT(2, "--warmup: error: 'warmup' is given twice", "json_inference_tester", "s.json", "m.json", "--warmup", "1",
         "--warmup=2");
  EXPECT(2, "--samplescount: error: 'num_samples' is given twice", TESTER, "--num-samples", "30", "--samplescount",
         "20");
  EXPECT(2, "--no-download-dataset: error: 'download_dataset' is given twice", TESTER, "--download-dataset",
         "--no-download-dataset");
  EXPECT(2, "'runtime_cls' is given twice", TESTER, "--runtime-cls", "NullRuntime");
  EXPECT(2, "'test' is given twice", "test", "test", "--json-cfg", "s.json", "--measurements", "m.json");
  EXPECT(2, "needs one of: DEBUG, INFO", "json_inference_tester", "s.json", "m.json", "--verbosity");
  EXPECT(2, "takes no value", "test", "--help=3");
  EXPECT(2, "the command comes before its flags", "--verbosity");
  EXPECT(2, "is empty", "check", "");
  assert_false(there("m.json"));
}

/* Each block can be addressed by its class; --measurements may be repeated. */
static void flags_find_their_block(void **state) {
  (void)state;
  EXPECT(0, NULL, TESTER, "--RandomizedClassificationDataset.num-samples", "20");
  EXPECT(2, "unknown flag --NullRuntime.num-samples", TESTER, "--NullRuntime.num-samples", "20");
  write_file("a.json", "{\"target_inference_step\": [1, 2]}");
  write_file("b.json", "{\"target_inference_step\": [1, 2]}");
  EXPECT(0, NULL, "render_report", "r", "r.html", "--measurements", "a.json", "--measurements", "b.json");
}

static void what_is_no_file_does_not_block(void **state) {
  (void)state;
  char *pipe = kt_path(directory, "pipe.json"), *plugins = kt_path(directory, "plugins");
  assert_int_equal(mkfifo(pipe, 0600), 0);
  EXPECT(2, "pipe.json is a pipe, not a file", "check", "pipe.json");
  EXPECT(2, "is a device, not a file", "check", "/dev/zero");
  EXPECT(2, "is a directory, not a file", "check", "/tmp");
  EXPECT(2, "pipe.json is a pipe, not a file", "render_report", "r", "r.html", "--measurements", "pipe.json");
  write_file(
      "model.json",
      "{\"model_wrapper\": {\"type\": \"TensorFlowFashionMNISTCNN\", \"parameters\": {\"model_path\": "
      "\"pipe.json\"}},\n"
      " \"dataset\": {\"type\": \"RandomizedClassificationDataset\"}, \"runtime\": {\"type\": \"NullRuntime\"}}");
  EXPECT(2, "'model_path': pipe.json is a pipe", "json_inference_tester", "model.json", "m.json");
  char *images = kt_path(directory, "images"), *cat = kt_path(directory, "images/cat"),
       *image = kt_path(directory, "images/cat/one.jpg");
  assert_int_equal(mkdir(images, 0777), 0);
  assert_int_equal(mkdir(cat, 0777), 0);
  assert_int_equal(mkfifo(image, 0600), 0);
  write_file("folder.json",
             "{\"model_wrapper\": {\"type\": \"NullModelWrapper\"}, \"runtime\": {\"type\": \"NullRuntime\"},\n"
             " \"dataset\": {\"type\": \"ImageFolderDataset\", \"parameters\": {\"dataset_root\": \"images\"}}}");
  EXPECT(2, "images", "json_inference_tester", "folder.json", "m.json");
  assert_int_equal(mkdir(plugins, 0777), 0);
  char *plugin = kt_path(directory, "plugins/kenning-pipe.so");
  assert_int_equal(mkfifo(plugin, 0600), 0);
  const char *environment[] = {kn_format("KENNING_PLUGIN_PATH=%s", plugins), NULL};
  kt_run_options options = {.environment = environment, .timeout_s = 20};
  kt_run run = kt_run_kenning(&options, "list");
  kt_assert_exit(&run, 0);
  kt_assert_contains(run.err, "kenning-pipe.so is left out");
  kt_run_free(&run);
  kn_free((void *)(uintptr_t)environment[0]);
  free(plugin);
  free(image);
  free(cat);
  free(images);
  free(plugins);
  free(pipe);
}

/* Nothing long begins for a run whose inputs are not there. */
static void missing_inputs_are_told_before_the_data_set(void **state) {
  (void)state;
  write_file(
      "s.json",
      "{\"model_wrapper\": {\"type\": \"TensorFlowFashionMNISTCNN\", \"parameters\": {\"model_path\": \"none.h5\"}},\n"
      " \"runtime\": {\"type\": \"NullRuntime\"}, \"dataset\": {\"type\": \"PetDataset\", \"parameters\":\n"
      "  {\"dataset_root\": \"pets\", \"download_dataset\": true}}}");
  EXPECT(2, "'model_path': none.h5: cannot read: there is no such file", "json_inference_tester", "s.json", "m.json");
  assert_false(there("pets"));
  assert_false(there("m.json"));
}

#define CNN(model) \
  "{\"model_wrapper\": {\"type\": \"TensorFlowFashionMNISTCNN\", \"parameters\": {\"model_path\": \"" model "\"}},\n"
#define PETS                                                                                                    \
  "\"dataset\": {\"type\": \"PetDataset\", \"parameters\": {\"dataset_root\": \"pets\", \"download_dataset\": " \
  "true}},\n"
#define INTO(path) \
  "\"optimizers\": [{\"type\": \"TFLiteCompiler\", \"parameters\": {\"compiled_model_path\": \"" path "\"}}],\n"
#define TFLITE "\"runtime\": {\"type\": \"TFLiteRuntime\"}}"

/* A model is never overwritten by what is made from it, and nothing is made that could not be kept. */
static void outputs_are_judged_before_the_data_set(void **state) {
  (void)state;
  size_t bytes, left;
  char *source = kt_source_path("tests/contract/data/images28.h5"), *whole = kt_file_read(source, &bytes),
       *model = kt_path(directory, "my.h5"), *link = kt_path(directory, "link.tflite");
  kt_file_write(model, whole, bytes);
  free(source);
  assert_int_equal(symlink("my.h5", link), 0);
  free(link);
  write_file("same.json", CNN("my.h5") PETS INTO("my.h5") TFLITE);
  EXPECT(2, "TFLiteCompiler writes my.h5, which is the model of TensorFlowFashionMNISTCNN", "check", "same.json");
  EXPECT(2, "TFLiteCompiler writes my.h5", "json_inference_tester", "same.json", "m.json");
  write_file("linked.json", CNN("my.h5") PETS INTO("link.tflite") TFLITE);
  EXPECT(2, "link.tflite is a model that this run reads", "json_inference_tester", "linked.json", "m.json");
  write_file("good.json", CNN("my.h5") PETS INTO("new.tflite") TFLITE);
  EXPECT(2, "new.tflite is where the compiled model goes", "json_inference_tester", "good.json", "new.tflite");
  write_file("unwritable.json", CNN("my.h5") PETS INTO("/proc/nowhere/new.tflite") TFLITE);
  EXPECT(1, "'compiled_model_path': /proc/nowhere: cannot make", "json_inference_tester", "unwritable.json", "m.json");
  EXPECT(1, "'model_path': /proc/nowhere: cannot make", "model_training", "TensorFlowFashionMNISTCNN", "PetDataset",
         "--model-path=/proc/nowhere/a.h5", "--dataset-root=pets", "--download-dataset", "--batch-size=8",
         "--learning-rate=1", "--num-epochs=1", "--logdir=logs");
  char *kept = kt_file_read(model, &left);
  assert_int_equal(left, bytes);
  assert_memory_equal(kept, whole, bytes);
  free(kept);
  free(whole);
  free(model);
  assert_false(there("pets"));
  assert_false(there("m.json"));
}

/* The faults of reading are the user's to mend (2), those of writing the system's (1). Root may read everything, so
 * the program is run as nobody. */
static void permissions_are_told(void **state) {
  (void)state;
  if (geteuid() == 0 && access("/usr/bin/setpriv", X_OK) != 0) kt_skip("setpriv, to run as nobody");
  write_file("s.json", short_scenario);
  write_file("secret.json", short_scenario);
  char *secret = kt_path(directory, "secret.json"), *closed = kt_path(directory, "closed");
  assert_int_equal(chmod(secret, 0), 0);
  assert_int_equal(chmod(directory, 0755), 0);
  assert_int_equal(mkdir(closed, 0555), 0);
  const char *cases[][7] = {{"check", "secret.json", "", NULL},
                            {"json_inference_tester", "secret.json", "m.json", NULL},
                            {"render_report", "r", "/dev/null/r.html", "--measurements", "secret.json", NULL},
                            {"json_inference_tester", "s.json", "closed/m.json", NULL}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    bool output = i == 3;
    const char *arguments[16] = {0};
    size_t count = 0;
    if (geteuid() == 0) {
      static const char *const nobody[] = {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"};
      for (size_t k = 0; k < 4; k++) arguments[count++] = nobody[k];
    }
    arguments[count++] = kt_kenning();
    for (size_t k = 0; cases[i][k] && (k == 0 || *cases[i][k]); k++) arguments[count++] = cases[i][k];
    kt_run_options options = {.directory = directory, .timeout_s = 20};
    kt_run run = kt_run_program(arguments, &options);
    kt_assert_exit(&run, output ? 1 : 2);
    kt_assert_contains(run.err, output ? "Permission denied" : "permission denied");
    kt_assert_contains(run.err, output ? "closed/m.json" : "secret.json");
    kt_run_free(&run);
  }
  assert_int_equal(chmod(closed, 0755), 0);
  free(secret);
  free(closed);
}

static void a_link_as_output_stays_a_link(void **state) {
  (void)state;
  write_file("s.json", short_scenario);
  write_file("real.json", "{\"kenning_schema\": \"1.0\"}");
  char *link = kt_path(directory, "m.json");
  assert_int_equal(symlink("real.json", link), 0);
  EXPECT(0, NULL, "json_inference_tester", "s.json", "m.json");
  struct stat found;
  assert_int_equal(lstat(link, &found), 0);
  assert_true(S_ISLNK(found.st_mode));
  char *real = kt_path(directory, "real.json"), *text = kt_file_read(real, NULL);
  kt_assert_contains(text, "target_inference_step");
  free(text);
  free(real);
  free(link);
}

/* The command that the README of 2022 has, and what is wrong with training before there is a sample to train on. */
static void make_empty(const char *name) {
  char *path = kt_path(directory, name);
  assert_int_equal(mkdir(path, 0777), 0);
  free(path);
}

#define TRAIN(code, text, ...)                                                                                       \
  EXPECT(code, text, "model_training", "TensorFlowPetDatasetMobileNetV2", "kenning.datasets.pet_dataset.PetDataset", \
         "--logdir=build/logs", "--dataset-root=build/pet-dataset", "--model-path=build/trained-model.h5",           \
         "--batch-size=32", "--learning-rate=0.0001", "--num-epochs=50", __VA_ARGS__)

static void training_is_judged_before_it_begins(void **state) {
  (void)state;
  TRAIN(2, "no package has its weights: give --base-weights FILE", NULL);
  assert_false(there("build/trained-model.h5"));
  TRAIN(2, "there is no file nowhere.h5", "--base-weights=nowhere.h5");
  TRAIN(2, "begins with one or the other", "--base-weights=nowhere.h5", "--from-scratch");
  TRAIN(2, "with from_scratch no layer is frozen", "--from-scratch", "--training-unfreeze=9");
  TRAIN(2, "goes on from training_checkpoint", "--from-scratch", "--training-resume");
  TRAIN(2, "is more than training_contrast_highest", "--from-scratch", "--training-contrast-lowest=2");
  write_file("base.h5", "this is no model");
  TRAIN(2, "'dataset_root': build/pet-dataset: cannot read: there is no such file", "--base-weights=base.h5");
  make_empty("build");
  make_empty("build/pet-dataset");
  TRAIN(1, "'training_checkpoint'", "--base-weights=base.h5", "--training-checkpoint=/dev/null/x");
  /* All that could be known was right; what is missing is the data set. */
  TRAIN(2, "build/pet-dataset", "--base-weights=base.h5");
}

#define test(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)

int main(void) {
  const struct CMUnitTest tests[] = {
      test(a_report_is_judged_before_its_run),
      test(a_report_of_older_files_is_judged_before_its_run),
      test(flags_are_given_once),
      test(flags_find_their_block),
      test(what_is_no_file_does_not_block),
      test(missing_inputs_are_told_before_the_data_set),
      test(outputs_are_judged_before_the_data_set),
      test(permissions_are_told),
      test(a_link_as_output_stays_a_link),
      test(training_is_judged_before_it_begins),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
