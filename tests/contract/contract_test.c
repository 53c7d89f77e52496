/* Holds every registered class against the rules of its kind.
 *
 *   contract-suite PLUGIN tables|blocks|data FIXTURES.json [RULE]
 *
 * PLUGIN is the name of a plug-in, or "built-in". "tables" are the rules for declarations, which need no framework;
 * "blocks" those for what the classes do, but for data sets whose files do not come with kenning: those are "data".
 * RULE: the name of the only one that is checked.
 * Exit: 0, the number of broken rules, or 77 when none was broken but some could not be checked because something is
 * not installed. */
#include "contract/subject.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/log.h"
#include "core/registry.h"

enum { MAX_CASES = 2000, NOT_CHECKED = 77 };

typedef struct test_case {
  subject subject;
  const rule *rule;
  model_fixture model;
  char name[256];
} test_case;

static test_case cases[MAX_CASES];
static struct CMUnitTest tests[MAX_CASES];
static size_t case_count;
static fixtures table;

static int set_up(void **state) {
  test_case *at = *state;
  subject_set_up(&at->subject);
  return 0;
}

static int tear_down(void **state) {
  test_case *at = *state;
  subject_tear_down(&at->subject);
  return 0;
}

static void check(void **state) {
  test_case *at = *state;
  at->rule->check(&at->subject);
}

static void add(const kn_class *cls, const rule *rules, const model_fixture *model) {
  for (; rules->check; rules++) {
    assert_true(case_count < MAX_CASES);
    test_case *at = &cases[case_count];
    at->rule = rules;
    at->subject = (subject){.cls = cls, .name = strrchr(cls->name, '.') + 1, .table = &table};
    if (model) {
      at->model = *model;
      at->subject.model = &at->model;
    }
    snprintf(at->name, sizeof at->name, "%s%s%s: %s", at->subject.name, model ? ", " : "", model ? model->name : "",
             rules->name);
    tests[case_count++] = (struct CMUnitTest){
        .name = at->name, .test_func = check, .setup_func = set_up, .teardown_func = tear_down, .initial_state = at};
  }
}

static bool takes(const char *const *formats, const char *format) {
  for (; formats && *formats; formats++)
    if (!strcmp(*formats, format)) return true;
  return false;
}

/* False for wrappers that are made for other data than the model's, and for the class that the fixture excepts. */
static bool suits(const kn_class *cls, const model_fixture *model) {
  if (model->except && !strcmp(model->except, strrchr(cls->name, '.') + 1)) return false;
  if (cls->kind != KN_KIND_MODELWRAPPER) return true;
  subject at = {.cls = cls, .name = strrchr(cls->name, '.') + 1, .table = &table, .model = model};
  subject_set_up(&at);
  kn_status status = block_open(&at, subject_block(&at));
  bool fits = kn_status_code(status) != KN_INCOMPATIBLE;
  kn_status_free(status);
  subject_tear_down(&at);
  return fits;
}

static bool holds(yyjson_val *names, const char *wanted) {
  yyjson_val *name;
  size_t i, count;
  yyjson_arr_foreach(names, i, count, name) {
    if (yyjson_equals_str(name, wanted)) return true;
  }
  return false;
}

static bool lists(const char *key, const kn_class *cls) {
  return holds(yyjson_obj_get(table.json.root, key), strrchr(cls->name, '.') + 1);
}

static bool refuses(const kn_class *cls, const model_fixture *model) {
  yyjson_val *classes = yyjson_obj_get(table.json.root, "unsuitable");
  return holds(yyjson_obj_get(classes, strrchr(cls->name, '.') + 1), model->name);
}

/* The rules of the kind, for each model that the class takes. Returns whether there was one. */
static bool add_models(const kn_class *cls, const rule *rules, const char *const *formats) {
  bool found = false;
  for (size_t i = 0; i < fixtures_model_count(&table); i++) {
    model_fixture model;
    fixtures_model(&table, i, &model);
    if (!takes(formats, model.format) || refuses(cls, &model) || !suits(cls, &model)) continue;
    if (found && lists("slow", cls) && !getenv("KENNING_TEST_ALL")) break;
    add(cls, rules, &model);
    found = true;
  }
  return found;
}

/* Classes without a model or place of theirs in the fixtures: the rules would have nothing to work on. */
static size_t add_blocks(const kn_class *cls) {
  const char *name = strrchr(cls->name, '.') + 1;
  if (!cls->ops) {
    print_message("%s is known by its parameters only\n", name);
    return 0;
  }
  bool found = true;
  switch (cls->kind) {
    case KN_KIND_DATASET:
      add(cls, dataset_rules, NULL);
      break;
    case KN_KIND_MODELWRAPPER:
      found = add_models(cls, wrapper_rules, cls->output_formats);
      if (((const kn_modelwrapper_ops *)cls->ops)->inference) add_models(cls, inference_rules, cls->output_formats);
      break;
    case KN_KIND_OPTIMIZER:
      found = add_models(cls, optimizer_rules, subject_inserts(cls) ? cls->output_formats : cls->input_formats);
      break;
    case KN_KIND_RUNTIME:
      found = add_models(cls, inference_rules, cls->input_formats);
      break;
    case KN_KIND_RUNTIMEPROTOCOL:
      found = yyjson_obj_get(yyjson_obj_get(table.json.root, "protocols"), name) != NULL;
      if (found) add(cls, protocol_rules, NULL);
      break;
    case KN_KIND_ONNXCONVERTER:
      add(cls, converter_rules, NULL);
      break;
    default:
      print_message("%s: there are no rules for its kind yet\n", name);
      return 1;
  }
  if (!found) print_message("%s: the fixtures have nothing for it\n", name);
  return !found;
}

static bool needs_data(const kn_class *cls) {
  return yyjson_obj_get(fixtures_dataset(&table, strrchr(cls->name, '.') + 1), "needs") != NULL;
}

/* Whether the table is about the class: "classes" names those that it is about, without it all are. */
static bool is_meant(const kn_class *cls) {
  return !yyjson_obj_get(table.json.root, "classes") || lists("classes", cls);
}

static bool is_of(const kn_registered *entry, const char *plugin) {
  return entry->plugin ? !strcmp(entry->plugin->name, plugin) : !strcmp(plugin, "built-in");
}

/* Settings in the environment that the engines of several plug-ins read. */
static size_t shared_settings(void) {
  static const char *const prefixes[] = {"DNNL_", "ONEDNN_", "MKL_", "OMP_", "KMP_", "GOMP_", "OPENBLAS_"};
  size_t count = 0;
  for (char **at = environ; *at; at++)
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
      count += !strncmp(*at, prefixes[i], strlen(prefixes[i]));
  return count;
}

int main(int argc, char **argv) {
  if (argc < 4 || argc > 5) {
    fprintf(stderr, "usage: contract-suite PLUGIN|built-in tables|blocks|data FIXTURES.json [RULE]\n");
    return 2;
  }
  char only[256];
  snprintf(only, sizeof only, "*: %s", argc > 4 ? argv[4] : "*");
  cmocka_set_test_filter(only);
  const char *source = getenv("KENNING_TEST_SOURCE_DIR");
  kn_log_set_level(KN_LOG_ERROR);
  char *cache = kt_directory_make(); /* results of earlier runs prove nothing */
  setenv("KENNING_CACHE_DIR", cache, 1);
  fixtures_read(argv[3], source ? source : ".", &table);
  size_t settings = shared_settings(), classes = 0, unchecked = 0, failed;
  kn_status status = kn_registry_load();
  if (shared_settings() != settings) { /* every run opens all plug-ins, and one engine */
    fprintf(stderr, "a plug-in that is opened changes what other engines read from the environment\n");
    return 1;
  }
  for (size_t i = 0; !status && i < kn_registry_count(); i++) {
    const kn_registered *entry = kn_registry_at(i);
    if (!is_of(entry, argv[1]) || !is_meant(entry->cls)) continue;
    classes++;
    if (!strcmp(argv[2], "tables"))
      add(entry->cls, class_rules, NULL);
    else if (needs_data(entry->cls) == !strcmp(argv[2], "data"))
      unchecked += add_blocks(entry->cls);
  }
  if (status || !classes) {
    if (status) kn_log_status(status);
    fprintf(stderr, "there are no classes of %s\n", argv[1]);
    kn_status_free(status);
    return 2;
  }
  failed = (size_t)_cmocka_run_group_tests(argv[2], tests, case_count, NULL, NULL);
  for (size_t i = 0; i < case_count; i++) unchecked += cases[i].subject.skipped;
  print_message("%zu classes, %zu rules, %zu broken, %zu not checked\n", classes, case_count, failed, unchecked);
  fixtures_clear(&table);
  kt_directory_remove(cache);
  kn_registry_unload();
  if (failed) return failed < 70 ? (int)failed : 70;
  return unchecked || !case_count ? NOT_CHECKED : 0;
}
