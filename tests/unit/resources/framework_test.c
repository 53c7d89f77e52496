#include "core/memory.h"
#include "resources/installation.h"
#include "support/directory.h"
#include "support/status.h"
#include "unit/resources/data_directories.h"

#include <dlfcn.h>
#include <elf.h>
#include <kenning/services.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static kt_world world;

static int make_world(void **state) {
  (void)state;
  world = kt_world_make();
  unsetenv("KENNING_FAKE_LIBRARY");
  return 0;
}

static int remove_world(void **state) {
  (void)state;
  kt_world_remove(&world);
  return 0;
}

/* Writes a lock as an installation does; the file it names exists. */
static void install_fake(bool with_environment) {
  static char framework[] = "fake", version[] = "1.0", license[] = "MIT", date[] = "2026-01-01T00:00:00Z",
              key[] = "library", client[] = "pip", package[] = "fake==1.0", tools[] = "tools", sum[] = "00",
              definition[] = "11", lock[] = "22", python[] = "3.11.2";
  char directory[600], path[700], environment[700];
  snprintf(directory, sizeof directory, "%s/fake/1.0-abc", world.data);
  snprintf(path, sizeof path, "%s/libfake.so", directory);
  snprintf(environment, sizeof environment, "%s/environments/tools-123", world.data);
  kn_installed_file file = {
      .key = key, .path = path, .sha256 = sum, .version = version, .client = client, .package = package, .bytes = 3};
  kn_installation installation = {.framework = framework,
                                  .version = version,
                                  .license = license,
                                  .date = date,
                                  .directory = directory,
                                  .files = &file,
                                  .file_count = 1};
  kn_installed_environment made = {
      .name = tools, .directory = environment, .definition_sha256 = definition, .lock_sha256 = lock, .python = python};
  if (with_environment) installation.environment = made;
  kt_world_write(&world, "data/fake/1.0-abc/libfake.so", "elf");
  kt_assert_ok(kn_installation_write(&installation));
}

static void an_installation_comes_back_as_written(void **state) {
  (void)state;
  kn_installation read;
  install_fake(true);
  kt_assert_ok(kn_installation_read("fake", &read));
  assert_string_equal(read.version, "1.0");
  assert_int_equal(read.file_count, 1);
  assert_int_equal(read.files[0].bytes, 3);
  assert_true(!strncmp(read.files[0].path, world.data, strlen(world.data)));
  assert_string_equal(read.files[0].path + strlen(world.data), "/fake/1.0-abc/libfake.so");
  assert_string_equal(read.environment.directory + strlen(world.data), "/environments/tools-123");
  assert_string_equal(read.environment.lock_sha256, "22");
  assert_null(read.files[0].version_function);
  assert_ptr_equal(kn_installation_file(&read, "library"), &read.files[0]);
  assert_null(kn_installation_file(&read, "headers"));
  char *python;
  kt_assert_fault(kn_installation_python(&read, &python), KN_NOT_INSTALLED, "kenning install --force fake");
  kn_installation_clear(&read);
  install_fake(false);
  kt_assert_ok(kn_installation_read("fake", &read));
  assert_null(read.environment.name);
  kt_assert_fault(kn_installation_python(&read, &python), KN_NOT_INSTALLED, "without its Python environment");
  kn_installation_clear(&read);
}

/* The file names paths below the data directory alone, so that it may be moved. */
static void locks_hold_relative_paths(void **state) {
  (void)state;
  install_fake(true);
  char *path = kt_world_path(&world, "data/fake/lock.json"), *text = kt_file_read(path, NULL);
  assert_null(strstr(text, world.directory));
  assert_non_null(strstr(text, "\"path\": \"fake/1.0-abc/libfake.so\""));
  free(text);
  free(path);
}

static void damaged_locks_are_told_with_the_command(void **state) {
  (void)state;
  static const char *const texts[] = {
      "",
      "{",
      "[]",
      "{\"installation\": 1}",
      "{\"installation\": {\"framework\": \"fake\"}}",
      "{\"installation\": {\"framework\": \"fake\", \"version\": \"1\", \"license\": \"MIT\", \"date\": \"d\", "
      "\"directory\": \"/etc\"}, \"files\": []}",
      "{\"installation\": {\"framework\": \"fake\", \"version\": \"1\", \"license\": \"MIT\", \"date\": \"d\", "
      "\"directory\": \"../x\"}, \"files\": []}",
      "{\"installation\": {\"framework\": \"fake\", \"version\": \"1\", \"license\": \"MIT\", \"date\": \"d\", "
      "\"directory\": \"x\"}, \"files\": [{\"key\": \"library\"}]}"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    kn_installation read;
    kt_world_write(&world, "data/fake/lock.json", texts[i]);
    kt_assert_fault(kn_installation_read("fake", &read), KN_NOT_INSTALLED, "run: kenning install --force fake");
    assert_null(read.framework);
  }
}

static void assert_library(const char *parameter, const char *expected) {
  char *path;
  kt_assert_ok(kn_framework_file("fake", "library", parameter, &path));
  assert_string_equal(path, expected);
  kn_free(path);
}

static void files_are_found_in_their_order(void **state) {
  (void)state;
  char *path, *installed = kt_world_path(&world, "data/fake/1.0-abc/libfake.so");
  char *named = kt_world_path(&world, "named.so"), *parameter = kt_world_path(&world, "parameter.so");
  kt_assert_fault(kn_framework_file("fake", "library", NULL, &path), KN_NOT_INSTALLED, "run: kenning install fake");
  assert_null(path);
  kt_assert_fault(kn_framework_file("../etc", "library", NULL, &path), KN_INVALID_ARGUMENT, "no framework");
  install_fake(false);
  kt_world_write(&world, "named.so", "");
  kt_world_write(&world, "parameter.so", "");
  assert_library(NULL, installed);
  kt_assert_fault(kn_framework_file("fake", "headers", NULL, &path), KN_NOT_INSTALLED, "has no 'headers'");
  setenv("KENNING_FAKE_LIBRARY", named, 1);
  assert_library(NULL, named);
  assert_library("", named);
  assert_library(parameter, parameter);
  /* What the user names is taken or refused, never replaced. */
  kt_assert_fault(kn_framework_file("fake", "library", "/no/such.so", &path), KN_NOT_FOUND, "/no/such.so");
  setenv("KENNING_FAKE_LIBRARY", "/no/such.so", 1);
  kt_assert_fault(kn_framework_file("fake", "library", NULL, &path), KN_NOT_FOUND, "KENNING_FAKE_LIBRARY names it");
  unsetenv("KENNING_FAKE_LIBRARY");
  /* Another library in its place, or half of it: the loader is not asked. */
  kt_world_write(&world, "data/fake/1.0-abc/libfake.so", "another library");
  kt_assert_fault(kn_framework_file("fake", "library", NULL, &path), KN_NOT_INSTALLED,
                  "it has 15 bytes, not 3; run: kenning install --force fake");
  assert_int_equal(unlink(installed), 0);
  kt_assert_fault(kn_framework_file("fake", "library", NULL, &path), KN_NOT_INSTALLED, "libfake.so is gone");
  free(parameter);
  free(named);
  free(installed);
}

static void own_handler(int number) { (void)number; }

static void opening_a_library_keeps_signal_handlers(void **state) {
  (void)state;
  struct sigaction action = {.sa_handler = own_handler}, now;
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGSEGV, NULL, &action);
  void *handle;
  kt_assert_ok(kn_library_open(HANDLERS_LIBRARY, &handle));
  assert_non_null(dlsym(handle, "fake_version"));
  sigaction(SIGINT, NULL, &now);
  assert_ptr_equal(now.sa_handler, own_handler);
  sigaction(SIGSEGV, NULL, &now);
  assert_ptr_equal(now.sa_sigaction, action.sa_sigaction);
  sigaction(SIGUSR2, NULL, &now);
  assert_ptr_equal(now.sa_handler, SIG_DFL);
  signal(SIGINT, SIG_DFL);
}

static void libraries_that_cannot_be_opened(void **state) {
  (void)state;
  void *handle;
  char *path = kt_world_path(&world, "text.so");
  kt_world_write(&world, "text.so", "no library");
  kt_assert_fault(kn_library_open(path, &handle), KN_NOT_INSTALLED, "text.so");
  assert_null(handle);
  kt_assert_fault(kn_library_open("/no/such.so", &handle), KN_NOT_INSTALLED, "/no/such.so");
  kt_assert_fault(kn_library_open("libno-such.so.9", &handle), KN_NOT_INSTALLED, "libno-such.so.9");
  kt_assert_ok(kn_library_open("libm.so.6", &handle)); /* by the system's loader */
  free(path);
}

static void functions_are_found_by_name(void **state) {
  (void)state;
  void *handle;
  struct {
    int before;
    double (*cosine)(double);
    double (*absent)(double);
  } table = {.before = 7};
  const kn_symbol symbols[] = {{"cos", offsetof(__typeof__(table), cosine)},
                               {"no_such", offsetof(__typeof__(table), absent)}};
  kt_assert_ok(kn_library_open("libm.so.6", &handle));
  kt_assert_ok(kn_library_functions(handle, "libm", symbols, 1, "not told", &table));
  assert_int_equal(table.before, 7);
  assert_true(table.cosine(0) == 1);
  kt_assert_fault(kn_library_functions(handle, "libm", symbols, 2, "it is too old", &table), KN_INCOMPATIBLE,
                  "libm has no function no_such: it is too old");
  assert_null(table.absent);
}

/* Cut in its segments or its headers, for another machine, or no library at all; the loader would map it all and read.
 */
static void libraries_are_judged_before_they_are_mapped(void **state) {
  (void)state;
  size_t whole;
  char *path = kt_world_path(&world, "lib.so"), *bytes = kt_file_read(HANDLERS_LIBRARY, &whole);
  const size_t lengths[] = {0, 20, sizeof(Elf64_Ehdr), whole / 4};
  void *handle;
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    kt_file_write(path, bytes, lengths[i]);
    kt_assert_fault(kn_library_open(path, &handle), KN_NOT_INSTALLED, i < 2 ? "no ELF file" : "cut off");
  }
  Elf64_Ehdr *head = (Elf64_Ehdr *)(void *)bytes;
  head->e_machine = head->e_machine == EM_AARCH64 ? EM_X86_64 : EM_AARCH64;
  kt_file_write(path, bytes, whole);
  kt_assert_fault(kn_library_open(path, &handle), KN_NOT_INSTALLED,
                  head->e_machine == EM_AARCH64 ? "is for aarch64" : "is for x86_64");
  kt_assert_fault(kn_library_open("/proc/self/exe", &handle), KN_NOT_INSTALLED, "cannot be loaded");
  free(bytes);
  free(path);
}

static void failing_allocations(void **state) {
  (void)state;
  install_fake(true);
  kn_status status = NULL;
  uint64_t allowed = 0;
  char *path = NULL;
  do {
    kn_status_free(status);
    kn_memory_fail_after(allowed++);
    status = kn_framework_file("fake", "library", NULL, &path);
    kn_memory_fail_after(UINT64_MAX);
    assert_true(!status || kn_status_code(status) == KN_OUT_OF_MEMORY);
  } while (status);
  assert_true(allowed > 10);
  kn_free(path);
}

#define test(function) cmocka_unit_test_setup_teardown(function, make_world, remove_world)

int main(void) {
  const struct CMUnitTest tests[] = {
      test(an_installation_comes_back_as_written),
      test(locks_hold_relative_paths),
      test(damaged_locks_are_told_with_the_command),
      test(files_are_found_in_their_order),
      test(opening_a_library_keeps_signal_handlers),
      test(libraries_that_cannot_be_opened),
      test(functions_are_found_by_name),
      test(libraries_are_judged_before_they_are_mapped),
      test(failing_allocations),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
