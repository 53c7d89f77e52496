/* What the tests of TensorFlow against Keras share. */
#ifndef TESTS_KERAS_RESULTS_H
#define TESTS_KERAS_RESULTS_H

#include <stdint.h>

#include "support/runtime.h"

/* A Python that has Keras 2 and 3: KENNING_TEST_KERAS_PYTHON, or that of `kenning install tflite`; NULL without one.
 * Free with kn_free. */
char *keras_python(void);
/* The same; skips the running test where it, or TensorFlow, is missing. */
char *keras_require_python(void);
/* What main returns: of `failed` tests, or that some were skipped for want of either. */
int keras_result(int failed);

enum { KERAS_ARGUMENTS = 14 };
/* Runs a script of the source tree with Keras 2 or 3; the list of arguments ends with NULL. It must succeed. */
void keras_run_script(const char *python, int keras, const char *script, const char *const arguments[KERAS_ARGUMENTS]);

/* Loads the model at `path` for batches of `batch` and expects of the samples in one file the results in the other
 * (float32 values, all inputs and all outputs one after another) within 1e-5 of the largest result. */
void keras_expect_results(const char *path, int64_t batch, const char *samples_path, const char *results_path);
/* The same for DIRECTORY/NAME.SUFFIX, DIRECTORY/NAME.in and DIRECTORY/NAME.out. */
void keras_expect_saved(const char *directory, const char *name, const char *suffix, int64_t batch);

#endif
