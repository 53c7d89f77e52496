/* Settings of the log, and the flag behind kn_cancelled. */
#ifndef KENNING_CORE_LOG_H
#define KENNING_CORE_LOG_H

#include <kenning/services.h>

void kn_log_set_level(kn_log_level level);
/* "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"; false when unknown. */
bool kn_log_level_from_name(const char *name, kn_log_level *out_level);
/* Prints every fault of a status to stderr ("place: error: message", context lines indented). */
void kn_log_status(kn_status status);
/* Asks the work under way to stop; async-signal-safe. */
void kn_cancel(void);
void kn_cancel_reset(void);

#endif
