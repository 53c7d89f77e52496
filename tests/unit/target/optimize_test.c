/* What a target takes of a host's wish for optimizers: the classes that its own scenario offers, each once, and values
 * of switches, numbers and choices. */
#include "target/optimize.h"
#include "core/file.h"
#include "core/memory.h"
#include "core/registry.h"
#include "support/directory.h"
#include "support/instance.h"
#include "support/status.h"
#include "support/unit.h"

#include <stdio.h>
#include <string.h>

#define SPEC                                                                     \
  "{\"input\": [{\"name\": \"x\", \"shape\": [1, 4], \"dtype\": \"float32\"}], " \
  "\"output\": [{\"name\": \"y\", \"shape\": [1, 2], \"dtype\": \"float32\"}]}"
#define WISH(path, type, optimizers)                                                                 \
  "{\"prev_block\": {\"model_path\": \"" path "\", \"model_type\": \"" type "\", \"io_spec\": " SPEC \
  "}, \"optim"                                                                                       \
  "izers\": [" optimizers "]}"
#define INSERTER(parameters) "{\"type\": \"ModelInserter\", \"parameters\": {" parameters "}}"

typedef struct place {
  char *directory, *place, *inserted, *results[2];
  kn_instance own[2];
  kn_optimization optimization;
} place;

static int set_up(void **state) {
  static place p;
  const kn_class *cls;
  p = (place){.directory = kt_directory_make()};
  p.place = kt_path(p.directory, "model");
  p.inserted = kt_path(p.directory, "inserted.onnx");
  kt_file_write_text(p.inserted, "inserted");
  kt_assert_ok(kn_registry_find("ModelInserter", KN_KIND_OPTIMIZER, &cls));
  for (int i = 0; i < 2; i++) {
    p.results[i] = kt_path(p.directory, i ? "second.onnx" : "first.onnx");
    kt_assert_ok(kn_instance_create(cls, &p.own[i]));
    kt_set(&p.own[i], "model_framework", "onnx");
    kt_set(&p.own[i], "input_model_path", p.inserted);
    kt_set(&p.own[i], "compiled_model_path", p.results[i]);
  }
  p.optimization = (kn_optimization){.own = p.own, .own_count = 2, .place = p.place};
  *state = &p;
  return 0;
}

static int tear_down(void **state) {
  place *p = *state;
  kn_optimization_clear(&p->optimization);
  for (int i = 0; i < 2; i++) {
    kn_instance_destroy(&p->own[i]);
    free(p->results[i]);
  }
  free(p->place);
  free(p->inserted);
  kt_directory_remove(p->directory);
  kn_registry_unload();
  return 0;
}

static kn_status choose(place *p, const char *wish) {
  return kn_optimization_choose(&p->optimization, wish, strlen(wish));
}

static void values_of_every_type_are_judged(void **state) {
  place *p = *state;
  static const struct {
    const char *wish;
    kn_code code;
  } cases[] = {{WISH("m.onnx", "onnx", INSERTER("\"model_framework\": \"tflite\"")), KN_OK},
               {WISH("m.onnx", "onnx", INSERTER("\"model_framework\": null, \"location\": \"host\"")), KN_OK},
               {WISH("m.onnx", "onnx", INSERTER("\"model_framework\": true")), KN_INVALID_ARGUMENT},
               {WISH("m.onnx", "onnx", INSERTER("\"model_framework\": false")), KN_INVALID_ARGUMENT},
               {WISH("m.onnx", "onnx", INSERTER("\"model_framework\": -3")), KN_INVALID_ARGUMENT},
               {WISH("m.onnx", "onnx", INSERTER("\"model_framework\": 0.5")), KN_INVALID_ARGUMENT},
               {WISH("m.onnx", "onnx", INSERTER("\"model_framework\": [1]")), KN_BAD_DATA},
               {WISH("m.onnx", "onnx", INSERTER("\"no\": 1")), KN_BAD_DATA},
               {WISH("m.onnx", "onnx", INSERTER("") "," INSERTER("")), KN_OK},
               {WISH("m.onnx", "onnx", INSERTER("") "," INSERTER("") "," INSERTER("")), KN_NOT_FOUND},
               {WISH("m.onnx", "onnx", "{\"type\": 5}"), KN_BAD_DATA},
               {WISH("m.onnx", "onnx", "{\"type\": \"NullRuntime\"}"), KN_NOT_FOUND},
               {WISH("m.onnx", "onnx", "{\"type\": \"ModelInserter\"}"), KN_OK},
               {"{\"optimizers\": {}, \"prev_block\": {}}", KN_BAD_DATA},
               {"{\"optimizers\": [" INSERTER("") "], \"prev_block\": 1}", KN_BAD_DATA},
               {"{\"optimizers\": [" INSERTER("") "], \"prev_block\": {\"io_spec\": 1}}", KN_BAD_DATA},
               {"{\"optimizers\": [" INSERTER("") "], \"prev_block\": {\"io_spec\": {\"input\": 1}}}", KN_BAD_DATA}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    kn_status status = choose(p, cases[i].wish);
    kn_code code = kn_status_code(status);
    if (code != cases[i].code) kt_fail("%s: %s", cases[i].wish, kn_code_name(code));
    kn_status_free(status);
    assert_int_equal(p->optimization.count > 0, code == KN_OK); /* a wish that is refused leaves nothing */
    kt_set(&p->own[0], "model_framework", "onnx");
  }
}

static void there_is_a_most(void **state) {
  place *p = *state;
  static kn_instance many[KN_OPTIMIZERS_LIMIT + 1];
  static char wish[16384];
  for (size_t i = 0; i <= KN_OPTIMIZERS_LIMIT; i++) kt_assert_ok(kn_instance_create(p->own[0].cls, &many[i]));
  p->optimization.own = many;
  p->optimization.own_count = KN_OPTIMIZERS_LIMIT + 1;
  for (size_t count = KN_OPTIMIZERS_LIMIT; count <= KN_OPTIMIZERS_LIMIT + 1; count++) {
    size_t used = (size_t)snprintf(wish, sizeof wish, "{\"prev_block\": {\"io_spec\": %s}, \"optimizers\": [", SPEC);
    for (size_t i = 0; i < count; i++)
      used += (size_t)snprintf(wish + used, sizeof wish - used, "%s%s", i ? ", " : "", INSERTER(""));
    snprintf(wish + used, sizeof wish - used, "]}");
    kt_assert_fault(choose(p, wish), count > KN_OPTIMIZERS_LIMIT ? KN_BAD_DATA : KN_OK, NULL);
  }
  kn_optimization_clear(&p->optimization);
  for (size_t i = 0; i <= KN_OPTIMIZERS_LIMIT; i++) kn_instance_destroy(&many[i]);
}

/* Readers look at the end of a name: usual ones are taken, of the rest nothing. */
static void names_of_models_are_our_own(void **state) {
  place *p = *state;
  static const char *const wishes[][2] = {{WISH("/tmp/../a.h5", "keras", INSERTER("")), "model.unoptimized.h5"},
                                          {WISH("a.tflite", "tflite", INSERTER("")), "model.unoptimized.tflite"},
                                          {WISH("a.sh", "x", INSERTER("")), "model.unoptimized"},
                                          {WISH("../../etc/cron", "any", INSERTER("")), "model.unoptimized"}};
  for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++) {
    kt_assert_ok(choose(p, wishes[i][0]));
    kt_assert_ok(kn_optimization_take(&p->optimization, "unoptimized", 11));
    char *expected = kt_path(p->directory, wishes[i][1]), *text = kt_file_read(expected, NULL);
    assert_string_equal(text, "unoptimized");
    kt_assert_ok(kn_optimization_take(&p->optimization, "again", 5));
    kn_optimization_clear(&p->optimization);
    assert_false(kn_file_exists(expected, NULL)); /* it goes with the wish */
    free(text);
    free(expected);
  }
}

static void a_chain_is_run(void **state) {
  place *p = *state;
  char *model;
  size_t bytes;
  for (uint64_t n = 0;; n++) { /* memory may run out at any point of it */
    assert_true(n < 500);
    /* paths that a peer names are not used */
    kt_assert_ok(choose(p, WISH("m.onnx", "onnx", INSERTER("\"input_model_path\": \"/etc/passwd\"") "," INSERTER(""))));
    kt_assert_ok(kn_optimization_take(&p->optimization, "unoptimized", 11));
    kn_memory_fail_after(n);
    kn_status status = kn_optimization_run(&p->optimization, 1000, &model, &bytes);
    kn_memory_fail_after(UINT64_MAX);
    if (!status) break;
    assert_null(model);
    kt_assert_fault(status, KN_OUT_OF_MEMORY, NULL);
  }
  assert_int_equal(bytes, 8);
  assert_string_equal(model, "inserted");
  kn_free(model);
  kt_set(&p->own[0], "input_model_path", p->results[1]);
  kt_assert_ok(choose(p, WISH("m.onnx", "onnx", INSERTER(""))));
  kt_assert_ok(kn_optimization_take(&p->optimization, "unoptimized", 11));
  kt_set(&p->own[0], "input_model_path", "/nonexistent");
  kt_assert_fault(kn_optimization_run(&p->optimization, 1000, &model, &bytes), KN_NOT_FOUND, "ModelInserter");
  assert_null(model);
}

static void a_wish_without_memory_is_refused(void **state) {
  place *p = *state;
  static const char wish[] = WISH("m.onnx", "onnx", INSERTER("\"model_framework\": \"tflite\""));
  for (uint64_t n = 0;; n++) {
    assert_true(n < 500);
    kn_memory_fail_after(n);
    kn_status status = choose(p, wish);
    if (!status) status = kn_optimization_take(&p->optimization, "unoptimized", 11);
    kn_memory_fail_after(UINT64_MAX);
    bool done = !status;
    kn_status_free(status);
    kn_optimization_clear(&p->optimization);
    if (done) break;
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(values_of_every_type_are_judged, set_up, tear_down),
      cmocka_unit_test_setup_teardown(there_is_a_most, set_up, tear_down),
      cmocka_unit_test_setup_teardown(names_of_models_are_our_own, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_chain_is_run, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_wish_without_memory_is_refused, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
