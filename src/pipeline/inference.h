/* The measured part of a run: loads a model, runs it over a split, records what was measured. */
#ifndef KENNING_PIPELINE_INFERENCE_H
#define KENNING_PIPELINE_INFERENCE_H

#include "pipeline/session.h"

/* Runs `model` in the scenario's runtime, or without one in the model wrapper's own framework. After a failure amid the
 * run what was measured until then is in the measurements all the same. */
kn_status kn_inference_run(kn_session *session, kn_model *model) KN_MUST_USE;

/* KN_NOT_FOUND when the runtime of a scenario without optimizers names a model that is not there; what is to be
 * downloaded is not asked for. */
kn_status kn_inference_check_model(const kn_scenario *scenario) KN_MUST_USE;

#endif
