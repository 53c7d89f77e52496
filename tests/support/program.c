#include "support/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/directory.h"
#include "support/unit.h"

enum { DEFAULT_TIMEOUT_S = 30, REPORT_FD = 3 };

struct kt_process {
  pid_t pid;        /* of the launcher, which leads the process group */
  int out, err;     /* files in memory: no reader has to keep up with the program */
  int report;       /* what launch.c says in the end */
  int64_t start_ns; /* monotonic */
  int timeout_s;
  const char *name;
};

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static const char *variable(const char *name) {
  const char *value = getenv(name);
  if (!value) kt_fail("%s is not set: run the test with ctest", name);
  return value;
}

static const char *existing_program(const char *path, const char *how) {
  if (access(path, X_OK) != 0) kt_fail("%s: %s; %s", path, strerror(errno), how);
  return path;
}

const char *kt_kenning(void) { return existing_program(variable("KENNING_TEST_PROGRAM"), "build it first"); }

const char *kt_kenning_release(void) {
  static char path[4096];
  int length = snprintf(path, sizeof path, "%s/kenning", variable("KENNING_TEST_RELEASE_DIR"));
  if (length < 0 || (size_t)length >= sizeof path) kt_fail("the path of the release build is too long");
  return existing_program(path, "run `make` first");
}

/* Made by scripts/run-tests for the tests of one run: a framework that one of them found whole is not judged again.
 * NULL where a test runs by itself. Free it. */
static char *checked_mark(const char *framework) {
  const char *directory = getenv("KENNING_TEST_CHECKED");
  return directory ? kt_path(directory, framework) : NULL;
}

void kt_need(const char *framework) {
  char *mark = checked_mark(framework);
  if (mark && access(mark, F_OK) == 0) {
    free(mark);
    return;
  }
  const kt_run_options options = {.environment = (const char *const[]){"KENNING_PLUGIN_PATH", NULL}};
  kt_run run = kt_run_program((const char *const[]){kt_kenning_release(), "doctor", framework, NULL}, &options);
  bool installed = run.exit_code == 0;
  kt_run_free(&run);
  if (mark && installed) kt_file_write_text(mark, "");
  free(mark);
  if (!installed) kt_skip("kenning install %s", framework);
}

static int memory_file(const char *text) {
  int file = memfd_create("kenning-test", MFD_CLOEXEC);
  size_t bytes = text ? strlen(text) : 0;
  if (file < 0 || (bytes && write(file, text, bytes) != (ssize_t)bytes) || lseek(file, 0, SEEK_SET) != 0) {
    kt_fail("file in memory: %s", strerror(errno));
  }
  return file;
}

static char *whole(int file, size_t *out_bytes) {
  struct stat status;
  if (fstat(file, &status) != 0) kt_fail("fstat: %s", strerror(errno));
  size_t room = (size_t)status.st_size, bytes = 0;
  char *text = malloc(room + 1);
  if (!text) kt_fail("out of memory");
  while (bytes < room) {
    ssize_t n = pread(file, text + bytes, room - bytes, (off_t)bytes);
    if (n <= 0) break;
    bytes += (size_t)n;
  }
  text[bytes] = '\0';
  if (out_bytes) *out_bytes = bytes;
  return text;
}

static bool same_name(const char *a, const char *b) {
  size_t length = strcspn(a, "=");
  return length == strcspn(b, "=") && strncmp(a, b, length) == 0;
}

/* The test's environment with the changes; the strings stay where they are, only the array is to be freed. */
static char **changed_environment(const char *const *changes) {
  size_t count = 0, change_count = 0;
  while (environ[count]) count++;
  while (changes && changes[change_count]) change_count++;
  char **result = calloc(count + change_count + 1, sizeof *result);
  if (!result) kt_fail("out of memory");
  size_t n = 0;
  for (size_t i = 0; i < count; i++) {
    bool replaced = false;
    for (size_t j = 0; j < change_count; j++) replaced |= same_name(environ[i], changes[j]);
    if (!replaced) result[n++] = environ[i];
  }
  for (size_t j = 0; j < change_count; j++) {
    if (strchr(changes[j], '=')) result[n++] = (char *)changes[j];
  }
  return result;
}

static const char **launcher_arguments(const char *const *arguments) {
  size_t count = 0;
  while (arguments[count]) count++;
  const char **result = calloc(count + 3, sizeof *result);
  if (!result) kt_fail("out of memory");
  result[0] = variable("KENNING_TEST_LAUNCHER_PROGRAM");
  result[1] = "3";
  memcpy(result + 2, arguments, count * sizeof *result);
  return result;
}

kt_process *kt_start(const char *const *arguments, const kt_run_options *options) {
  static const kt_run_options defaults = {0};
  if (!options) options = &defaults;
  kt_process *process = calloc(1, sizeof *process);
  if (!process) kt_fail("out of memory");
  process->timeout_s = options->timeout_s > 0 ? options->timeout_s : DEFAULT_TIMEOUT_S;
  process->name = arguments[0];
  process->out = memory_file(NULL);
  process->err = memory_file(NULL);
  process->report = memory_file(NULL);
  int input = memory_file(options->input);

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input, 0);
  posix_spawn_file_actions_adddup2(&actions, process->out, 1);
  posix_spawn_file_actions_adddup2(&actions, process->err, 2);
  posix_spawn_file_actions_adddup2(&actions, process->report, REPORT_FD);
  if (options->directory) posix_spawn_file_actions_addchdir_np(&actions, options->directory);
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);

  const char **launch = launcher_arguments(arguments);
  char **environment = changed_environment(options->environment);
  process->start_ns = now_ns();
  int error = posix_spawn(&process->pid, launch[0], &actions, &attributes, (char *const *)launch, environment);
  if (error) kt_fail("cannot start %s: %s", launch[0], strerror(error));
  free(environment);
  free(launch);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  close(input);
  return process;
}

static bool output_has(int file, const char *text) {
  char *output = whole(file, NULL);
  bool has = strstr(output, text) != NULL;
  free(output);
  return has;
}

/* It stays for waitpid. */
static bool has_ended(pid_t pid) {
  siginfo_t info = {0};
  return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0;
}

static void wait_ms(int ms) { nanosleep(&(struct timespec){.tv_nsec = ms * 1000000L}, NULL); }

static void tell_output(const kt_process *process, const char *text, bool ended) {
  char *out = whole(process->out, NULL), *err = whole(process->err, NULL);
  print_error("\"%s\" did not come%s\n--- stdout\n%s\n--- stderr\n%s\n---\n", text,
              ended ? " before the program ended" : " in time", out, err);
  free(out);
  free(err);
}

bool kt_wait_output(kt_process *process, const char *text, int timeout_s) {
  int64_t deadline_ns = now_ns() + (int64_t)timeout_s * 1000000000;
  for (;;) {
    bool ended = has_ended(process->pid);
    if (output_has(process->out, text) || output_has(process->err, text)) return true;
    if (ended || now_ns() > deadline_ns) {
      tell_output(process, text, ended);
      return false;
    }
    wait_ms(5);
  }
}

void kt_signal(kt_process *process, int signal) { kill(-process->pid, signal); }

/* True when the launcher ended in time. */
static bool wait_end(pid_t pid, int timeout_s) {
  int64_t deadline_ns = now_ns() + (int64_t)timeout_s * 1000000000;
  while (!has_ended(pid)) {
    if (now_ns() > deadline_ns) return false;
    wait_ms(1);
  }
  return true;
}

static void read_report(const kt_process *process, kt_run *run) {
  char *report = whole(process->report, NULL), *end = report;
  int status = (int)strtol(report, &end, 10);
  if (end == report) kt_fail("%s was not started, or its launcher was killed: %s", process->name, report);
  run->peak_rss_kib = strtol(end, NULL, 10);
  free(report);
  run->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  run->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

kt_run kt_finish(kt_process *process) {
  kt_run run = {.exit_code = -1, .peak_rss_kib = -1};
  run.timed_out = !wait_end(process->pid, process->timeout_s);
  if (run.timed_out) {
    run.signal = SIGKILL;
    kill(-process->pid, SIGKILL);
  }
  while (waitpid(process->pid, NULL, 0) < 0 && errno == EINTR) continue;
  run.wall_ns = now_ns() - process->start_ns;
  if (!run.timed_out) read_report(process, &run);
  run.out = whole(process->out, &run.out_bytes);
  run.err = whole(process->err, &run.err_bytes);
  close(process->out);
  close(process->err);
  close(process->report);
  free(process);
  return run;
}

kt_run kt_run_program(const char *const *arguments, const kt_run_options *options) {
  return kt_finish(kt_start(arguments, options));
}

void kt_run_free(kt_run *run) {
  free(run->out);
  free(run->err);
  *run = (kt_run){0};
}

void kt_assert_exit_at(const kt_run *run, int code, const char *file, int line) {
  if (run->exit_code == code) return;
  print_error("%s:%d: exit code %d%s, signal %d; expected exit code %d\n--- stdout\n%s\n--- stderr\n%s\n---\n", file,
              line, run->exit_code, run->timed_out ? " (timed out)" : "", run->signal, code, run->out, run->err);
  _fail(file, line);
}

void kt_assert_contains_at(const char *text, const char *part, const char *file, int line) {
  if (strstr(text, part)) return;
  print_error("%s:%d: \"%s\" is not in:\n%s\n---\n", file, line, part, text);
  _fail(file, line);
}
