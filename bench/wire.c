/* What the wire costs: 602,112 bytes to a target and 4,000 back over TCP on the loopback, by a client and a server of
 * ours with the null runtime, next to two bare programs that do nothing but exchange as many bytes in the same run.
 *
 *   bench-wire [ROUNDS]
 *
 * Rounds alternate: 20 exchanges of one kind, 20 of the next. A figure is the median over all exchanges of its kind.
 * The upload is one file of 14 MiB, timed from its first byte until the target has all of them; what comes before OK
 * after that (waiting for the disk, renaming, loading) is shown apart. Exit 1 when a bound is not met. */
#include "core/instance.h"
#include "core/log.h"
#include "measurements/statistics.h"
#include "target/client.h"
#include "target/isolated.h"
#include "target/remote.h"
#include "target/worker.h"
#include "transport/tcp.h"

#include "figure.h"

#include <fcntl.h>
#include <kenning/services.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { INPUT = 602112, OUTPUT = 4000, REPEAT = 20, UPLOAD = 14 << 20, UPLOADS = 15 };

extern const kn_class kn_null_runtime_class;

static const char spec_json[] =
    "{\"input\": [{\"name\": \"x\", \"shape\": [1, 224, 224, 3], \"dtype\": \"float32\"}], "
    "\"output\": [{\"name\": \"y\", \"shape\": [1, 1000], \"dtype\": \"float32\"}]}";

static void give_up(kn_status status) {
  if (!status) return;
  kn_log_status(status);
  kn_status_free(status);
  exit(1);
}

/* ---- the other ends, each a process ---- */

static void raw_all(int fd, void *data, size_t bytes, bool writing) {
  for (size_t done = 0; done < bytes;) {
    ssize_t now = writing ? send(fd, (char *)data + done, bytes - done, MSG_NOSIGNAL)
                          : recv(fd, (char *)data + done, bytes - done, 0);
    if (now <= 0) _exit(0); /* the other end is done */
    done += (size_t)now;
  }
}

static void block(int fd) {
  kn_connection connection;
  give_up(kn_connection_adopt(fd, &connection));
  (void)!fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
}

/* INPUT bytes in, OUTPUT bytes out. */
static void serve_raw(int fd) {
  char *input = malloc(INPUT), output[OUTPUT] = {0};
  if (!input) _exit(1);
  block(fd);
  for (;;) {
    raw_all(fd, input, INPUT, false);
    raw_all(fd, output, OUTPUT, true);
  }
}

/* UPLOAD bytes in, one byte out. */
static void serve_raw_upload(int fd) {
  enum { PIECE = 128 << 10 };
  char *piece = malloc(PIECE), done = 0;
  if (!piece) _exit(1);
  block(fd);
  for (;;) {
    for (size_t left = UPLOAD; left;) {
      ssize_t got = recv(fd, piece, left < PIECE ? left : PIECE, 0);
      if (got <= 0) _exit(0);
      left -= (size_t)got;
    }
    raw_all(fd, &done, 1, true);
  }
}

static kn_link_config link_of(kn_wire_format format, bool checksums) {
  return (kn_link_config){.wire = {.format = format, .frame_limit = 1 << 20, .checksums = checksums},
                          .timeout_s = 60,
                          .idle_s = 60,
                          .slowest = 1 << 20,
                          .model_limit = 1 << 30,
                          .tensor_limit = 1 << 26};
}

static char model_path[64], sent_path[64];

static void serve_ours(int fd, kn_link_config link) {
  kn_instance runtime;
  kn_connection connection;
  give_up(kn_instance_create(&kn_null_runtime_class, &runtime));
  give_up(kn_connection_adopt(fd, &connection));
  kn_target_engine engine = {.ops = ((const kn_runtime_ops *)kn_null_runtime_class.ops)->inference,
                             .self = runtime.self,
                             .payload_limit = (size_t)link.tensor_limit};
  give_up(kn_target_engine_open(&engine));
  const kn_session_config config = {.wire = link.wire, .model_path = model_path, .model_limit = link.model_limit};
  kn_status_free(kn_worker_serve(&connection, &link, &config, &engine));
  _exit(0);
}

/* As kn_worker_serve does it, and says when a message was whole. */
static int64_t *whole_at; /* shared by the processes */

static void serve_timed(int fd, kn_link_config link) {
  kn_instance runtime;
  kn_connection connection;
  kn_target_session *session;
  give_up(kn_instance_create(&kn_null_runtime_class, &runtime));
  give_up(kn_connection_adopt(fd, &connection));
  kn_target_engine engine = {.ops = ((const kn_runtime_ops *)kn_null_runtime_class.ops)->inference,
                             .self = runtime.self,
                             .payload_limit = (size_t)link.tensor_limit};
  give_up(kn_target_engine_open(&engine));
  const kn_session_config config = {.wire = link.wire, .model_path = model_path, .model_limit = link.model_limit};
  give_up(kn_target_session_create(&config, &engine, &session));
  for (;;) {
    size_t room, got;
    void *window = kn_target_session_window(session, &room);
    give_up(kn_connection_read(&connection, window, room, KN_NO_DEADLINE, &got));
    if (!got) _exit(0);
    if (kn_target_session_received(session, got) != KN_SESSION_WORK) continue;
    *whole_at = kn_now_ns();
    (void)!kn_target_session_work(session);
    kn_piece piece;
    piece.data = kn_target_session_replies(session, &piece.bytes);
    give_up(kn_connection_write(&connection, &piece, 1, KN_NO_DEADLINE));
    kn_target_session_sent(session);
  }
}

typedef enum kn_peer { RAW, RAW_UPLOAD, OURS, TIMED } kn_peer;

static kn_connection start(kn_peer peer, kn_link_config link) {
  int listener;
  bool loopback;
  int64_t port;
  kn_connection connection;
  give_up(kn_tcp_listen("127.0.0.1", 0, &listener, &loopback, &port));
  pid_t pid = fork(); /* there is no other thread */
  if (pid < 0) give_up(kn_status_make(KN_IO_ERROR, "fork failed"));
  if (!pid) {
    give_up(kn_connection_wait(listener, false, kn_now_ns() + 10000000000));
    int fd = accept(listener, NULL, NULL);
    close(listener);
    give_up(kn_tcp_prepare(fd));
    if (peer == RAW) serve_raw(fd);
    if (peer == RAW_UPLOAD) serve_raw_upload(fd);
    if (peer == TIMED) serve_timed(fd, link);
    serve_ours(fd, link);
  }
  give_up(kn_tcp_connect("127.0.0.1", port, kn_now_ns() + 10000000000, &connection));
  close(listener);
  return connection;
}

/* ---- figures ---- */

typedef struct samples {
  const char *name;
  double *values; /* us */
  size_t count;
  double median;
} samples;

static void add(samples *s, int64_t start) { s->values[s->count++] = (double)(kn_now_ns() - start) / 1000; }

static samples room_for(const char *name, size_t count) {
  samples s = {.name = name, .values = kn_alloc_array(count, sizeof(double))};
  if (!s.values) give_up(kn_status_out_of_memory());
  return s;
}

static void settle(samples *s) {
  kn_statistics statistics;
  give_up(kn_statistics_of(s->values, s->count, 1, &statistics));
  s->median = statistics.median;
  kn_free(s->values);
}

static bool figure(const char *what, double us, double bound_us, const char *bound) {
  char measured[64];
  snprintf(measured, sizeof measured, "%.0f us", us);
  return figure_print(what, measured, bound, us <= bound_us);
}

/* ---- round trips ---- */

static kn_client connect_client(kn_peer peer, kn_link_config link) {
  kn_client client;
  give_up(kn_client_open(start(peer, link), &link, &client));
  give_up(kn_client_upload(&client, KN_MESSAGE_IO_SPEC, spec_json, sizeof spec_json - 1));
  give_up(kn_client_upload(&client, KN_MESSAGE_MODEL, "model", 5));
  return client;
}

static void exchange(kn_client *client, void *input, void *output) {
  give_up(kn_client_upload(client, KN_MESSAGE_DATA, input, INPUT));
  give_up(kn_client_process(client));
  give_up(kn_client_output(client, output, OUTPUT));
}

static bool round_trips(size_t rounds) {
  static const struct {
    const char *name;
    kn_wire_format format;
    bool checksums;
  } kinds[] = {{"wire round trip, 12-byte header, three messages", KN_WIRE_12, false},
               {"wire round trip, format of 2022, three messages", KN_WIRE_2022, false},
               {"wire round trip, 12-byte header with checksums", KN_WIRE_12, true}};
  enum { KINDS = 3 };
  char *input = kn_alloc(INPUT), *output = kn_alloc(OUTPUT);
  if (!input || !output) give_up(kn_status_out_of_memory());
  kn_connection raw = start(RAW, link_of(KN_WIRE_12, false));
  block(raw.fd);
  kn_client clients[KINDS];
  samples times[KINDS + 1];
  times[KINDS] = room_for("wire round trip, bare exchange of the same bytes", rounds * REPEAT);
  for (size_t i = 0; i < KINDS; i++) {
    clients[i] = connect_client(OURS, link_of(kinds[i].format, kinds[i].checksums));
    times[i] = room_for(kinds[i].name, rounds * REPEAT);
    exchange(&clients[i], input, output);
  }
  for (size_t round = 0; round < rounds; round++) {
    for (size_t i = 0; i < REPEAT; i++) {
      int64_t begin = kn_now_ns();
      raw_all(raw.fd, input, INPUT, true);
      raw_all(raw.fd, output, OUTPUT, false);
      add(&times[KINDS], begin);
    }
    for (size_t k = 0; k < KINDS; k++)
      for (size_t i = 0; i < REPEAT; i++) {
        int64_t begin = kn_now_ns();
        exchange(&clients[k], input, output);
        add(&times[k], begin);
      }
  }
  for (size_t i = 0; i <= KINDS; i++) settle(&times[i]);
  double bare = times[KINDS].median, bound = 1.3 * bare + 30;
  char text[96];
  snprintf(text, sizeof text, "at most 1.3 x bare + 30 us = %.0f us", bound);
  figure(times[KINDS].name, bare, 0, "");
  bool met = figure(times[0].name, times[0].median, bound, text);
  met &= figure(times[1].name, times[1].median, bound, text);
  figure(times[2].name, times[2].median, 0, "");
  for (size_t i = 0; i < KINDS; i++) kn_client_close(&clients[i]);
  kn_connection_close(&raw);
  kn_free(input);
  kn_free(output);
  return met;
}

/* ---- upload ---- */

static bool uploads(void) {
  char *model = kn_alloc(UPLOAD), done, measured[96];
  if (!model) give_up(kn_status_out_of_memory());
  give_up(kn_file_write(sent_path, model, UPLOAD));
  kn_link_config link = link_of(KN_WIRE_12, false);
  kn_connection raw = start(RAW_UPLOAD, link);
  block(raw.fd);
  kn_client client = connect_client(TIMED, link);
  samples bare = room_for("", UPLOADS), sent = room_for("", UPLOADS), all = room_for("", UPLOADS);
  for (int i = 0; i < UPLOADS; i++) {
    int64_t begin = kn_now_ns();
    raw_all(raw.fd, model, UPLOAD, true);
    raw_all(raw.fd, &done, 1, false);
    add(&bare, begin);
    begin = kn_now_ns();
    give_up(kn_client_upload_file(&client, KN_MESSAGE_MODEL, sent_path));
    add(&all, begin);
    struct stat found;
    if (stat(model_path, &found) < 0 || found.st_size != UPLOAD) give_up(kn_status_make(KN_INTERNAL, "not arrived"));
    sent.values[sent.count++] = (double)(*whole_at - begin) / 1000;
  }
  settle(&bare);
  settle(&sent);
  settle(&all);
  snprintf(measured, sizeof measured, "%.0f MB/s", UPLOAD / bare.median);
  figure_print("upload of 14 MiB, bare exchange", measured, "", true);
  snprintf(measured, sizeof measured, "%.0f MB/s", UPLOAD / sent.median);
  char text[96];
  snprintf(text, sizeof text, "at least 0.8 x bare = %.0f MB/s", 0.8 * UPLOAD / bare.median);
  bool met = figure_print("upload of 14 MiB, first to last byte", measured, text, sent.median <= bare.median / 0.8);
  snprintf(measured, sizeof measured, "%.0f MB/s", UPLOAD / all.median);
  figure_print("upload of 14 MiB, with fsync, rename and load", measured, "", true);
  kn_client_close(&client);
  kn_connection_close(&raw);
  kn_free(model);
  return met;
}

/* ---- isolated worker ---- */

typedef struct engine {
  const kn_inference_ops *ops;
  void *self;
} engine;

static void infer(const engine *e, kn_tensor_view *input, kn_tensor_view *output) {
  give_up(e->ops->set_input(e->self, input, 1));
  give_up(e->ops->invoke(e->self));
  give_up(e->ops->output(e->self, output, 1));
}

/* The input lies where it was decoded: in shared memory. */
static bool isolated(size_t rounds) {
  kn_instance runtime;
  kn_iospec spec;
  kn_isolated worker;
  kn_tensor_view input, output;
  const int64_t input_shape[] = {1, 224, 224, 3}, output_shape[] = {1, 1000};
  give_up(kn_instance_create(&kn_null_runtime_class, &runtime));
  give_up(kn_iospec_parse(spec_json, sizeof spec_json - 1, "bench", &spec));
  give_up(kn_tensor_create(KN_FLOAT32, 2, output_shape, &output));
  kn_remote remote = {.protocol = kn_isolated_protocol(&worker, &runtime, &remote), .client.connection.fd = -1};
  const kn_load_request request = {.path = sent_path, .spec = &spec, .batch = 1};
  const engine engines[] = {{((const kn_runtime_ops *)kn_null_runtime_class.ops)->inference, runtime.self},
                            {&kn_isolated_inference, &worker}};
  samples times[] = {room_for("", rounds * REPEAT), room_for("", rounds * REPEAT)};
  for (int k = 0; k < 2; k++) give_up(engines[k].ops->load(engines[k].self, &request));
  input = (kn_tensor_view){.bytes = INPUT, .dtype = KN_FLOAT32, .rank = 4};
  memcpy(input.shape, input_shape, sizeof input_shape);
  give_up(kn_isolated_memory(&worker, INPUT, &input.data));
  for (size_t round = 0; round < rounds; round++)
    for (int k = 0; k < 2; k++)
      for (int i = 0; i < REPEAT; i++) {
        int64_t begin = kn_now_ns();
        infer(&engines[k], &input, &output);
        add(&times[k], begin);
      }
  for (int k = 0; k < 2; k++) {
    settle(&times[k]);
    engines[k].ops->unload(engines[k].self);
  }
  bool met = figure("isolated worker, added to an inference in process", times[1].median - times[0].median, 30,
                    "at most 30 us");
  kn_instance_destroy(&runtime);
  kn_iospec_clear(&spec);
  kn_tensor_free(&output);
  return met;
}

int main(int argc, char **argv) {
  char *end = NULL;
  unsigned long rounds = argc > 1 ? strtoul(argv[1], &end, 10) : 30;
  if ((end && *end) || rounds < 1 || rounds > 10000) {
    fprintf(stderr, "usage: bench-wire [ROUNDS], from 1 to 10000\n");
    return 2;
  }
  signal(SIGCHLD, SIG_DFL);
  kn_log_set_level(KN_LOG_ERROR);
  snprintf(model_path, sizeof model_path, "/tmp/kenning-bench-%ld.model", (long)getpid());
  snprintf(sent_path, sizeof sent_path, "/tmp/kenning-bench-%ld.sent", (long)getpid());
  whole_at = mmap(NULL, sizeof *whole_at, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (whole_at == MAP_FAILED) return 1;
  bool met = round_trips(rounds);
  met &= uploads();
  met &= isolated(rounds);
  while (wait(NULL) > 0) continue;
  unlink(model_path);
  unlink(sent_path);
  return met ? 0 : 1;
}
