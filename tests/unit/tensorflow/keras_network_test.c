/* Architectures in the words of Keras 2 and 3, and what is refused before anything runs. */
#include "support/unit.h"

#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "support/status.h"
#include "tensorflow/graph.h"

/* Single quotes stand for double ones. */
static char *json_of(const char *text) {
  char *json = kn_strdup(text);
  assert_non_null(json);
  for (char *c = json; *c; c++)
    if (*c == '\'') *c = '"';
  return json;
}

static kn_status parse(const char *text, const char *version, keras_model *out) {
  char *json = json_of(text);
  kn_status status = keras_model_make("model", json, version, out);
  kn_free(json);
  return status;
}

static void expect_fault(const char *text, kn_code code, const char *part) {
  keras_model model;
  kt_assert_fault(parse(text, "3.0.0", &model), code, part);
}

#define INPUT "{'class_name': 'InputLayer', 'name': 'in', 'config': {'batch_shape': [null, 4]}, 'inbound_nodes': []}"
#define FUNCTIONAL(layers, inputs, outputs)                                                              \
  "{'class_name': 'Functional', 'config': {'name': 'm', 'layers': [" layers "], 'input_layers': " inputs \
  ", 'output_layers': " outputs "}}"
#define DENSE(name, nodes) \
  "{'class_name': 'Dense', 'name': '" name "', 'config': {'units': 2}, 'inbound_nodes': " nodes "}"
#define KERAS3(layer, node, tensor) \
  "{'class_name': '__keras_tensor__', 'config': {'keras_history': ['" layer "', " #node ", " #tensor "]}}"

static void expect_reference(keras_reference is, size_t layer, size_t node, size_t tensor) {
  assert_int_equal(is.layer, layer);
  assert_int_equal(is.node, node);
  assert_int_equal(is.tensor, tensor);
}

static void ends_come_in_three_forms(void **state) {
  (void)state;
  static const char *const ends[] = {"['in', 0, 0]", "[['in', 0, 0]]", "{'x': ['in', 0, 0]}"};
  for (size_t i = 0; i < 3; i++) {
    char text[1024];
    snprintf(text, sizeof text, FUNCTIONAL(INPUT ", " DENSE("d", "[[['in', 0, 0, {}]]]"), "%s", "[['d', 0, 0]]"),
             ends[i]);
    keras_model model;
    kt_assert_ok(parse(text, "2.15.0", &model));
    assert_int_equal(model.network.input_count, 1);
    expect_reference(model.network.inputs[0], 0, 0, 0);
    keras_model_clear(&model);
  }
}

/* A model used twice as a layer. Keras 2 counts its calls from 1; Keras 3 from 0 between layers, from 1 at the ends. */
#define INNER \
  "{'class_name': 'Functional', 'name': 'inner', 'config': {'name': 'inner', 'layers': [" INPUT ", "               \
  DENSE("d", "[[['in', 0, 0, {}]]]") "], 'input_layers': [['in', 0, 0]], 'output_layers': [['d', 0, 0]]}, "         \
  "'inbound_nodes': %s}"

static void nested_models_count_their_own_call(void **state) {
  (void)state;
  static const char *const nodes[] = {
      "[[['in', 0, 0, {}]], [['in', 0, 0, {}]]]",
      "[{'args': [" KERAS3("in", 0, 0) "], 'kwargs': {}}, {'args': [" KERAS3("in", 0, 0) "], 'kwargs': {}}]"};
  static const char *const last[] = {"[[['inner', 1, 0, {}], ['inner', 2, 0, {}]]]",
                                     "[{'args': [[" KERAS3("inner", 0, 0) ", " KERAS3("inner", 1, 0) "]]}]"};
  for (size_t i = 0; i < 2; i++) {
    char text[4096];
    snprintf(text, sizeof text,
             FUNCTIONAL(INPUT ", " INNER ", {'class_name': 'Add', 'name': 'sum', 'config': {}, 'inbound_nodes': %s}",
                        "[['in', 0, 0]]", "[['sum', 0, 0], ['inner', 1, 0]]"),
             nodes[i], last[i]);
    keras_model model;
    kt_assert_ok(parse(text, i ? "3.5.0" : "2.15.0", &model));
    const keras_layer *sum = &model.network.layers[2];
    assert_int_equal(sum->nodes[0].input_count, 2);
    expect_reference(sum->nodes[0].inputs[0], 1, 0, 0);
    expect_reference(sum->nodes[0].inputs[1], 1, 1, 0);
    expect_reference(model.network.outputs[1], 1, 0, 0);
    keras_model_clear(&model);
  }
}

static void sequential_models_may_imply_their_input(void **state) {
  (void)state;
  static const char *const texts[] = {
      "{'class_name': 'Sequential', 'config': {'name': 's', 'layers': [{'class_name': 'Dense', 'config': {'name': 'd', "
      "'units': 2, 'batch_input_shape': [null, 4]}}]}}",
      "{'class_name': 'Sequential', 'config': {'name': 's', 'build_input_shape': [null, 4], 'layers': [{'class_name': "
      "'Dense', 'config': {'name': 'd', 'units': 2}}]}}",
      "{'class_name': 'Sequential', 'config': [{'class_name': 'Dense', 'config': {'name': 'd', 'units': 2, "
      "'batch_input_shape': [null, 4]}}]}"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    keras_model model;
    uint32_t rank;
    int64_t shape[KN_MAX_RANK];
    kt_assert_ok(parse(texts[i], "2.15.0", &model));
    assert_int_equal(model.network.layer_count, 2);
    assert_string_equal(model.network.layers[0].name, "d_input");
    kt_assert_ok(keras_input_shape(&model.network.layers[0], &rank, shape));
    assert_int_equal(rank, 2);
    assert_int_equal(shape[1], 4);
    assert_true(keras_output_shape(&model.network, 0, &rank, shape));
    assert_int_equal(shape[1], 2);
    keras_model_clear(&model);
  }
}

static void damaged_architectures_are_refused(void **state) {
  (void)state;
  expect_fault("[]", KN_BAD_DATA, "no class");
  expect_fault("{'class_name': 'Functional', 'config': {}}", KN_BAD_DATA, "no layers");
  expect_fault("{'class_name': 'Sequential', 'config': {'layers': [7]}}", KN_BAD_DATA, "without name");
  expect_fault("{'class_name': 'Sequential', 'config': {'layers': [{'class_name': 'Dense', 'config': {}}]}}",
               KN_BAD_DATA, "without name");
  expect_fault(FUNCTIONAL(INPUT ", " INPUT, "[['in', 0, 0]]", "[['in', 0, 0]]"), KN_BAD_DATA, "two layers 'in'");
  expect_fault(FUNCTIONAL(INPUT, "[]", "[['in', 0, 0]]"), KN_BAD_DATA, "names no input_layers");
  expect_fault(FUNCTIONAL(INPUT, "[['in', 0, 0]]", "[['out', 0, 0]]"), KN_BAD_DATA, "'out'");
  expect_fault(FUNCTIONAL(INPUT, "[['in', 0, 0]]", "[['in', 1, 0]]"), KN_BAD_DATA, "call 1");
  expect_fault(FUNCTIONAL(INPUT, "[['in', 0, 0]]", "[['in', 0, 4]]"), KN_BAD_DATA, "output 4");
  expect_fault(
      FUNCTIONAL(INPUT ", " DENSE("d", "[[['in', 18446744073709551615, 0, {}]]]"), "[['in', 0, 0]]", "[['d', 0, 0]]"),
      KN_BAD_DATA, "refers to");
  expect_fault(
      FUNCTIONAL(INPUT ", " DENSE("d", "[{'args': [{'keras_history': 3}]}]"), "[['in', 0, 0]]", "[['d', 0, 0]]"),
      KN_BAD_DATA, "keras_history");
  expect_fault(FUNCTIONAL(INPUT ", " DENSE("d", "[[[[[[[[[[[[]]]]]]]]]]]]"), "[['in', 0, 0]]", "[['d', 0, 0]]"),
               KN_BAD_DATA, "too deep");
  expect_fault(FUNCTIONAL(INPUT ", " DENSE("d", "[{'args': [" KERAS3("in", 0, 0) "], 'kwargs': {'training': true}}]"),
                          "[['in', 0, 0]]", "[['d', 0, 0]]"),
               KN_INCOMPATIBLE, "training=True");
}

/* Models in models in models, more than any author writes. */
static void deep_nesting_is_refused(void **state) {
  (void)state;
  enum { DEPTH = 40 };
  char text[DEPTH * 128] = "";
  for (int i = 0; i < DEPTH; i++)
    strcat(text, "{'class_name': 'Sequential', 'name': 'm', 'config': {'name': 'm', 'layers': [");
  strcat(text, INPUT);
  for (int i = 0; i < DEPTH; i++) strcat(text, "]}}");
  expect_fault(text, KN_INCOMPATIBLE, "nest deeper");
}

static void values_are_read_leniently(void **state) {
  (void)state;
  char *json = json_of(
      "{'a': 6.0, 'b': {'class_name': '__numpy__', 'config': {'value': 6.5}}, 'c': null, 'd': [2, 3], "
      "'e': 2, 'f': {'type': 'ndarray', 'value': [0.5]}, 'g': {'class_name': 'DTypePolicy', 'config': "
      "{'name': 'float32'}}, 'h': {'class_name': 'function', 'config': 'relu6'}, 'i': 1e400, "
      "'j': 99999999999}");
  yyjson_doc *document = yyjson_read_opts(json, strlen(json), YYJSON_READ_ALLOW_INF_AND_NAN, NULL, NULL);
  assert_non_null(document);
  yyjson_val *root = yyjson_doc_get_root(document);
  double number = 0;
  int64_t pair[2];
  assert_true(keras_number(root, "a", &number) && number == 6.0);
  assert_true(keras_number(root, "b", &number) && number == 6.5);
  assert_true(keras_number(root, "f", &number) && number == 0.5);
  assert_false(keras_number(root, "c", &number));
  assert_true(keras_integers(root, "d", pair, 2) && pair[0] == 2 && pair[1] == 3);
  assert_true(keras_integers(root, "e", pair, 2) && pair[0] == 2 && pair[1] == 2);
  assert_false(keras_integers(root, "d", pair, 3));
  assert_false(keras_integers(root, "a", pair, 1));
  assert_false(keras_integers(root, "j", pair, 1));
  assert_string_equal(keras_identifier(yyjson_obj_get(root, "g")), "float32");
  assert_string_equal(keras_identifier(yyjson_obj_get(root, "h")), "relu6");
  assert_null(keras_identifier(yyjson_obj_get(root, "c")));
  yyjson_doc_free(document);
  kn_free(json);
}

/* ---- graph_check ---- */

static void expect_unsupported(const char *layers, const char *part, size_t faults) {
  char text[4096];
  snprintf(text, sizeof text, "{'class_name': 'Sequential', 'config': {'name': 's', 'layers': [" INPUT ", %s]}}",
           layers);
  keras_model model;
  kt_assert_ok(parse(text, "3.0.0", &model));
  kn_status status = graph_check(&model.network, "model.h5");
  assert_int_equal(kn_status_count(status), faults);
  kt_assert_fault(status, faults ? KN_INCOMPATIBLE : KN_OK, part);
  keras_model_clear(&model);
}

static void unknown_layers_are_named(void **state) {
  (void)state;
  expect_unsupported("{'class_name': 'Dense', 'config': {'name': 'd'}}", NULL, 0);
  expect_unsupported("{'class_name': 'Lambda', 'config': {'name': 'mine'}}", "'mine' is of the class 'Lambda'", 1);
  expect_unsupported(
      "{'class_name': 'GRU', 'config': {'name': 'a'}}, {'class_name': 'GRU', 'config': {'name': 'b'}}, "
      "{'class_name': 'LSTM', 'config': {'name': 'c'}}",
      "'a' (and 1 more layers)", 2);
  expect_unsupported("{'class_name': 'Dense', 'module': 'keras.src.ops.numpy', 'config': {'name': 'op'}}",
                     "keras.src.ops.numpy.Dense", 1);
  expect_unsupported("{'class_name': 'Dense', 'config': {'name': 'd', 'dtype': 'mixed_float16'}}", "mixed_float16", 1);
  expect_unsupported(
      "{'class_name': 'Dense', 'config': {'name': 'd', 'dtype': {'class_name': 'DTypePolicy', 'config': "
      "{'name': 'bfloat16'}}}}",
      "bfloat16", 1);
  expect_unsupported("{'class_name': 'Conv2D', 'config': {'name': 'c', 'data_format': 'channels_first'}}",
                     "channels_first", 1);
  expect_unsupported("{'class_name': 'Sequential', 'config': {'name': 'inner', 'layers': [" INPUT
                     ", {'class_name': 'Strange', 'config': {'name': 'x'}}]}}",
                     "'Strange'", 1);
}

static void memory_may_run_out(void **state) {
  (void)state;
  char text[4096];
  snprintf(text, sizeof text, FUNCTIONAL(INPUT ", " INNER, "[['in', 0, 0]]", "[['inner', 1, 0]]"),
           "[[['in', 0, 0, {}]]]");
  char *json = json_of(text);
  for (uint64_t n = 0;; n++) {
    keras_model model;
    kn_memory_fail_after(n);
    kn_status status = keras_model_make("model", json, "2.15.0", &model);
    kn_memory_fail_after(UINT64_MAX);
    if (!status) {
      keras_model_clear(&model);
      break;
    }
    kt_assert_fault(status, KN_OUT_OF_MEMORY, NULL);
  }
  kn_free(json);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ends_come_in_three_forms),
      cmocka_unit_test(nested_models_count_their_own_call),
      cmocka_unit_test(sequential_models_may_imply_their_input),
      cmocka_unit_test(damaged_architectures_are_refused),
      cmocka_unit_test(deep_nesting_is_refused),
      cmocka_unit_test(values_are_read_leniently),
      cmocka_unit_test(unknown_layers_are_named),
      cmocka_unit_test(memory_may_run_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
