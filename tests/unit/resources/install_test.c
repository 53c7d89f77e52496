/* Installations with clients that the test wrote: what they do is chosen by the files in the directory "mode". */
#include "resources/install.h"
#include "core/file.h"
#include "core/log.h"
#include "resources/health.h"
#include "resources/installation.h"
#include "support/directory.h"
#include "support/status.h"
#include "unit/resources/data_directories.h"

#include <kenning/process.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static kt_world world;
static char *old_path, *real_python;

/* The interpreter of the test: pip and venv are fakes, everything else is the real one's. */
static const char fake_python[] =
    "#!/bin/sh\n"
    "W='%s'\n"
    "echo \"$@\" >>$W/calls\n"
    "if [ \"$1\" = -I ]; then shift; fi\n"
    "mode() { [ -e $W/mode/$1 ]; }\n"
    "case \"$1 $2 $3\" in\n"
    "'-m pip --version') if mode no-pip; then echo 'No module named pip' >&2; exit 1; fi; echo pip 1;;\n"
    "'-m pip download')\n"
    "  if mode fail; then echo 'ERROR: No matching distribution found' >&2; exit 1; fi\n"
    "  if mode full; then echo 'OSError: [Errno 28] No space left on device' >&2; exit 1; fi\n"
    "  if mode hang; then sleep 100; fi\n"
    "  while [ \"$1\" != --dest ]; do shift; done\n"
    "  if mode die; then rm $W/mode/die; head -c 60 $W/registry/*.whl >$2/fake_engine-1.0-py3-none-any.whl;\n"
    "    kill -9 $$; fi\n"
    "  cp $W/registry/*.whl $2;;\n"
    "'-m venv '*)\n"
    "  if mode no-venv; then echo 'ensurepip is not available' >&2; exit 1; fi\n"
    "  mkdir -p $3/bin; ln -s $W/bin/python3 $3/bin/python3; touch $3/bin/some-program;;\n"
    "'-m pip install') if mode bad-install; then echo 'ERROR: no space for you' >&2; exit 1; fi;;\n"
    "'-m pip freeze') echo fake-tool==1.0; if mode changed; then echo more==1; fi;;\n"
    "'-c import platform'*) echo 3.11.2;;\n"
    "'-c import fake_tool '*) if mode no-import; then echo 'ImportError: libfake.so' >&2; exit 1; fi;;\n"
    "*) exec %s \"$@\";;\n"
    "esac\n";

static const char fake_mvn[] =
    "#!/bin/sh\n"
    "W='%s'\n"
    "echo mvn \"$@\" >>$W/calls\n"
    "for a; do case $a in -Dmaven.repo.local=*) R=${a#*=};; esac; done\n"
    "if [ -e $W/mode/mvn-fails ]; then echo '[ERROR] No plugin found'; echo '[ERROR] hint'; exit 1; fi\n"
    "mkdir -p $R/org/fake/engine/2.0\n"
    "cp $W/registry/engine.jar $R/org/fake/engine/2.0/engine-2.0-linux.jar\n";

static void write_mode(const char *name, bool on) {
  char path[64];
  snprintf(path, sizeof path, "mode/%s", name);
  char *whole = kt_world_path(&world, path);
  if (on)
    kt_world_write(&world, path, "");
  else
    (void)unlink(whole);
  free(whole);
}

/* An archive with the members "fake/libfake.so" and "fake/more.so" of the given content. */
static void write_archive(const char *name, const char *content) {
  char *path = kt_world_path(&world, name);
  kt_assert_ok(kn_directory_make_parent(path));
  char *text;
  kt_assert_ok(kn_process_output(
      (const char *const[]){real_python, "-c",
                            "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1], 'w')\n"
                            "z.writestr('fake/libfake.so', sys.argv[2])\nz.writestr('fake/more.so', 'more')\n",
                            path, content, NULL},
      60, &text));
  kn_free(text);
  free(path);
}

static const char environment_part[] =
    ", \"environment\": {\"name\": \"tools\", \"python_packages\": [\"fake-tool==1.0\"], \"imports\": [\"fake_tool\"],"
    " \"constraints\": [\"six==1\"], \"no_deps\": [\"other==2\"], \"download_bytes\": 1000, \"disk_bytes\": 1000}";

/* `content` is what the library must hold; by mvn first when `with_mvn`. */
static void write_manifest(const char *content, bool with_mvn, const char *more) {
  char sum[65], more_sum[65], text[4096], first[1024] = "";
  kt_assert_ok(kn_sha256(content, strlen(content), sum));
  kt_assert_ok(kn_sha256("more", 4, more_sum));
  if (with_mvn)
    snprintf(first, sizeof first,
             "{\"key\": \"library\", \"arch\": \"any\", \"client\": \"mvn\", \"package\": "
             "\"org.fake:engine:2.0:jar:linux\", \"member\": \"fake/libfake.so\", \"sha256\": \"%s\", \"bytes\": %zu, "
             "\"download_bytes\": 100, \"version\": \"2.0\", \"version_function\": \"fake_version\"}, ",
             sum, strlen(content));
  snprintf(text, sizeof text,
           "{\"framework\": {\"name\": \"fake\", \"summary\": \"A fake\", \"version\": \"2.0\", \"license\": \"MIT\"},"
           "\"files\": [%s{\"key\": \"library\", \"arch\": \"any\", \"client\": \"pip\", \"package\": "
           "\"Fake-Engine==1.0\", \"member\": \"fake/libfake.so\", \"sha256\": \"%s\", \"bytes\": %zu, "
           "\"download_bytes\": 100, \"version\": \"1.0\", \"version_function\": \"fake_version\"}, "
           "{\"key\": \"more\", \"arch\": \"any\", \"client\": \"pip\", \"package\": \"Fake-Engine==1.0\", "
           "\"member\": \"fake/more.so\", \"sha256\": \"%s\", \"bytes\": 4, \"download_bytes\": 100, \"version\": "
           "\"1.0\"}]%s}",
           first, sum, strlen(content), more_sum, more);
  kt_world_write(&world, "share/backends/fake/manifest.json", text);
}

static int make_world(void **state) {
  (void)state;
  kn_log_set_level(KN_LOG_ERROR);
  world = kt_world_make();
  old_path = strdup(getenv("PATH"));
  kt_assert_ok(kn_process_output((const char *const[]){"python3", "-c", "import sys; print(sys.executable)", NULL}, 60,
                                 &real_python));
  real_python[strcspn(real_python, "\n")] = '\0';
  char text[4096], *bin = kt_world_path(&world, "bin");
  snprintf(text, sizeof text, fake_python, world.directory, real_python);
  kt_world_write_program(&world, "bin/python3", text);
  static const char *const programs[] = {"sh", "cp", "ln", "mkdir", "rm", "head", "sleep", "touch", "setpriv"};
  for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
    char *path, *link = kt_path(bin, programs[i]);
    kn_status status = kn_process_find(programs[i], &path);
    if (!status && symlink(path, link) != 0) fail_msg("symlink %s", link);
    kn_status_free(status); /* setpriv may be missing */
    kn_free(path);
    free(link);
  }
  setenv("PATH", bin, 1);
  free(bin);
  write_archive("registry/fake_engine-1.0-py3-none-any.whl", "library");
  write_manifest("library", false, "");
  return 0;
}

static int remove_world(void **state) {
  (void)state;
  setenv("PATH", old_path, 1);
  free(old_path);
  kn_free(real_python);
  kt_world_remove(&world);
  return 0;
}

static kn_status install_as(kn_install_request request) {
  const char *name = "fake";
  request.frameworks = &name;
  request.count = 1;
  return kn_install(&request);
}

static kn_status install(void) { return install_as((kn_install_request){0}); }

/* Number of lines in the log of calls that hold `part`; the log starts anew. */
static int calls(const char *part) {
  char *path = kt_world_path(&world, "calls");
  int count = 0;
  if (kn_file_exists(path, NULL)) {
    char *text = kt_file_read(path, NULL);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) count += strstr(line, part) != NULL;
    free(text);
    (void)unlink(path);
  }
  free(path);
  return count;
}

static void assert_installed(const char *version) {
  kn_installation installation;
  kt_assert_ok(kn_installation_read("fake", &installation));
  assert_string_equal(installation.version, version);
  assert_int_equal(installation.file_count, 2);
  char *content = kt_file_read(installation.files[0].path, NULL);
  char hex[65];
  kt_assert_ok(kn_sha256(content, strlen(content), hex));
  assert_string_equal(hex, installation.files[0].sha256);
  free(content);
  kn_installation_clear(&installation);
  assert_int_equal(kt_world_entries(&world, "data/fake"), 2); /* one version and the lock */
}

static void assert_nothing_installed(void) {
  kn_installation installation;
  kt_assert_fault(kn_installation_read("fake", &installation), KN_NOT_INSTALLED, "kenning install fake");
  assert_true(kt_world_entries(&world, "data/fake") <= 0);
  assert_true(kt_world_entries(&world, "data/environments") <= 0);
}

static void installs_once(void **state) {
  (void)state;
  kt_assert_ok(install());
  assert_installed("1.0");
  assert_int_equal(calls("pip download"), 1);
  kt_assert_ok(install());
  assert_int_equal(calls(""), 0); /* nobody was asked anything */
  /* What was downloaded serves again. */
  kt_assert_ok(install_as((kn_install_request){.force = true}));
  assert_int_equal(calls("pip download"), 0);
  assert_installed("1.0");
}

static void a_missing_file_is_installed_again(void **state) {
  (void)state;
  kt_assert_ok(install());
  kn_installation installation;
  kt_assert_ok(kn_installation_read("fake", &installation));
  assert_int_equal(truncate(installation.files[0].path, 3), 0);
  kn_installation_clear(&installation);
  kt_assert_ok(install());
  assert_installed("1.0");
}

static void a_new_version_replaces_the_old(void **state) {
  (void)state;
  kt_assert_ok(install());
  write_archive("registry/fake_engine-1.0-py3-none-any.whl", "new library");
  write_manifest("new library", false, "");
  char *downloads = kt_world_path(&world, "cache/downloads");
  kt_assert_ok(kn_directory_remove(downloads));
  free(downloads);
  kt_assert_ok(install());
  assert_installed("1.0");
}

static void clients_that_fail(void **state) {
  (void)state;
  write_mode("fail", true);
  kt_assert_fault(install(), KN_BACKEND_FAILED, "No matching distribution found");
  assert_int_equal(calls("pip download"), 3); /* transfers break, so it is tried again */
  assert_nothing_installed();
  write_mode("fail", false);
  write_mode("full", true);
  kt_assert_fault(install(), KN_IO_ERROR, "the disk is full");
  assert_int_equal(calls("pip download"), 1);
  assert_nothing_installed();
}

static void a_client_that_dies_halfway(void **state) {
  (void)state;
  write_mode("die", true); /* once: the second attempt finds the half file */
  kt_assert_ok(install());
  assert_installed("1.0");
  char *half = kt_world_path(&world, "cache/downloads/pip/fake_engine-1.0-py3-none-any.whl");
  kt_assert_ok(install());
  kt_file_write_text(half, "half of a wheel");
  kt_assert_fault(install_as((kn_install_request){.force = true, .offline = true}), KN_BACKEND_FAILED, "is damaged");
  assert_installed("1.0"); /* what was there stays */
  kt_file_write_text(half, "half of a wheel");
  kt_assert_ok(install_as((kn_install_request){.force = true}));
  assert_installed("1.0");
  free(half);
}

static void another_file_than_the_manifest_knows(void **state) {
  (void)state;
  write_archive("registry/fake_engine-1.0-py3-none-any.whl", "libraru");
  kt_assert_fault(install(), KN_BACKEND_FAILED, "is not the file that was tested");
  assert_nothing_installed();
  assert_int_equal(kt_world_entries(&world, "cache/downloads/pip"), 0);
}

static void too_little_room(void **state) {
  (void)state;
  write_manifest("library", false,
                 ", \"environment\": {\"name\": \"tools\", \"python_packages\": [\"a==1\"], \"download_bytes\": 1000, "
                 "\"disk_bytes\": 1000000000000}");
  kt_assert_fault(install(), KN_IO_ERROR, "1000000 MB are needed");
  assert_int_equal(calls("download"), 0);
  assert_nothing_installed();
}

static void the_alternative_is_taken_without_its_client(void **state) {
  (void)state;
  write_manifest("library", true, "");
  kt_assert_ok(install());
  assert_installed("1.0");
  write_mode("no-pip", true);
  calls("");
  char *downloads = kt_world_path(&world, "cache/downloads");
  kt_assert_ok(kn_directory_remove(downloads));
  free(downloads);
  kt_assert_fault(install_as((kn_install_request){.force = true}), KN_NOT_INSTALLED,
                  "the Maven client mvn is missing; on Debian: apt-get install maven");
  assert_installed("1.0");
}

static void the_first_choice_is_taken_with_its_client(void **state) {
  (void)state;
  char text[1024];
  snprintf(text, sizeof text, fake_mvn, world.directory);
  kt_world_write_program(&world, "bin/mvn", text);
  write_archive("registry/engine.jar", "library");
  write_manifest("library", true, "");
  kt_assert_ok(install());
  assert_installed("2.0");
  assert_int_equal(calls("mvn -B dependency:get -Dtransitive=false -Dartifact=org.fake:engine:2.0:jar:linux"), 1);
}

static void the_alternative_is_taken_when_the_first_choice_fails(void **state) {
  (void)state;
  char text[1024];
  snprintf(text, sizeof text, fake_mvn, world.directory);
  kt_world_write_program(&world, "bin/mvn", text);
  write_mode("mvn-fails", true);
  write_manifest("library", true, "");
  kt_assert_ok(install());
  assert_installed("1.0");
  assert_int_equal(calls("mvn"), 3);
  /* Without another way the failure stands, in its first words. */
  char *wheels = kt_world_path(&world, "cache/downloads/pip");
  kt_assert_ok(kn_directory_remove(wheels));
  free(wheels);
  write_mode("no-pip", true);
  write_mode("fail", true);
  kt_assert_fault(install_as((kn_install_request){.force = true}), KN_NOT_INSTALLED, "pip is missing");
  write_mode("no-pip", false);
  kt_assert_fault(install_as((kn_install_request){.force = true}), KN_BACKEND_FAILED, "No matching distribution");
  assert_installed("1.0");
}

static void offline_takes_the_downloads(void **state) {
  (void)state;
  kt_assert_fault(install_as((kn_install_request){.offline = true}), KN_NOT_FOUND, "is not among the downloads");
  kt_assert_ok(install());
  calls("");
  kt_assert_ok(install_as((kn_install_request){.offline = true, .force = true}));
  assert_int_equal(calls("pip download"), 0);
}

static void a_dry_run_changes_nothing(void **state) {
  (void)state;
  write_manifest("library", false, environment_part);
  kt_assert_ok(install_as((kn_install_request){.dry_run = true}));
  assert_nothing_installed();
  assert_int_equal(kt_world_entries(&world, "data"), 0);
  assert_int_equal(kt_world_entries(&world, "cache"), 0);
}

static void what_an_interrupted_run_left_is_removed(void **state) {
  (void)state;
  kt_world_write(&world, "data/fake/1.0-abc.new-12/libfake.so", "half");
  kt_world_write(&world, "data/environments/tools-abc.new-12/bin/python3", "half");
  kt_world_write(&world, "data/environments/unused-abc/bin/python3", "old");
  kt_world_write(&world, "cache/downloads/tmp-999999999/pip-unpack/half", "half"); /* no such process */
  write_manifest("library", false, environment_part);
  kt_assert_ok(install());
  assert_installed("1.0");
  assert_int_equal(kt_world_entries(&world, "data/environments"), 1);
  assert_int_equal(kt_world_entries(&world, "cache/downloads"), 1); /* the wheels */
}

static void environments_are_made_and_kept(void **state) {
  (void)state;
  write_manifest("library", false, environment_part);
  kt_assert_ok(install());
  kn_installation first, second;
  kt_assert_ok(kn_installation_read("fake", &first));
  assert_string_equal(first.environment.name, "tools");
  assert_string_equal(first.environment.python, "3.11.2");
  char *python, *program = kt_path(first.environment.directory, "bin/some-program");
  kt_assert_ok(kn_installation_python(&first, &python));
  assert_int_not_equal(access(program, F_OK), 0);
  assert_int_equal(calls("pip install"), 2);
  kt_assert_ok(install());
  assert_int_equal(calls("venv"), 0);
  /* An installation without environments leaves the one that is there. */
  kt_assert_ok(install_as((kn_install_request){.force = true, .only_library = true}));
  kt_assert_ok(kn_installation_read("fake", &second));
  assert_string_equal(second.environment.directory, first.environment.directory);
  assert_int_equal(calls("venv"), 0);
  kn_installation_clear(&second);
  /* Another definition is another environment; the old one goes. */
  char more[600];
  snprintf(more, sizeof more, "%s", environment_part);
  memcpy(strstr(more, "six==1"), "six==2", 6);
  write_manifest("library", false, more);
  kt_assert_ok(install());
  kt_assert_ok(kn_installation_read("fake", &second));
  assert_string_not_equal(second.environment.directory, first.environment.directory);
  assert_int_equal(kt_world_entries(&world, "data/environments"), 1);
  kn_installation_clear(&second);
  kn_installation_clear(&first);
  kn_free(python);
  free(program);
}

static void environments_that_cannot_be_made(void **state) {
  (void)state;
  write_manifest("library", false, environment_part);
  static const struct {
    const char *mode;
    kn_code code;
    const char *part;
  } cases[] = {{"no-venv", KN_NOT_INSTALLED, "apt-get install python3-venv"},
               {"bad-install", KN_BACKEND_FAILED, "no space for you"},
               {"no-import", KN_BACKEND_FAILED, "ImportError: libfake.so"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    write_mode(cases[i].mode, true);
    kt_assert_fault(install(), cases[i].code, cases[i].part);
    write_mode(cases[i].mode, false);
    /* The library serves without; the next try makes the environment alone. */
    kn_installation installation;
    kt_assert_ok(kn_installation_read("fake", &installation));
    assert_null(installation.environment.name);
    kn_installation_clear(&installation);
    assert_int_equal(kt_world_entries(&world, "data/environments"), 0);
  }
  kt_assert_ok(install());
  char text[600];
  snprintf(text, sizeof text, "%.*s, \"python_max\": \"3.10\"}", (int)(sizeof environment_part - 2), environment_part);
  write_manifest("library", false, text);
  kt_assert_fault(install(), KN_INCOMPATIBLE, "takes Python 3 to 3.10, and python3 is 3.11.2");
  assert_installed("1.0");
}

static void *cancel_soon(void *argument) {
  (void)argument;
  usleep(400000);
  kn_cancel();
  return NULL;
}

static void cancelling_leaves_nothing(void **state) {
  (void)state;
  write_mode("hang", true);
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, cancel_soon, NULL), 0);
  kn_status status = install();
  assert_int_equal(pthread_join(thread, NULL), 0);
  kn_cancel_reset();
  kt_assert_fault(status, KN_CANCELLED, NULL);
  assert_nothing_installed();
  assert_int_equal(kt_world_entries(&world, "cache/downloads"), 1); /* the empty directory of wheels */
  write_mode("hang", false);
  kt_assert_ok(install());
  assert_installed("1.0");
}

static void two_at_once_share_the_work(void **state) {
  (void)state;
  write_manifest("library", false, environment_part);
  pid_t children[2];
  fflush(NULL);
  for (int i = 0; i < 2; i++) {
    children[i] = fork();
    if (children[i] == 0) {
      kn_status status = install();
      int code = status ? 1 : 0;
      kn_status_free(status);
      _exit(code);
    }
  }
  for (int i = 0; i < 2; i++) {
    int status;
    assert_int_equal(waitpid(children[i], &status, 0), children[i]);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  assert_installed("1.0");
  assert_int_equal(calls("-m venv"), 1);
}

static void names_are_checked(void **state) {
  (void)state;
  const char *names[] = {"fake", "../etc"};
  kt_assert_fault(kn_install(&(kn_install_request){.frameworks = names, .count = 2}), KN_INVALID_ARGUMENT, "../etc");
  names[1] = "fakes";
  kt_assert_fault(kn_install(&(kn_install_request){.frameworks = names, .count = 2}), KN_NOT_FOUND,
                  "did you mean 'fake'");
  assert_nothing_installed();
}

static const kn_symptom *find(const kn_examination *findings, const char *group, const char *name) {
  for (size_t i = 0; i < findings->count; i++)
    if (!strcmp(findings->items[i].group, group) && !strcmp(findings->items[i].name, name)) return &findings->items[i];
  fail_msg("no finding %s: %s", group, name);
  return NULL;
}

static void assert_health(const char *name, kn_health health, const char *part) {
  const char *const opener[] = {"sh", "-c", "if [ -e \"$0/mode/crash\" ]; then kill -SEGV $$; fi; echo 1.0",
                                world.directory, NULL};
  kn_examination findings;
  kt_assert_ok(kn_health_check(NULL, 0, opener, &findings));
  const kn_symptom *finding = find(&findings, "fake", name);
  assert_string_equal(kn_health_name(finding->health), kn_health_name(health));
  assert_non_null(strstr(finding->detail, part));
  assert_true((health == KN_HEALTH_OK) == !finding->command);
  assert_int_equal(find(&findings, "libraries", "libcrypto")->health, KN_HEALTH_OK);
  assert_int_equal(find(&findings, "programs", "gnuplot")->health, KN_HEALTH_MISSING);
  assert_string_equal(find(&findings, "programs", "gnuplot")->command, "apt-get install gnuplot-nox");
  assert_false(kn_examination_well(&findings));
  kn_examination_clear(&findings);
}

static void the_doctor_finds_what_is_wrong(void **state) {
  (void)state;
  write_manifest("library", false, environment_part);
  assert_health("installation", KN_HEALTH_MISSING, "run: kenning install fake");
  kt_assert_ok(install());
  assert_health("library", KN_HEALTH_OK, "version 1.0, opens");
  assert_health("more", KN_HEALTH_OK, "whole");
  assert_health("environment", KN_HEALTH_OK, "Python 3.11.2");
  write_mode("crash", true);
  assert_health("library", KN_HEALTH_DAMAGED, "signal 11");
  write_mode("crash", false);
  write_mode("changed", true);
  assert_health("environment", KN_HEALTH_DAMAGED, "not those that were installed");
  kn_installation installation;
  kt_assert_ok(kn_installation_read("fake", &installation));
  kt_file_write_text(installation.files[0].path, "librarx");
  assert_health("library", KN_HEALTH_DAMAGED, "not as it was installed");
  assert_int_equal(unlink(installation.files[0].path), 0);
  assert_health("library", KN_HEALTH_DAMAGED, "no such file");
  kt_assert_ok(kn_directory_remove(installation.environment.directory));
  assert_health("environment", KN_HEALTH_DAMAGED, "does not work");
  kn_installation_clear(&installation);
}

#define test(function) cmocka_unit_test_setup_teardown(function, make_world, remove_world)

int main(void) {
  const struct CMUnitTest tests[] = {
      test(installs_once),
      test(a_missing_file_is_installed_again),
      test(a_new_version_replaces_the_old),
      test(clients_that_fail),
      test(a_client_that_dies_halfway),
      test(another_file_than_the_manifest_knows),
      test(too_little_room),
      test(the_alternative_is_taken_without_its_client),
      test(the_first_choice_is_taken_with_its_client),
      test(the_alternative_is_taken_when_the_first_choice_fails),
      test(offline_takes_the_downloads),
      test(a_dry_run_changes_nothing),
      test(what_an_interrupted_run_left_is_removed),
      test(environments_are_made_and_kept),
      test(environments_that_cannot_be_made),
      test(cancelling_leaves_nothing),
      test(two_at_once_share_the_work),
      test(names_are_checked),
      test(the_doctor_finds_what_is_wrong),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
