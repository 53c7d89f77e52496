#include "measurements/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

size_t kn_procfs_read(const char *path, char *out, size_t size) {
  out[0] = '\0';
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  size_t used = 0;
  while (used < size - 1) {
    ssize_t got = read(file, out + used, size - 1 - used);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    used += (size_t)got;
  }
  close(file);
  out[used] = '\0';
  return used;
}

size_t kn_procfs_cpu_times(const char *stat, kn_cpu_time *out, size_t limit) {
  size_t count = 0;
  for (const char *line = stat; line && *line && count < limit;) {
    const char *end = strchr(line, '\n');
    if (!end) break; /* cut off */
    /* "cpuN user nice system idle iowait irq softirq steal guest guest_nice"; user and nice contain the guests. */
    if (!strncmp(line, "cpu", 3) && line[3] >= '0' && line[3] <= '9') {
      char *at;
      strtoull(line + 3, &at, 10);
      uint64_t fields[8] = {0}, total = 0;
      for (int i = 0; i < 8 && at < end; i++) {
        fields[i] = strtoull(at, &at, 10);
        total += fields[i];
      }
      out[count++] = (kn_cpu_time){.busy = total - fields[3] - fields[4], .total = total};
    }
    line = end + 1;
  }
  return count;
}

double kn_cpu_percent(kn_cpu_time before, kn_cpu_time after) {
  /* The kernel's idle time may step back a little. */
  if (after.total <= before.total) return -1;
  double total = (double)(after.total - before.total);
  double busy = after.busy > before.busy ? (double)(after.busy - before.busy) : 0;
  return busy >= total ? 100 : 100 * busy / total;
}

bool kn_procfs_field(const char *text, const char *name, char *out, size_t size) {
  size_t length = strlen(name);
  for (const char *line = text; *line;) {
    const char *end = line + strcspn(line, "\n");
    const char *colon = line + strcspn(line, ":\n");
    if (!strncmp(line, name, length) && *colon == ':' && line + length + strspn(line + length, " \t") == colon) {
      const char *value = colon + 1 + strspn(colon + 1, " \t");
      snprintf(out, size, "%.*s", value < end ? (int)(end - value) : 0, value);
      return true;
    }
    line = *end ? end + 1 : end;
  }
  return false;
}

static bool field_kib(const char *text, const char *name, uint64_t *out) {
  char value[64], *end;
  if (!kn_procfs_field(text, name, value, sizeof value)) return false;
  *out = strtoull(value, &end, 10);
  return end != value;
}

double kn_procfs_memory_percent(const char *meminfo) {
  uint64_t total, available;
  if (!field_kib(meminfo, "MemTotal", &total) || !field_kib(meminfo, "MemAvailable", &available) || !total) return -1;
  return available >= total ? 0 : 100 * (double)(total - available) / (double)total;
}

uint64_t kn_process_rss_bytes(void) {
  char text[256], *at;
  if (!kn_procfs_read("/proc/self/statm", text, sizeof text)) return 0;
  strtoull(text, &at, 10); /* virtual size */
  return strtoull(at, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t kn_process_peak_rss_bytes(void) {
  /* VmHWM belongs to this program alone; ru_maxrss starts at the peak of the process that started it. */
  char text[8192];
  uint64_t kib;
  if (kn_procfs_read("/proc/self/status", text, sizeof text) && field_kib(text, "VmHWM", &kib)) return kib * 1024;
  struct rusage usage;
  return getrusage(RUSAGE_SELF, &usage) ? 0 : (uint64_t)usage.ru_maxrss * 1024;
}

int64_t kn_process_cpu_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}
