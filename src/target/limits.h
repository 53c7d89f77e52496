/* Limits of a worker process: of its memory and of its processor time. */
#ifndef KENNING_TARGET_LIMITS_H
#define KENNING_TARGET_LIMITS_H

#include <kenning/status.h>
#include <sys/types.h>

/* What a worker exits with that took more memory than it may have. */
enum { KN_EXIT_MEMORY = 75 };

/* 0: no limit. */
typedef struct kn_limits {
  uint64_t data_bytes; /* of data, not of addresses: engines reserve far more of those than they use; beyond it
                        * allocations fail */
  uint64_t
      resident_bytes;   /* of all that is in memory, mapped files too: looked at by a thread, which ends the process */
  uint64_t processor_s; /* of processor time; beyond it the process ends by SIGXCPU */
} kn_limits;

/* In the worker, once, before the engine is opened. */
kn_status kn_limits_apply(const kn_limits *limits) KN_MUST_USE;

/* A group of processes (cgroup v2) whose memory the kernel limits. */
typedef struct kn_memory_group {
  char *path; /* NULL: there is none */
} kn_memory_group;

/* Makes a group below that of this process, or beside it, and puts `pid` into it, where the system lets this user do
 * that; otherwise `out_group` has no path, which is no fault. `root` is /sys/fs/cgroup, `own` /proc/self/cgroup. */
kn_status kn_memory_group_make(const char *root, const char *own, pid_t pid, uint64_t bytes,
                               kn_memory_group *out_group) KN_MUST_USE;
/* Whether the kernel has ended a process of the group for want of memory. */
bool kn_memory_group_exceeded(const kn_memory_group *group);
/* Its processes have ended. One without path is allowed. */
void kn_memory_group_remove(kn_memory_group *group);

#endif
