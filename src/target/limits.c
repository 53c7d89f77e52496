#include "target/limits.h"

#include "core/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <kenning/base.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_NS = 50000000 };

/* ---- in the worker ---- */

/* Bytes that are resident in this process; 0 when the system does not tell. */
static uint64_t resident_bytes(void) {
  char text[128];
  int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  ssize_t got = read(fd, text, sizeof text - 1);
  close(fd);
  if (got <= 0) return 0;
  text[got] = '\0';
  unsigned long long size, resident;
  if (sscanf(text, "%llu %llu", &size, &resident) != 2) return 0;
  return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void *watch(void *limit) {
  for (;;) {
    nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
    if (resident_bytes() > *(const uint64_t *)limit) _exit(KN_EXIT_MEMORY);
  }
  return NULL;
}

static kn_status limit(__rlimit_resource_t resource, uint64_t soft, uint64_t hard, const char *what) {
  const struct rlimit both = {.rlim_cur = (rlim_t)soft, .rlim_max = (rlim_t)hard};
  if (setrlimit(resource, &both) == 0) return NULL;
  return kn_status_make(KN_IO_ERROR, "the %s of the worker cannot be limited: %s", what, strerror(errno));
}

static kn_status start_watch(uint64_t bytes) {
  static uint64_t most;
  pthread_attr_t attributes;
  static kn_thread thread;
  most = bytes;
  int error = pthread_attr_init(&attributes);
  if (!error) {
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    error = kn_thread_start(&thread, &attributes, watch, &most);
    pthread_attr_destroy(&attributes);
  }
  return error ? kn_status_make(KN_OUT_OF_MEMORY, "the memory of the worker cannot be watched: %s", strerror(error))
               : NULL;
}

kn_status kn_limits_apply(const kn_limits *limits) {
  if (limits->processor_s) KN_TRY(limit(RLIMIT_CPU, limits->processor_s, limits->processor_s + 1, "processor time"));
  if (limits->resident_bytes) KN_TRY(start_watch(limits->resident_bytes));
  return limits->data_bytes ? limit(RLIMIT_DATA, limits->data_bytes, limits->data_bytes, "memory") : NULL;
}

/* ---- groups ---- */

static bool write_text(const char *directory, const char *name, const char *text) {
  char *path = kn_format("%s/%s", directory, name);
  int fd = path ? open(path, O_WRONLY | O_CLOEXEC) : -1;
  kn_free(path);
  if (fd < 0) return false;
  size_t bytes = strlen(text);
  bool written = write(fd, text, bytes) == (ssize_t)bytes;
  close(fd);
  return written;
}

static size_t read_text(const char *path, char *out, size_t size) {
  out[0] = '\0';
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t got = fd < 0 ? -1 : read(fd, out, size - 1);
  if (fd >= 0) close(fd);
  if (got <= 0) return 0;
  out[got] = '\0';
  return (size_t)got;
}

/* The path of this process in the hierarchy of version 2: the line "0::/path". */
static char *own_group(const char *root, const char *own) {
  char text[4096];
  read_text(own, text, sizeof text);
  for (char *line = text; line && *line;) {
    char *next = strchr(line, '\n');
    if (next) *next++ = '\0';
    if (!strncmp(line, "0::/", 4)) return kn_format("%s%s", root, line[4] ? line + 3 : "");
    line = next;
  }
  return NULL;
}

/* A group in `parent`, if the memory of groups there can be limited. */
static kn_status make_group(const char *parent, pid_t pid, uint64_t bytes, kn_memory_group *out_group) {
  char number[32];
  char *path = kn_format("%s/kenning-%ld", parent, (long)pid);
  if (!path) return kn_status_out_of_memory();
  if (mkdir(path, 0700) < 0) {
    kn_free(path);
    return NULL;
  }
  snprintf(number, sizeof number, "%llu", (unsigned long long)bytes);
  bool limited = write_text(path, "memory.max", number);
  snprintf(number, sizeof number, "%ld", (long)pid);
  if (limited && write_text(path, "cgroup.procs", number)) {
    (void)write_text(path, "memory.swap.max", "0"); /* not there without swap */
    out_group->path = path;
    return NULL;
  }
  rmdir(path);
  kn_free(path);
  return NULL;
}

/* But for the root, a group with processes of its own, such as this one, has no limits to give to groups below it: then
 * the new one is beside it. */
kn_status kn_memory_group_make(const char *root, const char *own, pid_t pid, uint64_t bytes,
                               kn_memory_group *out_group) {
  *out_group = (kn_memory_group){0};
  char *parent = own_group(root, own);
  if (!parent) return NULL;
  kn_status status = make_group(parent, pid, bytes, out_group);
  char *last = strrchr(parent + strlen(root), '/');
  if (!status && !out_group->path && last) {
    *last = '\0';
    status = make_group(parent, pid, bytes, out_group);
  }
  kn_free(parent);
  return status;
}

bool kn_memory_group_exceeded(const kn_memory_group *group) {
  char text[512];
  if (!group->path) return false;
  char *path = kn_format("%s/memory.events", group->path);
  if (!path) return false;
  read_text(path, text, sizeof text);
  kn_free(path);
  const char *line = strstr(text, "oom_kill ");
  unsigned long long kills;
  return line && sscanf(line, "oom_kill %llu", &kills) == 1 && kills > 0;
}

void kn_memory_group_remove(kn_memory_group *group) {
  if (group->path) rmdir(group->path);
  kn_free(group->path);
  group->path = NULL;
}
