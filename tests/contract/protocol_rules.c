/* What every runtime protocol must do on both ends. Host and target are instances of the class, which meet at the place
 * that the fixtures name; the target runs the null runtime. Where somebody waits for nothing, time passes faster than
 * the machine's. */
#include "protocol_meeting.h"

#include <kenning/services.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/file.h"
#include "core/memory.h"
#include "core/record_json.h"
#include "transport/deadline.h"
#include "transport/tcp.h"

enum { COMBINATIONS = 2000, GARBAGE = 300 };

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
  const kn_runtimeprotocol_ops *ops = protocol_ops(at);
  kn_link_config link;
  meeting m;
  meeting_open(&m, at);
  ops->close(m.host->self);
  for (int i = 0; i < 2; i++) {
    kt_assert_ok(ops->open(m.host->self, &link));
    ops->close(m.host->self);
    ops->close(m.host->self);
  }
  meeting_close(&m);
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
  meeting_open(&m, at);
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
  meeting_close(&m);
}

static void deadlines_and_limits_are_options(subject *at) {
  static const char *const options[][2] = {{"timeout", "7.5"},
                                           {"idle_timeout", "8.5"},
                                           {"engine_timeout", "9.5"},
                                           {"model_limit", "3"},
                                           {"tensor_limit", "5"}};
  kn_link_config link;
  meeting m;
  meeting_open(&m, at);
  for (size_t i = 0; i < sizeof options / sizeof *options; i++) meeting_set(m.host, options[i][0], options[i][1]);
  kt_assert_ok(m.ops->open(m.host->self, &link));
  assert_true(link.timeout_s == 7.5 && link.idle_s == 8.5 && link.engine_s == 9.5);
  assert_true(link.model_limit == 3 << 20 && link.tensor_limit == 5 << 20);
  m.ops->close(m.host->self);
  meeting_close(&m);
}

/* ---- what goes well ---- */

/* In every wire format that the class takes, with our additions and without, one client after the other. */
static void both_ends_understand_each_other(subject *at) {
  static const char *const extensions[] = {"true", "false"};
  size_t index, taken = 0;
  meeting m;
  meeting_open(&m, at);
  const kn_option *wire = kn_option_find(at->cls, "wire", &index);
  assert_non_null(wire);
  for (const kn_choice *choice = wire->choices; choice->name; choice++) {
    server s;
    kn_link_config link;
    meeting_set(m.host, "wire", choice->name);
    meeting_set(m.target, "wire", choice->name);
    kn_status status = m.ops->open(m.host->self, &link);
    m.ops->close(m.host->self);
    if (status) {
      assert_bad_input(status, choice->name);
      continue;
    }
    meeting_listen(&m, &s);
    for (int i = 0; i < 2; i++, taken++) {
      meeting_set(m.host, "extensions", extensions[i]);
      meeting_serve(&s);
    }
    meeting_stop(&s);
  }
  assert_true(taken > 0);
  meeting_close(&m);
}

static void a_place_belongs_to_one_listener(subject *at) {
  meeting m;
  meeting_open(&m, at);
  block *other = meeting_end(&m, true);
  kn_link_config link;
  server s;
  int fd = -1;
  char *where = NULL;
  meeting_listen(&m, &s);
  kt_assert_ok(m.ops->open(other->self, &link));
  kn_status status = m.ops->listen(other->self, &fd, &where);
  assert_true(fd < 0 && !where);
  kt_assert_fault(status, KN_BUSY, NULL);
  m.ops->close(other->self);
  struct pollfd one = {.fd = s.listener, .events = POLLIN};
  while (!m.has_line && poll(&one, 1, 0) > 0)
    close(accept(s.listener, NULL, NULL)); /* who looked whether it is taken */
  meeting_serve(&s);
  meeting_stop(&s);
  meeting_listen(&m, &s); /* it is free again */
  meeting_stop(&s);
  meeting_close(&m);
}

/* ---- peers that are not there, say nothing, say nonsense, or leave ---- */

static void nobody_there_is_told(subject *at) {
  kn_remote remote;
  meeting m;
  meeting_open(&m, at);
  int64_t begun = kn_now_ns();
  kn_deadline_use(&fast);
  kn_status status = meeting_load(&m, &remote);
  kn_deadline_use(NULL);
  assert_gives_up(status, "nobody there", begun);
  meeting_close(&m);
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
  kn_status status = meeting_serve_client(p->s);
  kn_deadline_use(NULL);
  bool may_end = p->bytes || p->leaves; /* it was taken at its word, or left */
  if (status || !may_end) assert_gives_up(status, what, begun);
  kn_connection_close(&p->connection);
  m->ops->close(m->host->self);
  meeting_clear_line(p->s);
}

/* A target of that kind. */
static void *say(void *context) {
  peer *p = context;
  int fd = meeting_accept(p->s);
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
  kn_status status = meeting_load(p->s->m, &remote);
  kn_deadline_use(NULL);
  pthread_join(thread, NULL);
  assert_gives_up(status, what, begun);
  kn_connection_close(&p->connection);
  meeting_clear_line(p->s);
}

/* A peer in each direction; behind it the next one is served. */
static void meet_both(subject *at, const void *said, size_t bytes, bool leaves, const char *what) {
  server s;
  meeting m;
  meeting_open(&m, at);
  meeting_listen(&m, &s);
  peer p = {.s = &s, .said = said, .bytes = bytes, .leaves = leaves};
  meet_client(&p, what);
  meeting_serve(&s);
  meet_target(&p, what);
  meeting_serve(&s);
  meeting_stop(&s);
  meeting_close(&m);
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
    meeting_open(&m, at);
    kn_link_config link;
    kn_connection connection;
    int fd;
    char *where;
    concerned++;
    meeting_set(m.host, row->name, "/dev/null/none"); /* no directory can be made there */
    kt_assert_ok(m.ops->open(m.host->self, &link));
    int64_t begun = kn_now_ns();
    assert_gives_up(m.ops->connect(m.host->self, "model", begun + 1000000000, &connection), row->name, begun);
    assert_true(connection.fd < 0);
    assert_gives_up(m.ops->listen(m.host->self, &fd, &where), row->name, begun);
    assert_true(fd < 0 && !where);
    m.ops->close(m.host->self);
    meeting_close(&m);
  }
  if (!concerned) subject_not_concerned(at, "it has no paths");
}

static void memory_may_run_out(subject *at) {
  meeting m;
  meeting_open(&m, at);
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
  meeting_close(&m);
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
