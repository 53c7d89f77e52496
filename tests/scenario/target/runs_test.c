/* Host and target as two real programs: runs that go well, and everything that can happen to either. */
#include "support/directory.h"
#include "support/program.h"
#include "support/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <yyjson.h>

typedef struct pair {
  char *directory;
  kt_run_options options;
  kt_process *server;
  int port;
} pair;

static int free_port(void) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
  assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
  close(fd);
  return ntohs(address.sin_port);
}

static void write_in(const pair *p, const char *name, const char *text) {
  char *path = kt_path(p->directory, name);
  kt_file_write_text(path, text);
  free(path);
}

static char *read_in(const pair *p, const char *name) {
  char *path = kt_path(p->directory, name), *text = kt_file_read(path, NULL);
  free(path);
  return text;
}

static yyjson_doc *measured(const pair *p, const char *name) {
  char *text = read_in(p, name);
  yyjson_doc *doc = yyjson_read(text, strlen(text), 0);
  assert_non_null(doc);
  free(text);
  return doc;
}

/* s.json of the server and c.json of the client. `protocol` has one %d, the port. */
static pair make_pair(const char *protocol, const char *runtime, int samples) {
  pair p = {.directory = kt_directory_make(), .port = free_port()};
  p.options.directory = p.directory;
  p.options.timeout_s = 60;
  char link[1024], text[4096];
  const char *at = strstr(protocol, "%d");
  assert_non_null(at);
  snprintf(link, sizeof link, "%.*s%d%s", (int)(at - protocol), protocol, p.port, at + 2);
  snprintf(text, sizeof text, "{\"runtime_protocol\": %s, \"runtime\": %s}", link, runtime);
  write_in(&p, "s.json", text);
  snprintf(text, sizeof text,
           "{\"runtime_protocol\": %s, \"runtime\": %s, \"model_wrapper\": {\"type\": \"NullModelWrapper\", "
           "\"parameters\": {\"model_path\": \"model.bin\"}}, \"dataset\": {\"type\": "
           "\"RandomizedClassificationDataset\", \"parameters\": {\"split\": \"all\", \"num_samples\": %d, "
           "\"input_dims\": [4, 4, 3]}}}",
           link, runtime, samples);
  write_in(&p, "c.json", text);
  write_in(&p, "model.bin", "a model");
  return p;
}

static void start_server(pair *p) {
  const char *arguments[] = {kt_kenning(), "json_inference_server", "s.json", NULL};
  p->server = kt_start(arguments, &p->options);
  assert_true(kt_wait_output(p->server, "serving on", 30));
}

static void stop_server(pair *p) {
  kt_signal(p->server, SIGTERM);
  kt_run run = kt_finish(p->server);
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
}

static void drop_pair(pair *p) { kt_directory_remove(p->directory); }

static kt_run run_client(pair *p, const char *output) {
  return kt_run_kenning(&p->options, "json_inference_tester", "c.json", output);
}

#define EARLY                                                                                                   \
  "{\"type\": \"kenning.runtimeprotocols.network.NetworkProtocol\", \"parameters\": {\"host\": \"127.0.0.1\", " \
  "\"port\": %d, \"timeout\": 20}}"
#define IMPATIENT                                                                                               \
  "{\"type\": \"kenning.runtimeprotocols.network.NetworkProtocol\", \"parameters\": {\"host\": \"127.0.0.1\", " \
  "\"port\": %d, \"timeout\": 1}}"
#define TODAY                                                                                            \
  "{\"type\": \"kenning.protocols.network.NetworkProtocol\", \"parameters\": {\"host\": \"127.0.0.1\", " \
  "\"port\": %d, \"timeout\": 20, \"error_recovery\": true, \"max_message_size\": 100}}"
#define TAGGED                                                                                \
  "{\"type\": \"kenning.protocols.network.NetworkProtocol\", \"parameters\": {\"port\": %d, " \
  "\"wire\": \"8-byte\"}}"
#define UNIX "{\"type\": \"UnixSocketProtocol\", \"parameters\": {\"socket_path\": \"s%d.sock\"}}"
#define ECHO "{\"type\": \"NullRuntime\", \"parameters\": {\"result\": \"echo\"}}"
#define FAULTY(fault) "{\"type\": \"FaultyRuntime\", \"parameters\": {\"fault\": \"" fault "\", \"after\": 5}}"

/* ---- what goes well ---- */

static void a_run_on_a_target_is_measured_on_both_sides(void **state) {
  (void)state;
  static const char *const protocols[] = {EARLY, TODAY, TAGGED, UNIX};
  for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++) {
    pair p = make_pair(protocols[i], ECHO, 30);
    start_server(&p);
    kt_run run = run_client(&p, "out.json");
    kt_assert_exit(&run, 0);
    kt_run_free(&run);
    run = run_client(&p, "again.json"); /* the server goes on */
    kt_assert_exit(&run, 0);
    kt_run_free(&run);
    stop_server(&p);
    yyjson_doc *doc = measured(&p, "again.json");
    yyjson_val *root = yyjson_doc_get_root(doc);
    assert_int_equal(yyjson_get_int(yyjson_ptr_get(root, "/run/samples")), 30);
    static const char *const keys[] = {"target_inference_step", "target_inference_step_timestamp",
                                       "protocol_inference_step", "protocol_inference_step_timestamp"};
    for (size_t k = 0; k < 4; k++) assert_int_equal(yyjson_arr_size(yyjson_obj_get(root, keys[k])), 31);
    yyjson_val *share = yyjson_ptr_get(root, "/wire/share");
    assert_true(yyjson_get_num(share) > 0 && yyjson_get_num(share) < 1);
    assert_true(yyjson_is_num(yyjson_ptr_get(root, "/wire/input_transfer_seconds")));
    assert_true(yyjson_is_true(yyjson_obj_get(root, "complete")));
    yyjson_doc_free(doc);
    drop_pair(&p);
  }
}

static void classes_and_flags_serve_too(void **state) {
  (void)state;
  pair p = make_pair(EARLY, ECHO, 10);
  char port[16];
  snprintf(port, sizeof port, "%d", p.port);
  const char *arguments[] = {kt_kenning(),
                             "inference_server",
                             "NetworkProtocol",
                             "NullRuntime",
                             "--host",
                             "127.0.0.1",
                             "--port",
                             port,
                             "--result",
                             "echo",
                             NULL};
  p.server = kt_start(arguments, &p.options);
  assert_true(kt_wait_output(p.server, "serving on", 30));
  kt_run run = run_client(&p, "out.json");
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  stop_server(&p);
  drop_pair(&p);
}

/* ---- who may connect ---- */

static void other_machines_are_not_served_unasked(void **state) {
  (void)state;
  kt_run run = kt_run_kenning(NULL, "inference_server", "NetworkProtocol", "NullRuntime", "--host", "0.0.0.0", "--port",
                              "12445");
  kt_assert_exit(&run, 2);
  kt_assert_contains(run.err, "--insecure");
  kt_assert_contains(run.err, "\"insecure\": true");
  kt_run_free(&run);
  char port[16];
  snprintf(port, sizeof port, "%d", free_port());
  const char *arguments[] = {kt_kenning(),      "inference_server",
                             "NetworkProtocol", "NullRuntime",
                             "--host",          "0.0.0.0",
                             "--port",          port,
                             "--insecure",      NULL};
  kt_process *server = kt_start(arguments, NULL);
  assert_true(kt_wait_output(server, "serving on 0.0.0.0", 30));
  kt_signal(server, SIGINT);
  run = kt_finish(server);
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
}

static int connect_raw(const pair *p) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)p->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
  struct timeval limit = {.tv_sec = 20};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  return fd;
}

static void a_second_client_is_turned_away(void **state) {
  (void)state;
  static const char *const protocols[] = {EARLY, TODAY};
  for (size_t i = 0; i < 2; i++) {
    pair p = make_pair(protocols[i], ECHO, 10);
    start_server(&p);
    int first = connect_raw(&p);
    assert_true(kt_wait_output(p.server, "a client is served", 30));
    kt_run run = run_client(&p, "out.json");
    kt_assert_exit(&run, 1);
    kt_run_free(&run);
    close(first);
    assert_true(kt_wait_output(p.server, "the client is gone", 30));
    run = run_client(&p, "out.json");
    kt_assert_exit(&run, 0);
    kt_run_free(&run);
    stop_server(&p);
    drop_pair(&p);
  }
}

/* ---- what goes wrong ---- */

static void expect_incomplete(pair *p, const char *name, size_t least) {
  yyjson_doc *doc = measured(p, name);
  yyjson_val *root = yyjson_doc_get_root(doc);
  assert_true(yyjson_is_false(yyjson_obj_get(root, "complete")));
  assert_true(yyjson_arr_size(yyjson_obj_get(root, "protocol_inference_step")) >= least);
  yyjson_doc_free(doc);
}

/* An engine that crashes, hangs or ends the process is an error of its run; the server serves the next client. */
static void an_engine_at_its_worst_does_not_end_the_server(void **state) {
  (void)state;
  static const struct {
    const char *runtime, *log;
  } cases[] = {
      {FAULTY("crash"), "ended by signal"}, {FAULTY("exit"), "the client is gone"}, {FAULTY("hang"), "engine_timeout"}};
  for (size_t i = 0; i < 3; i++) {
    pair p = make_pair(
        "{\"type\": \"kenning.runtimeprotocols.network.NetworkProtocol\", \"parameters\": {\"host\": "
        "\"127.0.0.1\", \"port\": %d, \"timeout\": 20, \"engine_timeout\": 1}}",
        cases[i].runtime, 30);
    start_server(&p);
    for (int k = 0; k < 2; k++) {
      kt_run run = run_client(&p, "out.json");
      kt_assert_exit(&run, 1);
      kt_assert_contains(run.err, "closed the connection");
      kt_assert_contains(run.err, "sample");
      kt_run_free(&run);
      expect_incomplete(&p, "out.json", 5);
    }
    assert_true(kt_wait_output(p.server, cases[i].log, 30));
    stop_server(&p);
    drop_pair(&p);
  }
}

static void a_garbage_model_is_refused_and_the_next_one_taken(void **state) {
  (void)state;
  pair p = make_pair(TODAY, FAULTY("none"), 10);
  write_in(&p, "model.bin", "garbage model");
  start_server(&p);
  kt_run run = run_client(&p, "out.json");
  kt_assert_exit(&run, 1);
  kt_assert_contains(run.err, "refused MODEL: [ERROR] bad data");
  assert_null(strstr(run.err, "faulty.bin")); /* paths of the target stay there */
  kt_run_free(&run);
  write_in(&p, "model.bin", "a model");
  run = run_client(&p, "out.json");
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  stop_server(&p);
  drop_pair(&p);
}

static void a_killed_server_leaves_what_was_measured(void **state) {
  (void)state;
  pair p = make_pair(EARLY, FAULTY("slow"), 3000);
  start_server(&p);
  const char *arguments[] = {kt_kenning(), "json_inference_tester", "c.json", "out.json", NULL};
  kt_process *client = kt_start(arguments, &p.options);
  assert_true(kt_wait_output(client, "inference", 30));
  usleep(300000);
  kt_signal(p.server, SIGUSR1); /* ends it as SIGKILL would, and spares the test's own launcher */
  kt_run run = kt_finish(client);
  kt_assert_exit(&run, 1);
  kt_run_free(&run);
  run = kt_finish(p.server);
  kt_run_free(&run);
  expect_incomplete(&p, "out.json", 5);
  drop_pair(&p);
}

static void a_stopped_server_is_given_up(void **state) {
  (void)state;
  pair p = make_pair(IMPATIENT, FAULTY("slow"), 3000);
  start_server(&p);
  const char *arguments[] = {kt_kenning(), "json_inference_tester", "c.json", "out.json", NULL};
  kt_process *client = kt_start(arguments, &p.options);
  assert_true(kt_wait_output(client, "inference", 30));
  kt_signal(p.server, SIGSTOP);
  kt_run run = kt_finish(client);
  kt_assert_exit(&run, 1);
  kt_assert_contains(run.err, "in time");
  kt_run_free(&run);
  expect_incomplete(&p, "out.json", 1);
  kt_signal(p.server, SIGCONT);
  stop_server(&p);
  drop_pair(&p);
}

static void a_killed_client_makes_room_for_the_next(void **state) {
  (void)state;
  pair p = make_pair(TODAY, FAULTY("slow"), 100);
  start_server(&p);
  const char *arguments[] = {kt_kenning(), "json_inference_tester", "c.json", "out.json", NULL};
  kt_process *client = kt_start(arguments, &p.options);
  assert_true(kt_wait_output(client, "inference", 30));
  kt_signal(client, SIGUSR1);
  kt_run run = kt_finish(client);
  kt_run_free(&run);
  assert_true(kt_wait_output(p.server, "the client is gone", 30));
  run = run_client(&p, "out.json");
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  stop_server(&p);
  drop_pair(&p);
}

static void nobody_listening_is_told(void **state) {
  (void)state;
  pair p = make_pair(EARLY, ECHO, 10);
  kt_run run = run_client(&p, "out.json");
  kt_assert_exit(&run, 1);
  kt_assert_contains(run.err, "cannot connect to 127.0.0.1");
  kt_run_free(&run);
  drop_pair(&p);
}

/* A Unix socket is its user's alone, and one that a killed server left is taken over. */
static void a_socket_is_private_and_taken_over(void **state) {
  (void)state;
  pair p = make_pair(UNIX, ECHO, 10);
  char name[64];
  snprintf(name, sizeof name, "s%d.sock", p.port);
  char *path = kt_path(p.directory, name);
  start_server(&p);
  struct stat found;
  assert_int_equal(stat(path, &found), 0);
  assert_int_equal(found.st_mode & 0777, 0600);
  kt_run second = kt_run_kenning(&p.options, "json_inference_server", "s.json");
  kt_assert_exit(&second, 1);
  kt_assert_contains(second.err, "cannot listen");
  kt_run_free(&second);
  kt_signal(p.server, SIGUSR1); /* ends it as SIGKILL would, and spares the test's own launcher */
  kt_run run = kt_finish(p.server);
  kt_run_free(&run);
  start_server(&p);
  run = run_client(&p, "out.json");
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  stop_server(&p);
  free(path);
  drop_pair(&p);
}

/* ---- a process of its own ---- */

#define ALONE(fault) \
  "{\"type\": \"FaultyRuntime\", \"parameters\": {\"fault\": \"" fault "\", \"after\": 5, \"isolate\": true}}"

static pair make_isolated(const char *runtime) {
  pair p = {.directory = kt_directory_make()};
  p.options.directory = p.directory;
  p.options.timeout_s = 60;
  char text[2048];
  snprintf(text, sizeof text,
           "{\"runtime\": %s, \"model_wrapper\": {\"type\": \"NullModelWrapper\", \"parameters\": {\"model_path\": "
           "\"model.bin\"}}, \"dataset\": {\"type\": \"RandomizedClassificationDataset\", \"parameters\": "
           "{\"split\": \"all\", \"num_samples\": 30, \"input_dims\": [512, 512, 8]}}}",
           runtime);
  write_in(&p, "c.json", text);
  write_in(&p, "model.bin", "a model");
  write_in(&p, "faulty.bin", "a model");
  write_in(&p, "faulty.bin.json",
           "{\"input\": [{\"name\": \"x\", \"shape\": [1, 512, 512, 8], \"dtype\": \"float32\"}], \"output\": "
           "[{\"name\": \"y\", \"shape\": [1, 3], \"dtype\": \"float32\"}]}");
  return p;
}

static void an_isolated_runtime_is_measured(void **state) {
  (void)state;
  pair p = make_isolated(ALONE("none"));
  kt_run run = run_client(&p, "out.json");
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  yyjson_doc *doc = measured(&p, "out.json");
  yyjson_val *root = yyjson_doc_get_root(doc);
  assert_int_equal(yyjson_arr_size(yyjson_obj_get(root, "target_inference_step")), 31);
  assert_true(yyjson_get_int(yyjson_obj_get(root, "process_peak_rss_bytes")) > 0);
  yyjson_doc_free(doc);
  drop_pair(&p);
}

static void an_isolated_crash_is_an_error_of_the_run(void **state) {
  (void)state;
  static const char *const runtimes[][2] = {
      {ALONE("crash"), "ended by signal 6"},
      {ALONE("exit"), "exit code 3"},
      {ALONE("spin\", \"isolate_processor\": 1, \"save_model_path\": \"faulty.bin"),
       "used up the 1 s of processor time"}};
  for (size_t i = 0; i < 3; i++) {
    pair p = make_isolated(runtimes[i][0]);
    kt_run run = run_client(&p, "out.json");
    kt_assert_exit(&run, 1);
    kt_assert_contains(run.err, runtimes[i][1]);
    kt_run_free(&run);
    expect_incomplete(&p, "out.json", 5);
    drop_pair(&p);
  }
}

/* However much it says: the pipe is bounded, nothing waits for it, and its end is told without control characters. */
static void an_isolated_runtime_is_heard(void **state) {
  (void)state;
  pair p = make_isolated(ALONE("talk"));
  kt_run run = run_client(&p, "out.json");
  kt_assert_exit(&run, 1);
  kt_assert_contains(run.err, "the runtime's process: bla bla bla");
  assert_string_equal(run.out, "");
  assert_true(run.err_bytes < 64 << 10);
  assert_null(strchr(run.err, '\033'));
  kt_run_free(&run);
  drop_pair(&p);
}

/* 8 MiB of input and as much of output do not fit into 4 MiB. The release build: sanitizers take far more by
 * themselves. */
static void an_isolated_runtime_has_no_more_memory_than_allowed(void **state) {
  (void)state;
  static const char *const limits[] = {"4", "512"};
  for (int i = 0; i < 2; i++) {
    char runtime[256];
    snprintf(runtime, sizeof runtime,
             "{\"type\": \"NullRuntime\", \"parameters\": {\"isolate\": true, \"isolate_memory\": %s}}", limits[i]);
    pair p = make_isolated(runtime);
    p.options.environment = (const char *const[]){"KENNING_PLUGIN_PATH", NULL}; /* it is built for the sanitizer */
    kt_run run = kt_run_program(
        (const char *const[]){kt_kenning_release(), "json_inference_tester", "c.json", "out.json", NULL}, &p.options);
    kt_assert_exit(&run, i ? 0 : 1);
    if (!i) kt_assert_contains(run.err, "out of memory");
    kt_run_free(&run);
    drop_pair(&p);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_run_on_a_target_is_measured_on_both_sides),
      cmocka_unit_test(classes_and_flags_serve_too),
      cmocka_unit_test(other_machines_are_not_served_unasked),
      cmocka_unit_test(a_second_client_is_turned_away),
      cmocka_unit_test(an_engine_at_its_worst_does_not_end_the_server),
      cmocka_unit_test(a_garbage_model_is_refused_and_the_next_one_taken),
      cmocka_unit_test(a_killed_server_leaves_what_was_measured),
      cmocka_unit_test(a_stopped_server_is_given_up),
      cmocka_unit_test(a_killed_client_makes_room_for_the_next),
      cmocka_unit_test(nobody_listening_is_told),
      cmocka_unit_test(a_socket_is_private_and_taken_over),
      cmocka_unit_test(an_isolated_runtime_is_measured),
      cmocka_unit_test(an_isolated_crash_is_an_error_of_the_run),
      cmocka_unit_test(an_isolated_runtime_is_heard),
      cmocka_unit_test(an_isolated_runtime_has_no_more_memory_than_allowed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
