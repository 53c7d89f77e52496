#include "torture/system.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "core/library.h"
#include "support/unit.h"

static const char *_Atomic chosen;
static atomic_uint left;
static atomic_int wanted;
static atomic_bool done;

void kt_system_fail(const char *function, unsigned nth, int error) {
  atomic_store(&done, false);
  atomic_store(&left, nth);
  atomic_store(&wanted, error);
  atomic_store(&chosen, function);
}

bool kt_system_mend(void) {
  atomic_store(&chosen, NULL);
  return atomic_load(&done);
}

static bool fails(const char *function) {
  const char *name = atomic_load(&chosen);
  if (!name || strcmp(name, function) != 0 || atomic_fetch_sub(&left, 1) != 1) return false;
  atomic_store(&done, true);
  errno = atomic_load(&wanted);
  return true;
}

/* ---- what is left behind ---- */

int kt_descriptors(void) {
  int count = 0;
  DIR *listing = opendir("/proc/self/fd");
  assert_non_null(listing);
  while (readdir(listing)) count++;
  closedir(listing);
  return count;
}

void kt_system_check(const char *function, unsigned nth, kn_status status, int before) {
  const char *text = status ? kn_status_message(status, 0) : "none";
  if (!*text || !strncmp(text, "wrong: ", 7)) kt_fail("call %u of %s: '%s'", nth, function, text);
  kn_status_free(status);
  int now = kt_descriptors();
  if (now != before) kt_fail("call %u of %s: %d descriptors, before %d", nth, function, now, before);
  if (waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD) kt_fail("call %u of %s: a process is left", nth, function);
}

/* ---- again and again ---- */

/* Whether there was such a call. */
static bool attempt(const kt_torture *t, const char *function, unsigned nth, int error, int before) {
  kt_system_fail(function, nth, error);
  kn_status status = t->operation(t->context);
  const bool failed = kt_system_mend(), late = t->hasty && kn_status_code(status) == KN_TIMEOUT;
  if (status && !failed && !late)
    kt_fail("%s, though no call %u of %s failed: '%s'", t->what, nth, function, kn_status_message(status, 0));
  kt_system_check(function, nth, status, before);
  return failed;
}

static void do_without(const kt_torture *t, const char *function) {
  kt_system_fail(function, 1, EIO);
  kn_status status = t->operation(t->context);
  if (!kt_system_mend()) kt_fail("%s does not call %s", t->what, function);
  if (!status) kt_fail("%s works without %s", t->what, function);
  kn_status_free(status);
}

void kt_system_torture(const kt_torture *t) {
  kt_system_check("none", 0, t->operation(t->context), kt_descriptors());
  const int before = kt_descriptors();
  for (size_t f = 0; t->calls[f]; f++)
    for (size_t e = 0; t->errors[e]; e++) {
      unsigned nth = 1;
      while (nth <= t->most && attempt(t, t->calls[f], nth, t->errors[e], before)) nth++;
      if (t->whole && nth > t->most) kt_fail("%s calls %s more than %u times", t->what, t->calls[f], t->most);
    }
  for (size_t v = 0; t->vital && t->vital[v]; v++) do_without(t, t->vital[v]);
  kn_status status = t->operation(t->context);
  if (status) kt_fail("%s, without a failing call: '%s'", t->what, kn_status_message(status, 0));
}

/* ---- system calls ---- */

/* X(type, name, parameters, arguments, what it returns when it fails) */
#define CALLS(X)                                                                                                       \
  X(int, socket, (int domain, int type, int protocol), (domain, type, protocol), -1)                                   \
  X(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t size), (fd, level, name, value, size), \
    -1)                                                                                                                \
  X(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *size), (fd, level, name, value, size), -1)  \
  X(int, bind, (int fd, const struct sockaddr *name, socklen_t size), (fd, name, size), -1)                            \
  X(int, listen, (int fd, int backlog), (fd, backlog), -1)                                                             \
  X(int, connect, (int fd, const struct sockaddr *name, socklen_t size), (fd, name, size), -1)                         \
  X(int, accept4, (int fd, struct sockaddr *name, socklen_t *size, int flags), (fd, name, size, flags), -1)            \
  X(int, getsockname, (int fd, struct sockaddr *name, socklen_t *size), (fd, name, size), -1)                          \
  X(int, socketpair, (int domain, int type, int protocol, int *ends), (domain, type, protocol, ends), -1)              \
  X(int, pipe2, (int *ends, int flags), (ends, flags), -1)                                                             \
  X(int, memfd_create, (const char *name, unsigned flags), (name, flags), -1)                                          \
  X(int, ftruncate, (int fd, off_t bytes), (fd, bytes), -1)                                                            \
  X(void *, mmap, (void *at, size_t bytes, int access, int flags, int fd, off_t from),                                 \
    (at, bytes, access, flags, fd, from), MAP_FAILED)                                                                  \
  X(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags), -1)                     \
  X(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags), -1)                           \
  X(ssize_t, send, (int fd, const void *data, size_t bytes, int flags), (fd, data, bytes, flags), -1)                  \
  X(ssize_t, recv, (int fd, void *data, size_t bytes, int flags), (fd, data, bytes, flags), -1)                        \
  X(ssize_t, read, (int fd, void *data, size_t bytes), (fd, data, bytes), -1)                                          \
  X(ssize_t, write, (int fd, const void *data, size_t bytes), (fd, data, bytes), -1)                                   \
  X(ssize_t, writev, (int fd, const struct iovec *pieces, int count), (fd, pieces, count), -1)                         \
  X(ssize_t, sendfile, (int to, int from, off_t *at, size_t bytes), (to, from, at, bytes), -1)                         \
  X(int, poll, (struct pollfd * list, nfds_t count, int milliseconds), (list, count, milliseconds), -1)                \
  X(int, ppoll, (struct pollfd * list, nfds_t count, const struct timespec *time, const sigset_t *mask),               \
    (list, count, time, mask), -1)                                                                                     \
  X(int, fstat, (int fd, struct stat *out), (fd, out), -1)                                                             \
  X(int, fchmod, (int fd, mode_t mode), (fd, mode), -1)                                                                \
  X(ssize_t, getrandom, (void *out, size_t bytes, unsigned flags), (out, bytes, flags), -1)                            \
  X(int, fsync, (int fd), (fd), -1)                                                                                    \
  X(int, flock, (int fd, int operation), (fd, operation), -1)                                                          \
  X(off_t, lseek, (int fd, off_t at, int from), (fd, at, from), -1)                                                    \
  X(int, tcgetattr, (int fd, struct termios *out), (fd, out), -1)                                                      \
  X(int, tcsetattr, (int fd, int when, const struct termios *in), (fd, when, in), -1)                                  \
  X(int, tcflush, (int fd, int queue), (fd, queue), -1)                                                                \
  X(int, cfsetispeed, (struct termios * out, speed_t speed), (out, speed), -1)                                         \
  X(int, cfsetospeed, (struct termios * out, speed_t speed), (out, speed), -1)                                         \
  X(ssize_t, readlink, (const char *path, char *out, size_t bytes), (path, out, bytes), -1)                            \
  X(int, setrlimit, (__rlimit_resource_t resource, const struct rlimit *limit), (resource, limit), -1)                 \
  X(pid_t, waitpid, (pid_t pid, int *outcome, int options), (pid, outcome, options), -1)                               \
  X(int, pthread_create, (pthread_t * out, const pthread_attr_t *how, void *(*start)(void *), void *context),          \
    (out, how, start, context), errno)                                                                                 \
  X(int, pthread_attr_init, (pthread_attr_t * out), (out), errno)                                                      \
  X(int, pthread_condattr_init, (pthread_condattr_t * out), (out), errno)                                              \
  X(int, posix_spawnp,                                                                                                 \
    (pid_t * out, const char *file, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *how,           \
     char *const arguments[], char *const environment[]),                                                              \
    (out, file, actions, how, arguments, environment), errno)                                                          \
  X(int, posix_spawn_file_actions_init, (posix_spawn_file_actions_t * out), (out), errno)                              \
  X(int, posix_spawn_file_actions_addopen,                                                                             \
    (posix_spawn_file_actions_t * out, int fd, const char *path, int flags, mode_t mode),                              \
    (out, fd, path, flags, mode), errno)                                                                               \
  X(int, posix_spawn_file_actions_adddup2, (posix_spawn_file_actions_t * out, int fd, int other), (out, fd, other),    \
    errno)                                                                                                             \
  X(int, posix_spawnattr_init, (posix_spawnattr_t * out), (out), errno)                                                \
  X(int, posix_spawnattr_setsigmask, (posix_spawnattr_t * out, const sigset_t *mask), (out, mask), errno)              \
  X(int, posix_spawnattr_setflags, (posix_spawnattr_t * out, short flags), (out, flags), errno)

#define WRAP(type, name, parameters, arguments, failure) \
  type __real_##name parameters;                         \
  type __wrap_##name parameters;                         \
  type __wrap_##name parameters {                        \
    if (fails(#name)) return failure;                    \
    return __real_##name arguments;                      \
  }
CALLS(WRAP)

/* Those with an open list of parameters. */
int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...) {
  va_list list;
  va_start(list, command);
  long argument = va_arg(list, long);
  va_end(list);
  return fails("fcntl") ? -1 : __real_fcntl(fd, command, argument);
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  mode_t mode = va_arg(list, mode_t);
  va_end(list);
  return fails("open") ? -1 : __real_open(path, flags, mode);
}

/* `read`, as release flags (_FORTIFY_SOURCE) call it where they cannot see how much room there is. */
ssize_t __real___read_chk(int fd, void *data, size_t bytes, size_t room);
ssize_t __wrap___read_chk(int fd, void *data, size_t bytes, size_t room);
ssize_t __wrap___read_chk(int fd, void *data, size_t bytes, size_t room) {
  return fails("read") ? -1 : __real___read_chk(fd, data, bytes, room);
}

/* EAI_SYSTEM */
int __real_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out);
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out);
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out) {
  if (fails("getaddrinfo")) return errno == ENOMEM ? EAI_MEMORY : EAI_SYSTEM;
  return __real_getaddrinfo(host, service, hints, out);
}

#define NAME(type, name, parameters, arguments, failure) #name,
const char *const kt_system_calls[] = {CALLS(NAME) "fcntl", "open", "getaddrinfo", NULL};

/* ---- libssl ---- */

const char *const kt_tls_calls[] = {"SSL_CTX_new",
                                    "SSL_CTX_ctrl",
                                    "SSL_CTX_set_ciphersuites",
                                    "SSL_CTX_set_num_tickets",
                                    "SSL_CTX_set_max_early_data",
                                    "SSL_new",
                                    "SSL_set_ex_data",
                                    "SSL_set_fd",
                                    "SSL_CIPHER_find",
                                    "SSL_SESSION_new",
                                    "SSL_SESSION_set1_master_key",
                                    "SSL_SESSION_set_cipher",
                                    "SSL_SESSION_set_protocol_version",
                                    "SSL_session_reused",
                                    "SSL_version",
                                    NULL};

static void *nothing(void) {
  atomic_store(&done, true);
  return NULL;
}

kn_status __real_kn_library_use(kn_library *library);
kn_status __wrap_kn_library_use(kn_library *library);
kn_status __wrap_kn_library_use(kn_library *library) {
  static kn_library *patched;
  static size_t place;
  static void *original;
  const char *name = atomic_load(&chosen);
  KN_TRY(__real_kn_library_use(library));
  void **table = library->table;
  if (strncmp(library->file, "libssl", 6) != 0) return NULL;
  if (patched && (!name || strcmp(library->names[place], name) != 0)) {
    table[place] = original;
    patched = NULL;
  }
  for (size_t i = 0; name && !patched && i < library->count; i++)
    if (!strcmp(library->names[i], name)) {
      patched = library;
      place = i;
      original = table[i];
      table[i] = (void *)(uintptr_t)nothing;
    }
  return NULL;
}
