/* What the commands that run scenarios share. */
#ifndef KENNING_CLI_RUN_H
#define KENNING_CLI_RUN_H

#include "cli/flags.h"
#include "pipeline/pipeline.h"

/* Judges what kn_run_report will be asked, before the run. `pending`: the measurements are written by that run. */
kn_status kn_run_report_check(const kn_report_flags *flags, const kn_string_list *measurements,
                              bool pending) KN_MUST_USE;

/* Renders reports; `measurements` are paths. `path` or `to_html` of the flags must be given. */
kn_status kn_run_report(int argc, char **argv, const kn_report_flags *flags,
                        const kn_string_list *measurements) KN_MUST_USE;

#endif
