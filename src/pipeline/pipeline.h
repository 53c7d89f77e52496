/* Runs a scenario: training, the chain of optimizers, measured inference. What becomes known on the way is gathered in
 * measurements. */
#ifndef KENNING_PIPELINE_PIPELINE_H
#define KENNING_PIPELINE_PIPELINE_H

#include "core/scenario.h"
#include "measurements/measurements.h"

#include <kenning/run.h>

/* As kn_run of <kenning/run.h>. */
kn_status kn_pipeline_execute(const kn_scenario *scenario, const kn_run_options *options, unsigned steps,
                              kn_measurements **out_measurements) KN_MUST_USE;

#endif
