/* Targets that other machines reach: with a key, without one, with the wrong one. */
#include "scenario/target/pair.h"
#include "support/directory.h"
#include "support/unit.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define SECURE                                                                                           \
  "{\"type\": \"kenning.protocols.network.NetworkProtocol\", \"parameters\": {\"host\": \"127.0.0.1\", " \
  "\"port\": %d, \"timeout\": 20, \"psk_file\": \"psk\"}}"
#define SECURE_EARLY                                                                                            \
  "{\"type\": \"kenning.runtimeprotocols.network.NetworkProtocol\", \"parameters\": {\"host\": \"127.0.0.1\", " \
  "\"port\": %d, \"timeout\": 20, \"psk_file\": \"psk\"}}"

static void make_key(const pair *p, const char *name) {
  kt_run run = kt_run_kenning(&p->options, "psk", name);
  kt_assert_exit(&run, 0);
  kt_assert_contains(run.out, "--psk-file");
  kt_run_free(&run);
}

static void a_run_goes_through_tls(void **state) {
  (void)state;
  static const char *const protocols[] = {SECURE, SECURE_EARLY};
  for (size_t i = 0; i < 2; i++) {
    pair p = make_pair(protocols[i], ECHO, 20);
    make_key(&p, "psk");
    start_server(&p);
    kt_run run = run_client(&p, "out.json");
    kt_assert_exit(&run, 0);
    kt_run_free(&run);
    stop_server(&p);
    yyjson_doc *doc = measured(&p, "out.json");
    yyjson_val *root = yyjson_doc_get_root(doc);
    assert_int_equal(yyjson_arr_size(yyjson_obj_get(root, "target_inference_step")), 21);
    yyjson_doc_free(doc);
    drop_pair(&p);
  }
}

static void a_wrong_key_is_refused_and_the_server_lives(void **state) {
  (void)state;
  pair p = make_pair(SECURE, ECHO, 10);
  make_key(&p, "psk");
  start_server(&p);
  char *text = read_in(&p, "c.json");
  char *at = strstr(text, "\"psk\"");
  assert_non_null(at);
  memcpy(at, "\"PSK\"", 5);
  write_in(&p, "wrong.json", text);
  make_key(&p, "PSK");
  for (int i = 0; i < 2; i++) {
    kt_run run = kt_run_kenning(&p.options, "json_inference_tester", "wrong.json", "out.json");
    kt_assert_exit(&run, 2);
    kt_assert_contains(run.err, "both ends need the same --psk-file");
    kt_run_free(&run);
  }
  memcpy(at, "null ", 5); /* and one without a key at all */
  write_in(&p, "none.json", text);
  kt_run run = kt_run_kenning(&p.options, "json_inference_tester", "none.json", "out.json");
  assert_int_not_equal(run.exit_code, 0);
  kt_assert_contains(run.err, "--psk-file");
  kt_assert_contains(run.err, "psk_file");
  kt_run_free(&run);
  assert_true(kt_wait_output(p.server, "turned away", 30));
  run = run_client(&p, "out.json");
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  stop_server(&p);
  free(text);
  drop_pair(&p);
}

/* The protocol's text with a key, in `out`. */
static const char *with_key(const char *protocol, char *out, size_t size) {
  size_t length = strlen(protocol) - 2;
  assert_string_equal(protocol + length, "}}");
  snprintf(out, size, "%.*s, \"psk_file\": \"psk\"}}", (int)length, protocol);
  return out;
}

/* A host with a key at a server without one: either is told, whatever the format. */
static void a_server_without_a_key_says_that_the_host_has_one(void **state) {
  (void)state;
  static const char *const protocols[] = {EARLY, TAGGED, TODAY};
  for (size_t i = 0; i < 3; i++) {
    char text[1024];
    pair p = make_pair(with_key(protocols[i], text, sizeof text), ECHO, 10);
    make_key(&p, "psk");
    char *server = read_in(&p, "s.json"), *key = strstr(server, "\"psk\"");
    assert_non_null(key);
    memcpy(key, "null ", 5);
    write_in(&p, "s.json", server);
    start_server(&p);
    kt_run run = run_client(&p, "out.json");
    kt_assert_exit(&run, 2);
    kt_assert_contains(run.err, "a server that was started without one speaks no TLS");
    kt_run_free(&run);
    assert_true(kt_wait_output(p.server, "the client speaks TLS, and this server has no key", 30));
    stop_server(&p);
    free(server);
    drop_pair(&p);
  }
}

/* The format of 2022 has no greeting: the server's alert is what a host without a key gets. */
static void a_host_without_a_key_says_that_the_server_has_one(void **state) {
  (void)state;
  static const char *const endings[] = {"little", "big"};
  for (size_t i = 0; i < 2; i++) {
    char text[1024], protocol[1024];
    snprintf(protocol, sizeof protocol, "%.*s, \"endianness\": \"%s\"}}", (int)(sizeof EARLY - 3), EARLY, endings[i]);
    pair p = make_pair(with_key(protocol, text, sizeof text), ECHO, 10);
    make_key(&p, "psk");
    char *client = read_in(&p, "c.json"), *key = strstr(client, "\"psk\"");
    assert_non_null(key);
    memcpy(key, "null ", 5);
    write_in(&p, "c.json", client);
    start_server(&p);
    kt_run run = run_client(&p, "out.json");
    kt_assert_exit(&run, 2);
    kt_assert_contains(run.err, "the target speaks TLS: name a copy of its key by --psk-file");
    kt_run_free(&run);
    assert_true(kt_wait_output(p.server, "turned away", 30));
    stop_server(&p);
    free(client);
    drop_pair(&p);
  }
}

static void a_key_that_others_can_read_is_none(void **state) {
  (void)state;
  pair p = make_pair(SECURE, ECHO, 10);
  make_key(&p, "psk");
  char *path = kt_path(p.directory, "psk");
  assert_int_equal(chmod(path, 0644), 0);
  kt_run run = kt_run_kenning(&p.options, "json_inference_server", "s.json");
  kt_assert_exit(&run, 2);
  kt_assert_contains(run.err, "chmod 600");
  kt_run_free(&run);
  run = kt_run_kenning(&p.options, "psk", "psk");
  kt_assert_exit(&run, 2);
  kt_assert_contains(run.err, "not overwritten");
  kt_run_free(&run);
  free(path);
  drop_pair(&p);
}

static void other_machines_are_served_with_a_key(void **state) {
  (void)state;
  pair p = make_pair(SECURE, ECHO, 10);
  char port[16];
  snprintf(port, sizeof port, "%d", p.port);
  kt_run run = kt_run_kenning(&p.options, "inference_server", "NetworkProtocol", "NullRuntime", "--host", "0.0.0.0",
                              "--port", port);
  kt_assert_exit(&run, 2);
  kt_assert_contains(run.err, "--psk-file");
  kt_assert_contains(run.err, "--insecure");
  kt_assert_contains(run.err, "\"insecure\": true");
  kt_run_free(&run);
  make_key(&p, "psk");
  const char *arguments[] = {kt_kenning(),
                             "inference_server",
                             "NetworkProtocol",
                             "NullRuntime",
                             "--host",
                             "0.0.0.0",
                             "--port",
                             port,
                             "--psk-file",
                             "psk",
                             NULL};
  p.server = kt_start(arguments, &p.options);
  assert_true(kt_wait_output(p.server, "serving on 0.0.0.0", 30));
  stop_server(&p);
  drop_pair(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_run_goes_through_tls),
      cmocka_unit_test(a_wrong_key_is_refused_and_the_server_lives),
      cmocka_unit_test(a_server_without_a_key_says_that_the_host_has_one),
      cmocka_unit_test(a_host_without_a_key_says_that_the_server_has_one),
      cmocka_unit_test(a_key_that_others_can_read_is_none),
      cmocka_unit_test(other_machines_are_served_with_a_key),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
