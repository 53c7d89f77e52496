/* MXNetRuntime with the real engine: what is particular to it beyond the contract of runtimes. Without the engine every
 * test is skipped, which shows. */
#include <stdio.h>
#include <string.h>

#include "mxnet/mxnet.h"
#include "support/directory.h"
#include "support/runtime.h"
#include "support/unit.h"

#define VARIABLE(name, attributes) \
  "{\"op\": \"null\", \"name\": \"" name "\", \"attrs\": {" attributes "}, \"inputs\": []}"

/* A graph without weights, and beside it a list of no arrays. */
static kn_status load_graph(const kt_runtime *f, const char *nodes, const char *heads, const kn_iospec *spec) {
  static const unsigned char no_arrays[32] = {0x12, 0x01};
  char text[2048], *directory = kt_directory_make();
  char *symbol = kt_path(directory, "m-symbol.json"), *params = kt_path(directory, "m-0000.params");
  snprintf(text, sizeof text, "{\"nodes\": [%s], \"arg_nodes\": [0, 1], \"heads\": [%s]}", nodes, heads);
  kt_file_write_text(symbol, text);
  kt_file_write(params, no_arrays, sizeof no_arrays);
  kn_status status = kt_runtime_load(f, symbol, 1, spec);
  free(symbol);
  free(params);
  kt_directory_remove(directory);
  return status;
}

static void add_entry(kn_iolist *list, const char *name, kn_dtype dtype, int64_t columns) {
  kn_ioentry entry = {.name = (char *)(uintptr_t)name, .dtype = dtype, .rank = 2, .order = -1, .shape = {-1, columns}};
  kt_assert_ok(kn_iolist_add(list, &entry));
}

#define TWO \
  VARIABLE("a", "") ", " VARIABLE("b", "") ", {\"op\": \"sum\", \"name\": \"total\", \"attrs\": "      \
                                           "{\"axis\": \"1\", \"keepdims\": \"True\"}, \"inputs\": "   \
                                           "[[0, 0, 0]]}, {\"op\": \"negative\", \"name\": \"turned\", " \
                                           "\"attrs\": {}, \"inputs\": [[1, 0, 0]]}"

/* The specification lists them the other way round than the graph; their shapes go by name. */
static void inputs_and_outputs_go_by_name(void **state) {
  (void)state;
  kt_runtime f = kt_runtime_open(&mxnet_runtime_class, NULL, NULL);
  kn_iospec spec = {0}, found;
  add_entry(&spec.input, "b", KN_FLOAT32, 3);
  add_entry(&spec.input, "a", KN_FLOAT32, 2);
  kt_assert_ok(load_graph(&f, TWO, "[2, 0, 0], [3, 0, 0]", &spec));
  kt_assert_ok(f.ops->iospec(f.self, &found));
  assert_int_equal(found.input.count, 2);
  assert_int_equal(found.output.count, 2);
  float a[2] = {10, 20}, b[3] = {1, -1, 0}, sum = 0, turned[3] = {9, 9, 9};
  kn_tensor_view inputs[2],
      outputs[2] = {{.data = &sum, .bytes = sizeof sum, .dtype = KN_FLOAT32, .rank = 2, .shape = {1, 1}},
                    {.data = turned, .bytes = sizeof turned, .dtype = KN_FLOAT32, .rank = 2, .shape = {1, 3}}};
  for (size_t i = 0; i < 2; i++) {
    bool is_a = !strcmp(found.input.entries[i].name, "a");
    inputs[i] = (kn_tensor_view){.data = is_a ? a : b,
                                 .bytes = is_a ? sizeof a : sizeof b,
                                 .dtype = KN_FLOAT32,
                                 .rank = 2,
                                 .shape = {1, is_a ? 2 : 3}};
    assert_int_equal(found.input.entries[i].shape[1], is_a ? 2 : 3);
  }
  kt_assert_ok(f.ops->set_input(f.self, inputs, 2));
  kt_assert_ok(f.ops->invoke(f.self));
  kt_assert_ok(f.ops->output(f.self, outputs, 2));
  assert_true(sum == 30 && turned[0] == -1 && turned[1] == 1);
  kn_tensor_view swapped[2] = {inputs[1], inputs[0]};
  kt_assert_fault(f.ops->set_input(f.self, swapped, 2), KN_INVALID_ARGUMENT, NULL);
  kn_iospec_clear(&found);
  kn_iospec_clear(&spec);
  kt_runtime_close(&f);
}

static void shapes_and_types_must_be_known(void **state) {
  (void)state;
  kt_runtime f = kt_runtime_open(&mxnet_runtime_class, NULL, NULL);
  kt_assert_fault(load_graph(&f, TWO, "[2, 0, 0], [3, 0, 0]", NULL), KN_INCOMPATIBLE, "the shape of its input 'a'");
  kn_iospec spec = {0};
  add_entry(&spec.input, "a", KN_FLOAT32, -1);
  add_entry(&spec.input, "b", KN_FLOAT32, 3);
  kt_assert_fault(load_graph(&f, TWO, "[2, 0, 0], [3, 0, 0]", &spec), KN_INCOMPATIBLE, "the shape of its input 'a'");
  kn_iospec_clear(&spec);
  add_entry(&spec.input, "a", KN_INT64, 2);
  add_entry(&spec.input, "b", KN_FLOAT32, 3);
  kt_assert_fault(load_graph(&f, TWO, "[2, 0, 0], [3, 0, 0]", &spec), KN_INCOMPATIBLE, "'a' is not float32");
  kn_iospec_clear(&spec);
  kt_assert_fault(kt_runtime_load(&f, MXNET_DATA "/pair-symbol.json", 1, NULL), KN_INCOMPATIBLE,
                  "the shape of its input 'data'");
  kt_assert_ok(kt_runtime_load(&f, MXNET_DATA "/small.params", 1, NULL)); /* none of it has left a trace */
  kt_runtime_close(&f);
}

static void unknown_operators_are_named(void **state) {
  (void)state;
  kt_runtime f = kt_runtime_open(&mxnet_runtime_class, NULL, NULL);
  kn_iospec spec = {0};
  add_entry(&spec.input, "a", KN_FLOAT32, 2);
  kt_assert_fault(load_graph(&f,
                             VARIABLE("a", "") ", {\"op\": \"Frobnicate\", \"name\": \"layer7\", \"attrs\": {}, "
                                               "\"inputs\": [[0, 0, 0]]}",
                             "[1, 0, 0]", &spec),
                  KN_INCOMPATIBLE, "the operator 'Frobnicate' of the layer 'layer7'");
  kn_iospec_clear(&spec);
  kt_runtime_close(&f);
}

static void other_libraries_are_refused(void **state) {
  (void)state;
  kt_runtime f = kt_runtime_open(&mxnet_runtime_class, "library", OTHER_LIBRARY);
  kt_assert_fault(kt_runtime_load(&f, MXNET_DATA "/small.params", 1, NULL), KN_INCOMPATIBLE,
                  "has no function MXGetLastError");
  kt_runtime_close(&f);
  f = kt_runtime_open(&mxnet_runtime_class, "library", MXNET_DATA "/small.params");
  kt_assert_fault(kt_runtime_load(&f, MXNET_DATA "/small.params", 1, NULL), KN_NOT_INSTALLED, "cannot be loaded");
  kt_runtime_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(other_libraries_are_refused), cmocka_unit_test(inputs_and_outputs_go_by_name),
      cmocka_unit_test(shapes_and_types_must_be_known), cmocka_unit_test(unknown_operators_are_named)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
