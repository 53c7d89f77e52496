#include <kenning/resource.h>

#include "core/file.h"
#include "core/memory.h"
#include "resources/store.h"
#include "support/directory.h"
#include "support/http_server.h"
#include "support/status.h"
#include "unit/resources/data_directories.h"
#include "unit/resources/tar_writer.h"

#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char *served;
static kt_http_server *server;
static kt_world world;

static int start(void **state) {
  (void)state;
  served = kt_directory_make();
  char *models = kt_path(served, "models");
  kt_assert_ok(kn_directory_make(models));
  static const char *const names[] = {"one.h5", "two.h5", "same.h5"};
  static const char *const texts[] = {"model one", "model two", "model one"};
  for (size_t i = 0; i < 3; i++) {
    char *path = kt_path(models, names[i]);
    kt_file_write_text(path, texts[i]);
    free(path);
  }
  char *set = kt_path(served, "set.tar.gz");
  kt_tar_write(set, (const kt_tar_entry[]){{.name = "cat/1.txt", .type = '0', .content = "1"}, {.name = NULL}});
  free(set);
  free(models);
  server = kt_http_server_start(served);
  return 0;
}

static int stop(void **state) {
  (void)state;
  kt_http_server_stop(server);
  kt_directory_remove(served);
  return 0;
}

static int make_world(void **state) {
  (void)state;
  world = kt_world_make();
  unsetenv("KENNING_OFFLINE");
  unsetenv("KENNING_RESOURCES_URI");
  unsetenv("KENNING_MAX_CACHE_SIZE");
  kn_resource_configure(&(kn_resource_settings){0});
  free(kt_http_server_requests(server));
  return 0;
}

static int remove_world(void **state) {
  (void)state;
  kt_world_remove(&world);
  return 0;
}

static void assert_fetched(const char *text, const char *content, const char *name) {
  char *path;
  kt_assert_ok(kn_resource_fetch(text, &path));
  char *got = kt_file_read(path, NULL);
  assert_string_equal(got, content);
  assert_string_equal(strrchr(path, '/') + 1, name);
  free(got);
  kn_free(path);
}

static void refuse(const char *text, kn_code code, const char *message) {
  char *path;
  kt_assert_fault(kn_resource_fetch(text, &path), code, message);
  assert_null(path);
}

static void assert_requests(const char *expected) {
  char *text = kt_http_server_requests(server);
  assert_string_equal(text, expected);
  free(text);
}

static void local_paths_stay(void **state) {
  (void)state;
  static const char *const cases[][2] = {
      {"build/model.h5", "build/model.h5"}, {"/a b/c", "/a b/c"},         {"", ""},
      {"file:///a%20b/c", "/a b/c"},        {"FILE://localhost/c", "/c"}, {"./http://x", "./http://x"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *path;
    kt_assert_ok(kn_resource_fetch(cases[i][0], &path));
    assert_string_equal(path, cases[i][1]);
    assert_false(kn_resource_is_remote(cases[i][0]));
    kn_free(path);
  }
}

static void wrong_uris_are_refused(void **state) {
  (void)state;
  refuse("file://host/a", KN_INVALID_ARGUMENT, "absolute path");
  refuse("file:///a%2", KN_INVALID_ARGUMENT, "hexadecimal");
  refuse("file:///a%00b", KN_INVALID_ARGUMENT, "hexadecimal");
  refuse("ftp://host/a", KN_INVALID_ARGUMENT, "file, https, http and kenning");
  refuse("kenning://models/a", KN_INVALID_ARGUMENT, "three slashes");
  refuse("http://host/a#md5=00", KN_INVALID_ARGUMENT, "sha256=");
  refuse("http://host/a#sha256=00", KN_INVALID_ARGUMENT, "sha256=");
}

static void a_download_is_asked_for_once(void **state) {
  (void)state;
  char *uri = kt_http_server_uri(server, "models/one.h5?version=1");
  assert_true(kn_resource_is_remote(uri));
  assert_fetched(uri, "model one", "one.h5");
  assert_fetched(uri, "model one", "one.h5");
  assert_requests("/models/one.h5 -\n");
  /* Nobody is asked offline. */
  setenv("KENNING_OFFLINE", "1", 1);
  assert_fetched(uri, "model one", "one.h5");
  free(uri);
  uri = kt_http_server_uri(server, "models/two.h5");
  refuse(uri, KN_NOT_FOUND, "offline");
  unsetenv("KENNING_OFFLINE");
  kn_resource_configure(&(kn_resource_settings){.offline = true});
  refuse(uri, KN_NOT_FOUND, "offline");
  assert_requests("");
  free(uri);
}

static void *fetch_it(void *uri) {
  char *path = NULL;
  kn_status status = kn_resource_fetch(uri, &path);
  kn_free(path);
  return status;
}

static void many_at_once_download_once(void **state) {
  (void)state;
  enum { THREADS = 6 };
  pthread_t threads[THREADS];
  char *uri = kt_http_server_uri(server, "models/one.h5?fail=1&many=1");
  for (size_t i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, fetch_it, uri), 0);
  for (size_t i = 0; i < THREADS; i++) {
    void *status;
    assert_int_equal(pthread_join(threads[i], &status), 0);
    kt_assert_ok(status);
  }
  assert_requests("/models/one.h5 -\n/models/one.h5 -\n"); /* the first got 503 */
  free(uri);
}

static void the_base_uri_is_configurable(void **state) {
  (void)state;
  char *base = kt_http_server_uri(server, "");
  setenv("KENNING_RESOURCES_URI", base, 1);
  assert_fetched("kenning:///models/two.h5", "model two", "two.h5");
  kn_resource_configure(&(kn_resource_settings){.base_uri = "http://127.0.0.1:1/"});
  setenv("KENNING_OFFLINE", "1", 1);
  refuse("kenning:///models/two.h5", KN_NOT_FOUND, "http://127.0.0.1:1/models/two.h5");
  kn_resource_configure(&(kn_resource_settings){.base_uri = "/srv"});
  refuse("kenning:///models/two.h5", KN_INVALID_ARGUMENT, "the base of kenning:///");
  kn_resource_configure(&(kn_resource_settings){.base_uri = "file:///srv/a%20b/"});
  char *path;
  kt_assert_ok(kn_resource_fetch("kenning:///models/two.h5", &path));
  assert_string_equal(path, "/srv/a b/models/two.h5");
  kn_free(path);
  free(base);
}

static void a_wrong_sum_is_refused(void **state) {
  (void)state;
  char sum[65], *uri = kt_http_server_uri(server, "models/one.h5"), *right, *wrong;
  kt_assert_ok(kn_sha256("model one", 9, sum));
  right = kn_format("%s#sha256=%s", uri, sum);
  sum[5] = sum[5] == '0' ? '1' : '0';
  wrong = kn_format("%s#sha256=%s", uri, sum);
  refuse(wrong, KN_BAD_DATA, "is not what it should be");
  assert_fetched(right, "model one", "one.h5");
  refuse(wrong, KN_BAD_DATA, "is not what it should be");
  assert_fetched(right, "model one", "one.h5");
  free(uri);
  kn_free(right);
  kn_free(wrong);
}

static void damage_is_noticed(void **state) {
  (void)state;
  char *uri = kt_http_server_uri(server, "models/one.h5"), *path;
  kt_assert_ok(kn_resource_fetch(uri, &path));
  struct stat found;
  assert_int_equal(stat(path, &found), 0);
  assert_int_equal(found.st_mode & 0777, 0444);
  assert_int_equal(chmod(path, 0644), 0);
  kt_file_write_text(path, "model 0ne");
  assert_fetched(uri, "model one", "one.h5");
  assert_requests("/models/one.h5 -\n/models/one.h5 -\n");
  kn_free(path);
  free(uri);
}

/* What another version, or somebody's hand, left in the places of the cache is not taken for an entry. */
static void strange_caches_are_survived(void **state) {
  (void)state;
  char *uri = kt_http_server_uri(server, "models/one.h5"), hash[65];
  kt_assert_ok(kn_sha256(uri, strlen(uri), hash));
  char *link = kn_format("cache/resources/uri/%s/file/one.h5", hash),
       *dangling = kn_format("%s/%s", world.directory, link);
  kt_world_write(&world, link, "no link");
  kt_world_write(&world, "cache/resources/uri/strange", "a file");
  kt_world_write(&world, "cache/resources/content/strange", "a file");
  assert_fetched(uri, "model one", "one.h5");
  assert_int_equal(unlink(dangling), 0);
  assert_int_equal(symlink("../../../content/../../../../etc/passwd", dangling), 0);
  assert_fetched(uri, "model one", "one.h5");
  assert_requests("/models/one.h5 -\n/models/one.h5 -\n");
  kn_stored_list list;
  kt_assert_ok(kn_store_list(&list));
  assert_int_equal(list.count, 1);
  kn_stored_list_clear(&list);
  kn_free(dangling);
  kn_free(link);
  free(uri);
}

static void equal_contents_are_kept_once(void **state) {
  (void)state;
  char *one = kt_http_server_uri(server, "models/one.h5"), *same = kt_http_server_uri(server, "models/same.h5");
  assert_fetched(one, "model one", "one.h5");
  assert_fetched(same, "model one", "same.h5");
  assert_int_equal(kt_world_entries(&world, "cache/resources/content"), 1);
  kn_stored_list list;
  kt_assert_ok(kn_store_list(&list));
  assert_int_equal(list.count, 2);
  assert_string_equal(list.items[0].uri, one);
  assert_int_equal(list.items[0].bytes, 9);
  kn_stored_list_clear(&list);
  kt_assert_ok(kn_resource_forget(one));
  kt_assert_fault(kn_resource_forget(one), KN_NOT_FOUND, "kenning cache list");
  setenv("KENNING_OFFLINE", "1", 1);
  refuse(one, KN_NOT_FOUND, "offline");
  assert_fetched(same, "model one", "same.h5");
  unsetenv("KENNING_OFFLINE");
  kt_assert_ok(kn_resource_forget(same));
  assert_int_equal(kt_world_entries(&world, "cache/resources/content"), 0);
  free(same);
  free(one);
}

/* In a process of its own, as an earlier run. */
static void fetch_earlier(const char *uri) {
  pid_t child = fork();
  if (!child) {
    char *path;
    kn_status status = kn_resource_fetch(uri, &path);
    _exit(status ? 1 : 0);
  }
  int status = 1;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
}

static void the_oldest_leave_first(void **state) {
  (void)state;
  char *one = kt_http_server_uri(server, "models/one.h5"), *two = kt_http_server_uri(server, "models/two.h5");
  fetch_earlier(one);
  setenv("KENNING_MAX_CACHE_SIZE", "17", 1);
  assert_fetched(two, "model two", "two.h5");
  setenv("KENNING_OFFLINE", "1", 1);
  refuse(one, KN_NOT_FOUND, "offline");
  assert_fetched(two, "model two", "two.h5");
  setenv("KENNING_MAX_CACHE_SIZE", "much", 1);
  unsetenv("KENNING_OFFLINE");
  refuse(one, KN_INVALID_ARGUMENT, "KENNING_MAX_CACHE_SIZE");
  free(two);
  free(one);
}

/* What somebody has been told the path of stays there, even if that is more than the limit. */
static void what_a_run_uses_stays(void **state) {
  (void)state;
  char *one = kt_http_server_uri(server, "models/one.h5"), *two = kt_http_server_uri(server, "models/two.h5"),
       *set = kt_http_server_uri(server, "set.tar.gz"), *directory, *file;
  fetch_earlier(one);
  assert_fetched(one, "model one", "one.h5");
  setenv("KENNING_MAX_CACHE_SIZE", "1", 1);
  assert_fetched(two, "model two", "two.h5");
  kt_assert_ok(kn_resource_fetch_directory(set, &directory));
  setenv("KENNING_OFFLINE", "1", 1);
  assert_fetched(one, "model one", "one.h5");
  assert_fetched(two, "model two", "two.h5");
  file = kt_path(directory, "cat/1.txt");
  assert_int_equal(access(file, F_OK), 0);
  free(file);
  kn_free(directory);
  free(set);
  free(two);
  free(one);
}

static bool has_specification(const char *uri) {
  char *path;
  kt_assert_ok(kn_resource_fetch_model(uri, &path));
  char *beside = kn_format("%s.json", path);
  bool there = kn_file_exists(beside, NULL);
  kn_free(beside);
  kn_free(path);
  return there;
}

static void a_specification_is_asked_for_until_it_is_known(void **state) {
  (void)state;
  char *models = kt_path(served, "models"), *spec = kt_path(models, "one.h5.json");
  kt_file_write_text(spec, "{}");
  char *denied = kt_http_server_uri(server, "models/one.h5?json=403"),
       *two = kt_http_server_uri(server, "models/two.h5");
  setenv("KENNING_MAX_CACHE_SIZE", "9", 1); /* the specification does not take the model's place */
  assert_false(has_specification(denied));
  setenv("KENNING_OFFLINE", "1", 1);
  assert_false(has_specification(denied));
  unsetenv("KENNING_OFFLINE");
  for (int i = 0; i < 2; i++) assert_true(has_specification(denied));
  assert_requests("/models/one.h5 -\n/models/one.h5.json -\n/models/one.h5.json -\n");
  for (int i = 0; i < 2; i++) assert_false(has_specification(two)); /* the server has none */
  assert_requests("/models/two.h5 -\n/models/two.h5.json -\n");
  unlink(spec);
  free(two);
  free(denied);
  free(spec);
  free(models);
}

static void a_model_brings_its_specification(void **state) {
  (void)state;
  char *models = kt_path(served, "models"), *spec = kt_path(models, "one.h5.json");
  kt_file_write_text(spec, "{}");
  char *one = kt_http_server_uri(server, "models/one.h5?v=2"), *two = kt_http_server_uri(server, "models/two.h5");
  for (int i = 0; i < 2; i++) { /* the second time offline */
    char *path;
    kt_assert_ok(kn_resource_fetch_model(one, &path));
    char *beside = kn_format("%s.json", path), *text = kt_file_read(beside, NULL);
    assert_string_equal(text, "{}");
    free(text);
    kn_free(beside);
    kn_free(path);
    kt_assert_ok(kn_resource_fetch_model(two, &path));
    beside = kn_format("%s.json", path);
    assert_false(kn_file_exists(beside, NULL));
    kn_free(beside);
    kn_free(path);
    setenv("KENNING_OFFLINE", "1", 1);
  }
  assert_requests("/models/one.h5 -\n/models/one.h5.json -\n/models/two.h5 -\n/models/two.h5.json -\n");
  unlink(spec);
  free(two);
  free(one);
  free(spec);
  free(models);
}

static void a_remote_directory_is_unpacked(void **state) {
  (void)state;
  char *uri = kt_http_server_uri(server, "set.tar.gz"), *directory, *again;
  kt_assert_ok(kn_resource_fetch_directory(uri, &directory));
  char *file = kt_path(directory, "cat/1.txt"), *text = kt_file_read(file, NULL);
  assert_string_equal(text, "1");
  kt_assert_ok(kn_resource_fetch_directory(uri, &again));
  assert_string_equal(directory, again);
  kn_free(again);
  kn_free(directory);
  kt_assert_ok(kn_resource_fetch_directory("here/there", &directory));
  assert_string_equal(directory, "here/there");
  kn_free(directory);
  free(uri);
  uri = kt_http_server_uri(server, "models/one.h5");
  kt_assert_fault(kn_resource_fetch_directory(uri, &directory), KN_BAD_DATA, "one.h5");
  free(text);
  free(file);
  free(uri);
}

static void *fetch_directory(void *uri) {
  char *path = NULL;
  kn_status status = kn_resource_fetch_directory(uri, &path);
  kn_free(path);
  return status;
}

/* From as many URIs: one waits until another has unpacked it. */
static void one_archive_is_unpacked_once(void **state) {
  (void)state;
  enum { THREADS = 6 };
  pthread_t threads[THREADS];
  char *uris[THREADS];
  for (size_t i = 0; i < THREADS; i++) {
    char name[32];
    snprintf(name, sizeof name, "set.tar.gz?from=%zu", i);
    uris[i] = kt_http_server_uri(server, name);
    fetch_earlier(uris[i]); /* so that they unpack at the same time */
  }
  for (size_t i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, fetch_directory, uris[i]), 0);
  for (size_t i = 0; i < THREADS; i++) {
    void *status;
    assert_int_equal(pthread_join(threads[i], &status), 0);
    kt_assert_ok(status);
    free(uris[i]);
  }
}

/* Half of an archive does not stay in the cache for ever. */
static void a_damaged_archive_is_fetched_anew(void **state) {
  (void)state;
  char *whole_path = kt_path(served, "set.tar.gz"), *path = kt_path(served, "half.tar.gz"), *directory;
  char *uri = kt_http_server_uri(server, "half.tar.gz");
  size_t bytes;
  char *whole = kt_file_read(whole_path, &bytes);
  kt_file_write(path, whole, bytes / 2);
  kt_assert_fault(kn_resource_fetch_directory(uri, &directory), KN_BAD_DATA, "damaged or incomplete");
  assert_int_equal(kt_world_entries(&world, "cache/resources/tree"), 0);
  kt_file_write(path, whole, bytes);
  kt_assert_ok(kn_resource_fetch_directory(uri, &directory));
  kn_free(directory);
  assert_requests("/half.tar.gz -\n/half.tar.gz -\n");
  assert_int_equal(unlink(path), 0);
  free(whole);
  free(uri);
  free(path);
  free(whole_path);
}

static void failing_allocations_leave_no_part(void **state) {
  (void)state;
  char *uri = kt_http_server_uri(server, "models/one.h5"), *path;
  for (uint64_t allowed = 0;; allowed++) {
    kn_memory_fail_after(allowed);
    kn_status status = kn_resource_fetch(uri, &path);
    kn_memory_fail_after(UINT64_MAX);
    if (!status) {
      assert_true(allowed > 20);
      break;
    }
    kt_assert_fault(status, KN_OUT_OF_MEMORY, NULL);
    assert_null(path);
  }
  kn_free(path);
  assert_fetched(uri, "model one", "one.h5");
  free(uri);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_world, remove_world)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(local_paths_stay),
      TEST(wrong_uris_are_refused),
      TEST(a_download_is_asked_for_once),
      TEST(many_at_once_download_once),
      TEST(the_base_uri_is_configurable),
      TEST(a_wrong_sum_is_refused),
      TEST(damage_is_noticed),
      TEST(equal_contents_are_kept_once),
      TEST(strange_caches_are_survived),
      TEST(the_oldest_leave_first),
      TEST(what_a_run_uses_stays),
      TEST(one_archive_is_unpacked_once),
      TEST(a_specification_is_asked_for_until_it_is_known),
      TEST(a_remote_directory_is_unpacked),
      TEST(a_damaged_archive_is_fetched_anew),
      TEST(a_model_brings_its_specification),
      TEST(failing_allocations_leave_no_part),
  };
  return cmocka_run_group_tests(tests, start, stop);
}
