/* Host and target as two real programs: runs that go well, and everything that can happen to either. */
#include "scenario/target/pair.h"
#include "support/directory.h"
#include "support/unit.h"

#include <arpa/inet.h>
#include <math.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

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
    /* both clocks are on one time line: here they are the same clock */
    assert_true(yyjson_is_true(yyjson_ptr_get(root, "/wire/one_message")));
    assert_int_equal(yyjson_arr_size(yyjson_ptr_get(root, "/target_clock/offsets")), 2);
    /* What lies between two moments is as uncertain as the worse of them at most. */
    double error = fmax(yyjson_get_num(yyjson_ptr_get(root, "/target_clock/offsets/0/error_seconds")),
                        yyjson_get_num(yyjson_ptr_get(root, "/target_clock/offsets/1/error_seconds")));
    yyjson_val *there = yyjson_obj_get(root, keys[1]),
               *here = yyjson_obj_get(root, "target_inference_step_timestamp_on_host");
    assert_int_equal(yyjson_arr_size(here), 31);
    double apart = yyjson_get_num(yyjson_arr_get(there, 0)) - yyjson_get_num(yyjson_arr_get(here, 0));
    assert_true(error > 0 && error < 1 && apart < error + 1e-6 && apart > -error - 1e-6);
    yyjson_doc_free(doc);
    drop_pair(&p);
  }
}

/* A target of another program: nothing but the original's messages, and the same results. */
static void a_run_without_extensions_measures_the_same(void **state) {
  (void)state;
  pair p = make_pair(PLAIN, ECHO, 30);
  start_server(&p);
  kt_run run = run_client(&p, "out.json");
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  stop_server(&p);
  yyjson_doc *doc = measured(&p, "out.json");
  yyjson_val *root = yyjson_doc_get_root(doc);
  assert_int_equal(yyjson_arr_size(yyjson_obj_get(root, "target_inference_step")), 31);
  assert_true(yyjson_is_false(yyjson_ptr_get(root, "/wire/one_message")));
  assert_true(yyjson_is_true(yyjson_ptr_get(root, "/wire/model_sent")));
  assert_null(yyjson_obj_get(root, "target_clock"));
  yyjson_doc_free(doc);
  drop_pair(&p);
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

/* An engine that crashes, hangs or ends the process is an error of its run; the server serves the next client. */
static void an_engine_at_its_worst_does_not_end_the_server(void **state) {
  (void)state;
  static const struct {
    const char *runtime, *log;
  } cases[] = {{FAULTY("crash"), "ended by signal"},
               {FAULTY("exit"), "the client is gone"},
               {FAULTY("hang"), "engine_timeout"},
               {FAULTY("leave"), "ended by signal"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
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
  kt_assert_exit(&run, 2); /* bad input, as it would be here */
  kt_assert_contains(run.err, "refused MODEL: [ERROR] bad data");
  assert_null(strstr(run.err, "faulty.bin")); /* paths of the target stay there */
  kt_run_free(&run);
  /* An ONNX model whose weights lie beside it: a target is sent one file. */
  char *source = kt_source_path("tests/scenario/badinput/data/ext.onnx"), *model = kt_path(p.directory, "model.bin");
  size_t bytes;
  char *content = kt_file_read(source, &bytes);
  kt_file_write(model, content, bytes);
  free(content);
  free(source);
  free(model);
  run = run_client(&p, "out.json");
  kt_assert_exit(&run, 2);
  kt_assert_contains(run.err, "ext.bin belongs to the model model.bin, and a target is sent one file");
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

static void a_model_is_sent_once(void **state) {
  (void)state;
  pair p = make_pair(TODAY, FAULTY("none"), 10);
  start_server(&p);
  for (int i = 0; i < 3; i++) {
    if (i == 2) write_in(&p, "model.bin", "another"); /* as long as the first */
    kt_run run = run_client(&p, "out.json");
    kt_assert_exit(&run, 0);
    kt_run_free(&run);
    yyjson_doc *doc = measured(&p, "out.json");
    yyjson_val *sent = yyjson_ptr_get(yyjson_doc_get_root(doc), "/wire/model_sent");
    assert_int_equal(yyjson_get_bool(sent), i != 1);
    yyjson_doc_free(doc);
  }
  stop_server(&p);
  drop_pair(&p);
}

/* The server dies amid the run and another one comes: the run goes on with the inference that was under way. */
static void a_run_goes_on_with_the_next_server(void **state) {
  (void)state;
  pair p = make_pair(PERSISTENT, FAULTY("slow"), 100);
  start_server(&p);
  const char *arguments[] = {kt_kenning(), "json_inference_tester", "c.json", "out.json", NULL};
  kt_process *client = kt_start(arguments, &p.options);
  assert_true(kt_wait_output(client, "inference", 30));
  usleep(300000);
  kt_signal(p.server, SIGUSR1);
  kt_run run = kt_finish(p.server);
  kt_run_free(&run);
  assert_true(kt_wait_output(client, "connecting again", 30));
  start_server(&p);
  run = kt_finish(client);
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  stop_server(&p);
  yyjson_doc *doc = measured(&p, "out.json");
  yyjson_val *root = yyjson_doc_get_root(doc);
  assert_true(yyjson_is_true(yyjson_obj_get(root, "complete")));
  assert_int_equal(yyjson_get_int(yyjson_ptr_get(root, "/run/samples")), 100);
  assert_int_equal(yyjson_arr_size(yyjson_obj_get(root, "target_inference_step")), 101);
  assert_int_equal(yyjson_get_int(yyjson_ptr_get(root, "/wire/reconnects")), 1);
  yyjson_doc_free(doc);
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

/* A client that is stopped amid its run holds the target no longer than idle_timeout. */
static void a_stopped_client_makes_room_for_the_next(void **state) {
  (void)state;
  pair p = make_pair(HASTY, FAULTY("slow"), 200);
  start_server(&p);
  const char *arguments[] = {kt_kenning(), "json_inference_tester", "c.json", "out.json", NULL};
  kt_process *client = kt_start(arguments, &p.options);
  assert_true(kt_wait_output(client, "inference", 30));
  kt_signal(client, SIGSTOP);
  assert_true(kt_wait_output(p.server, "the client is gone", 30));
  char *text = read_in(&p, "c.json"), *at = strstr(text, "\"num_samples\": 200");
  assert_non_null(at);
  memcpy(at, "\"num_samples\":  20", 18);
  write_in(&p, "short.json", text);
  free(text);
  kt_run run = kt_run_kenning(&p.options, "json_inference_tester", "short.json", "short-out.json");
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  kt_signal(client, SIGCONT);
  run = kt_finish(client);
  kt_assert_exit(&run, 1); /* its target is gone */
  kt_run_free(&run);
  expect_incomplete(&p, "out.json", 1);
  stop_server(&p);
  drop_pair(&p);
}

/* Starts the server; its process id. */
static pid_t start_known_server(pair *p) {
  char command[1024];
  snprintf(command, sizeof command, "echo $$ > pid; exec %s json_inference_server s.json", kt_kenning());
  p->server = kt_start((const char *const[]){"/bin/sh", "-c", command, NULL}, &p->options);
  assert_true(kt_wait_output(p->server, "serving on", 30));
  char *text = read_in(p, "pid");
  pid_t pid = (pid_t)strtol(text, NULL, 10);
  free(text);
  return pid;
}

static pid_t only_child(pid_t pid) {
  char path[64];
  long child = 0;
  snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", (long)pid, (long)pid);
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  assert_int_equal(fscanf(file, "%ld", &child), 1);
  fclose(file);
  return (pid_t)child;
}

/* Its own deadlines stand still with it. */
static void a_stopped_worker_is_ended(void **state) {
  (void)state;
  pair p = make_pair(STRICT, FAULTY("slow"), 3000);
  pid_t server = start_known_server(&p);
  const char *arguments[] = {kt_kenning(), "json_inference_tester", "c.json", "out.json", NULL};
  kt_process *client = kt_start(arguments, &p.options);
  assert_true(kt_wait_output(client, "inference", 30));
  assert_int_equal(kill(only_child(server), SIGSTOP), 0);
  assert_true(kt_wait_output(p.server, "stopped for longer than engine_timeout", 30));
  kt_run run = kt_finish(client);
  kt_assert_exit(&run, 1);
  kt_run_free(&run);
  expect_incomplete(&p, "out.json", 1);
  char *text = read_in(&p, "c.json"), *at = strstr(text, "\"num_samples\": 3000");
  assert_non_null(at);
  memcpy(at, "\"num_samples\":   20", 19);
  write_in(&p, "short.json", text);
  free(text);
  run = kt_run_kenning(&p.options, "json_inference_tester", "short.json", "short-out.json");
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  stop_server(&p);
  drop_pair(&p);
}

/* A server that has no descriptors left takes nobody, says so once, and goes on when there are some again. */
static void a_server_without_descriptors_recovers(void **state) {
  (void)state;
  pair p = make_pair(EARLY, ECHO, 10);
  pid_t pid = start_known_server(&p);
  struct rlimit before, none;
  assert_int_equal(prlimit(pid, RLIMIT_NOFILE, NULL, &before), 0);
  none = before;
  none.rlim_cur = 3;
  assert_int_equal(prlimit(pid, RLIMIT_NOFILE, &none, NULL), 0);
  int waiting = connect_raw(&p);
  assert_true(kt_wait_output(p.server, "no client can be taken at the moment", 30));
  close(waiting);
  assert_int_equal(prlimit(pid, RLIMIT_NOFILE, &before, NULL), 0);
  assert_true(kt_wait_output(p.server, "the client is gone", 30)); /* that one, which did not stay */
  kt_run run = run_client(&p, "out.json");
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
  kt_assert_contains(run.err, "in kenning.runtimeprotocols.network.NetworkProtocol at ");
  kt_assert_contains(run.err, "while connecting to the target");
  assert_null(strstr(run.err, "while loading"));
  kt_run_free(&run);
  drop_pair(&p);
}

/* A port that somebody listens on. */
static void a_busy_port_is_told_with_ways_out(void **state) {
  (void)state;
  struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof name;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&name, size) == 0 && listen(fd, 1) == 0 &&
              getsockname(fd, (struct sockaddr *)&name, &size) == 0);
  char port[16];
  snprintf(port, sizeof port, "%d", ntohs(name.sin_port));
  kt_run run = kt_run_kenning(NULL, "server", "NetworkProtocol", "NullRuntime", "--host", "127.0.0.1", "--port", port);
  kt_assert_exit(&run, 1);
  kt_assert_contains(run.err, "another program does, perhaps a server started before");
  kt_assert_contains(run.err, "choose another port");
  kt_run_free(&run);
  close(fd);
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
  kt_assert_contains(second.err, "choose another");
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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_run_on_a_target_is_measured_on_both_sides),
      cmocka_unit_test(a_run_without_extensions_measures_the_same),
      cmocka_unit_test(classes_and_flags_serve_too),
      cmocka_unit_test(other_machines_are_not_served_unasked),
      cmocka_unit_test(a_second_client_is_turned_away),
      cmocka_unit_test(an_engine_at_its_worst_does_not_end_the_server),
      cmocka_unit_test(a_garbage_model_is_refused_and_the_next_one_taken),
      cmocka_unit_test(a_killed_server_leaves_what_was_measured),
      cmocka_unit_test(a_model_is_sent_once),
      cmocka_unit_test(a_run_goes_on_with_the_next_server),
      cmocka_unit_test(a_stopped_server_is_given_up),
      cmocka_unit_test(a_killed_client_makes_room_for_the_next),
      cmocka_unit_test(a_stopped_client_makes_room_for_the_next),
      cmocka_unit_test(a_stopped_worker_is_ended),
      cmocka_unit_test(a_server_without_descriptors_recovers),
      cmocka_unit_test(nobody_listening_is_told),
      cmocka_unit_test(a_busy_port_is_told_with_ways_out),
      cmocka_unit_test(a_socket_is_private_and_taken_over),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
