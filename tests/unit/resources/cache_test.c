#include "core/file.h"
#include "core/memory.h"
#include "support/directory.h"
#include "support/status.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char *directory, *work; /* the cache is directory/cache */

static int make_cache(void **state) {
  (void)state;
  directory = kt_directory_make();
  work = kt_path(directory, "work");
  char *cache = kt_path(directory, "cache");
  kt_assert_ok(kn_directory_make(work));
  setenv("KENNING_CACHE_DIR", cache, 1);
  unsetenv("KENNING_CACHE_LIMIT");
  free(cache);
  return 0;
}

static int remove_cache(void **state) {
  (void)state;
  free(work);
  kt_directory_remove(directory);
  return 0;
}

static void store(const char *key, const char *text) {
  char *path = kt_path(work, "source");
  kt_file_write_text(path, text);
  kt_assert_ok(kn_cache_store(key, path));
  free(path);
}

/* The cached text, NULL on a miss. */
static char *lookup(const char *key) {
  char *path = kt_path(work, "copy");
  bool hit = true;
  (void)unlink(path);
  kt_assert_ok(kn_cache_lookup(key, path, &hit));
  assert_true(hit == kn_file_exists(path, NULL));
  char *text = hit ? kt_file_read(path, NULL) : NULL;
  free(path);
  return text;
}

static void assert_cached(const char *key, const char *expected) {
  char *text = lookup(key);
  assert_non_null(text);
  assert_string_equal(text, expected);
  free(text);
}

static void assert_missed(const char *key) {
  char *text = lookup(key);
  assert_null(text);
}

/* The only entry of the cache; free with free(). */
static char *only_entry(void) {
  char *results = kt_path(directory, "cache/results"), *found = NULL;
  DIR *top = opendir(results);
  assert_non_null(top);
  for (struct dirent *sub; (sub = readdir(top));) {
    if (strlen(sub->d_name) != 2 || *sub->d_name == '.') continue;
    char *path = kt_path(results, sub->d_name);
    DIR *listing = opendir(path);
    assert_non_null(listing);
    for (struct dirent *entry; (entry = readdir(listing));) {
      if (*entry->d_name == '.') continue;
      assert_null(found);
      found = kt_path(path, entry->d_name);
    }
    closedir(listing);
    free(path);
  }
  closedir(top);
  free(results);
  return found;
}

static void misses_then_hits(void **state) {
  (void)state;
  assert_missed("key");
  store("key", "value");
  assert_cached("key", "value");
  assert_missed("key2");
  assert_missed("");
  store("", "of the empty key");
  assert_cached("", "of the empty key");
  assert_cached("key", "value");
}

static void storing_again_replaces(void **state) {
  (void)state;
  store("key", "first");
  store("key", "second");
  assert_cached("key", "second");
  store("key", "second");
  free(only_entry());
}

static void a_damaged_entry_is_a_miss_and_goes(void **state) {
  (void)state;
  store("key", "value");
  char *entry = only_entry();
  assert_non_null(entry);
  kt_file_write_text(entry, "valve");
  assert_missed("key");
  assert_false(kn_file_exists(entry, NULL));
  free(entry);
  store("key", "value");
  entry = only_entry();
  assert_int_equal(truncate(entry, 2), 0);
  assert_missed("key");
  assert_false(kn_file_exists(entry, NULL));
  free(entry);
}

static void what_is_unused_for_longest_goes_first(void **state) {
  (void)state;
  setenv("KENNING_CACHE_LIMIT", "25", 1);
  store("a", "1234567890");
  usleep(20000);
  store("b", "1234567890");
  usleep(20000);
  assert_cached("a", "1234567890"); /* used again: b is older now */
  usleep(20000);
  store("c", "1234567890");
  assert_missed("b");
  assert_cached("a", "1234567890");
  assert_cached("c", "1234567890");
}

static void what_is_larger_than_the_cache_is_not_kept(void **state) {
  (void)state;
  setenv("KENNING_CACHE_LIMIT", "4", 1);
  store("key", "12345");
  assert_missed("key");
  store("key", "1234");
  assert_cached("key", "1234");
  setenv("KENNING_CACHE_LIMIT", "0", 1);
  store("other", "1");
  assert_missed("other");
}

static void limits_are_checked(void **state) {
  (void)state;
  char *path = kt_path(work, "source");
  kt_file_write_text(path, "x");
  static const char *const wrong[] = {"many", "-1", "5X", "5GG", "99999999999999999999", "20000000000G", " "};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    setenv("KENNING_CACHE_LIMIT", wrong[i], 1);
    kt_assert_fault(kn_cache_store("key", path), KN_INVALID_ARGUMENT, "KENNING_CACHE_LIMIT");
  }
  static const char *const right[] = {"1", "1K", "500M", "2G", ""};
  for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
    setenv("KENNING_CACHE_LIMIT", right[i], 1);
    kt_assert_ok(kn_cache_store("key", path));
  }
  free(path);
}

static void faults_of_the_places(void **state) {
  (void)state;
  bool hit;
  char *source = kt_path(work, "source"), *none = kt_path(work, "none");
  kt_file_write_text(source, "x");
  kt_assert_fault(kn_cache_store("key", none), KN_NOT_FOUND, "none");
  store("key", "value");
  kt_assert_fault(kn_cache_lookup("key", work, &hit), KN_INVALID_ARGUMENT, "is a directory: name a file in it");
  assert_false(hit);
  setenv("KENNING_CACHE_DIR", source, 1); /* a file */
  kt_assert_fault(kn_cache_store("key", source), KN_IO_ERROR, "Not a directory");
  kt_assert_ok(kn_cache_lookup("key", none, &hit));
  assert_false(hit);
  free(none);
  free(source);
}

typedef struct worker {
  int number;
  int hits, wrong, faults;
} worker;

static void *work_on_cache(void *argument) {
  worker *w = argument;
  char source[600], copy[600], text[64];
  snprintf(source, sizeof source, "%s/source-%d", work, w->number);
  snprintf(copy, sizeof copy, "%s/copy-%d", work, w->number);
  for (int i = 0; i < 15; i++) {
    char key[32];
    snprintf(key, sizeof key, "key-%d", i % 5);
    snprintf(text, sizeof text, "value of key-%d", i % 5);
    FILE *file = fopen(source, "w");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0) {
      w->faults++;
      return NULL;
    }
    bool hit = false;
    kn_status status = kn_cache_store(key, source);
    if (!status) status = kn_cache_lookup(key, copy, &hit);
    if (status) w->faults++;
    kn_status_free(status);
    if (!hit) continue;
    char *data;
    size_t bytes;
    status = kn_file_read(copy, 0, &data, &bytes);
    w->hits++;
    if (status || strcmp(data, text) != 0) w->wrong++;
    kn_status_free(status);
    kn_free(data);
  }
  return NULL;
}

/* Several runs share the cache while little room makes them evict each other's entries. */
static void many_at_once(void **state) {
  (void)state;
  setenv("KENNING_CACHE_LIMIT", "40", 1);
  worker workers[4] = {{0}};
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) {
    workers[i].number = i;
    assert_int_equal(pthread_create(&threads[i], NULL, work_on_cache, &workers[i]), 0);
  }
  int hits = 0;
  for (int i = 0; i < 4; i++) {
    assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(workers[i].faults, 0);
    assert_int_equal(workers[i].wrong, 0);
    hits += workers[i].hits;
  }
  assert_true(hits > 0);
}

static void failing_allocations(void **state) {
  (void)state;
  char *source = kt_path(work, "source"), *copy = kt_path(work, "copy");
  kt_file_write_text(source, "value");
  kn_status status = NULL;
  uint64_t allowed = 0;
  bool hit;
  do {
    kn_status_free(status);
    kn_memory_fail_after(allowed++);
    status = kn_cache_store("key", source);
    if (!status) status = kn_cache_lookup("key", copy, &hit);
    kn_memory_fail_after(UINT64_MAX);
    assert_true(!status || kn_status_code(status) == KN_OUT_OF_MEMORY);
  } while (status);
  assert_true(hit && allowed > 10);
  free(only_entry());
  free(copy);
  free(source);
}

#define test(function) cmocka_unit_test_setup_teardown(function, make_cache, remove_cache)

int main(void) {
  const struct CMUnitTest tests[] = {
      test(misses_then_hits),
      test(storing_again_replaces),
      test(a_damaged_entry_is_a_miss_and_goes),
      test(what_is_unused_for_longest_goes_first),
      test(what_is_larger_than_the_cache_is_not_kept),
      test(limits_are_checked),
      test(faults_of_the_places),
      test(many_at_once),
      test(failing_allocations),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
