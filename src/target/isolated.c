#include "target/isolated.h"

#include "core/home.h"
#include "core/number.h"
#include "core/registry.h"

#include <errno.h>
#include <fcntl.h>
#include <kenning/services.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
  GRACE_MS = 2000,
  FRAME_LIMIT = 1 << 20,
  LATER = 10 /* a worker ends a call of the engine itself */
};

static const kn_runtime_options *options_of(const kn_isolated *isolated) { return isolated->runtime->self; }

static kn_status open_protocol(void *self, kn_link_config *out_config) {
  double seconds = options_of(self)->isolate_timeout;
  *out_config = (kn_link_config){.wire = {.format = KN_WIRE_12, .frame_limit = FRAME_LIMIT},
                                 .timeout_s = seconds + LATER,
                                 .engine_s = seconds,
                                 .offer = true,
                                 .slowest = FRAME_LIMIT,
                                 .model_limit = UINT32_MAX,
                                 .tensor_limit = UINT32_MAX / 2};
  return NULL;
}

/* The worker's end of the pair speaks the protocol of this name; its path is not used. */
static kn_status make_peer(const kn_runtime_options *options, kn_instance *out_protocol) {
  const kn_class *cls;
  size_t index;
  char seconds[32];
  kn_number_print(seconds, sizeof seconds, "%.17g", options->isolate_timeout);
  KN_TRY(kn_registry_find("kenning.runtimeprotocols.unix_socket.UnixSocketProtocol", KN_KIND_RUNTIMEPROTOCOL, &cls));
  KN_TRY(kn_instance_create(cls, out_protocol));
  const char *const settings[][2] = {{"socket_path", "worker"},   {"timeout", "3600"}, {"idle_timeout", "8640000"},
                                     {"engine_timeout", seconds}, {"heartbeat", "0"},  {"tensor_limit", "2048"}};
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

/* ---- what it says ---- */

/* Keeps the end of what is there to read. */
static void listen_to(kn_isolated *isolated) {
  char piece[1024];
  ssize_t got;
  while (isolated->output >= 0 && (got = read(isolated->output, piece, sizeof piece)) > 0) {
    size_t bytes = (size_t)got, over = 0;
    if (isolated->word_bytes + bytes > KN_LAST_WORDS) over = isolated->word_bytes + bytes - KN_LAST_WORDS;
    memmove(isolated->words, isolated->words + over, isolated->word_bytes - over);
    isolated->word_bytes -= over;
    for (size_t i = 0; i < bytes; i++) {
      bool plain = piece[i] == '\n' || ((unsigned char)piece[i] >= 0x20 && piece[i] != 0x7F);
      isolated->words[isolated->word_bytes++] = plain ? piece[i] : '?';
    }
    isolated->words[isolated->word_bytes] = '\0';
  }
}

static void tell_words(kn_isolated *isolated, kn_log_level level) {
  char *rest = NULL;
  listen_to(isolated);
  for (char *line = strtok_r(isolated->words, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
    kn_log(level, "the runtime's process: %s", line);
  isolated->word_bytes = 0;
  isolated->words[0] = '\0';
}

/* ---- starting and ending ---- */

/* What a worker writes into a full pipe is lost: it never waits for this process to read. */
static kn_status make_pipe(kn_isolated *isolated, int *out_end) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
    return kn_status_make(KN_IO_ERROR, "a worker cannot be listened to: %s", strerror(errno));
  isolated->output = ends[0];
  *out_end = ends[1];
  return NULL;
}

static kn_status limit_memory(kn_isolated *isolated) {
  const kn_runtime_options *options = options_of(isolated);
  if (!options->isolate_memory) return NULL;
  return kn_memory_group_make("/sys/fs/cgroup", "/proc/self/cgroup", isolated->child.pid,
                              (uint64_t)options->isolate_memory << 20, &isolated->group);
}

static kn_status spawn(kn_isolated *isolated, const char *model_path, int worker_end) {
  kn_instance peer = {0};
  int config = -1, output = -1;
  char *program = NULL;
  kn_status status = make_peer(options_of(isolated), &peer);
  if (!status) status = find_program(&program);
  const kn_scenario scenario = {.runtime = *isolated->runtime, .runtime_protocol = peer};
  if (!status) status = kn_child_config(&scenario, &config);
  if (!status) status = make_pipe(isolated, &output);
  const char *const arguments[] = {"--worker", "--worker-model", model_path, "--verbosity", "WARNING", NULL};
  const kn_child_request request = {.program = program,
                                    .arguments = arguments,
                                    .client = worker_end,
                                    .config = config,
                                    .slots = isolated->peer,
                                    .output = output};
  if (!status) status = kn_child_spawn(&request, &isolated->child);
  if (!status) status = limit_memory(isolated);
  kn_instance_destroy(&peer);
  kn_free(program);
  if (config >= 0) close(config);
  if (output >= 0) close(output);
  return status;
}

static kn_status connect_to(void *self, const char *model_path, int64_t deadline_ns, kn_connection *out_connection) {
  kn_isolated *isolated = self;
  int ends[2];
  (void)deadline_ns;
  *out_connection = (kn_connection){.fd = -1};
  if (isolated->peer < 0) return kn_status_make(KN_IO_ERROR, "the worker was started already");
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
    return kn_status_make(KN_IO_ERROR, "a worker cannot be talked to: %s", strerror(errno));
  kn_status status = spawn(isolated, model_path, ends[1]);
  close(ends[1]);
  close(isolated->peer); /* the worker has it: it alone keeps the channel open */
  isolated->peer = -1;
  if (!status) status = kn_connection_adopt(ends[0], out_connection);
  if (status) close(ends[0]);
  return status;
}

static void close_protocol(void *self) { (void)kn_child_end(&((kn_isolated *)self)->child, GRACE_MS); }

static kn_status told(const kn_isolated *isolated, int outcome) {
  const kn_runtime_options *options = options_of(isolated);
  bool memory = (WIFEXITED(outcome) && WEXITSTATUS(outcome) == KN_EXIT_MEMORY) ||
                (WIFSIGNALED(outcome) && WTERMSIG(outcome) == SIGKILL && kn_memory_group_exceeded(&isolated->group));
  if (memory)
    return kn_status_make(KN_BACKEND_FAILED,
                          "the runtime's process took more memory than the %lld MiB of isolate_memory",
                          (long long)options->isolate_memory);
  if (WIFSIGNALED(outcome) && WTERMSIG(outcome) == SIGXCPU)
    return kn_status_make(KN_BACKEND_FAILED,
                          "the runtime's process used up the %lld s of processor time of isolate_processor",
                          (long long)options->isolate_processor);
  if (WIFSIGNALED(outcome) && WTERMSIG(outcome) == SIGALRM)
    return kn_status_make(KN_TIMEOUT,
                          "the runtime's process took longer for a call than the %g s of isolate_timeout and was ended",
                          options->isolate_timeout);
  if (WIFSIGNALED(outcome))
    return kn_status_make(KN_BACKEND_FAILED, "the runtime's process was ended by signal %d (%s)", WTERMSIG(outcome),
                          strsignal(WTERMSIG(outcome)));
  return kn_status_make(KN_BACKEND_FAILED, "the runtime's process ended with exit code %d", WEXITSTATUS(outcome));
}

/* A crash is an exit without goodbye. One that is silent, since it was stopped, is ended. */
static kn_status explain(void *self, kn_status status) {
  kn_isolated *isolated = self;
  kn_code code = kn_status_code(status);
  if (!isolated->child.pid || code == KN_CANCELLED) return status;
  if (code == KN_TIMEOUT) kill(isolated->child.pid, SIGKILL);
  int outcome = kn_child_end(&isolated->child, GRACE_MS);
  kn_status_free(status);
  tell_words(isolated, KN_LOG_WARNING);
  if (code == KN_TIMEOUT)
    return kn_status_make(KN_TIMEOUT, "the runtime's process did not answer for %g s and was ended",
                          options_of(isolated)->isolate_timeout + LATER);
  return told(isolated, outcome);
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

const kn_instance *kn_isolated_protocol(kn_isolated *isolated, const kn_instance *runtime, kn_remote *remote) {
  *isolated = (kn_isolated){.runtime = runtime,
                            .remote = remote,
                            .child.watch = -1,
                            .slots = {.channel = -1, .memory = -1},
                            .peer = -1,
                            .output = -1};
  isolated->protocol.cls = &cls;
  isolated->protocol.self = isolated;
  return &isolated->protocol;
}

/* ---- inference ---- */

static void unload(void *self) {
  kn_isolated *isolated = self;
  kn_remote_inference.unload(isolated->remote); /* the connection ends, and with it the worker */
  tell_words(isolated, KN_LOG_DEBUG);
  kn_slots_clear(&isolated->slots);
  kn_memory_group_remove(&isolated->group);
  if (isolated->peer >= 0) close(isolated->peer);
  if (isolated->output >= 0) close(isolated->output);
  isolated->peer = isolated->output = -1;
  isolated->input = isolated->result = NULL;
  isolated->from = NULL;
}

static kn_status load_worker(kn_isolated *isolated, const kn_load_request *request) {
  KN_TRY(kn_slots_create(&isolated->slots, &isolated->peer));
  isolated->slots.timeout_s = options_of(isolated)->isolate_timeout + LATER;
  KN_TRY(kn_remote_inference.load(isolated->remote, request));
  KN_TRY(kn_slots_memory(&isolated->slots, isolated->remote->input.bytes, &isolated->input));
  return kn_slots_memory(&isolated->slots, isolated->remote->output.bytes, &isolated->result);
}

static kn_status load(void *self, const kn_load_request *request) {
  kn_isolated *isolated = self;
  unload(isolated);
  kn_status status = load_worker(isolated, request);
  if (status) {
    tell_words(isolated, KN_LOG_WARNING);
    unload(isolated);
  }
  return status;
}

kn_status kn_isolated_memory(void *context, size_t bytes, void **out_data) {
  kn_isolated *isolated = context;
  return kn_slots_memory(&isolated->slots, bytes, out_data);
}

static kn_status iospec(void *self, kn_iospec *out_spec) {
  kn_isolated *isolated = self;
  return kn_remote_inference.iospec(isolated->remote, out_spec);
}

static kn_status check_views(const kn_iolayout *layout, const kn_tensor_view *views, size_t count) {
  if (!layout->views) return kn_status_make(KN_INVALID_ARGUMENT, "no model is loaded");
  if (count != layout->count)
    return kn_status_make(KN_INVALID_ARGUMENT, "the model has %zu tensors there, not %zu", layout->count, count);
  for (size_t i = 0; i < count; i++)
    if (views[i].dtype != layout->views[i].dtype || views[i].bytes != layout->views[i].bytes)
      return kn_status_make(KN_INVALID_ARGUMENT, "tensor %zu does not have the type and size of the io specification",
                            i);
  return NULL;
}

static kn_status set_input(void *self, const kn_tensor_view *inputs, size_t count) {
  kn_isolated *isolated = self;
  const kn_iolayout *layout = &isolated->remote->input;
  KN_TRY(check_views(layout, inputs, count));
  isolated->from = inputs->data;
  if (count == 1 && (uintptr_t)inputs->data % 64 == 0 && kn_slots_hold(&isolated->slots, inputs->data, inputs->bytes))
    return NULL;
  for (size_t i = 0; i < count; i++)
    memcpy((uint8_t *)isolated->input + layout->offsets[i], inputs[i].data, inputs[i].bytes);
  isolated->from = isolated->input;
  return NULL;
}

static kn_status invoke(void *self) {
  kn_isolated *isolated = self;
  if (!isolated->from) return kn_status_make(KN_INVALID_ARGUMENT, "there is no input");
  kn_status status = kn_slots_infer(&isolated->slots, isolated->from, isolated->remote->input.bytes, isolated->result,
                                    isolated->remote->output.bytes);
  const kn_code code = kn_status_code(status);
  return code == KN_IO_ERROR || code == KN_TIMEOUT ? explain(isolated, status) : status;
}

static kn_status output(void *self, const kn_tensor_view *outputs, size_t count) {
  kn_isolated *isolated = self;
  const kn_iolayout *layout = &isolated->remote->output;
  KN_TRY(check_views(layout, outputs, count));
  for (size_t i = 0; i < count; i++)
    memcpy(outputs[i].data, (const uint8_t *)isolated->result + layout->offsets[i], outputs[i].bytes);
  listen_to(isolated);
  return NULL;
}

static kn_status statistics(void *self, kn_record *out_record) {
  kn_isolated *isolated = self;
  return kn_remote_inference.statistics(isolated->remote, out_record);
}

const kn_inference_ops kn_isolated_inference = {.struct_size = sizeof(kn_inference_ops),
                                                .load = load,
                                                .unload = unload,
                                                .iospec = iospec,
                                                .set_input = set_input,
                                                .invoke = invoke,
                                                .output = output,
                                                .statistics = statistics};
