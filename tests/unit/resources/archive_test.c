#include <kenning/resource.h>

#include "core/file.h"
#include "core/memory.h"
#include "support/directory.h"
#include "support/status.h"
#include "unit/resources/tar_writer.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char *work, *archive, *target;

static int make_work(void **state) {
  (void)state;
  work = kt_directory_make();
  archive = kt_path(work, "set.tar.gz");
  target = kt_path(work, "inside/target");
  return 0;
}

static int remove_work(void **state) {
  (void)state;
  free(archive);
  free(target);
  kt_directory_remove(work);
  return 0;
}

static void assert_text(const char *name, const char *expected) {
  char *path = kt_path(target, name), *text = kt_file_read(path, NULL);
  assert_string_equal(text, expected);
  free(text);
  free(path);
}

/* Neither the target nor anything beside it is there. */
static void assert_nothing_left(void) {
  char *inside = kt_path(work, "inside"), *outside = kt_path(work, "outside");
  assert_int_not_equal(access(target, F_OK), 0);
  assert_int_not_equal(access(outside, F_OK), 0);
  if (access(inside, F_OK) == 0) assert_int_equal(rmdir(inside), 0); /* empty */
  free(outside);
  free(inside);
}

static void files_and_directories_are_made(void **state) {
  (void)state;
  kt_tar_write(archive, (const kt_tar_entry[]){{.name = "./", .type = '5'},
                                               {.name = "./a/", .type = '5'},
                                               {.name = "a/one.txt", .type = '0', .content = "1"},
                                               {.name = "b/c/d/two.txt", .type = '0', .content = "2"},
                                               {.name = "a/..hidden", .type = '0', .content = "3"},
                                               {.name = "a/one.txt", .type = '0', .content = "later"},
                                               {.name = "empty", .type = '0'},
                                               {.name = NULL}});
  kt_assert_ok(kn_archive_unpack(archive, target));
  assert_text("a/one.txt", "later");
  assert_text("b/c/d/two.txt", "2");
  assert_text("a/..hidden", "3");
  assert_text("empty", "");
  struct stat found;
  char *file = kt_path(target, "a/one.txt");
  assert_int_equal(stat(file, &found), 0);
  assert_int_equal(found.st_mode & 07111, 0);
  free(file);
}

static void hostile_entries_are_refused(void **state) {
  (void)state;
  static const struct {
    kt_tar_entry entry;
    const char *message;
  } cases[] = {
      {{.name = "/tmp/outside", .type = '0', .content = "x"}, "absolute path"},
      {{.name = "../../outside", .type = '0', .content = "x"}, "leads out"},
      {{.name = "a/../../../outside", .type = '0', .content = "x"}, "leads out"},
      {{.name = "..", .type = '5'}, "leads out"},
      {{.name = "a/link", .type = '2', .link = "../../../outside"}, "is a link"},
      {{.name = "a/link", .type = '1', .link = "/etc/passwd"}, "is a link"},
      {{.name = "a/inner", .type = '2', .link = "one.txt"}, "is a link"},
      {{.name = "device", .type = '3'}, "neither a file nor a directory"},
      {{.name = "pipe", .type = '6'}, "neither a file nor a directory"},
      {{.name = "a", .type = '0', .content = "x"}, "a file and a directory at once"},
      {{.name = "1/2/3/4/5/6/7/8/9/10/1/2/3/4/5/6/7/8/9/20/1/2/3/4/5/6/7/8/9/30/1/2/3/4/5/6/", .type = '5'}, NULL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    kt_tar_write(archive, (const kt_tar_entry[]){{.name = "a/one.txt", .type = '0', .content = "1"},
                                                 cases[i].entry,
                                                 {.name = "a/link/two.txt", .type = '0', .content = "2"},
                                                 {.name = NULL}});
    if (!cases[i].message) {
      kt_assert_ok(kn_archive_unpack(archive, target)); /* deep, but not too deep */
      continue;
    }
    kt_assert_fault(kn_archive_unpack(archive, target), KN_BAD_DATA, cases[i].message);
    assert_nothing_left();
  }
}

static void a_bomb_is_refused(void **state) {
  (void)state;
  kt_tar_write(archive, (const kt_tar_entry[]){{.name = "zeros", .type = '0', .bytes = 100 << 20}, {.name = NULL}});
  kt_assert_fault(kn_archive_unpack(archive, target), KN_BAD_DATA, "no archive of real files");
  assert_nothing_left();
}

static void damaged_archives_are_refused(void **state) {
  (void)state;
  kt_tar_write(archive, (const kt_tar_entry[]){{.name = "one.txt", .type = '0', .content = "some text of a file"},
                                               {.name = "two.txt", .type = '0', .bytes = 100000},
                                               {.name = NULL}});
  size_t bytes;
  char *whole = kt_file_read(archive, &bytes);
  for (size_t left = 0; left + 1 < bytes; left += 7) {
    kt_file_write(archive, whole, left);
    kt_assert_fault(kn_archive_unpack(archive, target), KN_BAD_DATA, NULL);
    assert_nothing_left();
  }
  free(whole);
  kt_file_write_text(archive, "this is no archive");
  kt_assert_fault(kn_archive_unpack(archive, target), KN_BAD_DATA, NULL);
  kt_assert_fault(kn_archive_unpack("/nonexistent.tar.gz", target), KN_NOT_FOUND, NULL);
  assert_nothing_left();
}

/* A limit of the size of files stands for a full disk: the system refuses the write in the middle of one. */
static void a_refused_write_leaves_nothing(void **state) {
  (void)state;
  kt_tar_write(archive, (const kt_tar_entry[]){{.name = "small", .type = '0', .content = "1"},
                                               {.name = "large", .type = '0', .bytes = 3 << 20},
                                               {.name = NULL}});
  struct rlimit before, limit;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
  limit = (struct rlimit){.rlim_cur = 1 << 20, .rlim_max = before.rlim_max};
  assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
  kn_status status = kn_archive_unpack(archive, target);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
  kt_assert_fault(status, KN_IO_ERROR, "large");
  assert_nothing_left();
  kt_assert_ok(kn_archive_unpack(archive, target));
}

static void what_is_there_is_not_touched(void **state) {
  (void)state;
  kt_tar_write(archive, (const kt_tar_entry[]){{.name = "one.txt", .type = '0', .content = "1"}, {.name = NULL}});
  kt_assert_ok(kn_archive_unpack(archive, target));
  kt_assert_fault(kn_archive_unpack(archive, target), KN_INVALID_ARGUMENT, "exists");
  assert_text("one.txt", "1");
}

/* Somebody else made what is to be the name while it is unpacked: a link that leads elsewhere. */
static void a_link_that_is_there_is_not_followed(void **state) {
  (void)state;
  kt_tar_write(archive, (const kt_tar_entry[]){{.name = "one.txt", .type = '0', .content = "1"}, {.name = NULL}});
  char *used, *elsewhere = kt_path(work, "elsewhere");
  kt_assert_ok(kn_directory_make(elsewhere));
  kt_assert_ok(kn_file_temporary(target, &used));
  const char *end = strstr(used, "-target");
  assert_non_null(end);
  const char *counter = end;
  while (counter[-1] != '-') counter--;
  char *next = kn_format("%.*s%ld-target", (int)(counter - used), used, strtol(counter, NULL, 10) + 1);
  assert_int_equal(symlink(elsewhere, next), 0);
  kt_assert_fault(kn_archive_unpack(archive, target), KN_IO_ERROR, "File exists");
  assert_int_equal(kt_directory_entries(elsewhere), 0);
  assert_int_equal(unlink(next), 0); /* it was left alone */
  kn_free(next);
  kn_free(used);
  free(elsewhere);
}

static void failing_allocations_leave_nothing(void **state) {
  (void)state;
  kt_tar_write(archive, (const kt_tar_entry[]){{.name = "a/one.txt", .type = '0', .content = "1"}, {.name = NULL}});
  uint64_t failures = 0;
  for (;; failures++) {
    kn_memory_fail_after(failures);
    kn_status status = kn_archive_unpack(archive, target);
    kn_memory_fail_after(UINT64_MAX);
    if (!status) break;
    kt_assert_fault(status, KN_OUT_OF_MEMORY, NULL);
    assert_nothing_left();
  }
  assert_true(failures > 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_work, remove_work)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(files_and_directories_are_made),
      TEST(hostile_entries_are_refused),
      TEST(a_bomb_is_refused),
      TEST(damaged_archives_are_refused),
      TEST(what_is_there_is_not_touched),
      TEST(a_refused_write_leaves_nothing),
      TEST(failing_allocations_leave_nothing),
      TEST(a_link_that_is_there_is_not_followed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
