#include "target/isolated.h"

#include "core/home.h"
#include "core/registry.h"

#include <errno.h>
#include <kenning/services.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { GRACE_MS = 2000, FRAME_LIMIT = 1 << 20, SECONDS = 3600 };

static kn_status open_protocol(void *self, kn_link_config *out_config) {
  (void)self;
  *out_config = (kn_link_config){.wire = {.format = KN_WIRE_12, .frame_limit = FRAME_LIMIT},
                                 .timeout_s = SECONDS,
                                 .idle_s = SECONDS,
                                 .engine_s = SECONDS,
                                 .slowest = FRAME_LIMIT,
                                 .model_limit = UINT32_MAX,
                                 .tensor_limit = UINT32_MAX / 2};
  return NULL;
}

/* The worker's end of the pair speaks the protocol of this name; its path is not used. */
static kn_status make_peer(kn_instance *out_protocol) {
  const kn_class *cls;
  size_t index;
  KN_TRY(kn_registry_find("kenning.runtimeprotocols.unix_socket.UnixSocketProtocol", KN_KIND_RUNTIMEPROTOCOL, &cls));
  KN_TRY(kn_instance_create(cls, out_protocol));
  static const char *const settings[][2] = {{"socket_path", "worker"},
                                            {"timeout", "3600"},
                                            {"idle_timeout", "8640000"},
                                            {"engine_timeout", "3600"},
                                            {"tensor_limit", "2048"}};
  for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
    const kn_option *row = kn_option_find(cls, settings[i][0], &index);
    if (!row) return kn_status_make(KN_INTERNAL, "there is no option %s", settings[i][0]);
    KN_TRY(kn_instance_set_text(out_protocol, row, index, settings[i][1], "isolate"));
  }
  return NULL;
}

static kn_status find_program(char **out_path) {
  static const char *const places[] = {"kenning-server", "../bin/kenning-server", "../../bin/kenning-server", NULL};
  KN_TRY(kn_home_find(places, out_path));
  if (*out_path) return NULL;
  const char *directory = kn_home_directory();
  return kn_status_make(KN_NOT_INSTALLED,
                        "'isolate' takes the program kenning-server, which is not found from %s: install Kenning again",
                        directory ? directory : "here");
}

static kn_status spawn(kn_isolated *isolated, const char *model_path, int worker_end) {
  kn_instance peer = {0};
  int config = -1;
  char *program = NULL;
  kn_status status = make_peer(&peer);
  if (!status) status = find_program(&program);
  if (!status) status = kn_child_config(isolated->runtime, &peer, &config);
  const char *const arguments[] = {"--worker", "--worker-model", model_path, "--verbosity", "ERROR", NULL};
  if (!status) status = kn_child_spawn(program, arguments, worker_end, config, &isolated->child);
  kn_instance_destroy(&peer);
  kn_free(program);
  if (config >= 0) close(config);
  return status;
}

static kn_status connect_to(void *self, const char *model_path, int64_t deadline_ns, kn_connection *out_connection) {
  int ends[2];
  (void)deadline_ns;
  out_connection->fd = -1;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
    return kn_status_make(KN_IO_ERROR, "a worker cannot be talked to: %s", strerror(errno));
  kn_status status = spawn(self, model_path, ends[1]);
  close(ends[1]);
  if (!status) status = kn_connection_adopt(ends[0], out_connection);
  if (status) close(ends[0]);
  return status;
}

/* Waits for the worker, which has `milliseconds` to end by itself; the outcome of waitpid. */
static int end_child(kn_isolated *isolated, int milliseconds) {
  int outcome = 0;
  struct pollfd one = {.fd = isolated->child.watch, .events = POLLIN};
  if (!isolated->child.pid) return 0;
  int ready;
  while ((ready = poll(&one, 1, milliseconds)) < 0 && errno == EINTR) continue;
  if (ready <= 0) kill(isolated->child.pid, SIGKILL);
  while (waitpid(isolated->child.pid, &outcome, 0) < 0 && errno == EINTR) continue;
  kn_child_forget(&isolated->child);
  return outcome;
}

static void close_protocol(void *self) { (void)end_child(self, GRACE_MS); }

/* A crash is an exit without goodbye. */
static kn_status explain(void *self, kn_status status) {
  kn_isolated *isolated = self;
  kn_code code = kn_status_code(status);
  if (!isolated->child.pid || code == KN_CANCELLED || code == KN_TIMEOUT) return status;
  int outcome = end_child(isolated, GRACE_MS);
  kn_status told =
      WIFSIGNALED(outcome)
          ? kn_status_make(KN_BACKEND_FAILED, "the runtime's process was ended by signal %d (%s)", WTERMSIG(outcome),
                           strsignal(WTERMSIG(outcome)))
          : kn_status_make(KN_BACKEND_FAILED, "the runtime's process ended with exit code %d", WEXITSTATUS(outcome));
  kn_status_free(status);
  return told;
}

static const kn_runtimeprotocol_ops ops = {.struct_size = sizeof ops,
                                           .open = open_protocol,
                                           .close = close_protocol,
                                           .connect = connect_to,
                                           .in_place = true,
                                           .explain = explain};

/* Not registered: scenarios say "isolate", not this. */
static const kn_class cls = {.struct_size = sizeof(kn_class),
                             .name = "kenning.runtimeprotocols.isolated.Isolated",
                             .kind = KN_KIND_RUNTIMEPROTOCOL,
                             .summary = "Talks to a worker process of its own",
                             .instance_size = sizeof(kn_isolated),
                             .ops = &ops};

const kn_instance *kn_isolated_protocol(kn_isolated *isolated, const kn_instance *runtime) {
  *isolated = (kn_isolated){.runtime = runtime, .child.watch = -1};
  isolated->protocol.cls = &cls;
  isolated->protocol.self = isolated;
  return &isolated->protocol;
}
