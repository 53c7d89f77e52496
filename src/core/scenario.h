/* A scenario: the blocks of one JSON file or of one command line, bound and checked against each other. Nothing is
 * opened here: no model, no data set, no framework. */
#ifndef KENNING_CORE_SCENARIO_H
#define KENNING_CORE_SCENARIO_H

#include "core/instance.h"

typedef struct kn_scenario {
  kn_json json;              /* empty when built from flags */
  kn_instance model_wrapper; /* .cls NULL: none */
  kn_instance dataset;
  kn_instance *optimizers;
  size_t optimizer_count;
  kn_instance runtime;
  bool runtime_given; /* a runtime is named, even if it could not be bound */
  bool runtime_auto;  /* "auto" is: it has yet to be chosen */
  /* Of "auto" on a command line: those to choose from, with what the flags gave each. */
  kn_instance *candidates;
  size_t candidate_count;
  kn_instance runtime_protocol;
} kn_scenario;

/* Reads and binds a scenario; all faults at once. */
kn_status kn_scenario_read(const char *path, kn_scenario *out_scenario) KN_MUST_USE;
/* The same, and kn_scenario_check_files. */
kn_status kn_scenario_read_with_files(const char *path, kn_scenario *out_scenario) KN_MUST_USE;
/* Of the same files, what a target needs: runtime, runtime_protocol, and the optimizers that run on the target. Other
 * blocks are not looked at. */
kn_status kn_scenario_read_target(const char *path, kn_scenario *out_scenario) KN_MUST_USE;
/* Rules between blocks: optimizer or protocol without runtime, format chain. Part of kn_scenario_read. */
kn_status kn_scenario_check(const kn_scenario *scenario) KN_MUST_USE;
/* Options of one block that do not go together; what must be installed is not judged. Part of kn_scenario_read. */
kn_status kn_scenario_check_options(const kn_scenario *scenario) KN_MUST_USE;
/* Inputs that do not exist (`kenning check --files`). */
kn_status kn_scenario_check_files(const kn_scenario *scenario) KN_MUST_USE;
/* KN_NOT_INSTALLED for blocks of which only the table stands. Part of every run, not of check. */
kn_status kn_scenario_check_runnable(const kn_scenario *scenario) KN_MUST_USE;
/* The scenario as JSON in `doc` (the measurements' build_cfg): as given in the file, or with every option written out
 * when it was built from flags. NULL when memory is exhausted. */
yyjson_mut_val *kn_scenario_to_json(const kn_scenario *scenario, yyjson_mut_doc *doc);
/* Puts `instance` with every option written out under `key`; false when memory is exhausted. */
bool kn_scenario_put_block(yyjson_mut_doc *doc, yyjson_mut_val *object, const char *key, const kn_instance *instance);
void kn_scenario_clear(kn_scenario *scenario);

#endif
