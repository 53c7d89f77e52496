/* The files that a run reads and writes, judged before it begins. */
#ifndef KENNING_PIPELINE_FILES_H
#define KENNING_PIPELINE_FILES_H

#include "core/scenario.h"

/* Inputs must be there, outputs must be writable (tried; their directories are made) and no input of the run. What is
 * to be downloaded is not asked for. `steps` are those of pipeline.h. KN_NOT_FOUND, KN_INVALID_ARGUMENT, KN_BAD_DATA,
 * KN_IO_ERROR; all faults at once. */
kn_status kn_files_check(const kn_scenario *scenario, unsigned steps) KN_MUST_USE;

/* Judges the model of the wrapper by its content, unless it is still to be downloaded; `whole`: an optimizer is about
 * to read it, so that it must not be damaged either. KN_BAD_DATA, KN_NOT_FOUND. */
kn_status kn_files_check_model(const kn_scenario *scenario, bool whole) KN_MUST_USE;

#endif
