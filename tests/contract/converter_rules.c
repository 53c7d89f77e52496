/* What every ONNX converter must do: names of models, files in the directory that it is given, words where it cannot.
 */
#include "contract/subject.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/record_json.h"

static const kn_onnxconverter_ops *ops_of(const subject *at) { return at->cls->ops; }

static const char *told(kn_record *record, const char *key) {
  return yyjson_mut_get_str(yyjson_mut_obj_get(kn_record_value(record), key));
}

static bool is_there(const subject *at, const char *name) {
  char *path = subject_path(at, name);
  bool there = access(path, R_OK) == 0;
  free(path);
  return there;
}

/* A record that is gone behind the rule. */
static kn_record *record_of(subject *at) {
  if (!at->record) kt_assert_ok(kn_record_create(&at->record));
  return at->record;
}

static void models_have_names(subject *at) {
  const char *const *models = ops_of(at)->models;
  assert_non_null(*models);
  for (size_t i = 0; models[i]; i++) {
    assert_true(*models[i] && !strchr(models[i], '/') && !strchr(models[i], '\n'));
    for (size_t k = 0; k < i; k++) assert_string_not_equal(models[k], models[i]);
  }
}

static void unknown_models_are_refused(subject *at) {
  block *one = subject_block(at);
  kn_status status = ops_of(at)->export_model(one->self, "NoSuchNetwork", at->directory, 1, record_of(at));
  if (kn_status_code(status) == KN_NOT_INSTALLED) subject_require(at, status);
  assert_bad_input(status, "a model that nobody has");
  assert_false(is_there(at, "model.onnx"));
}

/* Neither import nor comparison makes something of nothing. */
static void what_was_not_exported_is_refused(subject *at) {
  block *one = subject_block(at);
  kn_status status = ops_of(at)->import_model(one->self, *ops_of(at)->models, at->directory, 1, record_of(at));
  if (kn_status_code(status) == KN_NOT_INSTALLED) subject_require(at, status);
  assert_bad_input(status, "an import of no model");
  status = ops_of(at)->compare(one->self, at->directory, record_of(at));
  if (kn_status_code(status) == KN_NOT_INSTALLED) subject_require(at, status);
  assert_bad_input(status, "a comparison of nothing");
  assert_false(is_there(at, "imported.npz"));
}

static void expect_difference(kn_record *record, const char *key) {
  const char *text = told(record, key);
  if (!text) kt_fail("the comparison does not tell \"%s\"", key);
  char *end;
  double difference = strtod(text, &end);
  assert_true(!*end && end != text);
  if (!(difference >= 0 && difference <= 1e-3)) kt_fail("%s is %s of the largest output", key, text);
}

/* The model of the fixtures, or the first one. */
static const char *model_of(const subject *at) {
  const char *chosen = yyjson_get_str(yyjson_obj_get(yyjson_obj_get(at->table->json.root, "converters"), at->name));
  return chosen ? chosen : *ops_of(at)->models;
}

static void a_model_goes_there_and_comes_back_or_not(subject *at) {
  static const char *const files[] = {"model.onnx", "inputs.npz", "outputs.npz"};
  const kn_onnxconverter_ops *ops = ops_of(at);
  block *one = subject_block(at);
  kn_record *record = record_of(at);
  subject_require(at, ops->export_model(one->self, model_of(at), at->directory, 1, record));
  for (size_t i = 0; i < sizeof files / sizeof *files; i++)
    if (!is_there(at, files[i])) kt_fail("export leaves no %s", files[i]);
  const char *version = told(record, "version"), *weights = told(record, "weights");
  assert_true(version && *version && weights && *weights);
  subject_require(at, ops->compare(one->self, at->directory, record));
  expect_difference(record, "export_difference");
  const char *vary = told(record, "outputs_vary");
  assert_non_null(vary);
  assert_string_equal(vary, "yes"); /* otherwise the comparison says nothing */
  kn_status status = ops->import_model(one->self, model_of(at), at->directory, 1, record);
  if (kn_status_code(status) == KN_INCOMPATIBLE) {
    assert_true(*kn_status_message(status, 0));
    kn_status_free(status);
    assert_false(is_there(at, "imported.npz"));
    return;
  }
  kt_assert_ok(status);
  assert_true(is_there(at, "imported.npz"));
  kt_assert_ok(ops->compare(one->self, at->directory, record));
  expect_difference(record, "import_difference");
}

const rule converter_rules[] = {{"models have names", models_have_names},
                                {"unknown models are refused", unknown_models_are_refused},
                                {"what was not exported is refused", what_was_not_exported_is_refused},
                                {"a model goes there and comes back or not", a_model_goes_there_and_comes_back_or_not},
                                {0}};
