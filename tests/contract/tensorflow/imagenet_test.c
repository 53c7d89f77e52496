/* TensorFlowImageNet says what does not fit before anything runs. None of this needs TensorFlow. */
#include "support/unit.h"

#include <stdio.h>

#include "support/directory.h"
#include "support/program.h"
#include "support/status.h"
#include "tensorflow/keras_model.h"

/* Runs a scenario with the model at `path` and these parameters; expects exit code 2 and `part` in what is said. */
static void expect_refused(const char *path, const char *parameters, const char *part) {
  char *directory = kt_directory_make(), *scenario = kt_path(directory, "s.json"), *out = kt_path(directory, "o.json");
  char text[2048];
  int length = snprintf(text, sizeof text,
                        "{\"model_wrapper\": {\"type\": \"TensorFlowImageNet\", \"parameters\": {\"model_path\": "
                        "\"%s\"%s}}, \"dataset\": "
                        "{\"type\": \"RandomizedClassificationDataset\", \"parameters\": {\"input_dims\": [6, 6, 1], "
                        "\"num_classes\": 3}}}",
                        path, parameters);
  assert_true(length > 0 && (size_t)length < sizeof text);
  kt_file_write_text(scenario, text);
  kt_run run = kt_run_kenning(NULL, "json_inference_tester", scenario, out);
  kt_assert_exit(&run, 2);
  kt_assert_contains(run.err, part);
  kt_run_free(&run);
  free(scenario);
  free(out);
  kt_directory_remove(directory);
}

static void missing_file_is_explained(void **state) {
  (void)state;
  char *directory = kt_directory_make(), *path = kt_path(directory, "nothing.h5");
  expect_refused(path, ", \"model_cls\": \"tensorflow.keras.applications.mobilenet_v2.MobileNetV2\"",
                 "weights trained on ImageNet are in no package");
  expect_refused(path, ", \"model_cls\": \"tensorflow.keras.applications.mobilenet_v2.MobileNetV2\"",
                 "keras.applications.MobileNetV2().save(");
  expect_refused(path, ", \"modelcls\": \"MobileNetV3Small\", \"disablebuiltinpreprocessing\": true",
                 "keras.applications.MobileNetV3Small(include_preprocessing=False).save(");
  free(path);
  kt_directory_remove(directory);
}

static void other_shapes_are_refused(void **state) {
  (void)state;
  char *path = kt_source_path("tests/unit/tensorflow/data/keras3.h5");
  expect_refused(path, ", \"num_classes\": 1000", "num_classes is 1000");
  expect_refused(path, ", \"input_shape\": [1, 6, 6, 3]", "dimension 3 of input_shape is 3");
  expect_refused(path, ", \"input_shape\": [1, 6, 6]", "input_shape has 3 dimensions");
  free(path);
}

static void built_in_preprocessing_is_refused(void **state) {
  (void)state;
  static const char config[] =
      "{\"class_name\": \"Sequential\", \"config\": {\"name\": \"net\", \"layers\": [{\"class_name\": \"InputLayer\", "
      "\"config\": {\"batch_shape\": [null, 6, 6, 1], \"name\": \"in\"}}, {\"class_name\": \"Rescaling\", \"config\": "
      "{\"name\": \"scaled\", \"scale\": 0.1}}]}}";
  char *directory = kt_directory_make(), *path = kt_path(directory, "scaled.h5");
  keras_model model;
  kt_assert_ok(keras_model_make("scaled", config, "3.0.0", &model));
  kt_assert_ok(keras_model_write(&model, path));
  keras_model_clear(&model);
  expect_refused(path, ", \"disable_builtin_preprocessing\": true", "has preprocessing of its own (layer 'scaled'");
  free(path);
  kt_directory_remove(directory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(missing_file_is_explained),
      cmocka_unit_test(other_shapes_are_refused),
      cmocka_unit_test(built_in_preprocessing_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
