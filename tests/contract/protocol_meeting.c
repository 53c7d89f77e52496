#include "protocol_meeting.h"

#include <kenning/services.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "core/record_json.h"
#include "transport/deadline.h"
#include "transport/tcp.h"

const kn_runtimeprotocol_ops *protocol_ops(const subject *at) { return at->cls->ops; }

/* ---- places ---- */

static void find_port(char *out, size_t size) {
  int fd;
  bool loopback;
  int64_t port;
  kt_assert_ok(kn_tcp_listen("127.0.0.1", 0, &fd, &loopback, &port));
  close(fd);
  snprintf(out, size, "%lld", (long long)port);
}

void meeting_set(block *one, const char *name, const char *text) { kt_set(&one->instance, name, text); }

block *meeting_end(meeting *m, bool target) {
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
    meeting_set(one, yyjson_get_str(key), text);
    free(path);
  }
  return one;
}

void meeting_open(meeting *m, subject *at) {
  *m = (meeting){.at = at, .ops = protocol_ops(at), .has_line = protocol_ops(at)->line};
  if (m->has_line) open_line(&m->line, 0, 0);
  find_port(m->port, sizeof m->port);
  m->descriptors = count_entries("/proc/self/fd");
  m->host = meeting_end(m, false);
  m->target = meeting_end(m, true);
  meeting_set(m->host, "timeout", "10");
  meeting_set(m->target, "timeout", "10");
  meeting_set(m->target, "idle_timeout", "10");
}

void meeting_close(meeting *m) {
  size_t left = count_entries("/proc/self/fd");
  if (left != m->descriptors) kt_fail("%zu descriptors were open before, %zu are after", m->descriptors, left);
  if (m->has_line) close_line(&m->line);
}

/* ---- the target's end ---- */

void meeting_listen(meeting *m, server *s) {
  char *where;
  *s = (server){.m = m};
  kt_assert_ok(m->ops->open(m->target->self, &s->link));
  kt_assert_ok(m->ops->listen(m->target->self, &s->listener, &where));
  assert_true(s->listener >= 0 && where && *where);
  kn_free(where);
}

void meeting_stop(server *s) {
  close(s->listener);
  s->m->ops->close(s->m->target->self);
}

int meeting_accept(const server *s) {
  if (s->m->has_line) return dup(s->listener);
  struct pollfd one = {.fd = s->listener, .events = POLLIN};
  return poll(&one, 1, PATIENCE_MS) > 0 ? accept(s->listener, NULL, NULL) : -1;
}

kn_status meeting_serve_client(server *s) {
  kn_connection connection;
  int fd = meeting_accept(s);
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
  s->status = meeting_serve_client(s);
  return NULL;
}

void meeting_clear_line(const server *s) {
  if (!s->m->has_line) return;
  usleep(100000);
  (void)!tcflush(s->listener, TCIFLUSH);
}

/* ---- the host's end ---- */

kn_status meeting_load(meeting *m, kn_remote *remote) {
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
  kt_assert_ok(meeting_load(m, &remote));
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

void meeting_serve(server *s) {
  assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
  infer(s->m);
  pthread_join(s->thread, NULL);
  kt_assert_ok(s->status);
}
