#include "core/text.h"

#include <errno.h>
#include <fcntl.h>
#include <kenning/process.h>
#include <kenning/services.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
  LINE_BYTES = 16 << 10,
  TAIL_LINES = 8,
  TAIL_BYTES = 300,
  LOOK_MS = 50,
  ENDING_MS = 1, /* between looks at one that has closed its outputs, as it does when it ends */
  TICK_MS = 100,
  GRACE_MS = 2000,
  LEFTOVER_BYTES = 1 << 20, /* at most the size of a pipe */
  OUTPUT_LIMIT = 1 << 20
};

/* One of the child's output pipes and the line that is being put together. */
typedef struct stream {
  int pipe; /* -1: at its end */
  kn_stream kind;
  size_t length;
  bool after_return; /* the line ended at '\r': a '\n' right behind belongs to it */
  int escape; /* 1: behind ESC; 2: inside a control sequence (ECMA-48: colours and the like), which is left out */
  char line[LINE_BYTES + 1];
} stream;

typedef struct child {
  const kn_process_request *request;
  const char *name;
  pid_t pid;
  stream streams[2];
  char tail[TAIL_LINES][TAIL_BYTES]; /* ring of the last lines */
  size_t tail_count;
  int64_t start_ns, look_ns, tick_ns, kill_ns;
  kn_status reason; /* why it is being stopped; NULL: it is not */
  bool lost;        /* how it ended cannot be known */
} child;

static bool executable(const char *path) {
  struct stat status;
  return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

kn_status kn_process_find(const char *program, char **out_path) {
  *out_path = NULL;
  const char *path = getenv("PATH");
  if (!path) path = "/usr/local/bin:/usr/bin:/bin";
  while (*path) {
    size_t length = strcspn(path, ":");
    if (length > 0) {
      char *candidate = kn_format("%.*s/%s", (int)length, path, program);
      if (!candidate) return kn_status_out_of_memory();
      if (executable(candidate)) {
        *out_path = candidate;
        return NULL;
      }
      kn_free(candidate);
    }
    path += length + (path[length] == ':');
  }
  return kn_status_make(KN_NOT_INSTALLED, "the program %s is not on PATH; install the package that has it", program);
}

/* The program's path; absolute when the child starts in another directory. */
static kn_status program_path(const kn_process_request *request, char **out_path) {
  const char *program = request->arguments[0];
  *out_path = NULL;
  if (!strchr(program, '/')) return kn_process_find(program, out_path);
  if (!executable(program))
    return kn_status_make(KN_NOT_INSTALLED, "%s: %s", program,
                          access(program, F_OK) == 0 ? "is not a program that may be run" : "there is no such program");
  if (request->directory && *program != '/') {
    char here[4096];
    if (!getcwd(here, sizeof here)) return kn_status_make(KN_IO_ERROR, "getcwd: %s", strerror(errno));
    *out_path = kn_format("%s/%s", here, program);
  } else {
    *out_path = kn_strdup(program);
  }
  return *out_path ? NULL : kn_status_out_of_memory();
}

static bool same_name(const char *a, const char *b) {
  size_t length = strcspn(a, "=");
  return length == strcspn(b, "=") && memcmp(a, b, length) == 0;
}

/* Our environment with the changes: the strings stay where they are, the array is to be freed. */
static const char **changed_environment(const char *const *changes) {
  size_t count = 0, change_count = 0;
  while (environ && environ[count]) count++;
  while (changes && changes[change_count]) change_count++;
  const char **result = kn_alloc_array(count + change_count + 1, sizeof *result);
  if (!result) return NULL;
  size_t n = 0;
  for (size_t i = 0; i < count; i++) {
    bool changed = false;
    for (size_t j = 0; j < change_count && !changed; j++) changed = same_name(environ[i], changes[j]);
    if (!changed) result[n++] = environ[i];
  }
  for (size_t j = 0; j < change_count; j++)
    if (strchr(changes[j], '=')) result[n++] = changes[j];
  return result;
}

/* The arguments with the program's path in front, behind the setpriv command where there is one: posix_spawn has no
 * way to ask for a parent-death signal, and setpriv(1) is the documented program for it. */
static const char **command_line(const char *const *arguments, const char *program, const char *setpriv) {
  size_t count = 0, n = 0;
  while (arguments[count]) count++;
  const char **result = kn_alloc_array(count + 5, sizeof *result);
  if (!result) return NULL;
  if (setpriv) {
    result[n++] = setpriv;
    result[n++] = "--pdeathsig";
    result[n++] = "KILL";
    result[n++] = "--";
  }
  result[n++] = program;
  for (size_t i = 1; i < count; i++) result[n++] = arguments[i];
  return result;
}

/* A pipe whose ends are no standard descriptors: those are replaced in the child. 0 or an errno. */
static int open_pipe(int ends[2]) {
  if (pipe2(ends, O_CLOEXEC) != 0) return errno;
  int error = 0;
  for (int i = 0; i < 2 && !error; i++) {
    if (ends[i] > STDERR_FILENO) continue;
    int higher = fcntl(ends[i], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (higher < 0) {
      error = errno;
    } else {
      close(ends[i]);
      ends[i] = higher;
    }
  }
  if (!error && fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0) error = errno;
  if (error) {
    close(ends[0]);
    close(ends[1]);
  }
  return error;
}

/* posix_spawn itself; 0 or an errno. */
static int spawn_with(child *c, const char *const *arguments, const char *const *environment, int out, int error_out) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  int error = posix_spawn_file_actions_init(&actions);
  if (error) return error;
  error = posix_spawnattr_init(&attributes);
  if (error) {
    posix_spawn_file_actions_destroy(&actions);
    return error;
  }
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  if (!error && c->request->directory) error = posix_spawn_file_actions_addchdir_np(&actions, c->request->directory);
  if (!error) error = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  if (!error) error = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  if (!error) error = posix_spawn_file_actions_adddup2(&actions, error_out, STDERR_FILENO);
  if (!error) error = posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  if (!error) error = posix_spawnattr_setsigmask(&attributes, &none);
  if (!error) error = posix_spawnattr_setsigdefault(&attributes, &all);
  if (!error)
    error = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  if (!error)
    error =
        posix_spawn(&c->pid, arguments[0], &actions, &attributes, (char *const *)arguments, (char *const *)environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

static kn_status spawn_piped(child *c, const char *const *arguments, const char *const *environment) {
  int out[2], error_out[2];
  int error = open_pipe(out);
  if (error) return kn_status_make(KN_IO_ERROR, "pipe for %s: %s", c->name, strerror(error));
  error = open_pipe(error_out);
  if (error) {
    close(out[0]);
    close(out[1]);
    return kn_status_make(KN_IO_ERROR, "pipe for %s: %s", c->name, strerror(error));
  }
  error = spawn_with(c, arguments, environment, out[1], error_out[1]);
  close(out[1]);
  close(error_out[1]);
  if (error) {
    close(out[0]);
    close(error_out[0]);
    return kn_status_make(error == ENOMEM || error == EAGAIN ? KN_OUT_OF_MEMORY : KN_IO_ERROR, "cannot start %s: %s",
                          c->name, strerror(error));
  }
  c->streams[0].pipe = out[0];
  c->streams[1].pipe = error_out[0];
  if (c->request->memory_limit_bytes) {
    rlim_t limit = c->request->memory_limit_bytes > SIZE_MAX / 2 ? RLIM_INFINITY : 2 * c->request->memory_limit_bytes;
    /* Without it the watchdog below stands alone. */
    if (prlimit(c->pid, RLIMIT_DATA, &(struct rlimit){limit, limit}, NULL) != 0)
      kn_log(KN_LOG_DEBUG, "no data limit for %s: %s", c->name, strerror(errno));
  }
  return NULL;
}

static kn_status spawn(child *c) {
  char *program = NULL, *setpriv = NULL;
  KN_TRY(program_path(c->request, &program));
  kn_status status = kn_process_find("setpriv", &setpriv);
  if (kn_status_code(status) == KN_NOT_INSTALLED) {
    kn_status_free(status);
    status = NULL;
  }
  if (!status) {
    const char **arguments = command_line(c->request->arguments, program, setpriv);
    const char **environment = changed_environment(c->request->environment);
    status = arguments && environment ? spawn_piped(c, arguments, environment) : kn_status_out_of_memory();
    kn_free(arguments);
    kn_free(environment);
  }
  kn_free(setpriv);
  kn_free(program);
  return status;
}

/* Starts to stop the child for `reason`, which is taken. The first reason stands. */
static void stop(child *c, kn_status reason) {
  if (c->reason) {
    kn_status_free(reason);
    return;
  }
  c->reason = reason;
  kill(-c->pid, SIGTERM);
  c->kill_ns = kn_now_ns() + (int64_t)GRACE_MS * 1000000;
}

static void end_line(child *c, stream *s) {
  s->line[s->length] = '\0';
  if (s->length > 0) {
    size_t kept = s->length < TAIL_BYTES - 1 ? s->length : TAIL_BYTES - 1;
    char *slot = c->tail[c->tail_count++ % TAIL_LINES];
    memcpy(slot, s->line, kept);
    slot[kept] = '\0';
  }
  s->length = 0;
  if (c->request->line && !c->reason) {
    kn_status status = c->request->line(c->request->context, s->kind, s->line);
    if (status) stop(c, status);
  }
}

static bool in_escape(stream *s, unsigned char byte) {
  if (s->escape == 0) {
    s->escape = byte == 27;
    return byte == 27;
  }
  bool sequence = s->escape == 1 && byte == '[';
  bool inside = s->escape == 2 && byte >= 32 && byte < 64;
  bool last = s->escape == 2 && byte >= 64 && byte < 127;
  s->escape = sequence || inside ? 2 : 0;
  return sequence || inside || last;
}

static void take(child *c, stream *s, const char *bytes, size_t count) {
  for (size_t i = 0; i < count; i++) {
    unsigned char byte = (unsigned char)bytes[i];
    if (in_escape(s, byte)) continue;
    bool second_half = byte == '\n' && s->after_return;
    s->after_return = byte == '\r';
    if (second_half) continue;
    if (byte == '\n' || byte == '\r') {
      end_line(c, s);
      continue;
    }
    if (s->length == LINE_BYTES) end_line(c, s);
    s->line[s->length++] = (byte < ' ' && byte != '\t') || byte == 127 ? '?' : (char)byte;
  }
}

/* Takes what the pipe holds, at most `limit` bytes. */
static void drain(child *c, stream *s, size_t limit) {
  char piece[4096];
  while (s->pipe >= 0 && limit > 0) {
    ssize_t got = read(s->pipe, piece, sizeof piece < limit ? sizeof piece : limit);
    if (got > 0) {
      take(c, s, piece, (size_t)got);
      limit -= (size_t)got;
    } else if (got == 0 || (errno != EINTR && errno != EAGAIN)) {
      close(s->pipe);
      s->pipe = -1;
    } else if (errno == EAGAIN) {
      return;
    }
  }
}

static uint64_t resident_bytes(pid_t pid) {
  char path[64], text[128] = "";
  snprintf(path, sizeof path, "/proc/%ld/statm", (long)pid);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  ssize_t got = read(file, text, sizeof text - 1);
  close(file);
  char *second = got > 0 ? strchr(text, ' ') : NULL;
  return second ? strtoull(second, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

/* Deadline, Ctrl-C, memory, progress. */
static void look(child *c) {
  const kn_process_request *request = c->request;
  int64_t now_ns = kn_now_ns();
  double elapsed_s = (double)(now_ns - c->start_ns) * 1e-9;
  if (c->reason) {
    if (now_ns >= c->kill_ns) kill(-c->pid, SIGKILL);
    return;
  }
  if (kn_cancelled()) {
    stop(c, kn_status_make(KN_CANCELLED, "%s was stopped", c->name));
  } else if (request->timeout_s > 0 && elapsed_s > request->timeout_s) {
    stop(c, kn_status_make(KN_TIMEOUT, "%s took longer than %g s and was stopped", c->name, request->timeout_s));
  } else if (now_ns >= c->look_ns) {
    c->look_ns = now_ns + (int64_t)LOOK_MS * 1000000;
    uint64_t resident = request->memory_limit_bytes ? resident_bytes(c->pid) : 0;
    if (resident > request->memory_limit_bytes)
      stop(c, kn_status_make(KN_BACKEND_FAILED, "%s used %llu MB of memory and was stopped; %zu MB are allowed",
                             c->name, (unsigned long long)(resident >> 20), request->memory_limit_bytes >> 20));
  }
  if (request->tick && !c->reason && now_ns >= c->tick_ns) {
    c->tick_ns = now_ns + (int64_t)TICK_MS * 1000000;
    request->tick(request->context, elapsed_s);
  }
}

static bool ended(child *c) {
  siginfo_t info = {0};
  c->lost = waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0;
  return c->lost || info.si_pid != 0;
}

/* Serves the child until it has ended; returns its wait status. Where others have taken that (c->lost), the number may
 * be somebody else's by now. */
static int watch(child *c) {
  c->start_ns = kn_now_ns();
  while (!ended(c)) {
    struct pollfd files[2] = {{.fd = c->streams[0].pipe, .events = POLLIN},
                              {.fd = c->streams[1].pipe, .events = POLLIN}};
    (void)poll(files, 2, files[0].fd >= 0 || files[1].fd >= 0 ? LOOK_MS : ENDING_MS);
    for (int i = 0; i < 2; i++)
      if (files[i].revents) drain(c, &c->streams[i], LEFTOVER_BYTES);
    look(c);
  }
  /* The ended child still holds its number, so the group is its own. */
  if (!c->lost) kill(-c->pid, SIGKILL);
  for (int i = 0; i < 2; i++) {
    drain(c, &c->streams[i], LEFTOVER_BYTES);
    if (c->streams[i].length > 0) end_line(c, &c->streams[i]);
    if (c->streams[i].pipe >= 0) close(c->streams[i].pipe);
  }
  int status = 0;
  pid_t taken;
  while ((taken = waitpid(c->pid, &status, 0)) < 0 && errno == EINTR) continue;
  c->lost = taken != c->pid;
  return status;
}

/* The last lines, each on a line of its own. Free with kn_free; NULL when memory is exhausted. */
static char *last_words(const child *c) {
  size_t count = c->tail_count < TAIL_LINES ? c->tail_count : TAIL_LINES;
  kn_text text = {0};
  kn_text_add(&text, "");
  for (size_t i = c->tail_count - count; i < c->tail_count; i++) kn_text_format(&text, "\n%s", c->tail[i % TAIL_LINES]);
  if (text.failure) kn_text_clear(&text);
  return text.data;
}

static kn_status outcome(child *c, int wait_status, kn_process_result *out_result) {
  kn_process_result result = {.exit_code = -1, .seconds = (double)(kn_now_ns() - c->start_ns) * 1e-9};
  if (WIFEXITED(wait_status) && !c->lost) result.exit_code = WEXITSTATUS(wait_status);
  if (WIFSIGNALED(wait_status)) result.signal = WTERMSIG(wait_status);
  if (out_result) *out_result = result;
  if (c->reason) return c->reason;
  if (c->lost)
    return kn_status_make(KN_BACKEND_FAILED,
                          "%s was run, but its end could not be observed: this process ignores SIGCHLD or takes the "
                          "ends of all children; set SIGCHLD to its default",
                          c->name);
  if (result.exit_code == 0) return NULL;
  char *words = last_words(c);
  if (!words) return kn_status_out_of_memory();
  kn_status status =
      result.signal ? kn_status_make(KN_BACKEND_FAILED, "%s was ended by signal %d (%s)%s%s", c->name, result.signal,
                                     strsignal(result.signal), *words ? "; its last lines:" : "", words)
                    : kn_status_make(KN_BACKEND_FAILED, "%s failed with exit code %d%s%s", c->name, result.exit_code,
                                     *words ? "; its last lines:" : "", words);
  kn_free(words);
  return status;
}

kn_status kn_process_run(const kn_process_request *request, kn_process_result *out_result) {
  if (out_result) *out_result = (kn_process_result){.exit_code = -1};
  if (!request->arguments || !request->arguments[0]) return kn_status_make(KN_INTERNAL, "no program to run");
  if (kn_cancelled()) return kn_status_make(KN_CANCELLED, "%s was not started", request->arguments[0]);
  child *c = kn_alloc(sizeof *c);
  if (!c) return kn_status_out_of_memory();
  const char *slash = strrchr(request->arguments[0], '/');
  c->request = request;
  c->name = slash ? slash + 1 : request->arguments[0];
  c->streams[0].kind = KN_STREAM_OUT;
  c->streams[1].kind = KN_STREAM_ERROR;
  kn_status status = spawn(c);
  if (!status) status = outcome(c, watch(c), out_result);
  kn_free(c);
  return status;
}

static kn_status keep_line(void *context, kn_stream kind, const char *line) {
  kn_text *text = context;
  if (kind != KN_STREAM_OUT) return NULL;
  kn_text_add(text, line);
  kn_text_add(text, "\n");
  if (text->length > OUTPUT_LIMIT) return kn_status_make(KN_BAD_DATA, "it writes more than %d bytes", OUTPUT_LIMIT);
  return kn_text_status(text);
}

kn_status kn_process_output(const char *const *arguments, double timeout_s, char **out_text) {
  *out_text = NULL;
  kn_text text = {0};
  kn_text_add(&text, "");
  kn_process_request request = {.arguments = arguments, .timeout_s = timeout_s, .line = keep_line, .context = &text};
  kn_status status = kn_text_status(&text);
  if (!status) status = kn_process_run(&request, NULL);
  if (status) {
    kn_text_clear(&text);
    return kn_status_annotate(status, "while running %s", arguments[0]);
  }
  *out_text = text.data;
  return NULL;
}
