#include "target/server.h"

#include "target/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <kenning/services.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_S = 1, GRACE_MS = 2000, FAREWELL_S = 2, PAUSE_NS = 50000000, ARGUMENTS = 16 };

typedef struct kn_server {
  const kn_server_request *request;
  const kn_runtimeprotocol_ops *ops;
  void *protocol;
  int listener, config;
  char *launcher;                       /* its words, cut in place */
  const char *program;                  /* NULL: this one */
  const char *arguments[ARGUMENTS + 1]; /* of a worker */
  kn_child worker;                      /* .pid 0: none */
  int64_t engine_ns;                    /* that a worker may stand still */
  int64_t stopped_ns;                   /* when it was first seen to stand still; 0: it does not */
  int64_t waited_ns;                    /* when the worker was last waited for in vain */
  bool line_dead;                       /* it was told that the line hung up */
  bool starved;                         /* it was told that there are no descriptors */
  sigset_t waiting;                     /* signals that are blocked while it waits: not those that end it */
} kn_server;

/* ---- the worker ---- */

static void tell_end(int outcome) {
  if (WIFSIGNALED(outcome)) {
    int number = WTERMSIG(outcome);
    kn_log(KN_LOG_ERROR,
           number == SIGALRM ? "the runtime took longer than engine_timeout allows: its process was ended"
                             : "the process of the client ended by signal %d (%s)",
           number, strsignal(number));
  } else {
    kn_log(KN_LOG_INFO, "the client is gone");
  }
}

static void reap(kn_server *server) {
  if (server->worker.pid) tell_end(kn_child_end(&server->worker, 0));
}

/* A worker keeps its own deadlines, but for one that a signal has stopped. One whose engine has left processes behind,
 * which keep the worker's end of the pipe, is found to have ended here. Whether it has. */
static bool judge_worker(kn_server *server) {
  siginfo_t info = {0};
  if (!server->worker.pid) return false;
  (void)!waitid(P_PID, (id_t)server->worker.pid, &info, WEXITED | WSTOPPED | WNOHANG | WNOWAIT);
  const bool stopped = info.si_pid && info.si_code == CLD_STOPPED;
  if (!stopped) {
    server->stopped_ns = 0;
  } else if (!server->stopped_ns) {
    server->stopped_ns = kn_now_ns();
  } else if (kn_now_ns() - server->stopped_ns > server->engine_ns) {
    kn_log(KN_LOG_ERROR, "the process of the client was stopped for longer than engine_timeout: it is ended");
    kill(server->worker.pid, SIGKILL);
  }
  return info.si_pid && !stopped;
}

static void end_worker(kn_server *server) {
  if (!server->worker.pid) return;
  kill(server->worker.pid, SIGTERM);
  (void)kn_child_end(&server->worker, GRACE_MS);
}

/* ---- clients ---- */

static void rest(void) { nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL); }

static void pause_accepting(kn_server *server, int error) {
  if (!server->starved) kn_log(KN_LOG_WARNING, "no client can be taken at the moment: %s", strerror(error));
  server->starved = true;
  rest();
}

/* The worker of a client that has just left needs a moment to end: the next client is not turned away for that. Where
 * many come, not each of them makes all others wait. */
static void await_end(kn_server *server) {
  struct pollfd one = {.fd = server->worker.watch, .events = POLLIN};
  const bool patient = kn_now_ns() - server->waited_ns > (int64_t)FAREWELL_S * 1000000000;
  const struct timespec moment = {.tv_sec = patient ? FAREWELL_S : 0};
  if (!server->worker.pid) return;
  if (judge_worker(server) || ppoll(&one, 1, &moment, &server->waiting) > 0)
    reap(server);
  else if (patient)
    server->waited_ns = kn_now_ns();
}

/* A line has one client, who is there when it speaks. */
static int accept_client(const kn_server *server) {
  return server->ops->line ? fcntl(server->listener, F_DUPFD_CLOEXEC, 0)
                           : accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
}

static void take_client(kn_server *server) {
  int client = accept_client(server);
  if (client < 0) {
    bool passing = errno == EINTR || errno == EAGAIN || errno == ECONNABORTED || errno == EPROTO;
    if (!passing) pause_accepting(server, errno);
    return;
  }
  server->starved = false;
  await_end(server);
  if (server->worker.pid) {
    kn_log(KN_LOG_INFO, "another client was turned away: one is served at a time");
  } else {
    const kn_child_request request = {.program = server->program,
                                      .arguments = server->arguments,
                                      .client = client,
                                      .config = server->config,
                                      .slots = -1,
                                      .output = -1};
    kn_status status = kn_child_spawn(&request, &server->worker);
    if (status) {
      kn_log(KN_LOG_ERROR, "a client could not be served: %s", kn_status_message(status, 0));
      kn_status_free(status);
    } else {
      kn_log(KN_LOG_INFO, "a client is served");
    }
  }
  close(client);
}

/* What the last client of a line left half-said means nothing to the next one. */
static void clear_line(const kn_server *server) {
  rest();
  (void)!tcflush(server->listener, TCIFLUSH);
}

/* A serial adapter that was unplugged hangs up for good: what is plugged in later is another line of the same name. */
static void await_line(kn_server *server) {
  char *where = NULL;
  const struct timespec moment = {.tv_sec = LOOK_S};
  if (!server->line_dead)
    kn_log(KN_LOG_WARNING, "the line hung up, as one does that is unplugged: waiting until it is there again");
  server->line_dead = true;
  if (server->listener >= 0) close(server->listener);
  server->listener = -1;
  (void)ppoll(NULL, 0, &moment, &server->waiting);
  kn_status status = server->ops->listen(server->protocol, &server->listener, &where);
  if (status)
    kn_log(KN_LOG_DEBUG, "the line is not there: %s", kn_status_message(status, 0));
  else
    kn_log(KN_LOG_INFO, "serving on %s", where);
  kn_status_free(status);
  kn_free(where);
}

/* Signals come only while it waits, and not while there always is something to do. */
static bool told_to_end(void) {
  sigset_t pending;
  if (kn_cancelled()) return true;
  sigpending(&pending);
  return sigismember(&pending, SIGINT) || sigismember(&pending, SIGTERM);
}

static kn_status accept_all(kn_server *server) {
  sigprocmask(SIG_SETMASK, NULL, &server->waiting);
  sigdelset(&server->waiting, SIGINT);
  sigdelset(&server->waiting, SIGTERM);
  while (!told_to_end()) {
    if (server->listener < 0) {
      await_line(server);
      continue;
    }
    bool deaf = server->ops->line && server->worker.pid; /* the worker listens to the line */
    struct pollfd both[] = {{.fd = deaf ? -1 : server->listener, .events = POLLIN},
                            {.fd = server->worker.pid ? server->worker.watch : -1, .events = POLLIN}};
    const struct timespec look = {.tv_sec = LOOK_S};
    if (ppoll(both, 2, server->worker.pid ? &look : NULL, &server->waiting) < 0) {
      if (errno == EINTR) continue;
      return kn_status_make(KN_IO_ERROR, "waiting for clients failed: %s", strerror(errno));
    }
    if (judge_worker(server) || both[1].revents) {
      reap(server);
      if (server->ops->line) clear_line(server);
    } else if (server->ops->line && (both[0].revents & (POLLHUP | POLLERR | POLLNVAL))) {
      await_line(server);
    } else if (both[0].revents & POLLIN) {
      server->line_dead = false;
      take_client(server);
    } else if (both[0].revents) {
      rest();
    }
  }
  return NULL;
}

static kn_status listen_and_serve(kn_server *server, void *protocol) {
  char *where;
  server->protocol = protocol;
  KN_TRY(server->ops->listen(protocol, &server->listener, &where));
  sigset_t blocked, before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGINT);
  sigaddset(&blocked, SIGTERM);
  sigprocmask(SIG_BLOCK, &blocked, &before);
  kn_log(KN_LOG_INFO, "serving on %s", where);
  kn_free(where);
  kn_status status = accept_all(server);
  end_worker(server);
  sigprocmask(SIG_SETMASK, &before, NULL);
  if (server->listener >= 0) close(server->listener);
  return status;
}

static kn_status add_argument(kn_server *server, size_t *count, const char *text) {
  if (*count == ARGUMENTS)
    return kn_status_make(KN_INVALID_ARGUMENT, "the launcher has too many words: at most %d", ARGUMENTS - 8);
  server->arguments[(*count)++] = text;
  return NULL;
}

/* How a worker is started: `launcher` in front of this program's path, where there is one. */
static kn_status plan_worker(kn_server *server, char *self, size_t size) {
  const kn_server_request *request = server->request;
  size_t count = 0;
  char *rest = NULL;
  if (request->launcher) {
    server->launcher = kn_strdup(request->launcher);
    if (!server->launcher) return kn_status_out_of_memory();
    server->program = strtok_r(server->launcher, " ", &rest);
    if (!server->program) return kn_status_make(KN_INVALID_ARGUMENT, "the launcher is empty");
    for (const char *word; (word = strtok_r(NULL, " ", &rest));) KN_TRY(add_argument(server, &count, word));
    ssize_t length = readlink("/proc/self/exe", self, size - 1);
    if (length < 0) return kn_status_make(KN_IO_ERROR, "the program does not find itself: %s", strerror(errno));
    self[length] = '\0';
    KN_TRY(add_argument(server, &count, self));
  }
  for (size_t i = 0; request->worker_arguments[i]; i++)
    KN_TRY(add_argument(server, &count, request->worker_arguments[i]));
  return NULL;
}

kn_status kn_server_run(const kn_server_request *request) {
  const kn_instance *protocol = &request->scenario->runtime_protocol;
  kn_server server = {.request = request, .ops = protocol->cls->ops, .listener = -1, .config = -1};
  kn_link_config link;
  char self[PATH_MAX];
  KN_TRY(kn_child_config(request->scenario, &server.config));
  kn_status status = plan_worker(&server, self, sizeof self);
  if (!status) {
    status = server.ops->open(protocol->self, &link);
    if (!status) server.engine_ns = (int64_t)(link.engine_s * 1e9);
    if (!status) status = listen_and_serve(&server, protocol->self);
    server.ops->close(protocol->self);
  }
  kn_free(server.launcher);
  close(server.config);
  return status;
}
