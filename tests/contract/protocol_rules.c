/* What every runtime protocol must do on both ends. Host and target are instances of the class, which meet at the place
 * that the fixtures name; the target runs the null runtime. Where somebody waits for nothing, time passes faster than
 * the machine's. */
#include "contract/subject.h"

#include <kenning/services.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "core/file.h"
#include "core/memory.h"
#include "core/record_json.h"
#include "target/remote.h"
#include "target/worker.h"
#include "transport/deadline.h"
#include "transport/tcp.h"
#include "unit/target/line.h"
#include "unit/target/peer.h"

enum { COMBINATIONS = 2000, GARBAGE = 300, PATIENCE_MS = 10000 };

typedef struct meeting {
  subject *at;
  block *host, *target;
  const kn_runtimeprotocol_ops *ops;
  line line;
  bool has_line;
  char port[16];
  size_t descriptors; /* that were open before */
} meeting;

static const kn_runtimeprotocol_ops *ops_of(const subject *at) { return at->cls->ops; }

/* ---- places ---- */

static void find_port(char *out, size_t size) {
  int fd;
  bool loopback;
  int64_t port;
  kt_assert_ok(kn_tcp_listen("127.0.0.1", 0, &fd, &loopback, &port));
  close(fd);
  snprintf(out, size, "%lld", (long long)port);
}

static void set_option(block *one, const char *name, const char *text) {
  size_t index;
  const kn_option *row = kn_option_find(one->instance.cls, name, &index);
  if (!row) kt_fail("%s has no option '%s'", one->instance.cls->name, name);
  kt_assert_ok(kn_instance_set_text(&one->instance, row, index, text, name));
}

/* "@port" is a free one, "@line" a serial device, "@directory/..." below the rule's directory. */
static block *make_end(meeting *m, bool target) {
  block *one = subject_block(m->at);
  yyjson_val *place = yyjson_obj_get(yyjson_obj_get(m->at->table->json.root, "protocols"), m->at->name), *key, *value;
  size_t i, count;
  yyjson_obj_foreach(place, i, count, key, value) {
    const char *text = yyjson_get_str(value), *below = "@directory/";
    char *path = NULL;
    assert_non_null(text);
    if (!strcmp(text, "@line"))
      text = m->line.names[target];
    else if (!strcmp(text, "@port"))
      text = m->port;
    else if (!strncmp(text, below, strlen(below)))
      text = path = subject_path(m->at, text + strlen(below));
    set_option(one, yyjson_get_str(key), text);
    free(path);
  }
  return one;
}

static void meet(meeting *m, subject *at) {
  *m = (meeting){.at = at, .ops = ops_of(at), .has_line = ops_of(at)->line};
  if (m->has_line) open_line(&m->line, 0, 0);
  find_port(m->port, sizeof m->port);
  m->descriptors = count_entries("/proc/self/fd");
  m->host = make_end(m, false);
  m->target = make_end(m, true);
  set_option(m->host, "timeout", "10");
  set_option(m->target, "timeout", "10");
  set_option(m->target, "idle_timeout", "10");
}

static void part(meeting *m) {
  size_t left = count_entries("/proc/self/fd");
  if (left != m->descriptors) kt_fail("%zu descriptors were open before, %zu are after", m->descriptors, left);
  if (m->has_line) close_line(&m->line);
}

/* ---- the target's end ---- */

typedef struct server {
  meeting *m;
  kn_link_config link;
  kt_target target;
  int listener;
  pthread_t thread;
  kn_status status; /* of the last client */
} server;

static void start(meeting *m, server *s) {
  char *where;
  *s = (server){.m = m};
  kt_assert_ok(m->ops->open(m->target->self, &s->link));
  kt_assert_ok(m->ops->listen(m->target->self, &s->listener, &where));
  assert_true(s->listener >= 0 && where && *where);
  kn_free(where);
}

static void stop(server *s) {
  close(s->listener);
  s->m->ops->close(s->m->target->self);
}

/* A line has one client, who is there when it speaks. */
static int take_client(const server *s) {
  if (s->m->has_line) return dup(s->listener);
  struct pollfd one = {.fd = s->listener, .events = POLLIN};
  return poll(&one, 1, PATIENCE_MS) > 0 ? accept(s->listener, NULL, NULL) : -1;
}

static kn_status serve_client(server *s) {
  kn_connection connection;
  int fd = take_client(s);
  if (fd < 0) return kn_status_make(KN_TIMEOUT, "no client came");
  KN_TRY(kn_connection_adopt(fd, &connection));
  kn_status status = NULL;
  kt_target_open(&s->target, &s->link.wire);
  if (s->m->ops->prepare)
    status = s->m->ops->prepare(s->m->target->self, &connection, kn_deadline_after(s->link.timeout_s));
  const kn_session_config config = {.wire = s->link.wire, .model_path = s->target.model, .model_limit = 1000};
  if (!status) status = kn_worker_serve(&connection, &s->link, &config, &s->target.engine);
  kn_connection_close(&connection);
  kt_target_close(&s->target);
  return status;
}

static void *serve(void *context) {
  server *s = context;
  s->status = serve_client(s);
  return NULL;
}

/* What the last client of a line left half-said means nothing to the next one. */
static void clear_line(const server *s) {
  if (!s->m->has_line) return;
  usleep(100000);
  (void)!tcflush(s->listener, TCIFLUSH);
}

/* ---- the host's end ---- */

static kn_status load_remote(meeting *m, kn_remote *remote) {
  kn_iospec spec;
  char *model = subject_path(m->at, "sent.bin");
  *remote = (kn_remote){.protocol = &m->host->instance, .client.connection.fd = -1};
  kt_file_write_text(model, "a model");
  kt_assert_ok(kn_iospec_parse(KT_SPEC, strlen(KT_SPEC), "rules", &spec));
  const kn_load_request request = {.path = model, .spec = &spec, .batch = 1};
  kn_status status = kn_remote_inference.load(remote, &request);
  kn_iospec_clear(&spec);
  free(model);
  return status;
}

static void infer(meeting *m) {
  kn_remote remote;
  kn_record *record;
  float input[4] = {3, 4, 5, 6}, output[2];
  const kn_tensor_view in = {.data = input, .bytes = sizeof input, .dtype = KN_FLOAT32, .rank = 2, .shape = {1, 4}};
  const kn_tensor_view out = {.data = output, .bytes = sizeof output, .dtype = KN_FLOAT32, .rank = 2, .shape = {1, 2}};
  kt_assert_ok(load_remote(m, &remote));
  for (int i = 0; i < 3; i++) {
    input[0] = (float)i;
    kt_assert_ok(kn_remote_inference.set_input(&remote, &in, 1));
    kt_assert_ok(kn_remote_inference.invoke(&remote));
    kt_assert_ok(kn_remote_inference.output(&remote, &out, 1));
    assert_memory_equal(output, input, sizeof output);
  }
  kt_assert_ok(kn_record_create(&record));
  kt_assert_ok(kn_remote_measurements(&remote, 3, record));
  /* a target that was packed its io specification, and has no extensions, tells sums alone */
  yyjson_mut_val *steps = yyjson_mut_obj_get(kn_record_value(record), "target_inference_step");
  if (steps || !remote.link.packed) assert_int_equal(yyjson_mut_arr_size(steps), 3);
  kn_record_destroy(record);
  kn_remote_inference.unload(&remote);
}

/* Both ends, once. */
static void serve_one(server *s) {
  assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
  infer(s->m);
  pthread_join(s->thread, NULL);
  kt_assert_ok(s->status);
}

/* ---- time ---- */

static int64_t fast_now(void *context) { return *(int64_t *)context; }

static int fast_wait(void *context, struct pollfd *list, size_t count, int milliseconds) {
  int ready = poll(list, count, 2);
  if (!ready) *(int64_t *)context += (int64_t)milliseconds * 1000000;
  return ready;
}

static int64_t fast_time;
static const kn_deadline_clock fast = {&fast_time, fast_now, fast_wait};

/* Failures of peers and lines: told as such, not as a fault of the program. */
static void assert_gives_up_at(kn_status status, const char *what, int64_t begun, const char *file, int line_number) {
  static const kn_code codes[] = {KN_TIMEOUT,        KN_IO_ERROR, KN_BAD_DATA,     KN_NOT_FOUND,
                                  KN_BACKEND_FAILED, KN_BUSY,     KN_INCOMPATIBLE, KN_INVALID_ARGUMENT};
  kn_code code = kn_status_code(status);
  bool fits = false, told = status && *kn_status_message(status, 0);
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) fits |= code == codes[i];
  kn_status_free(status);
  bool soon = kn_now_ns() - begun < (int64_t)PATIENCE_MS * 1000000;
  if (fits && told && soon) return;
  print_error("%s:%d: %s: %s%s\n", file, line_number, what, kn_code_name(code), soon ? "" : ", too late");
  _fail(file, line_number);
}
#define assert_gives_up(status, what, begun) assert_gives_up_at(status, what, begun, __FILE__, __LINE__)

/* ---- options ---- */

static void closing_is_always_allowed(subject *at) {
  const kn_runtimeprotocol_ops *ops = ops_of(at);
  kn_link_config link;
  meeting m;
  meet(&m, at);
  ops->close(m.host->self);
  for (int i = 0; i < 2; i++) {
    kt_assert_ok(ops->open(m.host->self, &link));
    ops->close(m.host->self);
    ops->close(m.host->self);
  }
  part(&m);
}

static void expect_settings(const kn_link_config *link) {
  const kn_wire_config *wire = &link->wire;
  assert_true(wire->format == KN_WIRE_2022 || wire->format == KN_WIRE_8 || wire->format == KN_WIRE_12);
  assert_true(wire->frame_limit >= 64);
  assert_true(link->timeout_s > 0 && link->idle_s > 0 && link->engine_s > 0 && link->slowest > 0); /* never for ever */
  assert_true(link->model_limit > 0 && link->tensor_limit > 0);
  assert_true(link->heartbeat_s >= 0 && link->gap_s >= 0 && link->retries >= 0);
}

static void every_combination_of_choices_is_judged(subject *at) {
  size_t accepted = 0;
  meeting m;
  meet(&m, at);
  for (size_t number = 0; number < COMBINATIONS && subject_combine(at, m.host, number); number++) {
    kn_link_config link;
    kn_status status = m.ops->open(m.host->self, &link);
    if (status) {
      assert_bad_input(status, "a combination of options");
    } else {
      accepted++;
      expect_settings(&link);
    }
    m.ops->close(m.host->self);
  }
  assert_true(accepted > 0);
  part(&m);
}

static void deadlines_and_limits_are_options(subject *at) {
  static const char *const options[][2] = {{"timeout", "7.5"},
                                           {"idle_timeout", "8.5"},
                                           {"engine_timeout", "9.5"},
                                           {"model_limit", "3"},
                                           {"tensor_limit", "5"}};
  kn_link_config link;
  meeting m;
  meet(&m, at);
  for (size_t i = 0; i < sizeof options / sizeof *options; i++) set_option(m.host, options[i][0], options[i][1]);
  kt_assert_ok(m.ops->open(m.host->self, &link));
  assert_true(link.timeout_s == 7.5 && link.idle_s == 8.5 && link.engine_s == 9.5);
  assert_true(link.model_limit == 3 << 20 && link.tensor_limit == 5 << 20);
  m.ops->close(m.host->self);
  part(&m);
}

/* ---- what goes well ---- */

/* In every wire format that the class takes, with our additions and without, one client after the other. */
static void both_ends_understand_each_other(subject *at) {
  static const char *const extensions[] = {"true", "false"};
  size_t index, taken = 0;
  meeting m;
  meet(&m, at);
  const kn_option *wire = kn_option_find(at->cls, "wire", &index);
  assert_non_null(wire);
  for (const kn_choice *choice = wire->choices; choice->name; choice++) {
    server s;
    kn_link_config link;
    set_option(m.host, "wire", choice->name);
    set_option(m.target, "wire", choice->name);
    kn_status status = m.ops->open(m.host->self, &link);
    m.ops->close(m.host->self);
    if (status) {
      assert_bad_input(status, choice->name);
      continue;
    }
    start(&m, &s);
    for (int i = 0; i < 2; i++, taken++) {
      set_option(m.host, "extensions", extensions[i]);
      serve_one(&s);
    }
    stop(&s);
  }
  assert_true(taken > 0);
  part(&m);
}

static void a_place_belongs_to_one_listener(subject *at) {
  meeting m;
  meet(&m, at);
  block *other = make_end(&m, true);
  kn_link_config link;
  server s;
  int fd = -1;
  char *where = NULL;
  start(&m, &s);
  kt_assert_ok(m.ops->open(other->self, &link));
  kn_status status = m.ops->listen(other->self, &fd, &where);
  assert_true(fd < 0 && !where);
  kt_assert_fault(status, KN_BUSY, NULL);
  m.ops->close(other->self);
  struct pollfd one = {.fd = s.listener, .events = POLLIN};
  while (!m.has_line && poll(&one, 1, 0) > 0)
    close(accept(s.listener, NULL, NULL)); /* who looked whether it is taken */
  serve_one(&s);
  stop(&s);
  start(&m, &s); /* it is free again */
  stop(&s);
  part(&m);
}

/* ---- peers that are not there, say nothing, say nonsense, or leave ---- */

static void nobody_there_is_told(subject *at) {
  kn_remote remote;
  meeting m;
  meet(&m, at);
  int64_t begun = kn_now_ns();
  kn_deadline_use(&fast);
  kn_status status = load_remote(&m, &remote);
  kn_deadline_use(NULL);
  assert_gives_up(status, "nobody there", begun);
  part(&m);
}

typedef struct peer {
  server *s;
  const void *said;
  size_t bytes;
  bool leaves;
  kn_connection connection;
} peer;

/* A client that says what it is told to say, and no more. */
static void meet_client(peer *p, const char *what) {
  kn_link_config link;
  meeting *m = p->s->m;
  kt_assert_ok(m->ops->open(m->host->self, &link));
  kt_assert_ok(m->ops->connect(m->host->self, "model", kn_now_ns() + 10000000000, &p->connection));
  const kn_piece piece = {p->said, p->bytes};
  if (p->bytes) kt_assert_ok(kn_connection_write(&p->connection, &piece, 1, kn_now_ns() + 10000000000));
  if (m->has_line) usleep(50000); /* bytes are on their way */
  if (p->leaves) kn_connection_close(&p->connection);
  int64_t begun = kn_now_ns();
  kn_deadline_use(&fast);
  kn_status status = serve_client(p->s);
  kn_deadline_use(NULL);
  bool may_end = p->bytes || p->leaves; /* it was taken at its word, or left */
  if (status || !may_end) assert_gives_up(status, what, begun);
  kn_connection_close(&p->connection);
  m->ops->close(m->host->self);
  clear_line(p->s);
}

/* A target of that kind. */
static void *say(void *context) {
  peer *p = context;
  int fd = take_client(p->s);
  if (fd < 0 || kn_connection_adopt(fd, &p->connection)) return NULL;
  const kn_piece piece = {p->said, p->bytes};
  kn_status status = p->bytes ? kn_connection_write(&p->connection, &piece, 1, KN_NO_DEADLINE) : NULL;
  kn_status_free(status); /* the host may be gone already */
  if (p->leaves) kn_connection_close(&p->connection);
  return NULL;
}

static void meet_target(peer *p, const char *what) {
  kn_remote remote;
  pthread_t thread;
  p->connection = (kn_connection){.fd = -1};
  assert_int_equal(pthread_create(&thread, NULL, say, p), 0);
  int64_t begun = kn_now_ns();
  kn_deadline_use(&fast);
  kn_status status = load_remote(p->s->m, &remote);
  kn_deadline_use(NULL);
  pthread_join(thread, NULL);
  assert_gives_up(status, what, begun);
  kn_connection_close(&p->connection);
  clear_line(p->s);
}

/* A peer in each direction; behind it the next one is served. */
static void meet_both(subject *at, const void *said, size_t bytes, bool leaves, const char *what) {
  server s;
  meeting m;
  meet(&m, at);
  start(&m, &s);
  peer p = {.s = &s, .said = said, .bytes = bytes, .leaves = leaves};
  meet_client(&p, what);
  serve_one(&s);
  meet_target(&p, what);
  serve_one(&s);
  stop(&s);
  part(&m);
}

static void a_silent_peer_is_given_up(subject *at) { meet_both(at, "", 0, false, "a peer that says nothing"); }

static void garbage_does_no_harm(subject *at) {
  uint8_t bytes[GARBAGE];
  uint32_t next = 7;
  for (size_t i = 0; i < sizeof bytes; i++) {
    next = next * 1664525 + 1013904223;
    bytes[i] = (uint8_t)(next >> 24);
  }
  meet_both(at, bytes, sizeof bytes, false, "noise");
  memset(bytes, 0xFF, sizeof bytes);
  meet_both(at, bytes, sizeof bytes, false, "ones");
  memset(bytes, 0, sizeof bytes);
  meet_both(at, bytes, sizeof bytes, true, "zeros");
}

static void a_peer_that_leaves_is_noticed(subject *at) {
  meet_both(at, "", 0, true, "a peer that leaves");
  meet_both(at, "\3\0\0", 3, true, "a peer that leaves amid a header");
}

/* ---- places that are none, and want of memory ---- */

static void bad_places_are_told(subject *at) {
  size_t concerned = 0;
  const kn_option *row;
  for (size_t i = 0; (row = kn_option_at(at->cls, i)); i++) {
    if (row->type != KN_OPTION_PATH) continue;
    meeting m;
    meet(&m, at);
    kn_link_config link;
    kn_connection connection;
    int fd;
    char *where, *nowhere = subject_path(at, "none/none");
    concerned++;
    set_option(m.host, row->name, nowhere);
    kt_assert_ok(m.ops->open(m.host->self, &link));
    int64_t begun = kn_now_ns();
    assert_gives_up(m.ops->connect(m.host->self, "model", begun + 1000000000, &connection), row->name, begun);
    assert_true(connection.fd < 0);
    assert_gives_up(m.ops->listen(m.host->self, &fd, &where), row->name, begun);
    assert_true(fd < 0 && !where);
    m.ops->close(m.host->self);
    free(nowhere);
    part(&m);
  }
  if (!concerned) subject_not_concerned(at, "it has no paths");
}

static void memory_may_run_out(subject *at) {
  meeting m;
  meet(&m, at);
  kn_link_config link;
  uint64_t n = 0;
  int fd;
  kt_assert_ok(m.ops->open(m.host->self, &link));
  kt_assert_ok(m.ops->open(m.target->self, &link));
  for (bool listens = false; !listens; n++) {
    char *where;
    assert_true(n < 100);
    kn_memory_fail_after(n);
    kn_status status = m.ops->listen(m.target->self, &fd, &where);
    kn_memory_fail_after(UINT64_MAX);
    listens = !status;
    if (listens) kn_free(where);
    assert_true(listens ? n > 0 : kn_status_code(status) == KN_OUT_OF_MEMORY && fd < 0);
    kn_status_free(status);
  }
  n = 0;
  for (bool connects = false; !connects; n++) {
    kn_connection connection;
    assert_true(n < 100);
    kn_memory_fail_after(n);
    kn_status status = m.ops->connect(m.host->self, "model", kn_now_ns() + 10000000000, &connection);
    kn_memory_fail_after(UINT64_MAX);
    connects = !status;
    assert_true(connects || (kn_status_code(status) == KN_OUT_OF_MEMORY && connection.fd < 0));
    kn_status_free(status);
    if (connects) kn_connection_close(&connection);
  }
  close(fd);
  m.ops->close(m.host->self);
  m.ops->close(m.target->self);
  part(&m);
}

const rule protocol_rules[] = {{"closing is always allowed", closing_is_always_allowed},
                               {"every combination of choices is judged", every_combination_of_choices_is_judged},
                               {"deadlines and limits are options", deadlines_and_limits_are_options},
                               {"both ends understand each other", both_ends_understand_each_other},
                               {"a place belongs to one listener", a_place_belongs_to_one_listener},
                               {"nobody there is told", nobody_there_is_told},
                               {"a silent peer is given up", a_silent_peer_is_given_up},
                               {"garbage does no harm", garbage_does_no_harm},
                               {"a peer that leaves is noticed", a_peer_that_leaves_is_noticed},
                               {"bad places are told", bad_places_are_told},
                               {"memory may run out", memory_may_run_out},
                               {0}};
