/* Targets that other machines reach: with a key, without one, with the wrong one. */
#include "scenario/target/pair.h"
#include "support/directory.h"
#include "support/unit.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define BIG_EARLY                                                                                               \
  "{\"type\": \"kenning.runtimeprotocols.network.NetworkProtocol\", \"parameters\": {\"host\": \"127.0.0.1\", " \
  "\"port\": %d, \"timeout\": 20, \"endianness\": \"big\"}}"

static const char *const protocols[] = {EARLY, BIG_EARLY, TAGGED, TODAY};
enum { PROTOCOLS = sizeof protocols / sizeof *protocols };

static void make_key(const pair *p, const char *name) {
  kt_run run = kt_run_kenning(&p->options, "psk", name);
  kt_assert_exit(&run, 0);
  kt_assert_contains(run.out, "--psk-file");
  kt_run_free(&run);
}

/* Both ends have the key "psk". */
static pair make_secure(const char *protocol) {
  char text[1024];
  const size_t length = strlen(protocol) - 2;
  assert_string_equal(protocol + length, "}}");
  snprintf(text, sizeof text, "%.*s, \"psk_file\": \"psk\"}}", (int)length, protocol);
  pair p = make_pair(text, ECHO, 20);
  make_key(&p, "psk");
  return p;
}

/* The scenario `name` with `key`, as JSON, of as many characters as "psk" has with its quotes. */
static void change_key(const pair *p, const char *name, const char *key) {
  char *text = read_in(p, name), *at = strstr(text, "\"psk\"");
  assert_non_null(at);
  memcpy(at, key, 5);
  write_in(p, name, text);
  free(text);
}

static void run_fails(pair *p, const char *message) {
  kt_run run = run_client(p, "out.json");
  kt_assert_exit(&run, 2);
  kt_assert_contains(run.err, message);
  kt_run_free(&run);
}

static void a_run_goes_through_tls(void **state) {
  (void)state;
  for (size_t i = 0; i < PROTOCOLS; i++) {
    pair p = make_secure(protocols[i]);
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
  pair p = make_secure(TODAY);
  char *right = read_in(&p, "c.json");
  start_server(&p);
  make_key(&p, "PSK");
  change_key(&p, "c.json", "\"PSK\"");
  for (int i = 0; i < 2; i++) run_fails(&p, "both ends need the same --psk-file");
  assert_true(kt_wait_output(p.server, "turned away", 30));
  write_in(&p, "c.json", right);
  kt_run run = run_client(&p, "out.json");
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  stop_server(&p);
  free(right);
  drop_pair(&p);
}

/* A key at one end: either is told, whatever the format, and neither waits for the other. */
static void a_key_at_one_end_is_told_at_both(void **state) {
  (void)state;
  static const struct {
    const char *without, *host_says, *server_says;
  } cases[] = {
      {"s.json", "a server that was started without one speaks no TLS",
       "the client speaks TLS, and this server has no key"},
      {"c.json", "the target speaks TLS: name a copy of its key by --psk-file", "turned away"},
  };
  for (size_t i = 0; i < PROTOCOLS; i++) {
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
      pair p = make_secure(protocols[i]);
      change_key(&p, cases[k].without, "null ");
      start_server(&p);
      run_fails(&p, cases[k].host_says);
      assert_true(kt_wait_output(p.server, cases[k].server_says, 30));
      stop_server(&p);
      drop_pair(&p);
    }
  }
}

static void a_key_that_others_can_read_is_none(void **state) {
  (void)state;
  pair p = make_secure(TODAY);
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
  pair p = make_secure(TODAY);
  char port[16];
  snprintf(port, sizeof port, "%d", p.port);
  kt_run run = kt_run_kenning(&p.options, "inference_server", "NetworkProtocol", "NullRuntime", "--host", "0.0.0.0",
                              "--port", port);
  kt_assert_exit(&run, 2);
  kt_assert_contains(run.err, "--psk-file");
  kt_assert_contains(run.err, "--insecure");
  kt_assert_contains(run.err, "\"insecure\": true");
  kt_run_free(&run);
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
      cmocka_unit_test(a_key_at_one_end_is_told_at_both),
      cmocka_unit_test(a_key_that_others_can_read_is_none),
      cmocka_unit_test(other_machines_are_served_with_a_key),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
