/* Productions: made once, judged always, whole or not at all. */
#include "core/file.h"
#include "core/memory.h"
#include "core/record_json.h"
#include "support/directory.h"
#include "support/program.h"
#include "support/status.h"

#include <kenning/production.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *directory, *result; /* the cache is directory/cache */

static int make_places(void **state) {
  (void)state;
  directory = kt_directory_make();
  result = kt_path(directory, "out/model.bin");
  char *cache = kt_path(directory, "cache");
  setenv("KENNING_CACHE_DIR", cache, 1);
  free(cache);
  return 0;
}

static int remove_places(void **state) {
  (void)state;
  free(result);
  kt_directory_remove(directory);
  return 0;
}

typedef struct worker {
  const char *content;
  bool with_companion, refuses, fails;
  int made, judged, published;
  char record[1024]; /* of the last production */
} worker;

static kn_status make(void *context, const char *path, kn_record *record) {
  worker *at = context;
  at->made++;
  char *more = kn_format("%s.samples", path);
  kt_file_write_text(more, "left lying about");
  kn_free(more);
  kt_file_write_text(path, at->content);
  if (at->with_companion) {
    char *companion = kn_format("%.*s/model.note", (int)(strrchr(path, '/') - path), path);
    kt_file_write_text(companion, "note");
    kn_free(companion);
  }
  KN_TRY(kn_record_set_string(record, "said", "done"));
  return at->fails ? kn_status_make(KN_BACKEND_FAILED, "the tool broke") : NULL;
}

static kn_status judge(void *context, const char *path, kn_record *record) {
  worker *at = context;
  at->judged++;
  if (at->with_companion) {
    char *companion = kn_format("%.*s/model.note", (int)(strrchr(path, '/') - path), path);
    assert_true(kn_file_exists(companion, NULL));
    kn_free(companion);
  }
  if (at->refuses) return kn_status_make(KN_BACKEND_FAILED, "this is something else");
  return kn_record_set_string(record, "kind", "model");
}

static kn_status publish(void *context, const char *path) {
  worker *at = context;
  at->published++;
  return kn_file_publish(path, result);
}

static kn_status produce(worker *at, const char *key) {
  kn_record *record;
  kt_assert_ok(kn_record_create(&record));
  kn_status status = kn_production_run(&(kn_production){.path = result,
                                                        .key = key,
                                                        .companion = at->with_companion ? "model.note" : NULL,
                                                        .context = at,
                                                        .make = make,
                                                        .judge = judge,
                                                        .publish = at->with_companion ? publish : NULL},
                                       record);
  char *text = yyjson_mut_write(kn_record_document(record), 0, NULL);
  snprintf(at->record, sizeof at->record, "%s", text);
  free(text);
  kn_record_destroy(record);
  return status;
}

static void assert_result(const char *content) {
  char *text = kt_file_read(result, NULL);
  assert_string_equal(text, content);
  free(text);
  char *out = kt_path(directory, "out");
  assert_int_equal(kt_directory_entries(out), 1);
  free(out);
}

static void what_is_cached_is_not_made_again(void **state) {
  (void)state;
  worker at = {.content = "one"};
  kt_assert_ok(produce(&at, "key a"));
  assert_int_equal(at.made, 1);
  kt_assert_contains(at.record, "\"converter\":{\"said\":\"done\"}");
  kt_assert_contains(at.record, "\"cached\":false");
  kt_assert_contains(at.record, "\"sha256\":\"7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed\"");
  assert_result("one");
  kt_assert_ok(produce(&at, "key a"));
  assert_int_equal(at.made, 1);
  assert_int_equal(at.judged, 2);
  kt_assert_contains(at.record, "\"cached\":true");
  kt_assert_contains(at.record, "\"kind\":\"model\"");
  assert_result("one");
  at.content = "two";
  kt_assert_ok(produce(&at, "key b"));
  assert_int_equal(at.made, 2);
  assert_result("two");
}

static void what_is_refused_is_neither_kept_nor_published(void **state) {
  (void)state;
  worker at = {.content = "good"};
  kt_assert_ok(produce(&at, "key c"));
  at = (worker){.content = "bad", .refuses = true};
  kt_assert_fault(produce(&at, "key d"), KN_BACKEND_FAILED, "this is something else");
  assert_result("good");
  at.refuses = false;
  at.fails = true;
  kt_assert_fault(produce(&at, "key d"), KN_BACKEND_FAILED, "the tool broke");
  assert_int_equal(at.made, 2); /* what was refused was not in the cache */
  assert_result("good");
  /* A newer judgement of what an older program kept says where it comes from. */
  at = (worker){.refuses = true};
  kt_assert_fault(produce(&at, "key c"), KN_BACKEND_FAILED, "kenning cache clear");
  assert_int_equal(at.made, 0);
}

static void a_companion_is_kept_with_its_result(void **state) {
  (void)state;
  worker at = {.content = "three", .with_companion = true};
  kt_assert_ok(produce(&at, "key e"));
  kt_assert_ok(produce(&at, "key e"));
  assert_int_equal(at.made, 1);
  assert_int_equal(at.judged, 2);
  assert_int_equal(at.published, 2);
  assert_result("three");
}

static void places_that_cannot_be_written_are_told(void **state) {
  (void)state;
  worker at = {.content = "four"};
  char *file = kt_path(directory, "file");
  kt_file_write_text(file, "");
  kn_record *record;
  kt_assert_ok(kn_record_create(&record));
  char *path = kn_format("%s/model.bin", file);
  kn_production production = {.path = path, .key = "key f", .context = &at, .make = make, .judge = judge};
  kt_assert_fault(kn_production_run(&production, record), KN_IO_ERROR, "file");
  assert_int_equal(at.made, 0);
  kn_free(path);
  kn_record_destroy(record);
  free(file);
}

/* ---- what goes with it ---- */

static void shares_are_rounded_and_never_none(void **state) {
  (void)state;
  const kn_samples samples = {.count = 10};
  assert_int_equal(kn_samples_share(&samples, 0), 1);
  assert_int_equal(kn_samples_share(&samples, 0.04), 1);
  assert_int_equal(kn_samples_share(&samples, 0.25), 3);
  assert_int_equal(kn_samples_share(&samples, 1), 10);
  assert_int_equal(kn_samples_share(&samples, 7), 10);
}

static void what_a_result_does_not_tell_goes_on_by_name(void **state) {
  (void)state;
  char a[] = "a", b[] = "b", c[] = "c", cats[] = "cats", dogs[] = "dogs";
  kn_ioentry before[] = {{.name = a, .rank = 3, .shape = {1, 4, 5}, .class_name = cats},
                         {.name = b,
                          .rank = 2,
                          .shape = {1, 6},
                          .class_name = dogs,
                          .dtype = KN_INT8,
                          .quantized = true,
                          .scale = 0.5,
                          .zero_point = -3,
                          .prequantized_dtype = KN_FLOAT32}};
  const kn_iolist given = {before, 2};
  kn_iolist list = {0};
  kt_assert_ok(kn_iolist_add(&list, &(kn_ioentry){.name = b, .rank = 2, .shape = {-1, -1}, .dtype = KN_INT8}));
  kt_assert_ok(kn_iolist_add(&list, &(kn_ioentry){.name = a, .rank = 3, .shape = {2, -1, 9}}));
  kt_assert_ok(kn_iolist_add(&list, &(kn_ioentry){.name = c, .rank = 1, .shape = {-1}}));
  kt_assert_ok(kn_iolist_inherit(&list, &given));
  assert_string_equal(list.entries[0].class_name, "dogs");
  assert_true(list.entries[0].quantized && list.entries[0].scale == 0.5 && list.entries[0].zero_point == -3);
  assert_int_equal(list.entries[0].prequantized_dtype, KN_FLOAT32);
  assert_false(list.entries[1].quantized);
  assert_int_equal(list.entries[0].shape[0], -1);
  assert_int_equal(list.entries[0].shape[1], 6);
  assert_string_equal(list.entries[1].class_name, "cats");
  assert_int_equal(list.entries[1].shape[1], 4);
  assert_int_equal(list.entries[1].shape[2], 9);
  assert_null(list.entries[2].class_name);
  kn_iospec_clear(&(kn_iospec){.input = list});
  /* Other integers mean something else. */
  list = (kn_iolist){0};
  kt_assert_ok(kn_iolist_add(&list, &(kn_ioentry){.name = b, .rank = 1, .shape = {6}, .dtype = KN_UINT8}));
  kt_assert_ok(kn_iolist_inherit(&list, &given));
  assert_false(list.entries[0].quantized);
  kn_iospec_clear(&(kn_iospec){.input = list});
}

static void a_directory_has_a_hash_of_names_and_contents(void **state) {
  (void)state;
  char *tree = kt_path(directory, "tree"), *one = kt_path(tree, "one"), *inner = kt_path(tree, "in/two");
  char first[65], again[65], renamed[65], missing[65];
  kt_assert_ok(kn_directory_make_parent(inner));
  kt_file_write_text(one, "1");
  kt_file_write_text(inner, "2");
  kt_assert_ok(kn_sha256_path(tree, first));
  kt_assert_ok(kn_sha256_path(tree, again));
  assert_string_equal(first, again);
  char *other = kt_path(tree, "other");
  assert_int_equal(rename(one, other), 0);
  kt_assert_ok(kn_sha256_path(tree, renamed));
  assert_string_not_equal(first, renamed);
  kt_assert_ok(kn_sha256_path(other, again));
  assert_string_equal(again, "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b");
  kt_assert_fault(kn_sha256_path(one, missing), KN_NOT_FOUND, "one");
  /* Links are followed: what they lead to is what a converter reads. */
  char *link = kt_path(directory, "link"), *linked = kt_path(tree, "linked"), *outside = kt_path(directory, "outside");
  assert_int_equal(symlink(tree, link), 0);
  kt_assert_ok(kn_sha256_path(link, again));
  assert_string_equal(again, renamed);
  kt_file_write_text(outside, "3");
  assert_int_equal(symlink(outside, linked), 0);
  kt_assert_ok(kn_sha256_path(tree, first));
  kt_file_write_text(outside, "4");
  kt_assert_ok(kn_sha256_path(tree, again));
  assert_string_not_equal(first, again);
  free(link);
  free(linked);
  free(outside);
  free(tree);
  free(one);
  free(inner);
  free(other);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_cached_is_not_made_again),
      cmocka_unit_test(what_is_refused_is_neither_kept_nor_published),
      cmocka_unit_test(a_companion_is_kept_with_its_result),
      cmocka_unit_test(places_that_cannot_be_written_are_told),
      cmocka_unit_test(shares_are_rounded_and_never_none),
      cmocka_unit_test(what_a_result_does_not_tell_goes_on_by_name),
      cmocka_unit_test(a_directory_has_a_hash_of_names_and_contents),
  };
  return cmocka_run_group_tests(tests, make_places, remove_places);
}
