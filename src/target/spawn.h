/* Worker processes: a program started afresh, never a fork of one that has threads. */
#ifndef KENNING_TARGET_SPAWN_H
#define KENNING_TARGET_SPAWN_H

#include "core/scenario.h"

#include <sys/types.h>

typedef struct kn_child {
  pid_t pid; /* 0: none */
  int watch; /* readable when it has ended: a pipe whose other end it alone has */
} kn_child;

/* Runtime, runtime protocol and optimizers of a scenario as JSON, in memory of the kernel; close the descriptor. */
kn_status kn_child_config(const kn_scenario *scenario, int *out_fd) KN_MUST_USE;
typedef struct kn_child_request {
  const char *program;          /* NULL: this one; else looked for in PATH */
  const char *const *arguments; /* behind its name; NULL-terminated */
  int client, config;           /* become KN_WORKER_CLIENT_FD and KN_WORKER_CONFIG_FD */
  int slots;                    /* becomes KN_WORKER_SLOTS_FD; -1: none */
  int output;                   /* becomes stdout and stderr; -1: both go to this process's stderr */
} kn_child_request;

/* The process has no other descriptors than these. */
kn_status kn_child_spawn(const kn_child_request *request, kn_child *out_child) KN_MUST_USE;
/* Waits for a child, which has `milliseconds` to end by itself, and takes it off the list of processes. Returns the
 * outcome of waitpid. */
int kn_child_end(kn_child *child, int milliseconds);
/* To be called first in a worker: it dies with the process that started it, leaves Ctrl-C to that, and programs that it
 * runs do not get its descriptors. */
void kn_child_bind_to_parent(void);

#endif
