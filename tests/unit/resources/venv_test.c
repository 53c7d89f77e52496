/* Python environments of frameworks, and what the doctor finds. */
#include "core/file.h"
#include "resources/health.h"
#include "resources/installation.h"
#include "support/directory.h"
#include "support/status.h"
#include "unit/resources/fake_clients.h"

#include <stdlib.h>
#include <unistd.h>

static void environments_are_made_and_kept(void **state) {
  (void)state;
  kt_fake_manifest("library", false, kt_fake_environment);
  kt_assert_ok(kt_fake_install());
  kn_installation first, second;
  kt_assert_ok(kn_installation_read("fake", &first));
  assert_string_equal(first.environment.name, "tools");
  assert_string_equal(first.environment.python, "3.11.2");
  char *python, *program = kt_path(first.environment.directory, "bin/some-program");
  kt_assert_ok(kn_installation_python(&first, &python));
  assert_int_not_equal(access(program, F_OK), 0);
  assert_int_equal(kt_fake_calls("pip install"), 1);
  kt_assert_ok(kt_fake_install());
  assert_int_equal(kt_fake_calls("venv"), 0);
  /* An installation without environments leaves the one that is there. */
  kt_assert_ok(kt_fake_install_as((kn_install_request){.force = true, .only_library = true}));
  kt_assert_ok(kn_installation_read("fake", &second));
  assert_string_equal(second.environment.directory, first.environment.directory);
  assert_int_equal(kt_fake_calls("venv"), 0);
  kn_installation_clear(&second);
  /* Another definition is another environment; the old one goes. */
  char more[1200];
  snprintf(more, sizeof more, "%s", kt_fake_environment);
  memcpy(strstr(more, "six==1"), "six==2", 6);
  memcpy(strstr(more, "six-1"), "six-2", 5);
  kt_fake_manifest("library", false, more);
  kt_assert_ok(kt_fake_install());
  kt_assert_ok(kn_installation_read("fake", &second));
  assert_string_not_equal(second.environment.directory, first.environment.directory);
  assert_int_equal(kt_world_entries(&kt_fake_world, "data/environments"), 1);
  kn_installation_clear(&second);
  kn_installation_clear(&first);
  kn_free(python);
  free(program);
}

static void environments_that_cannot_be_made(void **state) {
  (void)state;
  kt_fake_manifest("library", false, kt_fake_environment);
  static const struct {
    const char *mode;
    kn_code code;
    const char *part;
  } cases[] = {{"no-venv", KN_NOT_INSTALLED, "apt-get install python3-venv"},
               {"bad-install", KN_BACKEND_FAILED, "no space for you"},
               {"no-import", KN_BACKEND_FAILED, "ImportError: libfake.so"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    kt_fake_mode(cases[i].mode, true);
    kt_assert_fault(kt_fake_install(), cases[i].code, cases[i].part);
    kt_fake_mode(cases[i].mode, false);
    /* The library serves without; the next try makes the environment alone. */
    kn_installation installation;
    kt_assert_ok(kn_installation_read("fake", &installation));
    assert_null(installation.environment.name);
    kn_installation_clear(&installation);
    assert_int_equal(kt_world_entries(&kt_fake_world, "data/environments"), 0);
  }
  kt_assert_ok(kt_fake_install());
  char text[1200];
  snprintf(text, sizeof text, "%.*s, \"python_max\": \"3.10\"}", (int)(strlen(kt_fake_environment) - 1),
           kt_fake_environment);
  kt_fake_manifest("library", false, text);
  kt_assert_fault(kt_fake_install(), KN_INCOMPATIBLE, "takes Python 3 to 3.10, and python3 is 3.11.2");
  kt_fake_assert_installed("1.0");
}

/* A script of the back-end makes the packages importable; it belongs to what the environment is made of. */
static void environments_are_prepared(void **state) {
  (void)state;
  char text[1200];
  snprintf(text, sizeof text, "%.*s, \"prepare\": \"prepare.py\"}", (int)(strlen(kt_fake_environment) - 1),
           kt_fake_environment);
  kt_fake_manifest("library", false, text);
  kt_assert_fault(kt_fake_install(), KN_NOT_FOUND, "prepare.py");
  kt_world_write(&kt_fake_world, "share/backends/fake/build/prepare.py",
                 "print('ERROR missing a compiler is missing')\nraise SystemExit(1)\n");
  kt_assert_fault(kt_fake_install(), KN_NOT_INSTALLED, "a compiler is missing");
  assert_true(kt_world_entries(&kt_fake_world, "data/environments") <= 0);
  kt_world_write(&kt_fake_world, "share/backends/fake/build/prepare.py",
                 "import sys\nassert sys.argv[1] == '--environment'\n"
                 "open(sys.argv[2] + '/prepared', 'w').write('first')\n");
  kt_assert_ok(kt_fake_install());
  kn_installation first, second;
  kt_assert_ok(kn_installation_read("fake", &first));
  char *made = kt_path(first.environment.directory, "prepared");
  assert_int_equal(access(made, F_OK), 0);
  kt_world_write(&kt_fake_world, "share/backends/fake/build/prepare.py", "pass\n");
  kt_assert_ok(kt_fake_install());
  kt_assert_ok(kn_installation_read("fake", &second));
  assert_string_not_equal(second.environment.directory, first.environment.directory);
  kn_installation_clear(&second);
  kn_installation_clear(&first);
  free(made);
}

static const kn_symptom *find(const kn_examination *findings, const char *group, const char *name) {
  for (size_t i = 0; i < findings->count; i++)
    if (!strcmp(findings->items[i].group, group) && !strcmp(findings->items[i].name, name)) return &findings->items[i];
  fail_msg("no finding %s: %s", group, name);
  return NULL;
}

static void assert_health(const char *name, kn_health health, const char *part) {
  const char *const opener[] = {"sh", "-c", "if [ -e \"$0/mode/crash\" ]; then kill -SEGV $$; fi; echo 1.0",
                                kt_fake_world.directory, NULL};
  kn_examination findings;
  kt_assert_ok(kn_health_check(NULL, 0, opener, &findings));
  const kn_symptom *finding = find(&findings, "fake", name);
  assert_string_equal(kn_health_name(finding->health), kn_health_name(health));
  if (!strstr(finding->detail, part)) fail_msg("%s: %s, not: %s", name, finding->detail, part);
  assert_true((health == KN_HEALTH_OK) == !finding->command);
  assert_int_equal(find(&findings, "libraries", "libcrypto")->health, KN_HEALTH_OK);
  assert_int_equal(find(&findings, "programs", "gnuplot")->health, KN_HEALTH_MISSING);
  assert_string_equal(find(&findings, "programs", "gnuplot")->command, "apt-get install gnuplot-nox");
  assert_false(kn_examination_well(&findings));
  kn_examination_clear(&findings);
}

/* The package "demo" of two files. */
static void lay_package(const char *environment, bool whole) {
  static const char record[] =
      "part.py,sha256=x,5\n\"a,b.py\",sha256=x,3\ndemo-1.5.dist-info/METADATA,sha256=x,47\n"
      "__pycache__/part.pyc,sha256=x,9\n../../bin/demo,sha256=x,7\ndemo-1.5.dist-info/RECORD,,\n";
  char *place = kt_path(environment, "lib/python3.11/site-packages"), *info = kt_path(place, "demo-1.5.dist-info"),
       *metadata = kt_path(info, "METADATA"), *list = kt_path(info, "RECORD"), *part = kt_path(place, "part.py"),
       *other = kt_path(place, "a,b.py");
  kt_assert_ok(kn_directory_make(info));
  kt_file_write_text(metadata, "Metadata-Version: 2.1\nName: demo\nVersion: 1.5\n\n");
  kt_file_write_text(list, record);
  kt_file_write_text(part, "pass\n");
  kt_file_write_text(other, whole ? "1+1" : "1");
  if (!whole) assert_int_equal(unlink(part), 0);
  free(place);
  free(info);
  free(metadata);
  free(list);
  free(part);
  free(other);
}

static void the_doctor_finds_what_is_wrong(void **state) {
  (void)state;
  kt_fake_manifest("library", false, kt_fake_environment);
  assert_health("installation", KN_HEALTH_MISSING, "run: kenning install fake");
  kt_assert_ok(kt_fake_install());
  assert_health("library", KN_HEALTH_OK, "version 1.0, opens");
  assert_health("more", KN_HEALTH_OK, "whole");
  assert_health("environment", KN_HEALTH_OK, "Python 3.11.2");
  kt_fake_mode("crash", true);
  assert_health("library", KN_HEALTH_DAMAGED, "signal 11");
  kt_fake_mode("crash", false);
  kt_fake_mode("changed", true);
  assert_health("environment", KN_HEALTH_DAMAGED, "not those that were installed");
  kt_fake_mode("changed", false);
  kn_installation installation;
  kt_assert_ok(kn_installation_read("fake", &installation));
  /* A package whose list of files is there, and one of them is not, or is cut. */
  lay_package(installation.environment.directory, true);
  assert_health("environment", KN_HEALTH_OK, "Python 3.11.2");
  lay_package(installation.environment.directory, false);
  assert_health("environment", KN_HEALTH_DAMAGED, "/part.py of demo 1.5 and 1 more");
  kt_file_write_text(installation.files[0].path, "librarx");
  assert_health("library", KN_HEALTH_DAMAGED, "not as it was installed");
  assert_int_equal(unlink(installation.files[0].path), 0);
  assert_health("library", KN_HEALTH_DAMAGED, "no such file");
  kt_assert_ok(kn_directory_remove(installation.environment.directory));
  assert_health("environment", KN_HEALTH_DAMAGED, "does not work");
  kn_installation_clear(&installation);
}

#define test(function) cmocka_unit_test_setup_teardown(function, kt_fake_setup, kt_fake_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      test(environments_are_made_and_kept),
      test(environments_that_cannot_be_made),
      test(environments_are_prepared),
      test(the_doctor_finds_what_is_wrong),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
