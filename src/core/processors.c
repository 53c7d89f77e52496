#include <kenning/services.h>

#include <sched.h>

int64_t kn_thread_count(int64_t wanted) {
  cpu_set_t processors;
  if (wanted > 0) return wanted;
  if (sched_getaffinity(0, sizeof processors, &processors) != 0) return 1;
  return CPU_COUNT(&processors) > 0 ? CPU_COUNT(&processors) : 1;
}
