/* Two inputs and two outputs of one shape each, (a, b) -> (p = 2 a, q = b + 1), which a specification has in another
 * order than the model: they are bound by name, or refused. In this process, as C programs load models. */
#include "core/instance.h"
#include "core/registry.h"
#include "scenario/badinput/engines.h"
#include "support/directory.h"
#include "support/status.h"
#include "support/unit.h"

#include <stdio.h>
#include <string.h>

#include <kenning/run.h>

typedef struct model {
  const char *framework, *file;
} model;

static const model models[] = {{"tensorflow", "two.savedmodel"}, {"tflite", "two.tflite"}, {"litert", "two.tflite"},
                               {"onnxruntime", "two.onnx"},      {"openvino", "two.onnx"}, {"tvm", "two.tar"},
                               {"tvm", "two-aot.tar"},           {"iree", "two.vmfb"},     {"pytorch", "two.pt"},
                               {"mxnet", "two.params"}};

typedef struct subject {
  kn_instance instance;
  const kn_inference_ops *inference;
  char *model;
} subject;

static void set(kn_instance *instance, const char *name, const char *value) {
  size_t index;
  const kn_option *row = kn_option_find(instance->cls, name, &index);
  assert_non_null(row);
  kt_assert_ok(kn_instance_set_text(instance, row, index, value, name));
}

static subject open_subject(const model *of) {
  const kn_class *cls;
  subject s = {.inference = NULL};
  const engine *one = engine_of(of->framework);
  need(one);
  char path[96];
  snprintf(path, sizeof path, "tests/scenario/badinput/data/%s", of->file);
  s.model = kt_source_path(path);
  kt_assert_ok(kn_registry_load());
  kt_assert_ok(kn_registry_find(one->cls, one->native ? KN_KIND_MODELWRAPPER : KN_KIND_RUNTIME, &cls));
  kt_assert_ok(kn_instance_create(cls, &s.instance));
  if (one->native) {
    const kn_modelwrapper_ops *ops = cls->ops;
    s.inference = ops->inference;
    set(&s.instance, "model_path", s.model);
  } else {
    const kn_runtime_ops *ops = cls->ops;
    s.inference = ops->inference;
    if (!strcmp(one->framework, "litert")) set(&s.instance, "engine", "litert");
    kt_assert_ok(ops->open(s.instance.self));
  }
  return s;
}

static void close_subject(subject *s) {
  s->inference->unload(s->instance.self);
  if (s->instance.cls->kind == KN_KIND_RUNTIME) ((const kn_runtime_ops *)s->instance.cls->ops)->close(s->instance.self);
  kn_instance_destroy(&s->instance);
  free(s->model);
}

static void add(kn_iolist *list, const char *name, int64_t width) {
  char copy[8];
  snprintf(copy, sizeof copy, "%s", name);
  const kn_ioentry entry = {
      .name = copy, .dtype = KN_FLOAT32, .rank = 2, .shape = {1, width}, .order = (int64_t)list->count};
  kt_assert_ok(kn_iolist_add(list, &entry));
}

static kn_iospec make_spec(const char *inputs, const char *outputs) {
  kn_iospec spec = {0};
  for (; *inputs; inputs++) add(&spec.input, (const char[]){*inputs, 0}, 2);
  for (; *outputs; outputs++) add(&spec.output, (const char[]){*outputs, 0}, 2);
  return spec;
}

static kn_status load(const subject *s, const kn_iospec *spec) {
  return s->inference->load(s->instance.self, &(kn_load_request){.path = s->model, .spec = spec, .batch = 1});
}

static kn_tensor_view view(float *data) {
  return (kn_tensor_view){.data = data, .bytes = 8, .dtype = KN_FLOAT32, .rank = 2, .shape = {1, 2}};
}

/* Runs the model on tensors in the order of the specification. */
static void check(const subject *s, const char *inputs, const char *outputs) {
  kn_iospec spec = make_spec(inputs, outputs);
  kt_assert_ok(load(s, &spec));
  kn_iospec_clear(&spec);
  float given[2][2], got[2][2] = {{0}};
  kn_tensor_view in[2], out[2];
  for (size_t i = 0; i < 2; i++) {
    given[i][0] = inputs[i] == 'a' ? 3 : 100;
    given[i][1] = inputs[i] == 'a' ? -4 : 200;
    in[i] = view(given[i]);
    out[i] = view(got[i]);
  }
  kt_assert_ok(s->inference->set_input(s->instance.self, in, 2));
  kt_assert_ok(s->inference->invoke(s->instance.self));
  kt_assert_ok(s->inference->output(s->instance.self, out, 2));
  for (size_t i = 0; i < 2; i++) {
    assert_true(got[i][0] == (outputs[i] == 'p' ? 6 : 101));
    assert_true(got[i][1] == (outputs[i] == 'p' ? -8 : 201));
  }
}

static void both_orders_go_by_name(void **state) {
  subject s = open_subject(*state);
  check(&s, "ab", "pq");
  check(&s, "ba", "qp");
  check(&s, "ba", "pq");
  check(&s, "ab", "qp");
  close_subject(&s);
}

static void what_cannot_be_bound_is_refused(void **state) {
  subject s = open_subject(*state);
  kn_iospec spec = make_spec("ca", "pq");
  kt_assert_fault(load(&s, &spec), KN_INCOMPATIBLE, "has the input 'c', which the model does not have");
  kn_iospec_clear(&spec);
  spec = make_spec("ab", "qr");
  kt_assert_fault(load(&s, &spec), KN_INCOMPATIBLE, "has the output 'r', which the model does not have");
  kn_iospec_clear(&spec);
  spec = make_spec("aa", "pq");
  kt_assert_fault(load(&s, &spec), KN_INCOMPATIBLE, "twice");
  kn_iospec_clear(&spec);
  spec = make_spec("aba", "pq");
  kt_assert_fault(load(&s, &spec), KN_INCOMPATIBLE, "3 input(s), the model 2");
  kn_iospec_clear(&spec);
  spec = make_spec("", "pq");
  add(&spec.input, "b", 5);
  add(&spec.input, "a", 2);
  kt_assert_fault(load(&s, &spec), KN_INCOMPATIBLE, "'b'");
  kn_iospec_clear(&spec);
  check(&s, "ab", "pq"); /* and nothing is left of it */
  close_subject(&s);
}

int main(int count, char **arguments) {
  if (count != 2) return 2;
  int failed = 0;
  bool found = false;
  for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
    if (strcmp(models[i].framework, arguments[1])) continue;
    found = true;
    void *of = (void *)(uintptr_t)&models[i];
    const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(both_orders_go_by_name, of),
                                       cmocka_unit_test_prestate(what_cannot_be_bound_is_refused, of)};
    failed += cmocka_run_group_tests_name(models[i].file, tests, NULL, NULL);
  }
  return found ? failed : 2;
}
