#include "target/spawn.h"

#include "core/record_json.h"
#include "target/server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGUMENTS = 16 };

static kn_status write_config(int fd, const char *text, size_t bytes) {
  for (size_t sent = 0; sent < bytes;) {
    ssize_t now = write(fd, text + sent, bytes - sent);
    if (now < 0 && errno != EINTR)
      return kn_status_make(KN_IO_ERROR, "the scenario cannot be handed to a worker: %s", strerror(errno));
    if (now > 0) sent += (size_t)now;
  }
  return NULL;
}

static bool put_optimizers(yyjson_mut_doc *doc, yyjson_mut_val *root, const kn_scenario *scenario) {
  yyjson_mut_val *list = yyjson_mut_obj_add_arr(doc, root, "optimizers");
  for (size_t i = 0; list && i < scenario->optimizer_count; i++) {
    yyjson_mut_val *block = yyjson_mut_arr_add_obj(doc, list);
    if (!block || !kn_scenario_put_block(doc, block, "block", &scenario->optimizers[i])) return false;
    yyjson_mut_arr_replace(list, i, yyjson_mut_obj_remove_key(block, "block"));
  }
  return list != NULL;
}

kn_status kn_child_config(const kn_scenario *scenario, int *out_fd) {
  *out_fd = -1;
  yyjson_mut_doc *doc = yyjson_mut_doc_new(&kn_json_allocator);
  if (!doc) return kn_status_out_of_memory();
  yyjson_mut_val *root = yyjson_mut_obj(doc);
  bool ok = root && kn_scenario_put_block(doc, root, "runtime", &scenario->runtime) &&
            kn_scenario_put_block(doc, root, "runtime_protocol", &scenario->runtime_protocol) &&
            put_optimizers(doc, root, scenario);
  yyjson_mut_doc_set_root(doc, root);
  size_t bytes = 0;
  char *text = ok ? yyjson_mut_write_opts(doc, 0, &kn_json_allocator, &bytes, NULL) : NULL;
  yyjson_mut_doc_free(doc);
  if (!text) return kn_status_out_of_memory();
  int fd = memfd_create("kenning-scenario", MFD_CLOEXEC);
  kn_status status = fd < 0 ? kn_status_make(KN_IO_ERROR, "a worker cannot be prepared: %s", strerror(errno))
                            : write_config(fd, text, bytes);
  kn_free(text);
  if (status && fd >= 0) close(fd);
  if (!status) *out_fd = fd;
  return status;
}

/* Descriptors that are in the way of 3 to 6 are moved first: dup2 of a descriptor onto itself would keep its
 * close-on-exec flag. */
static int above(int fd) { return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 16); }

static int add_descriptors(posix_spawn_file_actions_t *actions, const kn_child_request *high, int life) {
  int error = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  if (!error && high->output >= 0) error = posix_spawn_file_actions_adddup2(actions, high->output, STDERR_FILENO);
  if (!error) error = posix_spawn_file_actions_adddup2(actions, STDERR_FILENO, STDOUT_FILENO);
  if (!error) error = posix_spawn_file_actions_adddup2(actions, high->client, KN_WORKER_CLIENT_FD);
  if (!error) error = posix_spawn_file_actions_adddup2(actions, high->config, KN_WORKER_CONFIG_FD);
  if (!error && high->slots >= 0) error = posix_spawn_file_actions_adddup2(actions, high->slots, KN_WORKER_SLOTS_FD);
  if (!error) error = posix_spawn_file_actions_adddup2(actions, life, KN_WORKER_LIFE_FD);
  return error;
}

static int spawn_with(const kn_child_request *high, int life, pid_t *out_pid) {
  const char *line[ARGUMENTS + 2] = {high->program ? high->program : program_invocation_name};
  for (size_t i = 0; i < ARGUMENTS && high->arguments[i]; i++) line[i + 1] = high->arguments[i];
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none;
  sigemptyset(&none);
  int error = posix_spawn_file_actions_init(&actions);
  if (error) return error;
  error = posix_spawnattr_init(&attributes);
  if (!error) {
    error = add_descriptors(&actions, high, life);
    if (!error) error = posix_spawnattr_setsigmask(&attributes, &none);
    if (!error) error = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    if (!error)
      error = posix_spawnp(out_pid, high->program ? high->program : "/proc/self/exe", &actions, &attributes,
                           (char *const *)(uintptr_t)line, environ);
    posix_spawnattr_destroy(&attributes);
  }
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

/* A pipe of which nobody writes: it is at its end when no process has `*out_life` any more. 0 or an errno. */
static int make_watch(int *out_watch, int *out_life) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return errno;
  *out_watch = ends[0];
  *out_life = above(ends[1]);
  int error = *out_life < 0 ? errno : 0;
  close(ends[1]);
  return error;
}

kn_status kn_child_spawn(const kn_child_request *request, kn_child *out_child) {
  *out_child = (kn_child){.watch = -1};
  kn_child_request high = *request;
  const int given[] = {request->client, request->config, request->slots, request->output};
  int *const moved[] = {&high.client, &high.config, &high.slots, &high.output};
  int life = -1;
  int error = make_watch(&out_child->watch, &life);
  for (int i = 0; i < 4; i++) {
    *moved[i] = above(given[i]);
    if (*moved[i] < 0 && given[i] >= 0) error = errno;
  }
  if (!error) error = spawn_with(&high, life, &out_child->pid);
  for (int i = 0; i < 4; i++)
    if (*moved[i] >= 0) close(*moved[i]);
  if (life >= 0) close(life);
  if (!error) return NULL;
  if (out_child->watch >= 0) close(out_child->watch);
  *out_child = (kn_child){.watch = -1};
  return kn_status_make(KN_IO_ERROR, "a worker process cannot be started: %s", strerror(error));
}

/* SIGKILL does nothing to a process that is ending by itself; one that has merely closed its end of the pipe is not
 * waited for. */
int kn_child_end(kn_child *child, int milliseconds) {
  int outcome = 0;
  struct pollfd one = {.fd = child->watch, .events = POLLIN};
  if (!child->pid) return 0;
  while (poll(&one, 1, milliseconds) < 0 && errno == EINTR) continue;
  kill(child->pid, SIGKILL);
  while (waitpid(child->pid, &outcome, 0) < 0 && errno == EINTR) continue;
  close(child->watch);
  *child = (kn_child){.watch = -1};
  return outcome;
}

void kn_child_bind_to_parent(void) {
  struct pollfd life = {.fd = KN_WORKER_LIFE_FD};
  signal(SIGINT, SIG_IGN);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (poll(&life, 1, 0) > 0 && life.revents & POLLERR) _exit(EXIT_FAILURE); /* the parent ended before that */
  for (int fd = KN_WORKER_CLIENT_FD; fd <= KN_WORKER_LIFE_FD; fd++) (void)!fcntl(fd, F_SETFD, FD_CLOEXEC);
}
