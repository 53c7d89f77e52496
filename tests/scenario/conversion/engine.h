/* Converted models in their engines, and what these tests need to be installed. */
#ifndef TESTS_SCENARIO_CONVERSION_ENGINE_H
#define TESTS_SCENARIO_CONVERSION_ENGINE_H

#include "support/directory.h"
#include "support/program.h"
#include "support/unit.h"

/* A model with recorded outputs. */
typedef struct recorded {
  const char *file, *samples, *outputs; /* below the source tree, or absolute */
  const char *shape;                    /* of one sample: "28, 28, 1" */
  int classes;
} recorded;

extern const recorded recorded_keras, recorded_script, recorded_state, recorded_mxnet;

/* A file of the source tree, or an absolute one; free it. */
char *recorded_path(const char *file);
/* Copies the model to `directory`/`name`, with its io specification beside it; free the path. */
char *recorded_copy(const recorded *of, const char *directory, const char *name);

/* `kenning convert IN OUT`; further arguments, at most four, up to NULL. */
kt_run convert(const char *directory, const char *in, const char *out, ...);
void assert_converted(const char *directory, const char *in, const char *out);

/* Runs the contract suite's rules about runtimes on `file`, which must give the recorded outputs. `excuses`: what
 * the suite's table says of the model beside that (", \"fragile\": \"...\""), or NULL. */
void assert_runs(const char *directory, const char *plugin, const char *runtime, const char *format, const char *file,
                 const recorded *of, const char *excuses);

#endif
