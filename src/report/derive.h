/* The derived figures of a run. */
#ifndef KENNING_REPORT_DERIVE_H
#define KENNING_REPORT_DERIVE_H

#include "report/model.h"

/* Fills facts, sorted, sizes and phases of a run from its results and summary. */
kn_status kn_derive_run(kn_run *run) KN_MUST_USE;
/* Fills the facts that compare `run` with `reference` (which may be the same). */
kn_status kn_derive_comparison(const kn_run *reference, kn_run *run) KN_MUST_USE;

#endif
