/* Optimizers that run on the target: those that its own scenario offers, with its own paths and texts. */
#include "scenario/target/pair.h"
#include "support/directory.h"
#include "support/status.h"
#include "support/unit.h"
#include "target/client.h"
#include "transport/tcp.h"

#include <kenning/services.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define SPEC                                                                     \
  "{\"input\": [{\"name\": \"x\", \"shape\": [1, 4], \"dtype\": \"float32\"}], " \
  "\"output\": [{\"name\": \"y\", \"shape\": [1, 2], \"dtype\": \"float32\"}]}"

/* As make_pair does it, with optimizers on either side. */
static pair make_optimizing_pair(const char *target, const char *host) {
  pair p = make_pair(TODAY, FAULTY("none"), 10);
  static const char *const names[] = {"s.json", "c.json"};
  const char *const optimizers[] = {target, host};
  for (int i = 0; i < 2; i++) {
    char *text = read_in(&p, names[i]), all[8192];
    snprintf(all, sizeof all, "{\"optimizers\": [%s], %s", optimizers[i], text + 1);
    write_in(&p, names[i], all);
    free(text);
  }
  return p;
}

#define OPTIMIZER(parameters) \
  "{\"type\": \"kenning.optimizers.telling.TellingOptimizer\", \"parameters\": {" parameters "}}"
#define THERE "\"location\": \"target\", \"compiled_model_path\": "

static void models_are_optimized_on_the_target(void **state) {
  (void)state;
  pair p = make_optimizing_pair(
      OPTIMIZER(THERE "\"there-1.bin\", \"words\": \"ours\"") ", " OPTIMIZER(THERE "\"there-2.bin\"") ", " OPTIMIZER(
          "\"compiled_model_path\": \"the host's\""),
      OPTIMIZER("\"compiled_model_path\": \"here-0.bin\", \"level\": 1") ", " OPTIMIZER(
          THERE
          "\"here-1.bin\", \"level\": 7, \"mode\": \"loud\", \"words\": \"theirs\"") ", " OPTIMIZER(THERE
                                                                                                    "\"here-2.bin\", "
                                                                                                    "\"level\": 2"));
  start_server(&p);
  kt_run run = run_client(&p, "out.json");
  kt_assert_exit(&run, 0);
  kt_run_free(&run);
  stop_server(&p);
  char *result = read_in(&p, "here-2.bin"), *there = read_in(&p, "there-2.bin"), *loaded = read_in(&p, "faulty.bin");
  assert_string_equal(result, "a model|1 0 none|7 1 ours|2 0 none"); /* numbers and choices are the host's, words not */
  assert_string_equal(there, result);
  assert_string_equal(loaded, result);
  char *left = kt_path(p.directory, "faulty.bin.unoptimized.bin"), *between = kt_path(p.directory, "here-1.bin");
  struct stat found;
  assert_int_not_equal(stat(left, &found), 0);
  assert_int_not_equal(stat(between, &found), 0);
  yyjson_doc *doc = measured(&p, "out.json");
  yyjson_val *root = yyjson_doc_get_root(doc);
  assert_int_equal(yyjson_arr_size(yyjson_obj_get(root, "compilers")), 3);
  assert_string_equal(yyjson_get_str(yyjson_ptr_get(root, "/optimizer_records/1/location")), "target");
  yyjson_doc_free(doc);
  free(result);
  free(there);
  free(loaded);
  free(left);
  free(between);
  drop_pair(&p);
}

static void a_target_that_offers_none_says_so(void **state) {
  (void)state;
  pair p = make_optimizing_pair("", OPTIMIZER(THERE "\"here.bin\""));
  start_server(&p);
  kt_run run = run_client(&p, "out.json");
  assert_int_not_equal(run.exit_code, 0);
  kt_assert_contains(run.err, "refused OPTIMIZERS: [ERROR] not supported");
  kt_run_free(&run);
  stop_server(&p);
  drop_pair(&p);
}

static void without_a_target_it_is_a_fault_of_the_scenario(void **state) {
  (void)state;
  pair p = make_optimizing_pair("", OPTIMIZER(THERE "\"here.bin\""));
  char *text = read_in(&p, "c.json"), *at = strstr(text, "\"runtime_protocol\""), *end = strstr(at, "\"runtime\":");
  memmove(at, end, strlen(end) + 1);
  write_in(&p, "c.json", text);
  free(text);
  kt_run run = kt_run_kenning(&p.options, "check", "c.json");
  kt_assert_exit(&run, 2);
  kt_assert_contains(run.err, "needs a 'runtime_protocol'");
  kt_run_free(&run);
  drop_pair(&p);
}

/* ---- hosts that ask for more ---- */

static kn_client connect_client(const pair *p) {
  const kn_link_config link = {.wire = {.format = KN_WIRE_12, .frame_limit = 100, .checksums = true},
                               .hello = true,
                               .timeout_s = 20,
                               .slowest = 1e6};
  kn_connection connection;
  kn_client client;
  kt_assert_ok(kn_tcp_connect("127.0.0.1", p->port, kn_now_ns() + 10000000000, &connection));
  kt_assert_ok(kn_client_open(connection, &link, &client));
  return client;
}

static void peers_choose_neither_classes_nor_paths(void **state) {
  (void)state;
#define ASK(type, parameters)                                                                             \
  "{\"prev_block\": {\"model_path\": \"/tmp/../etc/x.sh\", \"model_type\": \"keras\", \"io_spec\": " SPEC \
  "}, \"optimizers\": [{\"type\": \"" type "\", \"parameters\": {" parameters "}}]}"
  static const char *const refused[] = {"",
                                        "{",
                                        "[]",
                                        "{}",
                                        "null",
                                        "{\"optimizers\": []}",
                                        "{\"optimizers\": [1], \"prev_block\": {}}",
                                        ASK("TFLiteCompiler", ""),
                                        ASK("os.system", ""),
                                        ASK("../../plugin", ""),
                                        ASK("TellingOptimizer", "\"nothing\": 1"),
                                        ASK("TellingOptimizer", "\"level\": 99"),
                                        ASK("TellingOptimizer", "\"level\": [1]"),
                                        ASK("TellingOptimizer", "\"mode\": \"other\""),
                                        "{\"prev_block\": {}, \"optimizers\": [{\"type\": \"TellingOptimizer\"}]}"};
  pair p = make_optimizing_pair(OPTIMIZER(THERE "\"there.bin\""), "");
  start_server(&p);
  kn_client client = connect_client(&p);
  char *model;
  size_t bytes;
  char *sent = kt_path(p.directory, "model.bin");
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    kn_status status = kn_client_upload(&client, KN_MESSAGE_OPTIMIZERS, refused[i], strlen(refused[i]));
    if (kn_status_code(status) != KN_BACKEND_FAILED) kt_fail("%s: not refused", refused[i]);
    kn_status_free(status);
    kt_assert_fault(kn_client_upload_file(&client, KN_MESSAGE_UNOPTIMIZED_MODEL, sent), KN_BACKEND_FAILED,
                    "wrong state");
    kt_assert_fault(kn_client_optimize(&client, 1000, &model, &bytes), KN_BACKEND_FAILED, "wrong state");
  }
  static const char taken[] =
      ASK("TellingOptimizer", "\"level\": 3, \"words\": \"; rm -rf /\", \"compiled_model_path\": \"evil.bin\"");
  kt_assert_ok(kn_client_upload(&client, KN_MESSAGE_OPTIMIZERS, taken, sizeof taken - 1));
  kt_assert_fault(kn_client_optimize(&client, 1000, &model, &bytes), KN_BACKEND_FAILED, "wrong state");
  kt_assert_ok(kn_client_upload_file(&client, KN_MESSAGE_UNOPTIMIZED_MODEL, sent));
  kt_assert_ok(kn_client_optimize(&client, 1000, &model, &bytes));
  assert_string_equal(model, "a model|3 0 none");
  kn_free(model);
  kn_client_close(&client);
  struct stat found;
  char *evil = kt_path(p.directory, "evil.bin");
  assert_int_not_equal(stat(evil, &found), 0);
  assert_int_not_equal(stat("/etc/x.sh", &found), 0);
  free(evil);
  free(sent);
  stop_server(&p);
  drop_pair(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(models_are_optimized_on_the_target),
      cmocka_unit_test(a_target_that_offers_none_says_so),
      cmocka_unit_test(without_a_target_it_is_a_fault_of_the_scenario),
      cmocka_unit_test(peers_choose_neither_classes_nor_paths),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
