/* TFLiteRuntime against a stand-in for the engine: what is asked of it in which order, and what becomes of its faults.
 */
#include "support/unit.h"

#include <dlfcn.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include <kenning/services.h>

#include "core/instance.h"
#include "core/record_json.h"
#include "support/status.h"
#include "tflite/tflite.h"

/* FAKE_PLACE: directory of the stand-ins. TFLITE_DATA: of the models. */

static const char *fake(const char *name, char out[512]) {
  snprintf(out, 512, "%s/lib%s.so", FAKE_PLACE, name);
  return out;
}

static const char *data(const char *name, char out[512]) {
  snprintf(out, 512, "%s/%s", TFLITE_DATA, name);
  return out;
}

/* ---- an instance ---- */

typedef struct subject {
  kn_instance instance;
  const kn_runtime_ops *ops;
  const kn_inference_ops *inference;
  char *log;         /* of the stand-in */
  const char **fail; /* where the stand-in fails */
} subject;

static void set(subject *s, const char *name, const char *value) {
  size_t index;
  const kn_option *row = kn_option_find(s->instance.cls, name, &index);
  assert_non_null(row);
  if (row->type == KN_OPTION_STRING_LIST)
    kt_assert_ok(kn_instance_append_text(&s->instance, row, index, value, false, name));
  else
    kt_assert_ok(kn_instance_set_text(&s->instance, row, index, value, name));
}

static subject make(const char *engine) {
  char path[512];
  subject s = {0};
  kt_assert_ok(kn_instance_create(&kn_tflite_runtime_class, &s.instance));
  s.ops = s.instance.cls->ops;
  s.inference = s.ops->inference;
  set(&s, "library", fake(engine, path));
  kt_assert_ok(s.ops->open(s.instance.self));
  void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  assert_non_null(handle);
  s.log = dlsym(handle, "fake_tflite_log");
  s.fail = dlsym(handle, "fake_tflite_fail");
  assert_non_null(s.log);
  assert_non_null(s.fail);
  s.log[0] = '\0';
  *s.fail = NULL;
  return s;
}

static void destroy(subject *s) {
  s->ops->close(s->instance.self);
  kn_instance_destroy(&s->instance);
}

static kn_status load_with(subject *s, const char *model, int64_t batch, const kn_iospec *spec) {
  char path[512];
  kn_load_request request = {.path = data(model, path), .batch = batch, .spec = spec};
  return s->inference->load(s->instance.self, &request);
}

static kn_status load(subject *s) { return load_with(s, "fp32.tflite", 1, NULL); }

static kn_tensor_view view(void *values, size_t bytes, uint32_t rank, int64_t first) {
  kn_tensor_view v = {.data = values, .bytes = bytes, .dtype = KN_FLOAT32, .rank = rank, .shape = {first, 4, 4, 1}};
  if (rank == 2) v.shape[1] = 3;
  return v;
}

/* ---- tests ---- */

static void runs(void **state) {
  (void)state;
  subject s = make("tflite-2.21");
  set(&s, "num_threads", "4");
  kt_assert_ok(load_with(&s, "fp32.tflite", 2, NULL));
  float in[32], out[6];
  for (int i = 0; i < 32; i++) in[i] = i < 16 ? 1 : 2;
  kn_tensor_view input = view(in, sizeof in, 4, 2), output = view(out, sizeof out, 2, 2);
  kt_assert_ok(s.inference->set_input(s.instance.self, &input, 1));
  kt_assert_ok(s.inference->invoke(s.instance.self));
  kt_assert_ok(s.inference->output(s.instance.self, &output, 1));
  const float expected[6] = {16, 17, 18, 32, 33, 34};
  assert_memory_equal(out, expected, sizeof expected);
  s.inference->unload(s.instance.self);
  /* Delegates go last: the interpreter still talks to them while it goes. */
  assert_string_equal(s.log,
                      "model threads=4 xnnpack=4/3 interpreter xnnpack-takes resize allocate -interpreter "
                      "-options -model -xnnpack ");
  kt_assert_fault(s.inference->invoke(s.instance.self), KN_INVALID_ARGUMENT, "no model is loaded");
  destroy(&s);
}

static void counts_operators(void **state) {
  (void)state;
  char path[512];
  subject s = make("tflite-2.21");
  set(&s, "delegates_list", fake("delegate", path));
  set(&s, "num_threads", "4");
  kt_assert_ok(load(&s));
  kn_record *record;
  kt_assert_ok(kn_record_create(&record));
  kt_assert_ok(s.inference->statistics(s.instance.self, record));
  yyjson_mut_val *root = kn_record_value(record), *delegates = yyjson_mut_obj_get(root, "delegates");
  assert_int_equal(yyjson_mut_get_int(yyjson_mut_obj_get(root, "operators")), 4);
  assert_int_equal(yyjson_mut_get_int(yyjson_mut_obj_get(root, "threads")), 4);
  assert_string_equal(yyjson_mut_get_str(yyjson_mut_obj_get(root, "library_version")), "2.21.0");
  assert_int_equal(strlen(yyjson_mut_get_str(yyjson_mut_obj_get(root, "library_sha256"))), 64);
  assert_int_equal(yyjson_mut_arr_size(delegates), 2);
  yyjson_mut_val *first = yyjson_mut_arr_get(delegates, 0), *second = yyjson_mut_arr_get(delegates, 1);
  assert_string_equal(yyjson_mut_get_str(yyjson_mut_obj_get(first, "name")), path);
  assert_int_equal(yyjson_mut_get_int(yyjson_mut_obj_get(first, "operators")), 0);
  assert_string_equal(yyjson_mut_get_str(yyjson_mut_obj_get(second, "name")), "XNNPACK");
  assert_int_equal(yyjson_mut_get_int(yyjson_mut_obj_get(second, "operators")), 3);
  assert_int_equal(yyjson_mut_get_int(yyjson_mut_obj_get(second, "parts")), 1);
  yyjson_mut_val *rest = yyjson_mut_obj_get(root, "builtin_operators");
  assert_int_equal(yyjson_mut_arr_size(rest), 1);
  assert_string_equal(yyjson_mut_get_str(yyjson_mut_obj_get(yyjson_mut_arr_get(rest, 0), "name")), "SOFTMAX");
  kn_record_destroy(record);
  destroy(&s);
}

static void chooses_threads(void **state) {
  (void)state;
  subject s = make("tflite-2.17");
  kt_assert_ok(load(&s));
  assert_non_null(strstr(s.log, "threads=1 xnnpack=1/3"));
  destroy(&s);

  s = make("tflite-2.17");
  set(&s, "num_threads", "3");
  kt_assert_ok(load(&s));
  assert_non_null(strstr(s.log, "threads=3 xnnpack=3/3"));
  destroy(&s);

  /* On this thread there is one processor only. */
  cpu_set_t before, one;
  assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
  CPU_ZERO(&one);
  for (size_t i = 0; i < CPU_SETSIZE && !CPU_COUNT(&one); i++)
    if (CPU_ISSET(i, &before)) CPU_SET(i, &one);
  assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
  s = make("tflite-2.21");
  kt_assert_ok(load(&s));
  assert_non_null(strstr(s.log, "threads=1 xnnpack=1/3"));
  destroy(&s);
  assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

static void refuses_libraries(void **state) {
  (void)state;
  static const struct {
    const char *engine, *message;
  } cases[] = {{"tflite-2.16", "is TensorFlow Lite 2.16.1; versions from 2.17 up are supported"},
               {"tflite-3", "is TensorFlow Lite 3.0.0"},
               {"tflite-odd", "does not tell its version"},
               {"tflite-incomplete", "has no function TfLiteOperatorGetBuiltInCode"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    subject s = make(cases[i].engine);
    kt_assert_fault(load(&s), KN_INCOMPATIBLE, cases[i].message);
    kt_assert_fault(load(&s), KN_INCOMPATIBLE, cases[i].message);
    destroy(&s);
  }
}

static void passes_on_what_the_engine_says(void **state) {
  (void)state;
  static const struct {
    const char *step;
    kn_code code;
    const char *message;
  } cases[] = {{"model", KN_BAD_DATA, "the model is odd"},
               {"interpreter", KN_INCOMPATIBLE, "could not build an interpreter: first 1; second word"},
               {"allocate", KN_INCOMPATIBLE, "could not prepare the model: no room"},
               {"xnnpack", KN_BACKEND_FAILED, "XNNPACK delegate could not be made"}};
  subject s = make("tflite-2.21");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    *s.fail = cases[i].step;
    kt_assert_fault(load(&s), cases[i].code, cases[i].message);
    *s.fail = NULL;
    kt_assert_ok(load(&s));
  }
  *s.fail = "invoke";
  kt_assert_fault(s.inference->invoke(s.instance.self), KN_BACKEND_FAILED, "failed to run the model: node 7 broke");
  kt_assert_fault(s.inference->invoke(s.instance.self), KN_BACKEND_FAILED, "node 7 broke");
  *s.fail = NULL;
  kt_assert_ok(s.inference->invoke(s.instance.self));
  *s.fail = "resize";
  kt_assert_fault(load_with(&s, "fp32.tflite", 5, NULL), KN_BACKEND_FAILED, "could not resize");
  *s.fail = NULL;
  destroy(&s);
}

static void refuses_delegates(void **state) {
  (void)state;
  char path[512];
  static const struct {
    const char *name;
    kn_code code;
    const char *message;
  } cases[] = {{"delegate-refuses", KN_BACKEND_FAILED, "could not make its delegate: no device"},
               {"tflite-2.21", KN_INCOMPATIBLE, "is no TensorFlow Lite delegate"},
               {"nothing", KN_NOT_INSTALLED, "nothing"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    subject s = make("tflite-2.21");
    set(&s, "delegates_list", fake(cases[i].name, path));
    kt_assert_fault(load(&s), cases[i].code, cases[i].message);
    destroy(&s);
  }
}

static void holds_the_specification_against_the_model(void **state) {
  (void)state;
  static const struct {
    const char *json;
    const char *fault; /* NULL: fits */
  } cases[] = {
      {"{\"input\":[{\"name\":\"serving_default_image:0\",\"shape\":[1,4,4,1],\"dtype\":\"float32\",\"order\":0}],"
       "\"output\":[{\"name\":\"StatefulPartitionedCall:0\",\"shape\":[1,3],\"dtype\":\"float32\",\"order\":0}]}",
       NULL},
      {"{\"input\":[{\"name\":\"other\",\"shape\":[-1,4,4,1],\"dtype\":\"float32\"}],"
       "\"output\":[{\"name\":\"names\",\"shape\":[-1,3],\"dtype\":\"float32\"}]}",
       NULL},
      {"{\"input\":[{\"name\":\"x\",\"shape\":[1,8,8,1],\"dtype\":\"float32\"}],"
       "\"output\":[{\"name\":\"y\",\"shape\":[1,3],\"dtype\":\"float32\"}]}",
       "'x' is float32 [1,8,8,1], but the model's 'serving_default_image:0' is float32 [1,4,4,1]"},
      {"{\"input\":[{\"name\":\"x\",\"shape\":[1,4,4,1],\"dtype\":\"int8\"}],"
       "\"output\":[{\"name\":\"y\",\"shape\":[1,3],\"dtype\":\"float32\"}]}",
       "'x' is int8"},
      {"{\"input\":[{\"name\":\"x\",\"shape\":[1,4,4,1],\"dtype\":\"float32\"}],"
       "\"output\":[{\"name\":\"y\",\"shape\":[1,3],\"dtype\":\"float32\"},{\"name\":\"z\",\"shape\":[1],"
       "\"dtype\":\"float32\"}]}",
       "2 output(s), the model 1"},
  };
  subject s = make("tflite-2.21");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    kn_iospec spec;
    kt_assert_ok(kn_iospec_parse(cases[i].json, strlen(cases[i].json), "test", &spec));
    kn_status status = load_with(&s, "fp32.tflite", 1, &spec);
    if (cases[i].fault)
      kt_assert_fault(status, KN_INCOMPATIBLE, cases[i].fault);
    else
      kt_assert_ok(status);
    kn_iospec_clear(&spec);
  }
  destroy(&s);
}

static void refuses_wrong_tensors(void **state) {
  (void)state;
  subject s = make("tflite-2.21");
  kt_assert_ok(load(&s));
  float values[32] = {0};
  kn_tensor_view good = view(values, 64, 4, 1), wide = view(values, 128, 4, 2), bytes = good;
  bytes.dtype = KN_UINT8;
  bytes.bytes = 16;
  void *self = s.instance.self;
  kt_assert_fault(s.inference->set_input(self, &wide, 1), KN_INVALID_ARGUMENT, "has 16 elements in the model");
  kt_assert_fault(s.inference->set_input(self, &bytes, 1), KN_INVALID_ARGUMENT, "uint8 cannot be exchanged");
  kt_assert_fault(s.inference->set_input(self, &good, 2), KN_INVALID_ARGUMENT, "1 input(s), not 2");
  kt_assert_fault(s.inference->output(self, &good, 1), KN_INVALID_ARGUMENT, "has 3 elements");
  kt_assert_ok(s.inference->set_input(self, &good, 1));
  destroy(&s);
}

/* Of a size that this input decides: the place for it was made before. */
static void refuses_outputs_that_change_their_size(void **state) {
  (void)state;
  subject s = make("tflite-2.21");
  float out[3];
  kn_tensor_view output = view(out, sizeof out, 2, 1);
  kt_assert_ok(load(&s));
  *s.fail = "shape";
  kt_assert_ok(s.inference->invoke(s.instance.self));
  kt_assert_fault(s.inference->output(s.instance.self, &output, 1), KN_INCOMPATIBLE,
                  "has 4 bytes for this input and had 12 when the model was loaded");
  *s.fail = NULL;
  kt_assert_ok(s.inference->invoke(s.instance.self));
  kt_assert_ok(s.inference->output(s.instance.self, &output, 1));
  destroy(&s);
}

static void refuses_bad_files(void **state) {
  (void)state;
  subject s = make("tflite-2.21");
  kt_assert_fault(load_with(&s, "samples.f32", 1, NULL), KN_BAD_DATA, "the file identifier is missing");
  kt_assert_fault(load_with(&s, "nowhere.tflite", 1, NULL), KN_NOT_FOUND, "nowhere.tflite");
  kt_assert_fault(load_with(&s, "fp32.tflite", 0, NULL), KN_INVALID_ARGUMENT, "0 samples");
  /* None of them came to the engine. */
  assert_string_equal(s.log, "");
  destroy(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(runs),
      cmocka_unit_test(counts_operators),
      cmocka_unit_test(chooses_threads),
      cmocka_unit_test(refuses_libraries),
      cmocka_unit_test(passes_on_what_the_engine_says),
      cmocka_unit_test(refuses_delegates),
      cmocka_unit_test(holds_the_specification_against_the_model),
      cmocka_unit_test(refuses_wrong_tensors),
      cmocka_unit_test(refuses_outputs_that_change_their_size),
      cmocka_unit_test(refuses_bad_files),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
