/* The engines as the tests of bad input run them: the real program, one scenario with one model. */
#ifndef TESTS_SCENARIO_BADINPUT_ENGINES_H
#define TESTS_SCENARIO_BADINPUT_ENGINES_H

#include "support/program.h"

typedef struct engine {
  const char *framework;     /* that `kenning install` provides */
  const char *cls;           /* runtime, or the model wrapper that runs its model itself */
  const char *parameters;    /* of it, as members of a JSON object, "" or ending with a comma */
  const char *model, *shape; /* one that it runs (below the source tree), and one sample of it */
  const char *variable;      /* that names another library */
  bool native;               /* a model wrapper */
  bool slow;                 /* takes seconds to start */
} engine;

extern const engine engines[];
extern const size_t engine_count;

/* As kt_need, for all tests of the program at once: looking takes seconds. */
void need(const engine *one);
/* By the name of the framework. */
const engine *engine_of(const char *framework);

/* Runs `model` in `directory`, where the scenario and, with a `spec`, the io specification are written; `environment`
 * may be NULL. */
kt_run run_model(const engine *one, const char *directory, const char *model, const char *shape, bool isolate,
                 const char *const *environment);
/* Exit code `code`, all of `parts` (NULL-terminated) said in a fault, and nothing left in `directory` but what was
 * there: the scenario, and `more` further files. */
void assert_refused(kt_run *run, int code, const char *const *parts, const char *directory, size_t more);
/* A file or directory of the source tree as `name` in `directory`; free with free(). */
char *copy_in(const char *source, const char *directory, const char *name);

/* Tests of an engine, which is their state. */
void what_was_installed_is_what_runs(void **state);
void libraries_of_ones_own_are_judged(void **state);

#endif
