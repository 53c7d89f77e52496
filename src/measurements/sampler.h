/* A thread that looks at the machine and at this process at a fixed pace while something else runs. */
#ifndef KENNING_MEASUREMENTS_SAMPLER_H
#define KENNING_MEASUREMENTS_SAMPLER_H

#include <kenning/record.h>

typedef struct kn_sampler kn_sampler;

/* Starts sampling every `period_s` seconds. The first sample is taken one period after the start: utilization is that
 * of the time since the sample before. */
kn_status kn_sampler_start(double period_s, kn_sampler **out_sampler) KN_MUST_USE;
/* Takes a last sample, unless one was taken just before, and ends the thread. May be called twice; NULL is allowed. */
void kn_sampler_stop(kn_sampler *sampler);
/* Stops and frees; NULL is allowed. */
void kn_sampler_destroy(kn_sampler *sampler);

/* Puts PREFIX_cpus_percent, PREFIX_mem_percent and PREFIX_timestamp of a stopped sampler, and
 * PREFIX_temperature_celsius and PREFIX_frequency_hz with a list per sensor where the machine has such. */
kn_status kn_sampler_put(const kn_sampler *sampler, const char *prefix, kn_record *record) KN_MUST_USE;
/* Puts process_rss_bytes, process_cpu_percent and process_timestamp. */
kn_status kn_sampler_put_process(const kn_sampler *sampler, kn_record *record) KN_MUST_USE;

#endif
