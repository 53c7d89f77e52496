/* What the wire costs: 602,112 bytes to a target and 4,000 back over TCP on the loopback, by a client and a server of
 * ours with the null runtime, next to two bare programs that do nothing but exchange as many bytes in the same run:
 * with send and recv, and with SSL_write and SSL_read on a connection of the same kind.
 *
 *   bench-wire [ROUNDS]
 *
 * Rounds alternate: 20 exchanges of one kind, 20 of the next. A figure is the median over all exchanges of its kind.
 * The upload is one file of 14 MiB, timed from its first byte until the target has all of them; what comes before OK
 * after that (waiting for the disk, renaming, loading) is shown apart, as is what the model cost in memory beyond its
 * own size, and what the server uses while its client is silent. Exit 1 when a bound is not met. */
#include "core/instance.h"
#include "core/log.h"
#include "measurements/statistics.h"
#include "target/client.h"
#include "target/isolated.h"
#include "target/remote.h"
#include "transport/psk.h"
#include "transport/tls.h"

#include "figure.h"
#include "wire_peers.h"

#include <fcntl.h>
#include <kenning/services.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { REPEAT = 20, UPLOADS = 15 };

extern const kn_class kn_null_runtime_class;

static const char spec_json[] =
    "{\"input\": [{\"name\": \"x\", \"shape\": [1, 224, 224, 3], \"dtype\": \"float32\"}], "
    "\"output\": [{\"name\": \"y\", \"shape\": [1, 1000], \"dtype\": \"float32\"}]}";

static char sent_path[64];

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
  give_up(kn_client_specify(&client, spec_json, sizeof spec_json - 1));
  give_up(kn_client_upload(&client, KN_MESSAGE_MODEL, "model", 5));
  return client;
}

static void exchange(kn_client *client, void *input, void *output, bool one_message) {
  if (one_message) {
    kn_infer_times times;
    give_up(kn_client_infer_begin(client, input, INPUT));
    give_up(kn_client_infer_wait(client, &times));
    give_up(kn_client_infer_finish(client, output, OUTPUT));
    return;
  }
  give_up(kn_client_upload(client, KN_MESSAGE_DATA, input, INPUT));
  give_up(kn_client_process(client));
  give_up(kn_client_output(client, output, OUTPUT));
}

typedef struct kind {
  const char *name;
  kn_wire_format format;
  bool checksums, one_message, tls;
  double factor, added_us; /* the bound, of the bare exchange of its kind; factor 0: none */
} kind;

static const kind kinds[] = {{"wire round trip, three messages", KN_WIRE_12, false, false, false, 1.3, 30},
                             {"wire round trip, three messages, 2022", KN_WIRE_2022, false, false, false, 1.3, 30},
                             {"wire round trip, three messages, checksums", KN_WIRE_12, true, false, false, 0, 0},
                             {"wire round trip, one message", KN_WIRE_12, false, true, false, 1.15, 10},
                             {"wire round trip, one message, 2022", KN_WIRE_2022, false, true, false, 1.15, 10},
                             {"wire round trip, one message, checksums", KN_WIRE_12, true, true, false, 0, 0},
                             {"wire round trip, one message, TLS", KN_WIRE_12, false, true, true, 1.15, 0},
                             {"wire round trip, one message, TLS, checksums", KN_WIRE_12, true, true, true, 0, 0}};
enum { KINDS = sizeof kinds / sizeof *kinds };

typedef struct bench {
  kn_connection raw, raw_tls;
  void *ssl;
  kn_client clients[KINDS];
  samples times[KINDS], bare, bare_tls;
  char *input, *output;
} bench;

static void run_bare(bench *b) {
  for (size_t i = 0; i < REPEAT; i++) {
    int64_t begin = kn_now_ns();
    raw_all(b->raw.fd, b->input, INPUT, true);
    raw_all(b->raw.fd, b->output, OUTPUT, false);
    add(&b->bare, begin);
  }
  for (size_t i = 0; i < REPEAT; i++) {
    int64_t begin = kn_now_ns();
    tls_all(b->ssl, b->input, INPUT, true);
    tls_all(b->ssl, b->output, OUTPUT, false);
    add(&b->bare_tls, begin);
  }
}

static void prepare_round_trips(bench *b, size_t rounds) {
  b->input = kn_alloc(INPUT);
  b->output = kn_alloc(OUTPUT);
  if (!b->input || !b->output) give_up(kn_status_out_of_memory());
  b->raw = start(RAW, link_of(KN_WIRE_12, false));
  block(b->raw.fd);
  b->raw_tls = start(RAW_TLS, link_of(KN_WIRE_12, false));
  b->ssl = bare_tls(&b->raw_tls, false);
  b->bare = room_for("wire round trip, bare exchange of the same bytes", rounds * REPEAT);
  b->bare_tls = room_for("wire round trip, bare exchange through TLS", rounds * REPEAT);
  for (size_t i = 0; i < KINDS; i++) {
    b->clients[i] = connect_client(kinds[i].tls ? OURS_TLS : OURS, link_of(kinds[i].format, kinds[i].checksums));
    b->times[i] = room_for(kinds[i].name, rounds * REPEAT);
    exchange(&b->clients[i], b->input, b->output, kinds[i].one_message);
  }
}

static bool print_kind(const bench *b, size_t i) {
  char text[96] = "";
  double bare = kinds[i].tls ? b->bare_tls.median : b->bare.median, bound = kinds[i].factor * bare + kinds[i].added_us;
  if (!kinds[i].factor) return figure(b->times[i].name, b->times[i].median, 1e12, text);
  snprintf(text, sizeof text, "at most %g x bare%s + %g us = %.0f us", kinds[i].factor, kinds[i].tls ? " TLS" : "",
           kinds[i].added_us, bound);
  return figure(b->times[i].name, b->times[i].median, bound, text);
}

static bool round_trips(size_t rounds) {
  bench b;
  bool met = true;
  prepare_round_trips(&b, rounds);
  for (size_t round = 0; round < rounds; round++) {
    run_bare(&b);
    for (size_t k = 0; k < KINDS; k++)
      for (size_t i = 0; i < REPEAT; i++) {
        int64_t begin = kn_now_ns();
        exchange(&b.clients[k], b.input, b.output, kinds[k].one_message);
        add(&b.times[k], begin);
      }
  }
  settle(&b.bare);
  settle(&b.bare_tls);
  for (size_t i = 0; i < KINDS; i++) settle(&b.times[i]);
  figure(b.bare.name, b.bare.median, 1e12, "");
  figure(b.bare_tls.name, b.bare_tls.median, 1e12, "");
  for (size_t i = 0; i < KINDS; i++) met &= print_kind(&b, i);
  for (size_t i = 0; i < KINDS; i++) kn_client_close(&b.clients[i]);
  kn_connection_close(&b.raw);
  kn_connection_close(&b.raw_tls);
  kn_free(b.input);
  kn_free(b.output);
  return met;
}

/* ---- what a server uses ---- */

static long status_kib(pid_t pid, const char *field) {
  char path[64], line[256];
  long kib = -1;
  snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
  FILE *file = fopen(path, "r");
  while (file && fgets(line, sizeof line, file))
    if (!strncmp(line, field, strlen(field))) kib = strtol(line + strlen(field) + 1, NULL, 10);
  if (file) fclose(file);
  return kib;
}

/* From now on VmHWM is the peak after this moment. */
static void forget_peak(pid_t pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%ld/clear_refs", (long)pid);
  int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0 || write(file, "5", 1) != 1) give_up(kn_status_make(KN_IO_ERROR, "%s cannot be written", path));
  close(file);
}

static bool silence(void) {
  enum { SECONDS = 3 };
  kn_client client = connect_client(OURS, link_of(KN_WIRE_12, false));
  clockid_t clock;
  struct timespec before, after;
  char measured[64];
  if (clock_getcpuclockid(last_server, &clock)) give_up(kn_status_make(KN_IO_ERROR, "no clock of the server"));
  clock_gettime(clock, &before);
  sleep(SECONDS);
  clock_gettime(clock, &after);
  double us = (double)(after.tv_sec - before.tv_sec) * 1e6 + (double)(after.tv_nsec - before.tv_nsec) / 1e3;
  snprintf(measured, sizeof measured, "%.0f us/s", us / SECONDS);
  bool met = figure_print("processor time of a server whose client is silent", measured, "at most 500 us/s",
                          us / SECONDS <= 500);
  kn_client_close(&client);
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
  long resident = status_kib(last_server, "VmRSS:");
  forget_peak(last_server);
  samples bare = room_for("", UPLOADS), sent = room_for("", UPLOADS), all = room_for("", UPLOADS),
          store = room_for("", UPLOADS), load = room_for("", UPLOADS);
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
    store.values[store.count++] = timed->store * 1e6;
    load.values[load.count++] = timed->load * 1e6;
    sent.values[sent.count++] = (double)(timed->whole - begin) / 1000;
  }
  settle(&bare);
  settle(&sent);
  settle(&all);
  settle(&store);
  settle(&load);
  snprintf(measured, sizeof measured, "%.0f MB/s", UPLOAD / bare.median);
  figure_print("upload of 14 MiB, bare exchange", measured, "", true);
  snprintf(measured, sizeof measured, "%.0f MB/s", UPLOAD / sent.median);
  char text[96];
  snprintf(text, sizeof text, "at least 0.8 x bare = %.0f MB/s", 0.8 * UPLOAD / bare.median);
  bool met = figure_print("upload of 14 MiB, first to last byte", measured, text, sent.median <= bare.median / 0.8);
  snprintf(measured, sizeof measured, "%.0f MB/s", UPLOAD / all.median);
  figure_print("upload of 14 MiB, with fsync, rename and load", measured, "", true);
  figure("upload of 14 MiB, of this writing, fsync and rename", store.median, 1e12, "");
  figure("upload of 14 MiB, of this loading", load.median, 1e12, "");
  long beyond = status_kib(last_server, "VmHWM:") - resident - UPLOAD / 1024;
  snprintf(measured, sizeof measured, "%ld KiB", beyond);
  met &= figure_print("memory of the server beyond the model", measured, "at most 1024 KiB", beyond <= 1024);
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
  timed = mmap(NULL, sizeof *timed, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (timed == MAP_FAILED) return 1;
  snprintf(psk_path, sizeof psk_path, "/tmp/kenning-bench-%ld.psk", (long)getpid());
  give_up(kn_psk_make(psk_path));
  find_ssl();
  bool met = round_trips(rounds);
  met &= silence();
  met &= uploads();
  met &= isolated(rounds);
  while (wait(NULL) > 0) continue;
  unlink(model_path);
  unlink(sent_path);
  unlink(psk_path);
  return met ? 0 : 1;
}
