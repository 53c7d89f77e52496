/* A whole run on the blocks of the fake plug-in (tests/contract/fake), in a directory of its own. */
#ifndef TESTS_TORTURE_RUN_H
#define TESTS_TORTURE_RUN_H

#include <kenning/status.h>

typedef struct run_place {
  char *directory;
  char *scenario, *model, *compiled, *measurements; /* files in it */
} run_place;

/* FAKE_PLUGINS, a define of the build, is where the plug-in lies. */
void run_place_make(run_place *out);
void run_place_remove(run_place *place);

/* Writes the scenario; each text (may be NULL) is the block's list of failing calls, for example "\"load:2\"". */
typedef struct run_failures {
  const char *dataset, *wrapper, *optimizer, *runtime;
} run_failures;
void run_write_scenario(const run_place *place, const run_failures *failures);

/* Reads the scenario, does the chosen steps (KN_STEP_...), and writes the measurement file where there are any. */
kn_status run_scenario(const run_place *place, unsigned steps);

/* Blocks of the plug-in that are open now. */
int run_open_blocks(void);
/* Fails the test when a run has left more in the directory than its own files. */
void run_assert_tidy(const run_place *place);

#endif
