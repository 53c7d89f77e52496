#include "core/temporary.h"

#include "core/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { STRANGERS_AGE_S = 7 * 24 * 3600, TAIL_BYTES = 180 };

/* A process: its number is used again, with its start it is not. */
typedef struct process {
  uint32_t machine; /* since its boot, and which processes it sees */
  long number;
  uint64_t start; /* clock ticks after boot; 0: not known */
} process;

static size_t read_some(const char *path, char *out, size_t size) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t got = file < 0 ? 0 : read(file, out, size - 1);
  if (file >= 0) close(file);
  out[got > 0 ? got : 0] = '\0';
  return got > 0 ? (size_t)got : 0;
}

/* Field 22 of /proc/PID/stat (proc(5)); the name in field 2 may hold anything, also blanks and parentheses. */
static uint64_t start_of(long number) {
  char path[64], text[1024];
  snprintf(path, sizeof path, "/proc/%ld/stat", number);
  if (!read_some(path, text, sizeof text)) return 0;
  const char *at = strrchr(text, ')');
  for (int field = 2; at && field < 22; field++) at = strchr(at + 1, ' ');
  uint64_t start = 0;
  return at && sscanf(at, "%" SCNu64, &start) == 1 ? start : 0;
}

/* FNV-1a (RFC draft-eastlake-fnv) of the boot and of the namespace of processes. */
static uint32_t this_machine(void) {
  char text[128];
  struct stat space = {0};
  size_t length = read_some("/proc/sys/kernel/random/boot_id", text, 64);
  (void)stat("/proc/self/ns/pid", &space);
  length += (size_t)snprintf(text + length, sizeof text - length, "%ju", (uintmax_t)space.st_ino);
  uint32_t hash = 2166136261u;
  for (size_t i = 0; i < length; i++) hash = (hash ^ (unsigned char)text[i]) * 16777619u;
  return hash;
}

static process this_process(void) {
  return (process){.machine = this_machine(), .number = getpid(), .start = start_of(getpid())};
}

/* ---- what others left ---- */

static bool is_there(const process *maker) {
  if (kill((pid_t)maker->number, 0) != 0 && errno == ESRCH) return false;
  uint64_t start = start_of(maker->number);
  return !start || !maker->start || start == maker->start;
}

static bool is_left(const char *path, const char *name, const process *own) {
  process maker;
  struct stat found;
  int length = 0;
  if (sscanf(name, ".tmp-%8" SCNx32 "-%ld-%" SCNu64 "-%n", &maker.machine, &maker.number, &maker.start, &length) != 3 ||
      !length || maker.number < 1 || lstat(path, &found) != 0 || found.st_uid != geteuid())
    return false;
  if (maker.machine != own->machine) return found.st_mtime < time(NULL) - STRANGERS_AGE_S;
  return !is_there(&maker);
}

static void sweep(const char *directory, const process *own) {
  DIR *listing = opendir(directory);
  for (struct dirent *entry; listing && (entry = readdir(listing));) {
    if (strncmp(entry->d_name, ".tmp-", 5) != 0) continue;
    char *path = kn_format("%s/%s", directory, entry->d_name);
    if (path && is_left(path, entry->d_name, own)) {
      kn_status status = kn_directory_remove(path);
      kn_log(KN_LOG_DEBUG, "%s: %s", path, status ? kn_status_message(status, 0) : "left by a process that was killed");
      kn_status_free(status);
    }
    kn_free(path);
  }
  if (listing) closedir(listing);
}

/* Once for a directory while it is the one that is worked in. */
static void sweep_once(const char *directory, const process *own) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  static dev_t device;
  static ino_t inode;
  struct stat found;
  if (stat(directory, &found) != 0) return;
  pthread_mutex_lock(&lock);
  bool done = found.st_dev == device && found.st_ino == inode;
  device = found.st_dev;
  inode = found.st_ino;
  pthread_mutex_unlock(&lock);
  if (!done) sweep(directory, own);
}

char *kn_temporary_name(const char *path) {
  static atomic_uint counter;
  const process own = this_process();
  const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
  char *directory = slash ? kn_strndup(path, slash == path ? 1 : (size_t)(slash - path)) : kn_strdup(".");
  if (!directory) return NULL;
  sweep_once(directory, &own);
  kn_free(directory);
  /* The end of the name stays: some producers choose their format by it. Names are at most 255 bytes long. */
  size_t length = strlen(name);
  const char *tail = length > TAIL_BYTES ? name + length - TAIL_BYTES : name;
  return kn_format("%.*s.tmp-%08" PRIx32 "-%ld-%" PRIu64 "-%u-%s", (int)(name - path), path, own.machine, own.number,
                   own.start, atomic_fetch_add(&counter, 1), tail);
}
