/* Models that arrive. */
#include "support/directory.h"
#include "support/status.h"
#include "support/unit.h"

#include "target/upload.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct place {
  char *directory, *model, *temporary;
} place;

static place make_place(void) {
  place p = {.directory = kt_directory_make()};
  p.model = kt_path(p.directory, "m.bin");
  p.temporary = kt_path(p.directory, "m.bin.upload");
  kt_file_write_text(p.model, "old");
  return p;
}

static void drop_place(place *p) {
  free(p->model);
  free(p->temporary);
  kt_directory_remove(p->directory);
}

static void expect(const char *path, const char *content) {
  char *text = kt_file_read(path, NULL);
  assert_string_equal(text, content);
  free(text);
}

static bool exists(const char *path) {
  struct stat found;
  return lstat(path, &found) == 0;
}

static void a_committed_model_replaces_the_old_one(void **state) {
  (void)state;
  place p = make_place();
  kn_upload upload;
  kt_assert_ok(kn_upload_begin(p.model, &upload));
  kt_assert_ok(kn_upload_add(&upload, "ne", 2));
  expect(p.model, "old");
  kt_assert_ok(kn_upload_add(&upload, "w", 1));
  kt_assert_ok(kn_upload_commit(&upload));
  kn_upload_clear(&upload);
  expect(p.model, "new");
  assert_false(exists(p.temporary));
  drop_place(&p);
}

static void what_a_killed_server_left_is_overwritten(void **state) {
  (void)state;
  place p = make_place();
  kt_file_write_text(p.temporary, "half of another, longer model");
  kn_upload upload;
  kt_assert_ok(kn_upload_begin(p.model, &upload));
  kt_assert_ok(kn_upload_add(&upload, "new", 3));
  kt_assert_ok(kn_upload_commit(&upload));
  kn_upload_clear(&upload);
  expect(p.model, "new");
  drop_place(&p);
}

static void two_servers_do_not_mix_their_models(void **state) {
  (void)state;
  place p = make_place();
  kn_upload one, other;
  kt_assert_ok(kn_upload_begin(p.model, &one));
  kt_assert_fault(kn_upload_begin(p.model, &other), KN_BUSY, "another server");
  kn_upload_clear(&one);
  assert_false(exists(p.temporary));
  expect(p.model, "old");
  drop_place(&p);
}

static void a_link_in_the_way_is_not_followed(void **state) {
  (void)state;
  place p = make_place();
  char *victim = kt_path(p.directory, "victim");
  kt_file_write_text(victim, "precious");
  assert_int_equal(symlink(victim, p.temporary), 0);
  kn_upload upload;
  kt_assert_fault(kn_upload_begin(p.model, &upload), KN_IO_ERROR, NULL);
  expect(victim, "precious");
  free(victim);
  drop_place(&p);
}

/* A limit on the size of files stands for a full disk. */
static void a_full_disk_leaves_the_old_model(void **state) {
  (void)state;
  place p = make_place();
  struct rlimit before, limit;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
  limit = before;
  limit.rlim_cur = 4096;
  signal(SIGXFSZ, SIG_IGN);
  static char data[8192];
  kn_upload upload;
  kt_assert_ok(kn_upload_begin(p.model, &upload));
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
  kn_status status = kn_upload_add(&upload, data, sizeof data);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
  kt_assert_fault(status, KN_IO_ERROR, "m.bin.upload");
  kn_upload_clear(&upload);
  expect(p.model, "old");
  assert_false(exists(p.temporary));
  drop_place(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_committed_model_replaces_the_old_one),
      cmocka_unit_test(what_a_killed_server_left_is_overwritten),
      cmocka_unit_test(two_servers_do_not_mix_their_models),
      cmocka_unit_test(a_link_in_the_way_is_not_followed),
      cmocka_unit_test(a_full_disk_leaves_the_old_model),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
