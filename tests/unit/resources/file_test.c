#include "core/file.h"
#include "core/log.h"
#include "core/memory.h"
#include "support/directory.h"
#include "support/status.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char *directory; /* of the running test */

static int make_directory(void **state) {
  (void)state;
  directory = kt_directory_make();
  return 0;
}

static int remove_directory(void **state) {
  (void)state;
  kt_directory_remove(directory);
  return 0;
}

/* Path in the test's directory, good until the next four calls. */
static const char *at(const char *name) {
  static char paths[4][600];
  static int next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", directory, name);
  return path;
}

static void assert_content(const char *path, const char *expected) {
  char *data;
  size_t bytes;
  kt_assert_ok(kn_file_read(path, 0, &data, &bytes));
  assert_int_equal(bytes, strlen(expected));
  assert_string_equal(data, expected);
  kn_free(data);
}

static void writes_whole_files(void **state) {
  (void)state;
  kt_assert_ok(kn_file_write(at("a/b/c.txt"), "first", 5));
  assert_content(at("a/b/c.txt"), "first");
  kt_assert_ok(kn_file_write(at("a/b/c.txt"), "", 0));
  assert_content(at("a/b/c.txt"), "");
  assert_int_equal(kt_directory_entries(at("a/b")), 1);
  struct stat found;
  mode_t mask = umask(0);
  umask(mask);
  assert_int_equal(stat(at("a/b/c.txt"), &found), 0);
  assert_int_equal(found.st_mode & 0777, 0666 & ~mask);
}

static void writes_beside_nothing_that_is_no_file(void **state) {
  (void)state;
  kt_assert_ok(kn_directory_make(at("taken")));
  kt_assert_fault(kn_file_write(at("taken"), "x", 1), KN_INVALID_ARGUMENT, "is a directory: name a file in it");
  assert_int_equal(mkfifo(at("pipe"), 0600), 0); /* nobody reads it: opening it would not come back */
  kt_assert_fault(kn_file_write(at("pipe"), "x", 1), KN_INVALID_ARGUMENT, "is a pipe: nothing is written to it");
  kt_assert_fault(kn_file_check_output(at("pipe")), KN_INVALID_ARGUMENT, "is a pipe");
  kt_assert_ok(kn_file_check_output("/dev/null"));
  kt_assert_fault(kn_file_check_replaced("/dev/null"), KN_INVALID_ARGUMENT, "not a regular file");
  kt_assert_fault(kn_file_write(at("new/"), "x", 1), KN_INVALID_ARGUMENT, "name of a directory");
  kt_assert_fault(kn_file_write(at(".."), "x", 1), KN_INVALID_ARGUMENT, "is a directory");
  kt_assert_ok(kn_file_write(at("plain"), "x", 1));
  kt_assert_fault(kn_file_write(at("plain/below"), "x", 1), KN_IO_ERROR, "Not a directory");
  /* Nobody makes directories in /proc; the kernel gives one reason or another. */
  kn_status refused = kn_file_write("/proc/no-such/file", "x", 1);
  assert_non_null(strstr(kn_status_message(refused, 0), "/proc/no-such: cannot make the directory"));
  kn_status_free(refused);
  char name[300];
  memset(name, 'n', sizeof name - 1);
  name[sizeof name - 1] = '\0';
  kt_assert_fault(kn_file_write(at(name), "x", 1), KN_IO_ERROR, "too long");
  assert_int_equal(kt_directory_entries(directory), 3);
}

/* What is asked before a long run leaves nothing behind, as the run may be refused for another reason. */
static void asking_makes_nothing(void **state) {
  (void)state;
  kt_assert_ok(kn_file_check_output(at("not/yet/there")));
  kt_assert_ok(kn_file_check_output(at("file")));
  kt_assert_fault(kn_file_check_output("/proc/no-such/file"), KN_IO_ERROR, "/proc/no-such: cannot make the directory");
  kt_assert_fault(kn_file_check_output("/proc/file"), KN_IO_ERROR, "/proc/file: cannot write");
  assert_int_equal(kt_directory_entries(directory), 0);
  assert_int_equal(symlink("nowhere", at("link")), 0);
  kt_assert_fault(kn_file_check_output(at("link/file")), KN_NOT_FOUND, "link: cannot make the directory");
  kt_assert_ok(kn_file_write(at("plain"), "x", 1));
  kt_assert_fault(kn_file_check_output(at("plain/file")), KN_IO_ERROR, "Not a directory");
  assert_int_equal(kt_directory_entries(directory), 2);
}

static void devices_are_written_through(void **state) {
  (void)state;
  kt_assert_ok(kn_file_write("/dev/null", "x", 1));
  kt_assert_fault(kn_file_write("/dev/full", "x", 1), KN_IO_ERROR, "the disk is full");
  struct stat found;
  assert_int_equal(stat("/dev/null", &found), 0);
  assert_true(S_ISCHR(found.st_mode));
  char *temporary;
  kt_assert_fault(kn_file_temporary("/dev/null", &temporary), KN_INVALID_ARGUMENT, "not a regular file");
  assert_null(temporary);
  kt_assert_ok(kn_file_write(at("source"), "x", 1));
  kt_assert_fault(kn_file_publish(at("source"), "/dev/null"), KN_INVALID_ARGUMENT, "not a regular file");
  assert_false(kn_file_exists(at("source"), NULL));
}

/* An output that is a symbolic link is written where it leads to, and stays a link. */
static void links_are_written_through(void **state) {
  (void)state;
  kt_assert_ok(kn_file_write(at("real/target"), "old", 3));
  assert_int_equal(symlink("real/target", at("link")), 0);
  assert_int_equal(symlink("link", at("link-to-link")), 0);
  assert_int_equal(symlink("real/new", at("dangling")), 0);
  assert_int_equal(symlink("loop", at("loop")), 0);
  kt_assert_ok(kn_file_write(at("link-to-link"), "new", 3));
  assert_content(at("real/target"), "new");
  kt_assert_ok(kn_file_write(at("dangling"), "first", 5));
  assert_content(at("real/new"), "first");
  kt_assert_fault(kn_file_write(at("loop"), "x", 1), KN_INVALID_ARGUMENT, "loop");
  static const char *const links[] = {"link", "link-to-link", "dangling", "loop"};
  for (size_t i = 0; i < 4; i++) {
    struct stat found;
    assert_int_equal(lstat(at(links[i]), &found), 0);
    assert_true(S_ISLNK(found.st_mode));
  }
  assert_int_equal(kt_directory_entries(directory), 5);
  assert_int_equal(kt_directory_entries(at("real")), 2); /* no temporary file is left */
}

/* Pipes, sockets, devices and directories are told, not opened: opening a pipe would wait for its writer. */
static void what_is_no_file_is_not_read(void **state) {
  (void)state;
  char *data;
  size_t bytes;
  int file;
  assert_int_equal(mkfifo(at("pipe"), 0600), 0);
  kt_assert_fault(kn_file_read(at("pipe"), 0, &data, &bytes), KN_BAD_DATA, "is a pipe, not a file");
  kt_assert_fault(kn_file_read("/dev/zero", 0, &data, &bytes), KN_BAD_DATA, "is a device, not a file");
  kt_assert_fault(kn_file_read(directory, 0, &data, &bytes), KN_BAD_DATA, "is a directory, not a file");
  kt_assert_fault(kn_file_open(at("pipe"), &file), KN_BAD_DATA, "is a pipe");
  assert_int_equal(file, -1);
  kt_assert_fault(kn_file_check_input(at("pipe"), true), KN_BAD_DATA, "not a file or a directory");
  kt_assert_ok(kn_file_check_input(directory, true));
  kt_assert_fault(kn_file_check_input(at("none"), true), KN_NOT_FOUND, "there is no such file");
  kt_assert_ok(kn_file_write(at("plain"), "x", 1));
  kt_assert_fault(kn_file_check_input(at("plain/below"), true), KN_NOT_FOUND, "where a directory should be");
}

/* No room in the middle of writing: the limit on file sizes stands for the full disk. */
static void a_failed_write_leaves_the_old_file(void **state) {
  (void)state;
  static char data[100000];
  kt_assert_ok(kn_file_write(at("kept"), "old", 3));
  struct rlimit before, small;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
  small = (struct rlimit){50000, before.rlim_max};
  void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
  kn_status first = kn_file_write(at("kept"), data, sizeof data);
  kn_status second = kn_file_write(at("new"), data, sizeof data);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, handler);
  kt_assert_fault(first, KN_IO_ERROR, "File too large");
  kt_assert_fault(second, KN_IO_ERROR, "File too large");
  assert_content(at("kept"), "old");
  assert_int_equal(kt_directory_entries(directory), 1);
}

static void reads_up_to_a_limit(void **state) {
  (void)state;
  char *data;
  size_t bytes;
  kt_assert_fault(kn_file_read(at("none"), 0, &data, &bytes), KN_NOT_FOUND, "none");
  assert_null(data);
  kt_assert_fault(kn_file_read(directory, 0, &data, &bytes), KN_BAD_DATA, "is a directory");
  kt_assert_ok(kn_file_write(at("ten"),
                             "0123\0"
                             "56789",
                             10));
  kt_assert_ok(kn_file_read(at("ten"), 10, &data, &bytes));
  assert_int_equal(bytes, 10);
  assert_memory_equal(data,
                      "0123\0"
                      "56789\0",
                      11);
  kn_free(data);
  kt_assert_fault(kn_file_read(at("ten"), 9, &data, &bytes), KN_BAD_DATA, "10 bytes; at most 9");
  assert_null(data);
  assert_int_equal(bytes, 0);
}

/* Files of /proc have no size beforehand. */
static void maps_what_is_looked_at(void **state) {
  (void)state;
  const void *data;
  size_t bytes;
  kt_assert_ok(kn_file_write(at("one"), "text", 4));
  kt_assert_ok(kn_file_map(at("one"), &data, &bytes));
  assert_int_equal(bytes, 4);
  assert_memory_equal(data, "text", 4);
  kn_file_unmap(data, bytes);
  kt_assert_ok(kn_file_write(at("empty"), "", 0));
  kt_assert_ok(kn_file_map(at("empty"), &data, &bytes));
  assert_null(data);
  assert_int_equal(bytes, 0);
  kn_file_unmap(data, bytes);
  kt_assert_fault(kn_file_map(at("missing"), &data, &bytes), KN_NOT_FOUND, "missing");
  kt_assert_fault(kn_file_map(directory, &data, &bytes), KN_BAD_DATA, "directory");
  assert_int_equal(mkfifo(at("pipe"), 0600), 0);
  kt_assert_fault(kn_file_map(at("pipe"), &data, &bytes), KN_BAD_DATA, "pipe");
  assert_null(data);
}

static void reads_files_without_a_size(void **state) {
  (void)state;
  char *data;
  size_t bytes;
  kt_assert_ok(kn_file_read("/proc/self/maps", 0, &data, &bytes));
  assert_true(bytes > 1000 && bytes == strlen(data));
  kn_free(data);
  kt_assert_fault(kn_file_read("/proc/self/maps", 100, &data, &bytes), KN_BAD_DATA, "larger than the 100 bytes");
}

static void temporary_files_are_published(void **state) {
  (void)state;
  char *one, *two;
  kt_assert_ok(kn_file_temporary(at("sub/model.h5"), &one));
  kt_assert_ok(kn_file_temporary(at("sub/model.h5"), &two));
  assert_string_not_equal(one, two);
  assert_string_equal(one + strlen(one) - 8, "model.h5");
  kt_file_write_text(one, "one");
  kt_assert_ok(kn_file_publish(one, at("sub/model.h5")));
  assert_content(at("sub/model.h5"), "one");
  kt_assert_fault(kn_file_publish(two, at("sub/model.h5")), KN_NOT_FOUND, NULL);
  assert_content(at("sub/model.h5"), "one");
  assert_int_equal(kt_directory_entries(at("sub")), 1);
  kn_free(one);
  kn_free(two);
}

/* A process that is killed with its temporary file and directory; they lie in `directory`. */
static void leave_behind(void) {
  pid_t child = fork();
  if (!child) {
    char *file, *made;
    kn_status status = kn_file_temporary(at("out.json"), &file);
    if (!status) status = kn_file_write(file, "half", 4);
    if (!status) status = kn_file_temporary(at("data"), &made);
    char *inside = status ? NULL : kn_format("%s/deep/in/it", made);
    if (inside && !kn_file_write(inside, "x", 1)) raise(SIGKILL);
    _exit(1);
  }
  int outcome;
  assert_int_equal(waitpid(child, &outcome, 0), child);
  assert_true(WIFSIGNALED(outcome) && WTERMSIG(outcome) == SIGKILL);
}

/* What a killed process left goes when the next one works in the directory; what is anybody else's stays. */
static void what_killed_processes_left_is_removed(void **state) {
  (void)state;
  static const char *const kept[] = {".tmp-notes.txt", "tmp-1-2-3-x", ".tmp-00000000-1-2-3-other-machine.json"};
  char *own;
  kt_assert_ok(kn_file_temporary(at("first"), &own));
  kt_assert_ok(kn_file_write(own, "x", 1));
  for (size_t i = 0; i < 3; i++) kt_assert_ok(kn_file_write(at(kept[i]), "x", 1));
  kt_assert_ok(kn_file_write(at(".tmp-00000000-1-2-3-week-old"), "x", 1));
  const struct timespec old[2] = {{.tv_sec = time(NULL) - 8 * 24 * 3600}, {.tv_sec = time(NULL) - 8 * 24 * 3600}};
  assert_int_equal(utimensat(AT_FDCWD, at(".tmp-00000000-1-2-3-week-old"), old, 0), 0);
  leave_behind();
  assert_int_equal(kt_directory_entries(directory), 7);
  kt_assert_ok(kn_file_write(at("elsewhere/x"), "x", 1)); /* another directory; the next one is looked through again */
  kt_assert_ok(kn_file_write(at("out.json"), "whole", 5));
  for (size_t i = 0; i < 3; i++) assert_int_equal(access(at(kept[i]), F_OK), 0);
  assert_int_equal(access(own, F_OK), 0);
  assert_int_equal(kt_directory_entries(directory), 6); /* these, "elsewhere" and "out.json" */
  kn_free(own);
}

static void directories_are_made_counted_and_removed(void **state) {
  (void)state;
  kt_assert_ok(kn_directory_make(at("x/y//z/")));
  kt_assert_ok(kn_directory_make(at("x/y/z")));
  kt_assert_ok(kn_directory_make("/"));
  kt_assert_ok(kn_directory_make("."));
  kt_file_write_text(at("outside"), "stays");
  kt_file_write_text(at("x/y/file"), "12345");
  kt_file_write_text(at("x/y/z/file"), "123");
  assert_int_equal(symlink(directory, at("x/up")), 0);
  assert_true(kn_directory_bytes(at("x")) == 8);
  assert_true(kn_directory_bytes(at("none")) == 0);
  kt_assert_fault(kn_directory_make(at("x/y/file")), KN_IO_ERROR, "Not a directory");
  kt_assert_ok(kn_directory_remove(at("x")));
  kt_assert_ok(kn_directory_remove(at("x")));
  assert_content(at("outside"), "stays");
  assert_int_equal(kt_directory_entries(directory), 1);
}

static void *remove_it(void *path) { return kn_directory_remove(path); }

/* Whoever sees a part of it missing does not see it at all. */
static void a_directory_goes_at_once(void **state) {
  (void)state;
  enum { FILES = 4000 };
  char name[64], *tree = kt_path(directory, "tree"), *first = NULL;
  kt_assert_ok(kn_directory_make(tree));
  for (int i = 0; i < FILES; i++) {
    snprintf(name, sizeof name, "tree/%d", i);
    kt_file_write_text(at(name), "x");
  }
  DIR *listing = opendir(tree); /* in the order in which it is removed */
  for (struct dirent *entry; listing && !first && (entry = readdir(listing));)
    if (*entry->d_name != '.') first = kt_path(tree, entry->d_name);
  closedir(listing);
  pthread_t thread;
  void *result;
  assert_int_equal(pthread_create(&thread, NULL, remove_it, tree), 0);
  while (access(first, F_OK) == 0) continue;
  assert_int_not_equal(access(tree, F_OK), 0);
  assert_int_equal(pthread_join(thread, &result), 0);
  assert_null(result);
  assert_int_equal(kt_directory_entries(directory), 0);
  free(first);
  free(tree);
}

static void *take_lock(void *argument) {
  int lock;
  kn_status status = kn_file_lock(argument, false, NULL, &lock);
  if (!status) kn_file_unlock(lock);
  return status;
}

static void locks_exclude_each_other(void **state) {
  (void)state;
  int first, second;
  pthread_t thread;
  void *result;
  kt_assert_ok(kn_file_lock(at("deep/lock"), true, NULL, &first));
  kt_assert_ok(kn_file_lock(at("deep/lock"), true, NULL, &second));
  kn_file_unlock(second);
  char *path = kt_path(directory, "deep/lock");
  assert_int_equal(pthread_create(&thread, NULL, take_lock, path), 0);
  usleep(120000);
  kn_file_unlock(first);
  assert_int_equal(pthread_join(thread, &result), 0);
  assert_null(result);
  kt_assert_ok(kn_file_lock(path, false, NULL, &first));
  kn_cancel();
  kt_assert_fault(kn_file_lock(path, true, NULL, &second), KN_CANCELLED, "while waiting");
  assert_int_equal(second, -1);
  kn_cancel_reset();
  kn_file_unlock(first);
  kn_file_unlock(-1);
  free(path);
}

static void failing_allocations(void **state) {
  (void)state;
  kn_status status = NULL;
  uint64_t allowed = 0;
  do {
    kn_status_free(status);
    char *data = NULL;
    size_t bytes;
    kn_memory_fail_after(allowed++);
    status = kn_file_write(at("made/file"), "text", 4);
    if (!status) status = kn_file_read(at("made/file"), 0, &data, &bytes);
    kn_memory_fail_after(UINT64_MAX);
    kn_free(data);
    assert_true(!status || kn_status_code(status) == KN_OUT_OF_MEMORY);
  } while (status);
  assert_true(allowed > 3);
  assert_int_equal(kt_directory_entries(at("made")), 1);
}

#define test(function) cmocka_unit_test_setup_teardown(function, make_directory, remove_directory)

int main(void) {
  const struct CMUnitTest tests[] = {
      test(writes_whole_files),
      test(writes_beside_nothing_that_is_no_file),
      test(asking_makes_nothing),
      test(devices_are_written_through),
      test(links_are_written_through),
      test(what_is_no_file_is_not_read),
      test(a_failed_write_leaves_the_old_file),
      test(reads_up_to_a_limit),
      test(maps_what_is_looked_at),
      test(reads_files_without_a_size),
      test(temporary_files_are_published),
      test(what_killed_processes_left_is_removed),
      test(directories_are_made_counted_and_removed),
      test(a_directory_goes_at_once),
      test(locks_exclude_each_other),
      test(failing_allocations),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
