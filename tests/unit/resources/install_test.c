/* Installations of libraries: what is fetched, when, and what is left when something fails. */
#include "core/file.h"
#include "core/log.h"
#include "support/directory.h"
#include "support/status.h"
#include "unit/resources/fake_clients.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "resources/installation.h"

static void installs_once(void **state) {
  (void)state;
  kt_assert_ok(kt_fake_install());
  kt_fake_assert_installed("1.0");
  assert_int_equal(kt_fake_calls("pip download"), 1);
  kt_assert_ok(kt_fake_install());
  assert_int_equal(kt_fake_calls(""), 0); /* nobody was asked anything */
  /* What was downloaded serves again. */
  kt_assert_ok(kt_fake_install_as((kn_install_request){.force = true}));
  assert_int_equal(kt_fake_calls("pip download"), 0);
  kt_fake_assert_installed("1.0");
}

static void a_missing_file_is_installed_again(void **state) {
  (void)state;
  kt_assert_ok(kt_fake_install());
  kn_installation installation;
  kt_assert_ok(kn_installation_read("fake", &installation));
  assert_int_equal(truncate(installation.files[0].path, 3), 0);
  kn_installation_clear(&installation);
  kt_assert_ok(kt_fake_install());
  kt_fake_assert_installed("1.0");
}

static void a_new_version_replaces_the_old(void **state) {
  (void)state;
  kt_assert_ok(kt_fake_install());
  kt_fake_archive("registry/fake_engine-1.0-py3-none-any.whl", "new library");
  kt_fake_manifest("new library", false, "");
  char *downloads = kt_world_path(&kt_fake_world, "cache/downloads");
  kt_assert_ok(kn_directory_remove(downloads));
  free(downloads);
  kt_assert_ok(kt_fake_install());
  kt_fake_assert_installed("1.0");
}

static void clients_that_fail(void **state) {
  (void)state;
  kt_fake_mode("fail", true);
  kt_assert_fault(kt_fake_install(), KN_BACKEND_FAILED, "No matching distribution found");
  assert_int_equal(kt_fake_calls("pip download"), 3); /* transfers break, so it is tried again */
  kt_fake_assert_nothing();
  kt_fake_mode("fail", false);
  kt_fake_mode("full", true);
  kt_assert_fault(kt_fake_install(), KN_IO_ERROR, "the disk is full");
  assert_int_equal(kt_fake_calls("pip download"), 1);
  kt_fake_assert_nothing();
}

static void a_client_that_dies_halfway(void **state) {
  (void)state;
  kt_fake_mode("die", true); /* once: the second attempt finds the half file */
  kt_assert_ok(kt_fake_install());
  kt_fake_assert_installed("1.0");
  char *half = kt_world_path(&kt_fake_world, "cache/downloads/pip/fake_engine-1.0-py3-none-any.whl");
  kt_assert_ok(kt_fake_install());
  kt_file_write_text(half, "half of a wheel");
  kt_assert_fault(kt_fake_install_as((kn_install_request){.force = true, .offline = true}), KN_BACKEND_FAILED,
                  "is damaged");
  kt_fake_assert_installed("1.0"); /* what was there stays */
  kt_file_write_text(half, "half of a wheel");
  kt_assert_ok(kt_fake_install_as((kn_install_request){.force = true}));
  kt_fake_assert_installed("1.0");
  free(half);
}

static void another_file_than_the_manifest_knows(void **state) {
  (void)state;
  kt_fake_archive("registry/fake_engine-1.0-py3-none-any.whl", "libraru");
  kt_assert_fault(kt_fake_install(), KN_BACKEND_FAILED, "is not the file that was tested");
  kt_fake_assert_nothing();
  assert_int_equal(kt_world_entries(&kt_fake_world, "cache/downloads/pip"), 0);
}

static void too_little_room(void **state) {
  (void)state;
  kt_fake_manifest("library", false,
                   ", \"environment\": {\"name\": \"tools\", \"python_packages\": [\"a==1\"], \"wheels\": "
                   "[\"a-1-py3-none-any.whl=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"], "
                   "\"download_bytes\": 1000, \"disk_bytes\": 1000000000000}");
  kt_assert_fault(kt_fake_install(), KN_IO_ERROR, "1000000 MB are needed");
  assert_int_equal(kt_fake_calls("download"), 0);
  kt_fake_assert_nothing();
}

static void the_alternative_is_taken_without_its_client(void **state) {
  (void)state;
  kt_fake_manifest("library", true, "");
  kt_assert_ok(kt_fake_install());
  kt_fake_assert_installed("1.0");
  kt_fake_mode("no-pip", true);
  kt_fake_calls("");
  char *downloads = kt_world_path(&kt_fake_world, "cache/downloads");
  kt_assert_ok(kn_directory_remove(downloads));
  free(downloads);
  kt_assert_fault(kt_fake_install_as((kn_install_request){.force = true}), KN_NOT_INSTALLED,
                  "the Maven client mvn is missing; on Debian: apt-get install maven");
  kt_fake_assert_installed("1.0");
}

static void the_first_choice_is_taken_with_its_client(void **state) {
  (void)state;
  kt_fake_mvn();
  kt_fake_manifest("library", true, "");
  kt_assert_ok(kt_fake_install());
  kt_fake_assert_installed("2.0");
  assert_int_equal(kt_fake_calls("mvn -B dependency:get -Dtransitive=false -Dartifact=org.fake:engine:2.0:jar:linux"),
                   1);
}

/* Java does not look at SSL_CERT_FILE: what it names is handed to Maven as a trust store when nothing else helps. */
static void maven_is_told_the_certificates_of_the_user(void **state) {
  (void)state;
  char *bundle = kt_world_path(&kt_fake_world, "bundle.pem"), *trusted = kt_world_path(&kt_fake_world, "trusted");
  kt_fake_mvn();
  kt_fake_manifest("library", true, "");
  kt_fake_mode("mvn-distrusts", true);
  kt_world_write(&kt_fake_world, "bundle.pem",
                 "a comment\n-----BEGIN CERTIFICATE-----\nQUJDREVG\n-----END CERTIFICATE-----\n");
  setenv("SSL_CERT_FILE", bundle, 1);
  kt_assert_ok(kt_fake_install());
  unsetenv("SSL_CERT_FILE");
  kt_fake_assert_installed("2.0");
  assert_int_equal(kt_fake_calls("mvn"), 2);
  size_t bytes;
  char *store = kt_file_read(trusted, &bytes);
  assert_memory_equal(store,
                      "\xfe\xed\xfe\xed\0\0\0\2\0\0\0\1\0\0\0\2\0\x0d"
                      "certificate-0",
                      31);
  assert_memory_equal(store + 39,
                      "\0\5X.509\0\0\0\6"
                      "ABCDEF",
                      17);
  assert_int_equal(bytes, 39 + 17 + 20);
  free(store);
  char *left = kt_world_path(&kt_fake_world, "cache/downloads/maven-trust.jks");
  assert_false(kn_file_exists(left, NULL));
  free(left);
  free(trusted);
  free(bundle);
}

static void the_alternative_is_taken_when_the_first_choice_fails(void **state) {
  (void)state;
  kt_fake_mvn();
  kt_fake_mode("mvn-fails", true);
  kt_fake_manifest("library", true, "");
  kt_assert_ok(kt_fake_install());
  kt_fake_assert_installed("1.0");
  assert_int_equal(kt_fake_calls("mvn"), 3);
  /* Without another way the failure stands, in its first words. */
  char *wheels = kt_world_path(&kt_fake_world, "cache/downloads/pip");
  kt_assert_ok(kn_directory_remove(wheels));
  free(wheels);
  kt_fake_mode("no-pip", true);
  kt_fake_mode("fail", true);
  kt_assert_fault(kt_fake_install_as((kn_install_request){.force = true}), KN_NOT_INSTALLED, "pip is missing");
  kt_fake_mode("no-pip", false);
  kt_assert_fault(kt_fake_install_as((kn_install_request){.force = true}), KN_BACKEND_FAILED,
                  "No matching distribution");
  kt_fake_assert_installed("1.0");
}

static void offline_takes_the_downloads(void **state) {
  (void)state;
  kt_assert_fault(kt_fake_install_as((kn_install_request){.offline = true}), KN_NOT_FOUND,
                  "is not among the downloads");
  kt_assert_ok(kt_fake_install());
  kt_fake_calls("");
  kt_assert_ok(kt_fake_install_as((kn_install_request){.offline = true, .force = true}));
  assert_int_equal(kt_fake_calls("pip download"), 0);
}

static void a_dry_run_changes_nothing(void **state) {
  (void)state;
  kt_fake_manifest("library", false, kt_fake_environment);
  kt_assert_ok(kt_fake_install_as((kn_install_request){.dry_run = true}));
  kt_fake_assert_nothing();
  assert_int_equal(kt_world_entries(&kt_fake_world, "data"), 0);
  assert_int_equal(kt_world_entries(&kt_fake_world, "cache"), 0);
}

static void what_an_interrupted_run_left_is_removed(void **state) {
  (void)state;
  kt_world_write(&kt_fake_world, "data/fake/1.0-abc.new-12/libfake.so", "half");
  kt_world_write(&kt_fake_world, "data/environments/tools-abc.new-12/bin/python3", "half");
  kt_world_write(&kt_fake_world, "data/environments/unused-abc/bin/python3", "old");
  kt_world_write(&kt_fake_world, "cache/downloads/tmp-999999999/pip-unpack/half", "half"); /* no such process */
  kt_fake_manifest("library", false, kt_fake_environment);
  kt_assert_ok(kt_fake_install());
  kt_fake_assert_installed("1.0");
  assert_int_equal(kt_world_entries(&kt_fake_world, "data/environments"), 1);
  assert_int_equal(kt_world_entries(&kt_fake_world, "cache/downloads"), 1); /* the wheels */
}

typedef struct straggler {
  char *directory;
  atomic_bool end;
} straggler;

/* As a program of an installation that was killed does, until it ends. */
static void *go_on_writing(void *argument) {
  straggler *s = argument;
  for (int i = 0; !atomic_load(&s->end); i++) {
    char path[600];
    snprintf(path, sizeof path, "%s/%d", s->directory, i);
    (void)mkdir(s->directory, 0700);
    FILE *file = fopen(path, "we");
    if (file) (void)fclose(file);
  }
  return NULL;
}

static void what_is_still_written_into_is_left(void **state) {
  (void)state;
  kt_fake_manifest("library", false, kt_fake_environment);
  kt_world_write(&kt_fake_world, "data/fake/1.0-abc.new-12/libfake.so", "half");
  straggler s = {.directory = kt_world_path(&kt_fake_world, "data/fake/1.0-abc.new-12")};
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, go_on_writing, &s), 0);
  kn_status status = kt_fake_install();
  atomic_store(&s.end, true);
  assert_int_equal(pthread_join(thread, NULL), 0);
  kt_assert_ok(status);
  char *lock = kt_world_path(&kt_fake_world, "data/fake/lock.json");
  assert_int_equal(access(lock, R_OK), 0);
  free(lock);
  free(s.directory);
}

static void *cancel_soon(void *argument) {
  (void)argument;
  usleep(400000);
  kn_cancel();
  return NULL;
}

static void cancelling_leaves_nothing(void **state) {
  (void)state;
  kt_fake_mode("hang", true);
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, cancel_soon, NULL), 0);
  kn_status status = kt_fake_install();
  assert_int_equal(pthread_join(thread, NULL), 0);
  kn_cancel_reset();
  kt_assert_fault(status, KN_CANCELLED, NULL);
  kt_fake_assert_nothing();
  assert_int_equal(kt_world_entries(&kt_fake_world, "cache/downloads"), 1); /* the empty directory of wheels */
  kt_fake_mode("hang", false);
  kt_assert_ok(kt_fake_install());
  kt_fake_assert_installed("1.0");
}

static void two_at_once_share_the_work(void **state) {
  (void)state;
  kt_fake_manifest("library", false, kt_fake_environment);
  pid_t children[2];
  fflush(NULL);
  for (int i = 0; i < 2; i++) {
    children[i] = fork();
    if (children[i] == 0) {
      kn_status status = kt_fake_install();
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
  kt_fake_assert_installed("1.0");
  assert_int_equal(kt_fake_calls("-m venv"), 1);
}

static void names_are_checked(void **state) {
  (void)state;
  const char *names[] = {"fake", "../etc"};
  kt_assert_fault(kn_install(&(kn_install_request){.frameworks = names, .count = 2}), KN_INVALID_ARGUMENT, "../etc");
  names[1] = "fakes";
  kt_assert_fault(kn_install(&(kn_install_request){.frameworks = names, .count = 2}), KN_NOT_FOUND,
                  "did you mean 'fake'");
  kt_fake_assert_nothing();
}

#define test(function) cmocka_unit_test_setup_teardown(function, kt_fake_setup, kt_fake_teardown)

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
      test(maven_is_told_the_certificates_of_the_user),
      test(the_alternative_is_taken_when_the_first_choice_fails),
      test(offline_takes_the_downloads),
      test(a_dry_run_changes_nothing),
      test(what_an_interrupted_run_left_is_removed),
      test(what_is_still_written_into_is_left),
      test(cancelling_leaves_nothing),
      test(two_at_once_share_the_work),
      test(names_are_checked),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
