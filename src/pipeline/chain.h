/* The chain of optimizers: each reads what the one before wrote. */
#ifndef KENNING_PIPELINE_CHAIN_H
#define KENNING_PIPELINE_CHAIN_H

#include "pipeline/session.h"

/* Runs the scenario's optimizers on `model`, which becomes the last one's result. Each result's io specification is
 * written to "<compiled model>.json". Without optimizers the model stays what it is. */
kn_status kn_chain_run(kn_session *session, kn_model *model) KN_MUST_USE;
/* The same without running them: `model` becomes what the last optimizer wrote in an earlier run. */
kn_status kn_chain_reuse(kn_session *session, kn_model *model) KN_MUST_USE;
/* KN_NOT_FOUND unless the last of the scenario's optimizers, of which there is one at least, has written a model. */
kn_status kn_chain_check_reuse(const kn_scenario *scenario) KN_MUST_USE;

#endif
