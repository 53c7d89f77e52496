/* The networks of keras.applications, saved by Keras 2 and 3 as .h5 and .keras, give Keras's results. All of the table
 * of applications.py, in small variants; with KENNING_TEST_ALL=1 as they are trained on ImageNet. Needs what
 * keras_comparison_test.c needs. */
#include "support/unit.h"

#include <string.h>

#include "core/memory.h"
#include "keras_results.h"
#include "support/directory.h"

static void expect_all(const char *directory) {
  char *list = kt_path(directory, "names.txt"), *names = kt_file_read(list, NULL), *rest = names;
  size_t count = 0;
  for (const char *name; (name = strtok_r(rest, "\n", &rest)); count++) {
    keras_expect_saved(directory, name, ".h5", 2);
    keras_expect_saved(directory, name, ".keras", 2);
  }
  assert_true(count > 0);
  free(names);
  free(list);
}

/* Keras 3 and 2 differ in few layers, so without KENNING_TEST_ALL one network will do for Keras 2. */
static const char *some_name(int version, bool all) { return version == 2 && !all ? "mobilenet_v3_small" : NULL; }

static void compare_with_keras(int version) {
  char *python = keras_require_python();
  const char *set = getenv("KENNING_TEST_ALL");
  bool all = set && *set;
  char *directory = kt_directory_make();
  keras_run_script(python, version, "tests/contract/tensorflow/applications.py",
                   (const char *const[KERAS_ARGUMENTS]){directory, all ? "full" : "small", some_name(version, all)});
  expect_all(directory);
  kt_directory_remove(directory);
  kn_free(python);
}

static void results_are_those_of_keras_2(void **state) {
  (void)state;
  compare_with_keras(2);
}

static void results_are_those_of_keras_3(void **state) {
  (void)state;
  compare_with_keras(3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(results_are_those_of_keras_2),
      cmocka_unit_test(results_are_those_of_keras_3),
  };
  return keras_result(cmocka_run_group_tests(tests, NULL, NULL));
}
