/* Whole runs of the real program without any framework: random samples, the null runtime. */
#include "support/directory.h"
#include "support/program.h"
#include "support/unit.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yyjson.h>

static const char scenario[] =
    "{\"model_wrapper\": {\"type\": \"NullModelWrapper\"},\n"
    " \"dataset\": {\"type\": \"RandomizedClassificationDataset\", \"parameters\": {\"inference_batch_size\": 1,}},\n"
    " // comments and trailing commas are fine\n"
    " \"runtime\": {\"type\": \"NullRuntime\"}}\n";

typedef struct place {
  char *directory, *scenario, *output;
  kt_run_options options;
} place;

static place make_place(const char *text) {
  place p = {.directory = kt_directory_make()};
  p.scenario = kt_path(p.directory, "s.json");
  p.output = kt_path(p.directory, "out.json");
  p.options.directory = p.directory;
  kt_file_write_text(p.scenario, text);
  return p;
}

static void drop_place(place *p) {
  free(p->scenario);
  free(p->output);
  kt_directory_remove(p->directory);
}

/* The measurement file; fails the test unless it is whole JSON. Free the document. */
static yyjson_doc *measurements(const char *path) {
  size_t bytes;
  char *text = kt_file_read(path, &bytes);
  yyjson_doc *doc = yyjson_read(text, bytes, 0);
  free(text);
  assert_non_null(doc);
  return doc;
}

static void a_json_scenario_runs(void **state) {
  (void)state;
  place p = make_place(scenario);
  kt_run run = kt_run_kenning(&p.options, "json_inference_tester", "s.json", "out.json", "--verbosity", "INFO");
  kt_assert_exit(&run, 0);
  assert_int_equal(run.out_bytes, 0); /* progress and diagnostics are on stderr */
  kt_run_free(&run);
  yyjson_doc *doc = measurements(p.output);
  yyjson_val *root = yyjson_doc_get_root(doc);
  assert_true(yyjson_get_bool(yyjson_obj_get(root, "complete")));
  size_t samples = (size_t)yyjson_get_uint(yyjson_ptr_get(root, "/run/samples"));
  size_t warmup = (size_t)yyjson_get_uint(yyjson_obj_get(root, "warmup_inferences"));
  assert_int_equal(samples, yyjson_get_uint(yyjson_ptr_get(root, "/run/split_counts/test")));
  assert_int_equal(yyjson_arr_size(yyjson_obj_get(root, "target_inference_step")), samples + warmup);
  assert_string_equal(yyjson_get_str(yyjson_ptr_get(root, "/run/split")), "test");
  assert_string_equal(yyjson_get_str(yyjson_ptr_get(root, "/build_cfg/runtime/type")), "NullRuntime");
  assert_string_equal(yyjson_get_str(yyjson_obj_get(root, "cfg_path")), "s.json");
  yyjson_doc_free(doc);
  drop_place(&p);
}

/* The same run by classes and flags; the configuration recorded has every option written out. */
static void flags_do_the_same(void **state) {
  (void)state;
  place p = make_place(scenario);
  kt_run run = kt_run_kenning(&p.options, "inference_tester", "kenning.modelwrappers.null.NullModelWrapper",
                              "kenning.datasets.random_dataset.RandomizedClassificationDataset", "out.json",
                              "--runtime-cls", "NullRuntime", "--inference_batch_size", "2", "--warmup=3");
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  yyjson_doc *doc = measurements(p.output);
  yyjson_val *root = yyjson_doc_get_root(doc);
  assert_int_equal(yyjson_get_uint(yyjson_ptr_get(root, "/build_cfg/dataset/parameters/inference_batch_size")), 2);
  assert_int_equal(yyjson_get_uint(yyjson_ptr_get(root, "/build_cfg/dataset/parameters/split_seed")), 1234);
  assert_int_equal(yyjson_get_uint(yyjson_obj_get(root, "warmup_inferences")), 3);
  yyjson_doc_free(doc);
  /* the documentation's older order: model wrapper, runtime, data set */
  run = kt_run_kenning(&p.options, "inference_tester", "NullModelWrapper", "NullRuntime",
                       "RandomizedClassificationDataset", "out2.json");
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  /* today's command with classes */
  run =
      kt_run_kenning(&p.options, "test", "--modelwrapper-cls", "NullModelWrapper", "--dataset-cls",
                     "RandomizedClassificationDataset", "--runtime-cls", "NullRuntime", "--measurements", "out3.json");
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  drop_place(&p);
}

/* Beside the user's own model nothing is written unless that is asked for. */
static void the_io_specification_is_saved_on_request(void **state) {
  (void)state;
  place p = make_place(
      "{\"model_wrapper\": {\"type\": \"NullModelWrapper\", \"parameters\": {\"model_path\": \"m.bin\"}},"
      " \"dataset\": {\"type\": \"RandomizedClassificationDataset\"}, \"runtime\": {\"type\": \"NullRuntime\"}}");
  char *model = kt_path(p.directory, "m.bin"), *spec = kt_path(p.directory, "m.bin.json");
  kt_file_write_text(model, "model");
  kt_run run = kt_run_kenning(&p.options, "json_inference_tester", "s.json", "out.json");
  kt_assert_exit(&run, 0);
  assert_int_not_equal(access(spec, F_OK), 0);
  kt_run_free(&run);
  run = kt_run_kenning(&p.options, "json_inference_tester", "s.json", "out.json", "--save-io-specification");
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  char *text = kt_file_read(spec, NULL);
  kt_assert_contains(text, "\"input\"");
  kt_assert_contains(text, "\"output\"");
  free(text);
  free(model);
  free(spec);
  drop_place(&p);
}

static void commands_chain(void **state) {
  (void)state;
  place p = make_place(scenario);
  kt_run run = kt_run_kenning(&p.options, "optimize", "test", "report", "--json-cfg", "s.json", "--measurements",
                              "out.json", "--to-html", "page");
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  /* What optimizers draw is drawn from the same seed by every command, so what they made is found again. */
  run = kt_run_kenning(&p.options, "json_inference_tester", "s.json", "json.json");
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  char *other = kt_path(p.directory, "json.json");
  yyjson_doc *chained = measurements(p.output), *tested = measurements(other);
  assert_int_equal(yyjson_get_uint(yyjson_ptr_get(yyjson_doc_get_root(chained), "/run/seeds/run")), 1);
  assert_int_equal(yyjson_get_uint(yyjson_ptr_get(yyjson_doc_get_root(tested), "/run/seeds/run")), 1);
  yyjson_doc_free(chained);
  yyjson_doc_free(tested);
  free(other);
  char *page = kt_path(p.directory, "page/index.html");
  size_t bytes;
  char *html = kt_file_read(page, &bytes);
  assert_true(bytes > 10000);
  kt_assert_contains(html, "</html>");
  free(html);
  free(page);
  drop_place(&p);
}

static void an_unwritable_output_is_told(void **state) {
  (void)state;
  place p = make_place(scenario);
  kt_run run = kt_run_kenning(&p.options, "json_inference_tester", "s.json", "/proc/nowhere/out.json");
  kt_assert_exit(&run, 1);
  kt_assert_contains(run.err, "/proc/nowhere");
  kt_run_free(&run);
  run = kt_run_kenning(&p.options, "json_inference_tester", "s.json", "s.json/out.json");
  kt_assert_exit(&run, 1);
  kt_run_free(&run);
  drop_place(&p);
}

/* A file size limit is what a full disk looks like to the writer. */
static void a_full_disk_leaves_no_half_file(void **state) {
  (void)state;
  place p = make_place(scenario);
  kt_file_write_text(p.output, "{\"kenning_schema\": \"1.0\"}");
  const char *limited[] = {"bash", "-c", "trap '' XFSZ; ulimit -f 8; exec \"$0\" json_inference_tester s.json out.json",
                           kt_kenning(), NULL};
  kt_run run = kt_run_program(limited, &p.options);
  kt_assert_exit(&run, 1);
  kt_assert_contains(run.err, "out.json");
  kt_run_free(&run);
  char *text = kt_file_read(p.output, NULL);
  assert_string_equal(text, "{\"kenning_schema\": \"1.0\"}");
  free(text);
  drop_place(&p);
}

/* Ctrl-C: exit 1 and a whole file that says it is incomplete. */
static void an_interrupted_run_keeps_what_it_measured(void **state) {
  (void)state;
  place p = make_place(
      "{\"model_wrapper\": {\"type\": \"NullModelWrapper\"}, \"runtime\": {\"type\": \"NullRuntime\"},"
      " \"dataset\": {\"type\": \"RandomizedClassificationDataset\", \"parameters\": {\"split\": \"all\","
      " \"samplescount\": 200000, \"numclasses\": 3, \"inputdims\": [224, 224, 3]}}}");
  const char *arguments[] = {kt_kenning(), "json_inference_tester", "s.json", "out.json", NULL};
  kt_process *process = kt_start(arguments, &p.options);
  assert_true(kt_wait_output(process, "inference", 60));
  usleep(500000);
  kt_signal(process, SIGINT);
  kt_run run = kt_finish(process);
  kt_assert_exit(&run, 1);
  kt_assert_contains(run.err, "marked as incomplete");
  kt_run_free(&run);
  yyjson_doc *doc = measurements(p.output);
  yyjson_val *root = yyjson_doc_get_root(doc);
  assert_true(yyjson_is_false(yyjson_obj_get(root, "complete")));
  assert_true(yyjson_is_str(yyjson_obj_get(root, "incomplete_reason")));
  size_t steps = yyjson_arr_size(yyjson_obj_get(root, "target_inference_step"));
  assert_true(steps > 0 && steps < 200000);
  yyjson_doc_free(doc);
  drop_place(&p);
}

/* ---- bad input of a data set ---- */

static void make_directory(const char *base, const char *name) {
  char *path = kt_path(base, name);
  assert_int_equal(mkdir(path, 0777), 0);
  free(path);
}

static void bad_images_end_with_exit_2(void **state) {
  (void)state;
  static const char text[] =
      "{\"model_wrapper\": {\"type\": \"NullModelWrapper\"}, \"runtime\": {\"type\": \"NullRuntime\"},"
      " \"dataset\": {\"type\": \"ImageFolderDataset\", \"parameters\": {\"dataset_root\": \"images\", \"split\": "
      "\"all\"}}}";
  const struct {
    const char *name, *content;
    const char *message;
  } cases[] = {{"images/cat/zero.jpg", "", "zero.jpg"},
               {"images/cat/garbage.png", "this is no image at all", "garbage.png"},
               {"images/cat/wrong.jpg", "\x89PNG\r\n\x1a\n", "wrong.jpg"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    place p = make_place(text);
    make_directory(p.directory, "images");
    make_directory(p.directory, "images/cat");
    make_directory(p.directory, "images/dog");
    char *image = kt_path(p.directory, cases[i].name);
    kt_file_write_text(image, cases[i].content);
    kt_run run = kt_run_kenning(&p.options, "json_inference_tester", "s.json", "out.json");
    kt_assert_exit(&run, 2);
    kt_assert_contains(run.err, cases[i].message);
    kt_run_free(&run);
    free(image);
    drop_place(&p);
  }
  place p = make_place(text);
  make_directory(p.directory, "images");
  kt_run run = kt_run_kenning(&p.options, "json_inference_tester", "s.json", "out.json");
  kt_assert_exit(&run, 2);
  kt_assert_contains(run.err, "images");
  kt_run_free(&run);
  drop_place(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_json_scenario_runs),
      cmocka_unit_test(flags_do_the_same),
      cmocka_unit_test(the_io_specification_is_saved_on_request),
      cmocka_unit_test(commands_chain),
      cmocka_unit_test(an_unwritable_output_is_told),
      cmocka_unit_test(a_full_disk_leaves_no_half_file),
      cmocka_unit_test(an_interrupted_run_keeps_what_it_measured),
      cmocka_unit_test(bad_images_end_with_exit_2),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
