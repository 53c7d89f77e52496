/* The machine that measured. */
#ifndef KENNING_MEASUREMENTS_ENVIRONMENT_H
#define KENNING_MEASUREMENTS_ENVIRONMENT_H

#include <kenning/record.h>

/* Puts hostname, os, kernel, cpu_model, cpu_count, cpu_flags, memory_total_bytes, governor and load_average; what the
 * system does not tell is left out. */
kn_status kn_environment_put(kn_record *record) KN_MUST_USE;
/* The part of it that comes from the text of /proc/cpuinfo: cpu_model and cpu_flags. */
kn_status kn_environment_put_cpu(const char *cpuinfo, kn_record *record) KN_MUST_USE;

#endif
