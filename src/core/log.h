/* Settings of the log, and the flag behind kn_cancelled. */
#ifndef KENNING_CORE_LOG_H
#define KENNING_CORE_LOG_H

#include <kenning/run.h>

/* Prints every fault of a status to stderr ("place: error: message", context lines indented). */
void kn_log_status(kn_status status);

#endif
