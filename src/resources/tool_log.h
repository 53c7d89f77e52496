/* Logs of converter tools: one file per run in <state>/log, the newest are kept. */
#ifndef KENNING_RESOURCES_TOOL_LOG_H
#define KENNING_RESOURCES_TOOL_LOG_H

#include <kenning/status.h>
#include <stdio.h>

enum { KN_TOOL_LOGS_KEPT = 20 };

/* Makes the log of a run of `name` and removes the oldest ones. Close the file with fclose, free the path. */
kn_status kn_tool_log_open(const char *name, FILE **out_file, char **out_path) KN_MUST_USE;

#endif
