#include "core/formats.h"
#include "core/memory.h"
#include "core/record_json.h"
#include "core/registry.h"
#include "core/scenario.h"
#include "support/directory.h"
#include "support/status.h"

#include <kenning/services.h>
#include <stdlib.h>

/* BUILT_PLUGINS: the back-ends of this build. UNIT_PLUGINS: as in registry_test.c. */

static char *directory;

#define WRAPPER "\"model_wrapper\": {\"type\": \"NullModelWrapper\"}"
#define DATASET                                                                                      \
  "\"dataset\": {\"type\": \"RandomizedClassificationDataset\", \"parameters\": {\"dataset_root\": " \
  "\"r\"}}"
#define KERAS "\"model_wrapper\": {\"type\": \"TensorFlowClassifier\", \"parameters\": {\"model_path\": \"m.h5\"}}"
#define COMPILER(path) "{\"type\": \"TFLiteCompiler\", \"parameters\": {\"compiled_model_path\": \"" path "\"}}"
#define TVM(path) "{\"type\": \"TVMCompiler\", \"parameters\": {\"compiled_model_path\": \"" path "\"}}"
#define QUANTIZER(path) "{\"type\": \"ONNXRuntimeQuantizer\", \"parameters\": {\"compiled_model_path\": \"" path "\"}}"
#define ONNX_RUNTIME "\"runtime\": {\"type\": \"ONNXRuntime\"}"
#define RUNTIME "\"runtime\": {\"type\": \"TFLiteRuntime\"}"

static kn_status read_text(const char *text, kn_scenario *scenario) {
  char *path = kt_path(directory, "s.json");
  kt_file_write_text(path, text);
  kn_status status = kn_scenario_read(path, scenario);
  free(path);
  return status;
}

static void assert_refused(const char *text, kn_code code, const char *part) {
  kn_scenario scenario;
  kt_assert_fault(read_text(text, &scenario), code, part);
  assert_null(scenario.json.root);
  kn_scenario_clear(&scenario);
}

static void the_seeds_scenarios_check_as_printed(void **state) {
  (void)state;
  /* The hashes say that the files are the seed's, word for word. */
  static const struct {
    const char *file, *sha256;
    size_t optimizers;
    bool runnable;
  } seeds[] = {{"native", "ca1d701c47396070965ff5c86273de8676354b10ad3c2fdbf0d1901b6e2ee8df", 0, true},
               {"tflite-fp32", "b805da18d8874cca9a903fb9332d086fda9673c7609b54e0b6464802196657cf", 1, true},
               {"tflite-int8", "f1e31f573a4c5fd1ded9085cbe2c599f9b1ac81b9dd24d1c245c943277ff1af2", 1, true},
               {"tvm-avx2-int8", "68498e42c2a15647f0aa33921d34816cfc4f3802b7ba68c262b9b0c9f778b6b6", 2, true}};
  for (size_t i = 0; i < 4; i++) {
    char name[64], sha256[65];
    snprintf(name, sizeof name, "scenarios/pets/%s.json", seeds[i].file);
    char *path = kt_source_path(name);
    kt_assert_ok(kn_sha256_file(path, sha256));
    assert_string_equal(sha256, seeds[i].sha256);
    kn_scenario scenario;
    kt_assert_ok(kn_scenario_read(path, &scenario));
    assert_string_equal(scenario.dataset.cls->name, "kenning.datasets.pet_dataset.PetDataset");
    assert_string_equal(((kn_dataset_options *)scenario.dataset.self)->dataset_root, "./build/pet-dataset");
    assert_int_equal(scenario.optimizer_count, seeds[i].optimizers);
    assert_int_equal(scenario.runtime.cls != NULL, seeds[i].optimizers > 0);
    kn_status status = kn_scenario_check_runnable(&scenario);
    if (seeds[i].runnable)
      kt_assert_ok(status);
    else
      kt_assert_fault(status, KN_NOT_INSTALLED, "TVMCompiler is known by its parameters only");
    kn_scenario_clear(&scenario);
    free(path);
  }
}

static void the_smallest_scenario(void **state) {
  (void)state;
  kn_scenario scenario;
  kt_assert_ok(read_text("{" WRAPPER ", " DATASET "}", &scenario));
  assert_null(scenario.runtime.cls);
  assert_int_equal(scenario.optimizer_count, 0);
  kt_assert_ok(kn_scenario_check_runnable(&scenario));
  kt_assert_ok(kn_scenario_check_files(&scenario));
  kn_scenario_clear(&scenario);
  kn_scenario_clear(&scenario);
}

static void comments_hints_and_trailing_commas_are_fine(void **state) {
  (void)state;
  kn_scenario scenario;
  kt_assert_ok(read_text("// a scenario\n{\"$schema\": \"scenario.schema.json\", " WRAPPER ", " DATASET
                         ", \"optimizers\": [], \"runtime\": null, /* none */ }",
                         &scenario));
  kn_scenario_clear(&scenario);
}

static void both_names_of_the_protocol(void **state) {
  (void)state;
  static const char *const keys[] = {"runtime_protocol", "protocol"};
  for (size_t i = 0; i < 2; i++) {
    char text[1024];
    snprintf(text, sizeof text,
             "{" WRAPPER ", " DATASET
             ", \"runtime\": {\"type\": \"NullRuntime\"}, \"%s\": {\"type\": "
             "\"kenning.protocols.network.NetworkProtocol\", \"parameters\": {\"host\": \"h\", \"port\": 1}}}",
             keys[i]);
    kn_scenario scenario;
    kt_assert_ok(read_text(text, &scenario));
    assert_string_equal(scenario.runtime_protocol.cls->name, "kenning.protocols.network.NetworkProtocol");
    kn_scenario_clear(&scenario);
  }
  assert_refused(
      "{" WRAPPER ", " DATASET
      ", \"runtime\": {\"type\": \"NullRuntime\"},\n"
      "\"protocol\": {\"type\": \"NetworkProtocol\"},\n\"runtime_protocol\": {\"type\": \"NetworkProtocol\"}}",
      KN_INVALID_ARGUMENT, "s.json:3:1: this block is given twice");
}

static void blocks_must_be_there_and_known(void **state) {
  (void)state;
  assert_refused("[]", KN_INVALID_ARGUMENT, "a scenario is a JSON object");
  assert_refused("", KN_BAD_DATA, "the file is empty");
  assert_refused("{" DATASET "}", KN_INVALID_ARGUMENT, "lacks 'model_wrapper'");
  assert_refused("{" WRAPPER "}", KN_INVALID_ARGUMENT, "lacks 'dataset'");
  assert_refused("{\"model_wrapper\": null, " DATASET "}", KN_INVALID_ARGUMENT, "lacks 'model_wrapper'");
  assert_refused("{" WRAPPER ", \"dataset\": null}", KN_INVALID_ARGUMENT, "lacks 'dataset'");
  assert_refused("{" WRAPPER ",\n \"data_set\": {}}", KN_NOT_FOUND,
                 "s.json:2:2: a scenario has no 'data_set'; did you mean 'dataset'?");
  assert_refused("{" WRAPPER ", " DATASET ", \"zzzzzzzzzz\": 1}", KN_NOT_FOUND,
                 "it has model_wrapper, dataset, optimizers");
  assert_refused("{" WRAPPER ", " DATASET ", \"platform\": {\"type\": \"LocalPlatform\"}}", KN_NOT_FOUND,
                 "'platform' is not supported");
  assert_refused("{" WRAPPER ", " DATASET ",\n" DATASET "}", KN_INVALID_ARGUMENT,
                 "s.json:2:1: this block is given twice");
}

static void blocks_are_objects_with_type_and_parameters(void **state) {
  (void)state;
  static const struct {
    const char *block;
    kn_code code;
    const char *part;
  } cases[] = {
      {"5", KN_INVALID_ARGUMENT, "a block is an object"},
      {"\"PetDataset\"", KN_INVALID_ARGUMENT, "a block is an object"},
      {"{}", KN_INVALID_ARGUMENT, "a block needs 'type'"},
      {"{\"type\": 5}", KN_INVALID_ARGUMENT, "a block needs 'type'"},
      {"{\"type\": \"PetDatset\"}", KN_NOT_FOUND, "did you mean 'PetDataset'?"},
      {"{\"type\": \"NullRuntime\"}", KN_INVALID_ARGUMENT, "is of the kind runtime; here a dataset is needed"},
      {"{\"type\": \"PetDataset\", \"parameters\": []}", KN_INVALID_ARGUMENT, "'parameters' must be an object"},
      {"{\"type\": \"PetDataset\", \"parameters\": {}, \"params\": {}}", KN_NOT_FOUND,
       "a block has 'type' and 'parameters'"},
      {"{\"type\": \"PetDataset\", \"type\": \"PetDataset\"}", KN_INVALID_ARGUMENT, "this key is given twice"},
      {"{\"type\": \"PetDataset\"}", KN_INVALID_ARGUMENT, "PetDataset needs 'dataset_root'"},
      {"{\"type\": \"PetDataset\", \"parameters\": {\"root\": \"a\", \"dataset_root\": \"b\"}}", KN_INVALID_ARGUMENT,
       "another spelling of"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char text[1024];
    snprintf(text, sizeof text, "{" WRAPPER ", \"dataset\": %s}", cases[i].block);
    assert_refused(text, cases[i].code, cases[i].part);
  }
}

static void all_faults_come_at_once(void **state) {
  (void)state;
  kn_scenario scenario;
  kn_status status = read_text(
      "{\n\"model_wrapper\": {\"type\": \"NoSuchWrapper\"},\n"
      "\"dataset\": {\"type\": \"PetDataset\", \"parameters\": {\"dataset_rot\": \"x\",\n"
      "  \"inference_batch_size\": 0}},\n"
      "\"optimizers\": [{\"type\": \"TFLiteCompiler\", \"parameters\": {\"target\": \"int9\"}},\n"
      "  7],\n"
      "\"speed\": 1}",
      &scenario);
  static const char *const expected[][2] = {{":2:27", "there is no modelwrapper 'NoSuchWrapper'"},
                                            {":3:50", "no parameter 'dataset_rot'"},
                                            {":4:27", "'inference_batch_size' is 0"},
                                            {":3:21", "needs 'dataset_root'"},
                                            {":5:68", "'target' is \"int9\""},
                                            {":5:25", "needs 'compiled_model_path'"},
                                            {":6:3", "a block is an object"},
                                            {":7:1", "a scenario has no 'speed'"},
                                            {":5:25", "an optimizer needs a 'runtime'"}};
  size_t count = sizeof expected / sizeof expected[0];
  for (size_t i = 0; i < count; i++) {
    const char *where = kn_status_where(status, i);
    assert_non_null(where);
    if (!strstr(where, expected[i][0]) || !strstr(kn_status_message(status, i), expected[i][1]))
      kt_fail("fault %zu is at %s: %s", i, where, kn_status_message(status, i));
  }
  assert_int_equal(kn_status_count(status), count);
  kn_status_free(status);
}

static void optimizers_and_protocols_need_a_runtime(void **state) {
  (void)state;
  assert_refused("{" KERAS ", " DATASET ", \"optimizers\": [" COMPILER("a.tflite") "]}", KN_INVALID_ARGUMENT,
                 "an optimizer needs a 'runtime'");
  assert_refused("{" KERAS ", " DATASET ", \"runtime_protocol\": {\"type\": \"NetworkProtocol\"}}", KN_INVALID_ARGUMENT,
                 "a runtime protocol needs a 'runtime'");
  kn_scenario scenario;
  kt_assert_ok(
      read_text("{" KERAS ", " DATASET ", \"optimizers\": [" COMPILER("a.tflite") "], " RUNTIME "}", &scenario));
  kn_scenario_clear(&scenario);
}

/* A runtime with a fault in it is there all the same: its absence is not reported on top. */
static void a_faulty_runtime_is_no_missing_one(void **state) {
  (void)state;
  kn_scenario scenario;
  kn_status status = read_text(
      "{" KERAS ", " DATASET ", \"optimizers\": [" COMPILER("a.tflite") "], \"runtime\": {\"type\": \"TFLiteRuntim\"}}",
      &scenario);
  assert_int_equal(kn_status_count(status), 1);
  kt_assert_fault(status, KN_NOT_FOUND, "did you mean 'TFLiteRuntime'?");
}

static const char *path_of(const kn_instance *optimizer) {
  return ((const kn_optimizer_options *)optimizer->self)->compiled_model_path;
}

static void conversions_are_inserted(void **state) {
  (void)state;
  kn_scenario scenario;
  kt_assert_ok(
      read_text("{" KERAS ", " DATASET ", \"optimizers\": [" QUANTIZER("b/q.onnx") "], " ONNX_RUNTIME "}", &scenario));
  assert_int_equal(scenario.optimizer_count, 2);
  assert_string_equal(kn_class_short_name(scenario.optimizers[0].cls), "ONNXCompiler");
  assert_true(scenario.optimizers[0].inserted);
  assert_string_equal(path_of(&scenario.optimizers[0]), "b/q.onnx.from-keras.onnx");
  assert_false(scenario.optimizers[1].inserted);
  kn_scenario_clear(&scenario);
  /* Before the runtime; and as the first of all, on demand. */
  kt_assert_ok(
      read_text("{" KERAS ", " DATASET ", \"optimizers\": [" COMPILER("b/a.tflite") "], " ONNX_RUNTIME "}", &scenario));
  assert_int_equal(scenario.optimizer_count, 2);
  assert_string_equal(path_of(&scenario.optimizers[1]), "b/a.tflite.from-tflite.onnx");
  kn_scenario_clear(&scenario);
  kt_assert_ok(
      read_text("{" KERAS ", " DATASET ", \"optimizers\": [" QUANTIZER("b/q.onnx") "], " ONNX_RUNTIME "}", &scenario));
  kt_assert_ok(kn_scenario_convert_to_onnx(&scenario, "first.onnx"));
  assert_string_equal(path_of(&scenario.optimizers[0]), "first.onnx");
  kn_scenario_clear(&scenario);
}

static void ways_between_formats_are_found(void **state) {
  (void)state;
  static const char *const keras[] = {"keras", NULL}, *const onnx[] = {"onnx", NULL}, *const no[] = {"darknet", NULL};
  kn_conversion_path path;
  assert_true(kn_conversion_find(keras, onnx, &path));
  assert_int_equal(path.count, 1);
  assert_string_equal(path.steps[0].from, "keras");
  assert_string_equal(path.steps[0].to, "onnx");
  assert_true(kn_conversion_find(onnx, onnx, &path));
  assert_int_equal(path.count, 0);
  assert_false(kn_conversion_find(keras, no, &path));
  assert_string_equal(kn_format_of_name("a/b.tflite"), "tflite");
  assert_string_equal(kn_format_of_name("x.h5"), "keras");
  assert_null(kn_format_of_name("onnx"));
  assert_string_equal(kn_format_ending("onnx"), ".onnx");
}

/* OpenVINO reads SavedModels, which the wrapper's class may give, but not this wrapper's .h5. */
static void a_wrapper_gives_what_its_model_is(void **state) {
  (void)state;
  kn_scenario scenario;
  kt_assert_ok(read_text("{" KERAS ", " DATASET ", \"optimizers\": [{\"type\": \"OpenVINOQuantizer\", \"parameters\": "
                         "{\"compiled_model_path\": \"q.xml\"}}], \"runtime\": {\"type\": \"OpenVINORuntime\"}}",
                         &scenario));
  assert_int_equal(scenario.optimizer_count, 2);
  assert_true(scenario.optimizers[0].inserted);
  const char *given[2];
  const char *const *formats = kn_formats_given(&scenario.model_wrapper, given);
  assert_string_equal(formats[0], "keras");
  assert_null(formats[1]);
  kn_scenario_clear(&scenario);
}

static void formats_must_meet(void **state) {
  (void)state;
  assert_refused("{" KERAS ", " DATASET ", \"optimizers\": [" COMPILER("a.tflite") ",\n" TVM("b.tar") "], " RUNTIME "}",
                 KN_INCOMPATIBLE, "TFLiteRuntime takes tflite, but TVMCompiler before it gives tvm");
  assert_refused("{" KERAS ", " DATASET ", \"optimizers\": [" TVM("b.tar") ",\n" COMPILER("a.tflite") "], " RUNTIME "}",
                 KN_INCOMPATIBLE, "s.json:2:10: TFLiteCompiler takes ");
  assert_refused("{" WRAPPER ", " DATASET ", \"optimizers\": [" COMPILER("a.tflite") "], " RUNTIME "}", KN_INCOMPATIBLE,
                 "TFLiteCompiler takes keras, saved_model, but NullModelWrapper before it gives none");
  assert_refused("{" KERAS ", " DATASET ", \"optimizers\": [" TVM("b.tar") ",\n" QUANTIZER("q.onnx") "], " ONNX_RUNTIME
                                                                                                     "}",
                 KN_INCOMPATIBLE, "ONNXRuntimeQuantizer takes onnx, but TVMCompiler before it gives tvm");
  kn_scenario scenario; /* without optimizers the runtime loads its own model */
  kt_assert_ok(read_text("{" KERAS ", " DATASET ", " RUNTIME "}", &scenario));
  kn_scenario_clear(&scenario);
}

static void an_optimizer_does_not_write_its_input(void **state) {
  (void)state;
  assert_refused("{" KERAS ", " DATASET
                 ", \"optimizers\": [" COMPILER("same") ", " TVM("same") "], \"runtime\": {\"type\": \"TVMRuntime\"}}",
                 KN_INVALID_ARGUMENT, "TVMCompiler writes same, which is its own input");
}

static void missing_files_are_found_on_request(void **state) {
  (void)state;
  kn_scenario scenario;
  kt_assert_ok(read_text("{" KERAS ", " DATASET "}", &scenario));
  kt_assert_fault(kn_scenario_check_files(&scenario), KN_NOT_FOUND, "'model_path': m.h5");
  kn_scenario_clear(&scenario);
}

/* In the round in which the other faults are told, each where it stands. */
static void missing_files_are_told_with_other_faults(void **state) {
  (void)state;
  char *path = kt_path(directory, "files.json");
  kt_file_write_text(path,
                     "{\"model_wrapper\": {\n\"type\": \"TensorFlowClassifier\", \"parameters\": {\n"
                     "\"num_classes\": \"many\",\n  \"model_path\": \"m.h5\"}},\n" DATASET "}");
  kn_scenario scenario;
  char text[2048];
  kn_status status = kn_scenario_read_with_files(path, &scenario);
  kt_status_text(status, text, sizeof text);
  kt_assert_fault(status, kn_status_code(status), "files.json:4:17: 'model_path': m.h5");
  assert_non_null(strstr(text, "'num_classes'"));
  free(path);
}

static void a_flood_of_faults_is_cut(void **state) {
  (void)state;
  enum { KEYS = 20000 };
  static const char *const frames[][2] = {
      {"{\"dataset\": {\"type\": \"RandomizedClassificationDataset\"", "}}"},
      {"{" DATASET, "}"},
      {"{" WRAPPER ", " DATASET ", \"runtime\": {\"type\": \"auto\", \"parameters\": {\"a\": 1", "}}}"},
      {"{" WRAPPER ", \"dataset\": {\"type\": \"RandomizedClassificationDataset\", "
       "\"parameters\": {\"a\": 1",
       "}}}"}};
  char *text = malloc(KEYS * 16 + 1024);
  assert_non_null(text);
  for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
    size_t length = (size_t)sprintf(text, "%s", frames[i][0]);
    for (int k = 0; k < KEYS; k++) length += (size_t)sprintf(text + length, ", \"k%d\": 1", k);
    sprintf(text + length, "%s", frames[i][1]);
    kn_scenario scenario;
    kn_status status = read_text(text, &scenario);
    size_t count = kn_status_count(status);
    assert_true(count > 64 && count < 80);
    bool told = false;
    for (size_t k = 0; k < count; k++) told |= strstr(kn_status_message(status, k), "more names behind this") != NULL;
    assert_true(told);
    kn_status_free(status);
  }
  free(text);
}

/* What measurements keep: the file as given. */
static void a_scenario_is_kept_as_given(void **state) {
  (void)state;
  kn_scenario scenario;
  kt_assert_ok(read_text("{" WRAPPER ", " DATASET ",}", &scenario));
  kn_record *record;
  kt_assert_ok(kn_record_create(&record));
  yyjson_mut_doc *doc = kn_record_document(record);
  yyjson_mut_doc_set_root(doc, kn_scenario_to_json(&scenario, doc));
  char *text = yyjson_mut_write(doc, 0, NULL);
  assert_string_equal(text,
                      "{\"model_wrapper\":{\"type\":\"NullModelWrapper\"},\"dataset\":{\"type\":"
                      "\"RandomizedClassificationDataset\",\"parameters\":{\"dataset_root\":\"r\"}}}");
  free(text);
  kn_record_destroy(record);
  kn_scenario_clear(&scenario);
}

static void every_truncation_is_refused(void **state) {
  (void)state;
  static const char whole[] = "{" KERAS ", " DATASET ", \"optimizers\": [" COMPILER("a") "], " RUNTIME "}";
  char text[sizeof whole];
  kn_scenario scenario;
  for (size_t length = 0; length < sizeof whole - 1; length++) {
    memcpy(text, whole, length);
    text[length] = '\0';
    kt_assert_fault(read_text(text, &scenario), KN_BAD_DATA, "s.json:1:");
  }
  kt_assert_ok(read_text(whole, &scenario));
  kn_scenario_clear(&scenario);
}

static int set_up(void **state) {
  (void)state;
  setenv("KENNING_PLUGIN_PATH", BUILT_PLUGINS, 1);
  directory = kt_directory_make();
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  kn_registry_unload();
  kt_directory_remove(directory);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_seeds_scenarios_check_as_printed),
      cmocka_unit_test(the_smallest_scenario),
      cmocka_unit_test(missing_files_are_told_with_other_faults),
      cmocka_unit_test(a_flood_of_faults_is_cut),
      cmocka_unit_test(comments_hints_and_trailing_commas_are_fine),
      cmocka_unit_test(both_names_of_the_protocol),
      cmocka_unit_test(blocks_must_be_there_and_known),
      cmocka_unit_test(blocks_are_objects_with_type_and_parameters),
      cmocka_unit_test(all_faults_come_at_once),
      cmocka_unit_test(optimizers_and_protocols_need_a_runtime),
      cmocka_unit_test(a_faulty_runtime_is_no_missing_one),
      cmocka_unit_test(conversions_are_inserted),
      cmocka_unit_test(ways_between_formats_are_found),
      cmocka_unit_test(a_wrapper_gives_what_its_model_is),
      cmocka_unit_test(formats_must_meet),
      cmocka_unit_test(an_optimizer_does_not_write_its_input),
      cmocka_unit_test(missing_files_are_found_on_request),
      cmocka_unit_test(a_scenario_is_kept_as_given),
      cmocka_unit_test(every_truncation_is_refused),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
