/* What the run loop found, as measurements. */
#ifndef KENNING_PIPELINE_EVALUATION_H
#define KENNING_PIPELINE_EVALUATION_H

#include "pipeline/loop.h"
#include "pipeline/session.h"

/* Puts the timeline, the phases of the loop, predictions, confusion matrix and summary. */
kn_status kn_evaluation_put(kn_session *session, const kn_samples *samples, const kn_loop_result *result) KN_MUST_USE;

#endif
