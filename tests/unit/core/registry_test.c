#include "core/memory.h"
#include "core/registry.h"
#include "support/directory.h"
#include "support/status.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* UNIT_PLUGINS: directory of the build with plug-ins that fit (fit/, twin/) and those that do not (unfit/NAME/). */

static void use_path(const char *path) {
  kn_registry_unload();
  assert_int_equal(setenv("KENNING_PLUGIN_PATH", path, 1), 0);
}

static const char *in_build(const char *name, char out[512]) {
  snprintf(out, 512, "%s/%s", UNIT_PLUGINS, name);
  return out;
}

static void use_plugins(const char *name) {
  char path[512];
  use_path(in_build(name, path));
}

/* Loads the registry and returns what it said on stderr; free with free(). */
static char *load_and_listen(void) {
  int file = memfd_create("stderr", 0), before = dup(STDERR_FILENO);
  assert_true(file >= 0 && before >= 0);
  fflush(stderr);
  dup2(file, STDERR_FILENO);
  kn_status status = kn_registry_load();
  fflush(stderr);
  dup2(before, STDERR_FILENO);
  close(before);
  kt_assert_ok(status);
  off_t size = lseek(file, 0, SEEK_END);
  char *text = calloc(1, (size_t)size + 1);
  assert_non_null(text);
  assert_int_equal(pread(file, text, (size_t)size, 0), size);
  close(file);
  return text;
}

static void assert_found(const char *name, kn_kind kind, const char *expected) {
  const kn_class *cls;
  kt_assert_ok(kn_registry_find(name, kind, &cls));
  assert_string_equal(cls->name, expected);
}

static void names_resolve_in_three_spellings(void **state) {
  (void)state;
  use_plugins("fit");
  static const char old_name[] = "kenning.compilers.old.OldCompiler",
                    new_name[] = "kenning.optimizers.good.GoodOptimizer";
  assert_found("kenning.compilers.old.OldCompiler", KN_KIND_OPTIMIZER, old_name);
  assert_found("kenning.optimizers.old.OldCompiler", KN_KIND_OPTIMIZER, old_name);
  assert_found("OldCompiler", KN_KIND_OPTIMIZER, old_name);
  assert_found("OldCompiler", 0, old_name);
  /* A plug-in may have been written with today's spelling. */
  assert_found("kenning.compilers.good.GoodOptimizer", 0, new_name);
  assert_found("kenning.optimizers.good.GoodOptimizer", 0, new_name);
  assert_found("kenning.runtimeprotocols.network.NetworkProtocol", KN_KIND_RUNTIMEPROTOCOL,
               "kenning.runtimeprotocols.network.NetworkProtocol");
  assert_found("kenning.protocols.network.NetworkProtocol", 0, "kenning.protocols.network.NetworkProtocol");
  assert_found("tests.registry.GoodDataset", KN_KIND_DATASET, "tests.registry.GoodDataset");
}

static void unknown_names_suggest_the_nearest(void **state) {
  (void)state;
  use_plugins("fit");
  const kn_class *cls = (const kn_class *)1;
  kt_assert_fault(kn_registry_find("OldCompilr", KN_KIND_OPTIMIZER, &cls), KN_NOT_FOUND,
                  "there is no optimizer 'OldCompilr'; did you mean 'OldCompiler'?");
  assert_null(cls);
  kt_assert_fault(kn_registry_find("some.other.path.OldCompiler", 0, &cls), KN_NOT_FOUND,
                  "there is no class 'some.other.path.OldCompiler'; did you mean 'OldCompiler'?");
  kt_assert_fault(kn_registry_find("Completely.Different.Thing", 0, &cls), KN_NOT_FOUND, "`kenning list`");
  kt_assert_fault(kn_registry_find("", 0, &cls), KN_NOT_FOUND, NULL);
  kt_assert_fault(kn_registry_find("kenning.", 0, &cls), KN_NOT_FOUND, NULL);
  char long_name[3000];
  memset(long_name, 'x', sizeof long_name - 1);
  long_name[sizeof long_name - 1] = '\0';
  kt_assert_fault(kn_registry_find(long_name, 0, &cls), KN_NOT_FOUND, "xxxx");
}

static void the_wrong_kind_is_said(void **state) {
  (void)state;
  use_plugins("fit");
  const kn_class *cls;
  kt_assert_fault(kn_registry_find("GoodRuntime", KN_KIND_DATASET, &cls), KN_INVALID_ARGUMENT,
                  "'GoodRuntime' is of the kind runtime; here a dataset is needed");
}

static void registered_classes_know_their_plugin(void **state) {
  (void)state;
  use_plugins("fit");
  const kn_class *cls;
  kt_assert_ok(kn_registry_find("GoodDataset", 0, &cls));
  const kn_registered *entry = kn_registry_of(cls);
  assert_string_equal(entry->plugin->name, "registry-test");
  assert_non_null(strstr(entry->plugin_path, "kenning-good.so"));
  kt_assert_ok(kn_registry_find("NetworkProtocol", 0, &cls));
  entry = kn_registry_of(cls);
  assert_null(entry->plugin);
  assert_null(entry->plugin_path);
  assert_null(kn_registry_at(kn_registry_count()));
  static const kn_class stranger;
  assert_null(kn_registry_of(&stranger));
}

static void plugins_that_do_not_fit_are_left_out_with_the_reason(void **state) {
  (void)state;
  static const char *const cases[][2] = {{"NO_SYMBOL", "it exports no kenning_plugin_query"},
                                         {"NULL_PLUGIN", "it is no Kenning plug-in"},
                                         {"WRONG_MAGIC", "it is no Kenning plug-in"},
                                         {"WRONG_MAJOR", "build it anew"},
                                         {"WRONG_MINOR", "build it anew"},
                                         {"WRONG_SIZE", "build it anew"},
                                         {"WRONG_SANITIZER", "another sanitizer setting"},
                                         {"NO_NAME", "its descriptor lacks"},
                                         {"NO_CLASSES", "its descriptor lacks"},
                                         {"CLASS_SIZE", "its kn_class has another size"},
                                         {"CLASS_NAME", "class NoPath: its name is no dotted path"},
                                         {"CLASS_WITHOUT_NAME", "class ?: its name is no dotted path"},
                                         {"CLASS_KIND", "its kind is unknown"},
                                         {"CLASS_SUMMARY", "it has no summary"},
                                         {"CLASS_FORMATS", "it names no input or output formats"},
                                         {"INSTANCE_SIZE", "an option lies outside its instance"},
                                         {"ROW_OUTSIDE", "an option lies outside its instance"},
                                         {"ROW_TYPE", "an option has an unknown type"},
                                         {"ROW_HELP", "an option has no help"},
                                         {"ROW_CHOICES", "a choice has nothing to choose"},
                                         {"DATASET_FUNCTION", "its kn_dataset_ops lacks a mandatory function"},
                                         {"DATASET_SIZE", "its kn_dataset_ops lacks a mandatory function"},
                                         {"WRAPPER_FUNCTION", "its kn_modelwrapper_ops lacks a mandatory function"},
                                         {"OPTIMIZER_FUNCTION", "its kn_optimizer_ops lacks a mandatory function"},
                                         {"RUNTIME_FUNCTION", "its kn_runtime_ops lacks a mandatory function"},
                                         {"INFERENCE_FUNCTION", "its kn_modelwrapper_ops lacks a mandatory function"},
                                         {"INFERENCE_MISSING", "its kn_runtime_ops lacks a mandatory function"}};
  use_path("");
  kt_assert_ok(kn_registry_load());
  size_t built_in = kn_registry_count();
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char name[64];
    snprintf(name, sizeof name, "unfit/%s", cases[i][0]);
    use_plugins(name);
    char *said = load_and_listen();
    if (!strstr(said, cases[i][1]) || !strstr(said, "is left out")) kt_fail("%s: %s", cases[i][0], said);
    assert_int_equal(kn_registry_count(), built_in);
    free(said);
  }
}

static void other_files_do_no_harm(void **state) {
  (void)state;
  char *directory = kt_directory_make();
  static const char *const names[] = {"kenning-text.so", "kenning-empty.so", "kenning-elf.so",
                                      "other.so",        "kenning-x.txt",    "kenning-.so"};
  for (size_t i = 0; i < 6; i++) {
    char *path = kt_path(directory, names[i]);
    kt_file_write(path, i == 2 ? "\177ELF\2\1\1" : "not a library", i == 1 ? 0 : 7);
    free(path);
  }
  char *subdirectory = kt_path(directory, "kenning-directory.so");
  assert_int_equal(mkdir(subdirectory, 0700), 0);
  free(subdirectory);
  use_path(directory);
  char *said = load_and_listen();
  assert_non_null(strstr(said, "kenning-text.so is left out"));
  assert_non_null(strstr(said, "kenning-empty.so is left out"));
  assert_non_null(strstr(said, "kenning-elf.so is left out"));
  assert_non_null(strstr(said, "kenning-directory.so is left out"));
  assert_null(strstr(said, "other.so"));
  assert_null(strstr(said, "kenning-x.txt"));
  free(said);
  kt_directory_remove(directory);
}

static void a_mistyped_directory_is_noticed(void **state) {
  (void)state;
  char path[1200], fit[512];
  snprintf(path, sizeof path, "/nonexistent/plugins::%s:", in_build("fit", fit));
  use_path(path);
  char *said = load_and_listen();
  assert_non_null(strstr(said, "plug-in directory /nonexistent/plugins cannot be read"));
  free(said);
  assert_found("GoodDataset", 0, "tests.registry.GoodDataset"); /* the rest of the list counts all the same */
}

static void a_plugin_found_twice_counts_once(void **state) {
  (void)state;
  char path[1200], fit[512];
  in_build("fit", fit);
  use_path(fit);
  kt_assert_ok(kn_registry_load());
  size_t once = kn_registry_count();
  snprintf(path, sizeof path, "%s:%s", fit, fit);
  use_path(path);
  char *said = load_and_listen();
  assert_string_equal(said, "");
  free(said);
  assert_int_equal(kn_registry_count(), once);
}

static void the_first_class_of_a_name_wins(void **state) {
  (void)state;
  char path[1200], fit[512], twin[512];
  snprintf(path, sizeof path, "%s:%s", in_build("fit", fit), in_build("twin", twin));
  use_path(path);
  char *said = load_and_listen();
  assert_non_null(strstr(said, "its class tests.registry.GoodDataset is left out"));
  free(said);
  const kn_class *cls;
  kt_assert_ok(kn_registry_find("GoodDataset", 0, &cls));
  assert_non_null(strstr(kn_registry_of(cls)->plugin_path, "kenning-good.so"));
  assert_found("TwinRuntime", KN_KIND_RUNTIME, "tests.registry.TwinRuntime");
}

static void loading_again_changes_nothing(void **state) {
  (void)state;
  use_plugins("fit");
  kt_assert_ok(kn_registry_load());
  size_t count = kn_registry_count();
  kt_assert_ok(kn_registry_load());
  assert_int_equal(kn_registry_count(), count);
  kn_registry_unload();
  assert_int_equal(kn_registry_count(), 0);
  kn_registry_unload();
  kt_assert_ok(kn_registry_load());
  assert_int_equal(kn_registry_count(), count);
}

static void memory_may_run_out(void **state) {
  (void)state;
  use_plugins("fit");
  for (uint64_t n = 0;; n++) {
    kn_memory_fail_after(n);
    kn_status status = kn_registry_load();
    kn_memory_fail_after(UINT64_MAX);
    if (!status) {
      assert_true(n > 5);
      break;
    }
    kt_assert_fault(status, KN_OUT_OF_MEMORY, NULL);
    assert_int_equal(kn_registry_count(), 0);
  }
}

/* What a plug-in calls is what the host exports. */
static void the_host_table_is_full(void **state) {
  (void)state;
  assert_int_equal(kn_host_table.struct_size, sizeof(kn_host));
#define CHECK(type, name, parameters, arguments) assert_ptr_equal(kn_host_table.name, name);
  KN_HOST_FUNCTIONS(CHECK)
#undef CHECK
#define CHECK(name, parameters, arguments) assert_ptr_equal(kn_host_table.name, name);
  KN_HOST_PROCEDURES(CHECK)
#undef CHECK
}

static int tear_down(void **state) {
  (void)state;
  kn_registry_unload();
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(names_resolve_in_three_spellings),
      cmocka_unit_test(unknown_names_suggest_the_nearest),
      cmocka_unit_test(the_wrong_kind_is_said),
      cmocka_unit_test(registered_classes_know_their_plugin),
      cmocka_unit_test(plugins_that_do_not_fit_are_left_out_with_the_reason),
      cmocka_unit_test(other_files_do_no_harm),
      cmocka_unit_test(a_mistyped_directory_is_noticed),
      cmocka_unit_test(a_plugin_found_twice_counts_once),
      cmocka_unit_test(the_first_class_of_a_name_wins),
      cmocka_unit_test(loading_again_changes_nothing),
      cmocka_unit_test(memory_may_run_out),
      cmocka_unit_test(the_host_table_is_full),
  };
  return cmocka_run_group_tests(tests, NULL, tear_down);
}
