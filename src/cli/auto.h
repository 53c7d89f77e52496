/* "runtime": {"type": "auto"}: every runtime that can run the model here is tried in a process of its own, and the one
 * with the smallest median inference time is taken. */
#ifndef KENNING_CLI_AUTO_H
#define KENNING_CLI_AUTO_H

#include "cli/options.h"
#include "core/scenario.h"

#include <kenning/record.h>

/* Replaces a scenario whose runtime is to be chosen by one with a runtime. Tries with the samples of the calibration
 * split, so that the choice does not look at those that the test is about. Everything that was tried stays in the
 * directory "<output>.auto". `reuse`: models that earlier runs compiled; `common`: what the command was given. What
 * kn_files_check finds; KN_NOT_INSTALLED when no runtime is there that could, KN_BACKEND_FAILED when none of them can.
 */
kn_status kn_auto_choose(kn_scenario *scenario, const char *output, bool reuse,
                         const kn_common_options *common) KN_MUST_USE;
/* Puts "runtime_selection" into the measurements: [{runtime, median_s, chosen}, {runtime, failed}, {runtime, needs}].
 * Nothing where nothing was chosen. */
kn_status kn_auto_record(kn_record *record) KN_MUST_USE;

#endif
