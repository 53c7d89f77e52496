/* TFLiteCompiler: what it asks of the converter, and that a result which is not what was asked for is refused. The
 * converter is stood in for by a shell script in place of Python, which delivers a file that the test names. */
#include "support/unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kenning/services.h>

#include "core/record_json.h"
#include "resources/installation.h"
#include "support/directory.h"
#include "support/instance.h"
#include "tflite/compiler.h"
#include "tflite/tflite.h"

/* TFLITE_DATA: directory of the models. */

static const char *data(const char *name, char out[512]) {
  snprintf(out, 512, "%s/%s", TFLITE_DATA, name);
  return out;
}

/* ---- verification ---- */

static kn_status verify(const char *name, int target, int input, int output) {
  char path[512], *bytes;
  size_t count;
  kn_tflite_model model;
  kt_assert_ok(kn_file_read(data(name, path), 0, &bytes, &count));
  kt_assert_ok(kn_tflite_model_read(bytes, count, &model));
  kn_tflite_compiler compiler = {.target = target, .inference_input_type = input, .inference_output_type = output};
  kn_status status = kn_tflite_verify(&compiler, &model, false);
  kn_tflite_model_clear(&model);
  kn_free(bytes);
  return status;
}

static void verifies_what_was_asked(void **state) {
  (void)state;
  enum { F32 = KN_TFLITE_FLOAT32, I8 = KN_TFLITE_INT8, U8 = KN_TFLITE_UINT8 };
  static const struct {
    const char *model;
    kn_tflite_target target;
    int input, output;
    const char *fault; /* NULL: it is what was asked for */
  } cases[] = {
      {"fp32.tflite", KN_TFLITE_TARGET_DEFAULT, F32, F32, NULL},
      {"fp32.tflite", KN_TFLITE_TARGET_INT8, F32, F32, "the weights are 2 FLOAT32, computing on 2 FLOAT32"},
      {"fp32.tflite", KN_TFLITE_TARGET_INT8, I8, I8, "of type FLOAT32, where int8 was asked for"},
      {"fp32.tflite", KN_TFLITE_TARGET_FLOAT16, F32, F32, "asked for float16 weights"},
      {"fp32.tflite", KN_TFLITE_TARGET_EDGETPU, F32, F32, "no part of the model onto the Edge TPU"},
      {"float16.tflite", KN_TFLITE_TARGET_FLOAT16, F32, F32, NULL},
      {"float16.tflite", KN_TFLITE_TARGET_DEFAULT, F32, F32, "asked for float32"},
      {"float16.tflite", KN_TFLITE_TARGET_INT8, F32, F32, "2 FLOAT16, computing on 2 FLOAT32"},
      {"int8.tflite", KN_TFLITE_TARGET_INT8, I8, I8, NULL},
      {"int8.tflite", KN_TFLITE_TARGET_INT8, U8, I8, "input 'serving_default_image:0' of type INT8, where uint8"},
      {"int8.tflite", KN_TFLITE_TARGET_INT8, I8, F32, "output 'StatefulPartitionedCall:0' of type INT8"},
      {"int8.tflite", KN_TFLITE_TARGET_EDGETPU, I8, I8, "no part of the model onto the Edge TPU"},
      {"int8.tflite", KN_TFLITE_TARGET_FLOAT16, I8, I8, "asked for float16 weights"},
      {"uint8.tflite", KN_TFLITE_TARGET_INT8, U8, U8, NULL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    kn_status status = verify(cases[i].model, (int)cases[i].target, cases[i].input, cases[i].output);
    if (cases[i].fault)
      kt_assert_fault(status, KN_BACKEND_FAILED, cases[i].fault);
    else
      kt_assert_ok(status);
  }
}

/* ---- an instance ---- */

static void keeps_the_original_names(void **state) {
  (void)state;
  kn_instance instance =
      kt_instance_make(&kn_tflite_compiler_class, KT_SETTINGS("modelframework", "keras", "inferenceinputtype", "uint8",
                                                              "inferenceoutputtype", "int8", "optimizer", "RMSprop"));
  const kn_tflite_compiler *self = instance.self;
  assert_true(self->model_framework_given);
  assert_int_equal(self->inference_input_type, KN_TFLITE_UINT8);
  assert_int_equal(self->inference_output_type, KN_TFLITE_INT8);
  assert_string_equal(kn_tflite_optimizer_name(self->optimizer), "RMSprop");
  assert_int_equal(self->epochs, 3);
  assert_int_equal(self->batch_size, 32);
  assert_true(self->dataset_percentage == 0.25);
  kn_instance_destroy(&instance);
}

static void refuses_contradictions(void **state) {
  (void)state;
  static const struct {
    const char *const settings[7];
    const char *fault;
  } cases[] = {
      {{"inference_input_type", "int8"}, "inference_input_type int8 needs target int8 or edgetpu, not default"},
      {{"target", "float16", "inference_output_type", "uint8"}, "inference_output_type uint8 needs target int8"},
      {{"target", "float16", "quantization_aware_training", "true"}, "needs target int8 or edgetpu, not float16"},
      {{"target", "int8", "dataset_percentage", "0"}, "dataset_percentage is 0"},
      {{"target", "int8", "inference_input_type", "uint8"}, NULL},
      {{"target", "edgetpu", "quantization_aware_training", "true"}, NULL},
      {{"dataset_percentage", "0"}, NULL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    kn_instance instance = kt_instance_make(&kn_tflite_compiler_class, cases[i].settings);
    const kn_optimizer_ops *ops = instance.cls->ops;
    kn_status status = ops->open(instance.self);
    if (cases[i].fault)
      kt_assert_fault(status, KN_INVALID_ARGUMENT, cases[i].fault);
    else
      kt_assert_ok(status);
    ops->close(instance.self);
    kn_instance_destroy(&instance);
  }
}

/* ---- compiling with a stand-in for Python ---- */

/* Copies $FAKE_RESULT to the file behind --output, keeps its arguments and the calibration file, and counts its runs.
 */
static const char python[] =
    "#!/bin/sh\n"
    "echo run >>\"$FAKE_PLACE/runs\"\n"
    "shift\n"
    "printf '%s\\n' \"$@\" >\"$FAKE_PLACE/arguments\"\n"
    "while [ $# -gt 0 ]; do\n"
    "  [ \"$1\" = --output ] && output=$2\n"
    "  [ \"$1\" = --calibration ] && cp \"$2\" \"$FAKE_PLACE/calibration\"\n"
    "  shift\n"
    "done\n"
    "[ -n \"$FAKE_ERROR\" ] && { echo \"ERROR $FAKE_ERROR\"; exit 1; }\n"
    "cp \"$FAKE_RESULT\" \"$output\"\n"
    "echo RESULT tensorflow_version 2.21.0\n";

typedef struct place {
  char *directory; /* of everything; the data directory is below it */
  char *input, *output;
} place;

static void set_variable(const char *name, const char *value) { assert_int_equal(setenv(name, value, 1), 0); }

static void install(const place *p) {
  char *home = kt_path(p->directory, "data"), *environment = kt_path(home, "environment");
  char *bin = kt_path(environment, "bin"), *program = kt_path(bin, "python3");
  assert_int_equal(mkdir(home, 0755), 0);
  assert_int_equal(mkdir(environment, 0755), 0);
  assert_int_equal(mkdir(bin, 0755), 0);
  kt_file_write_text(program, python);
  assert_int_equal(chmod(program, 0755), 0);
  static char framework[] = "tflite", version[] = "2.21.0", license[] = "Apache-2.0", date[] = "2026-01-01T00:00:00Z";
  static char name[] = "tools", hash[] = "0", release[] = "3.11";
  kn_installation installation = {
      .framework = framework,
      .version = version,
      .license = license,
      .date = date,
      .directory = environment,
      .environment = {
          .name = name, .directory = environment, .definition_sha256 = hash, .lock_sha256 = hash, .python = release}};
  kt_assert_ok(kn_installation_write(&installation));
  free(program);
  free(bin);
  free(environment);
  free(home);
}

static place make_place(void) {
  place p = {.directory = kt_directory_make()};
  p.input = kt_path(p.directory, "model.h5");
  p.output = kt_path(p.directory, "out/model.tflite");
  char *home = kt_path(p.directory, "data"), *cache = kt_path(p.directory, "cache"), path[512];
  set_variable("KENNING_DATA_DIR", home);
  set_variable("KENNING_CACHE_DIR", cache);
  set_variable("XDG_STATE_HOME", p.directory);
  set_variable("FAKE_PLACE", p.directory);
  set_variable("FAKE_RESULT", data("int8.tflite", path));
  set_variable("FAKE_ERROR", "");
  kt_file_write(p.input, "\x89HDF\r\n\x1a\nand more", 16);
  free(cache);
  free(home);
  return p;
}

static void remove_place(place *p) {
  free(p->input);
  free(p->output);
  kt_directory_remove(p->directory);
}

static kn_status load_sample(void *context, size_t index, const kn_tensor_view *out) {
  (void)context;
  for (size_t i = 0; i < out->bytes / sizeof(float); i++) ((float *)out->data)[i] = (float)index;
  return NULL;
}

static const kn_samples samples = {.count = 9,
                                   .classes = 3,
                                   .dtype = KN_FLOAT32,
                                   .rank = 3,
                                   .shape = {4, 4, 1},
                                   .identity = "nine samples",
                                   .load = load_sample};

static kn_iospec input_spec(void) {
  kn_iospec spec = {0};
  char input[] = "image", output[] = "scores", class_name[] = "letter";
  const kn_ioentry in = {.name = input, .dtype = KN_FLOAT32, .rank = 4, .shape = {1, 4, 4, 1}, .order = -1};
  const kn_ioentry out = {
      .name = output, .dtype = KN_FLOAT32, .rank = 2, .shape = {1, 3}, .order = -1, .class_name = class_name};
  kt_assert_ok(kn_iolist_add(&spec.input, &in));
  kt_assert_ok(kn_iolist_add(&spec.output, &out));
  return spec;
}

/* `out_spec` and `out_record` may be NULL. */
static kn_status compile(const place *p, const char *const *settings, const kn_samples *calibration, uint64_t seed,
                         kn_iospec *out_spec, kn_record **out_record) {
  kn_instance instance = kt_instance_make(&kn_tflite_compiler_class, settings);
  kt_set(&instance, "compiled_model_path", p->output);
  kn_iospec before = input_spec(), after;
  kn_compile_request request = {
      .input_path = p->input, .input_format = "keras", .input_spec = &before, .calibration = calibration, .seed = seed};
  kn_record *record;
  kt_assert_ok(kn_record_create(&record));
  const kn_optimizer_ops *ops = instance.cls->ops;
  kt_assert_ok(ops->open(instance.self));
  kn_status status = ops->compile(instance.self, &request, &after, record);
  ops->close(instance.self);
  if (out_spec && !status)
    *out_spec = after;
  else
    kn_iospec_clear(&after);
  if (out_record && !status)
    *out_record = record;
  else
    kn_record_destroy(record);
  kn_iospec_clear(&before);
  kn_instance_destroy(&instance);
  return status;
}

static const char *const int8_settings[] = {"target", "int8", "inference_input_type", "int8", "inference_output_type",
                                            "int8",   NULL};

static size_t runs(const place *p) {
  char *path = kt_path(p->directory, "runs");
  struct stat found;
  size_t count = stat(path, &found) == 0 ? (size_t)found.st_size / strlen("run\n") : 0;
  free(path);
  return count;
}

/* Number of files where the result belongs; its directory may not have been made. */
static int files_beside(const place *p) {
  char *path = kt_path(p->directory, "out");
  int count = kt_directory_entries(path);
  free(path);
  return count > 0 ? count : 0;
}

static void converts(void **state) {
  (void)state;
  place p = make_place();
  install(&p);
  kn_iospec spec = {0};
  kn_record *record = NULL;
  kt_assert_ok(compile(&p, int8_settings, &samples, 1, &spec, &record));
  assert_int_equal(files_beside(&p), 1);

  const kn_ioentry *in = &spec.input.entries[0], *out = &spec.output.entries[0];
  assert_string_equal(in->name, "serving_default_image:0");
  assert_int_equal(in->dtype, KN_INT8);
  assert_true(in->quantized);
  assert_int_equal(in->zero_point, -2);
  assert_int_equal(in->prequantized_dtype, KN_FLOAT32);
  assert_int_equal(in->order, 0);
  assert_string_equal(out->class_name, "letter");
  kn_iospec_clear(&spec);

  yyjson_mut_val *root = kn_record_value(record);
  assert_string_equal(yyjson_mut_get_str(yyjson_mut_obj_get(root, "compiler_framework")), "tensorflow");
  assert_string_equal(yyjson_mut_get_str(yyjson_mut_obj_get(root, "compiler_version")), "2.21.0");
  assert_string_equal(yyjson_mut_get_str(yyjson_mut_obj_get(root, "layer_weights")), "2 INT8");
  assert_false(yyjson_mut_get_bool(yyjson_mut_obj_get(root, "cached")));
  yyjson_mut_val *calibration = yyjson_mut_obj_get(root, "calibration");
  assert_int_equal(yyjson_mut_get_int(yyjson_mut_obj_get(calibration, "samples")), 2);
  assert_string_equal(yyjson_mut_get_str(yyjson_mut_obj_get(calibration, "identity")), "nine samples");
  kn_record_destroy(record);

  /* A quarter of nine samples, rounded: the first two, raw. */
  char *path = kt_path(p.directory, "calibration");
  size_t bytes;
  char *content = kt_file_read(path, &bytes);
  assert_int_equal(bytes, sizeof(float[2][16]));
  float last;
  memcpy(&last, content + bytes - sizeof last, sizeof last);
  assert_true(last == 1);
  free(content);
  free(path);
  path = kt_path(p.directory, "arguments");
  content = kt_file_read(path, NULL);
  assert_non_null(strstr(content, "--target\nint8\n"));
  assert_non_null(strstr(content, "--sample-shape\n4,4,1\n"));
  assert_null(strstr(content, "--select-ops"));
  free(content);
  free(path);
  remove_place(&p);
}

static void takes_from_the_cache(void **state) {
  (void)state;
  place p = make_place();
  install(&p);
  kn_record *record = NULL;
  kt_assert_ok(compile(&p, int8_settings, &samples, 1, NULL, NULL));
  assert_int_equal(unlink(p.output), 0);
  kt_assert_ok(compile(&p, int8_settings, &samples, 1, NULL, &record));
  assert_true(yyjson_mut_get_bool(yyjson_mut_obj_get(kn_record_value(record), "cached")));
  assert_string_equal(yyjson_mut_get_str(yyjson_mut_obj_get(kn_record_value(record), "compiler_version")), "2.21.0");
  kn_record_destroy(record);
  assert_int_equal(runs(&p), 1);
  assert_int_equal(access(p.output, R_OK), 0);

  /* Whatever the result depends on makes it anew: seed, samples, options, input. */
  kn_samples others = samples;
  others.identity = "other samples";
  kt_assert_ok(compile(&p, int8_settings, &samples, 2, NULL, NULL));
  assert_int_equal(runs(&p), 2);
  kt_assert_ok(compile(&p, int8_settings, &others, 1, NULL, NULL));
  assert_int_equal(runs(&p), 3);
  kt_assert_ok(compile(&p,
                       KT_SETTINGS("target", "int8", "inference_input_type", "int8", "inference_output_type", "int8",
                                   "dataset_percentage", "1"),
                       &samples, 1, NULL, NULL));
  assert_int_equal(runs(&p), 4);
  kt_file_write(p.input, "\x89HDF\r\n\x1a\nand else", 16);
  kt_assert_ok(compile(&p, int8_settings, &samples, 1, NULL, NULL));
  assert_int_equal(runs(&p), 5);
  remove_place(&p);
}

static void refuses_other_results(void **state) {
  (void)state;
  char path[512];
  place p = make_place();
  install(&p);
  set_variable("FAKE_RESULT", data("fp32.tflite", path));
  kt_assert_fault(compile(&p, KT_SETTINGS("target", "int8"), &samples, 1, NULL, NULL), KN_BACKEND_FAILED,
                  "was asked for int8, but of 2 convolutions and fully connected layers the weights are 2 FLOAT32");
  set_variable("FAKE_RESULT", data("samples.f32", path));
  kt_assert_fault(compile(&p, KT_SETTINGS("target", "int8"), &samples, 1, NULL, NULL), KN_BAD_DATA,
                  "TensorFlow Lite model");
  set_variable("FAKE_ERROR", "incompatible the layer Odd is unknown");
  kt_assert_fault(compile(&p, KT_SETTINGS("target", "default"), NULL, 1, NULL, NULL), KN_INCOMPATIBLE,
                  "the layer Odd is unknown");
  assert_int_equal(files_beside(&p), 0);
  assert_int_equal(runs(&p), 3);
  remove_place(&p);
}

static void refuses_what_cannot_be(void **state) {
  (void)state;
  place p = make_place();
  kt_assert_fault(compile(&p, int8_settings, NULL, 1, NULL, NULL), KN_INVALID_ARGUMENT, "needs samples");
  kn_samples wide = samples;
  wide.shape[0] = 5;
  kt_assert_fault(compile(&p, int8_settings, &wide, 1, NULL, NULL), KN_INCOMPATIBLE,
                  "a sample of the data set has 20 values, the model's input 'image' 16");
  set_variable("PATH", "/nowhere");
  kt_assert_fault(compile(&p, KT_SETTINGS("target", "edgetpu"), &samples, 1, NULL, NULL), KN_NOT_INSTALLED,
                  "needs the program edgetpu_compiler");
  kt_assert_fault(compile(&p, KT_SETTINGS("target", "default"), NULL, 1, NULL, NULL), KN_NOT_INSTALLED,
                  "kenning install tflite");
  kt_file_write_text(p.input, "text");
  kt_assert_fault(compile(&p, KT_SETTINGS("target", "default"), NULL, 1, NULL, NULL), KN_BAD_DATA,
                  "is neither a Keras model");
  assert_int_equal(unlink(p.input), 0);
  kt_assert_fault(compile(&p, KT_SETTINGS("target", "default"), NULL, 1, NULL, NULL), KN_NOT_FOUND, "model.h5");
  assert_int_equal(mkdir(p.input, 0755), 0);
  kt_assert_fault(compile(&p, KT_SETTINGS("target", "default"), NULL, 1, NULL, NULL), KN_BAD_DATA,
                  "without saved_model.pb");
  assert_int_equal(files_beside(&p), 0);
  remove_place(&p);
}

/* ---- the Edge TPU's compiler ---- */

static void make_program(const place *p, const char *text) {
  char *bin = kt_path(p->directory, "bin"), *program = kt_path(bin, "edgetpu_compiler"), path[1024];
  if (access(bin, F_OK) != 0) assert_int_equal(mkdir(bin, 0755), 0);
  kt_file_write_text(program, text);
  assert_int_equal(chmod(program, 0755), 0);
  snprintf(path, sizeof path, "%s:/usr/bin:/bin", bin);
  set_variable("PATH", path);
  free(program);
  free(bin);
}

static void compiles_for_the_edge_tpu(void **state) {
  (void)state;
  char path[512];
  place p = make_place();
  install(&p);
  const char *const settings[] = {"target", "edgetpu", "inference_input_type", "int8", "inference_output_type",
                                  "int8",   NULL};
  /* It leaves the model as it is, or makes nothing, or gives up. */
  make_program(&p, "#!/bin/sh\n[ \"$1\" = -o ] && cp \"$3\" \"${3%.tflite}_edgetpu.tflite\"\n");
  kt_assert_fault(compile(&p, settings, &samples, 1, NULL, NULL), KN_BACKEND_FAILED,
                  "no part of the model onto the Edge TPU");
  make_program(&p, "#!/bin/sh\nexit 0\n");
  kt_assert_fault(compile(&p, settings, &samples, 1, NULL, NULL), KN_BACKEND_FAILED, "ended well, but made no");
  make_program(&p, "#!/bin/sh\necho 'Model not quantized' >&2\nexit 1\n");
  kt_assert_fault(compile(&p, settings, &samples, 1, NULL, NULL), KN_BACKEND_FAILED, "Model not quantized");
  assert_int_equal(files_beside(&p), 0);
  /* It delivers a model with the operator that stands for the Edge TPU. */
  char text[1024];
  snprintf(text, sizeof text, "#!/bin/sh\ncp '%s' \"${3%%.tflite}_edgetpu.tflite\"\n", data("edgetpu.tflite", path));
  make_program(&p, text);
  kt_assert_ok(compile(&p, settings, &samples, 1, NULL, NULL));
  assert_int_equal(files_beside(&p), 1);
  remove_place(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(verifies_what_was_asked),   cmocka_unit_test(keeps_the_original_names),
      cmocka_unit_test(refuses_contradictions),    cmocka_unit_test(converts),
      cmocka_unit_test(takes_from_the_cache),      cmocka_unit_test(refuses_other_results),
      cmocka_unit_test(compiles_for_the_edge_tpu), cmocka_unit_test(refuses_what_cannot_be),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
