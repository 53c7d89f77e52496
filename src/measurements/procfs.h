/* What Linux tells about the machine and this process in /proc. The parsers take text, so that they can be tested. */
#ifndef KENNING_MEASUREMENTS_PROCFS_H
#define KENNING_MEASUREMENTS_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads at most size - 1 bytes of a file from its beginning, with a NUL behind them. 0 when it cannot be read. */
size_t kn_procfs_read(const char *path, char *out, size_t size);

/* Time that one core has spent since boot, in ticks. Busy is everything but idle and waiting for disks. */
typedef struct kn_cpu_time {
  uint64_t busy;
  uint64_t total;
} kn_cpu_time;

/* The cores of /proc/stat in order, at most `limit`; returns how many there are. */
size_t kn_procfs_cpu_times(const char *stat, kn_cpu_time *out, size_t limit);
/* Share of the time between two readings that was busy, in percent; negative when no tick has passed. */
double kn_cpu_percent(kn_cpu_time before, kn_cpu_time after);
/* (total - available) / total of /proc/meminfo, in percent; negative when it does not say. */
double kn_procfs_memory_percent(const char *meminfo);

/* Value of a line "name : value" or "name: value" of /proc/cpuinfo, meminfo or status into `out`; false when there is
 * none. */
bool kn_procfs_field(const char *text, const char *name, char *out, size_t size);

/* Resident memory of this process now, and the most it has had; 0 when unknown. */
uint64_t kn_process_rss_bytes(void);
uint64_t kn_process_peak_rss_bytes(void);
/* CPU time of all threads of this process since its start. */
int64_t kn_process_cpu_ns(void);

#endif
