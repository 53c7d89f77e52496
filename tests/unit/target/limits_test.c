/* What keeps a worker within its limits, and memory that it shares. */
#include "target/limits.h"
#include "core/memory.h"
#include "support/directory.h"
#include "support/status.h"
#include "support/unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MEBI = 1 << 20 };

/* `bytes` of shared memory, which no limit on data counts, and then two seconds. */
static void fill(size_t bytes) {
  char *data = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) _exit(1);
  for (size_t i = 0; i < bytes; i += 4096) data[i] = 1;
  for (int i = 0; i < 100; i++) nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
}

static int outcome_of(const kn_limits *limits, size_t bytes, bool spin) {
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (!pid) {
    if (kn_limits_apply(limits)) _exit(2);
    volatile bool on = spin;
    while (on) continue;
    fill(bytes);
    _exit(0);
  }
  int outcome;
  assert_int_equal(waitpid(pid, &outcome, 0), pid);
  return outcome;
}

static void what_is_resident_is_watched(void **state) {
  (void)state;
  const kn_limits limits = {.resident_bytes = (uint64_t)512 * MEBI};
  int outcome = outcome_of(&limits, (size_t)640 * MEBI, false);
  assert_true(WIFEXITED(outcome) && WEXITSTATUS(outcome) == KN_EXIT_MEMORY);
  outcome = outcome_of(&limits, MEBI, false);
  assert_true(WIFEXITED(outcome) && WEXITSTATUS(outcome) == 0);
}

static void processor_time_ends(void **state) {
  (void)state;
  const kn_limits limits = {.processor_s = 1};
  int outcome = outcome_of(&limits, 0, true);
  assert_true(WIFSIGNALED(outcome) && WTERMSIG(outcome) == SIGXCPU);
}

/* ---- groups ---- */

/* A tree of files in place of the kernel's. A new directory in it gets the kernel's files, where the directory around
 * it has a "limits" (memory in cgroup.subtree_control), and loses them before it is removed. */
static char *tree;
static const char *const files[] = {"memory.max", "cgroup.procs", "memory.swap.max", "memory.events"};
enum { FILES = sizeof files / sizeof *files };

int __real_mkdir(const char *path, mode_t mode);
int __real_rmdir(const char *path);
int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_rmdir(const char *path);

static bool is_group(const char *path) {
  return tree && !strncmp(path, tree, strlen(tree)) && strstr(path, "/kenning-");
}

int __wrap_mkdir(const char *path, mode_t mode) {
  int result = __real_mkdir(path, mode);
  if (result || !is_group(path)) return result;
  char *around = strdup(path);
  assert_non_null(around);
  *strrchr(around, '/') = '\0';
  char *limits = kt_path(around, "limits");
  for (size_t i = 0; i < FILES; i++) {
    char *file = kt_path(path, files[i]);
    if (access(limits, F_OK) == 0) kt_file_write_text(file, "");
    free(file);
  }
  free(limits);
  free(around);
  return 0;
}

int __wrap_rmdir(const char *path) {
  for (size_t i = 0; is_group(path) && i < FILES; i++) {
    char *file = kt_path(path, files[i]);
    unlink(file);
    free(file);
  }
  return __real_rmdir(path);
}

typedef struct kernel {
  char *own, *group; /* /proc/self/cgroup; the directory of the group that it names */
} kernel;

static kernel make_kernel(void) {
  tree = kt_directory_make();
  kernel k = {.own = kt_path(tree, "own"), .group = kt_path(tree, "user")};
  kt_file_write_text(k.own, "4:memory:/elsewhere\n0::/user\n");
  return k;
}

static void drop_kernel(kernel *k) {
  char *root = tree;
  tree = NULL;
  free(k->own);
  free(k->group);
  kt_directory_remove(root);
}

static void expect_file(const char *directory, const char *name, const char *content) {
  char *path = kt_path(directory, name), *text = kt_file_read(path, NULL);
  assert_string_equal(text, content);
  free(text);
  free(path);
}

static void allow_limits(const char *directory) {
  char *path = kt_path(directory, "limits");
  kt_file_write_text(path, "");
  free(path);
}

/* What is written where, and what it says when the kernel has ended a process. */
static void try_group(const kernel *k, const char *place) {
  kn_memory_group group;
  char *expected = kt_path(place, "kenning-77"), *events = kt_path(expected, "memory.events");
  kt_assert_ok(kn_memory_group_make(tree, k->own, 77, 1000, &group));
  assert_non_null(group.path);
  assert_string_equal(group.path, expected);
  expect_file(expected, "memory.max", "1000");
  expect_file(expected, "cgroup.procs", "77");
  expect_file(expected, "memory.swap.max", "0");
  assert_false(kn_memory_group_exceeded(&group));
  kt_file_write_text(events, "low 0\nhigh 0\nmax 4\noom 1\noom_kill 0\n");
  assert_false(kn_memory_group_exceeded(&group));
  kt_file_write_text(events, "low 0\nhigh 0\nmax 4\noom 1\noom_kill 2\n");
  assert_true(kn_memory_group_exceeded(&group));
  kn_memory_group_remove(&group);
  assert_null(group.path);
  assert_int_equal(access(expected, F_OK), -1);
  free(events);
  free(expected);
}

static void a_group_is_made_below_or_beside(void **state) {
  (void)state;
  kernel k = make_kernel();
  assert_int_equal(mkdir(k.group, 0700), 0);
  allow_limits(tree); /* the usual case: groups with processes have no limits for those below */
  try_group(&k, tree);
  allow_limits(k.group);
  try_group(&k, k.group);
  kt_file_write_text(k.own, "0::/\n"); /* in the root itself */
  try_group(&k, tree);
  drop_kernel(&k);
}

/* A group, or none and the reason, or none: never a directory that is not known. */
static void a_group_without_memory(void **state) {
  (void)state;
  kernel k = make_kernel();
  assert_int_equal(mkdir(k.group, 0700), 0);
  kt_file_write_text(k.own, "4:memory:/elsewhere\n0::/user"); /* without a line's end */
  bool made = false;
  for (int delegated = 0; delegated < 2; delegated++) { /* beside, then below */
    allow_limits(delegated ? k.group : tree);
    made = false;
    for (uint64_t n = 0; !made; n++) {
      assert_true(n < 50);
      kn_memory_group group;
      kn_memory_fail_after(n);
      kn_status status = kn_memory_group_make(tree, k.own, 77, 1000, &group);
      bool exceeded = kn_memory_group_exceeded(&group);
      kn_memory_fail_after(UINT64_MAX);
      assert_false(exceeded);
      assert_true(!status || !group.path);
      kt_assert_status_at(status, status ? KN_OUT_OF_MEMORY : KN_OK, NULL, __FILE__, __LINE__);
      made = group.path && n > 8;
      kn_memory_group_remove(&group);
      char *below = kt_path(k.group, "kenning-77"), *beside = kt_path(tree, "kenning-77");
      assert_int_equal(access(below, F_OK), -1);
      assert_int_equal(access(beside, F_OK), -1);
      free(below);
      free(beside);
    }
  }
  drop_kernel(&k);
}

static void expect_none(const kernel *k) {
  kn_memory_group group;
  kt_assert_ok(kn_memory_group_make(tree, k->own, 77, 1000, &group));
  assert_null(group.path);
  assert_false(kn_memory_group_exceeded(&group));
  kn_memory_group_remove(&group);
  char *below = kt_path(k->group, "kenning-77"), *beside = kt_path(tree, "kenning-77");
  assert_int_equal(access(below, F_OK), -1);
  assert_int_equal(access(beside, F_OK), -1);
  free(below);
  free(beside);
}

static void where_none_may_be_made_there_is_none(void **state) {
  (void)state;
  kernel k = make_kernel();
  expect_none(&k); /* nothing delegated: no such directory, no limits around it */
  assert_int_equal(mkdir(k.group, 0700), 0);
  expect_none(&k); /* no memory controller */
  allow_limits(tree);
  char *taken = kt_path(tree, "kenning-77");
  kt_file_write_text(taken, ""); /* a name that is taken */
  kn_memory_group group;
  kt_assert_ok(kn_memory_group_make(tree, k.own, 77, 1000, &group));
  assert_null(group.path);
  assert_int_equal(unlink(taken), 0);
  kt_file_write_text(k.own, "1:cpu:/\n");
  expect_none(&k); /* not of version 2 */
  assert_int_equal(unlink(k.own), 0);
  expect_none(&k);
  free(taken);
  drop_kernel(&k);
}

/* The kernel's own, where this user may make one. */
static void the_kernel_limits_a_group(void **state) {
  (void)state;
  int channel[2], outcome;
  char go;
  assert_int_equal(pipe(channel), 0);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (!pid) {
    if (read(channel[0], &go, 1) != 1) _exit(1);
    fill((size_t)256 * MEBI);
    _exit(0);
  }
  kn_memory_group group;
  kt_assert_ok(kn_memory_group_make("/sys/fs/cgroup", "/proc/self/cgroup", pid, (uint64_t)64 * MEBI, &group));
  bool made = group.path != NULL;
  if (!made) kill(pid, SIGKILL);
  assert_int_equal(write(channel[1], "g", 1), 1);
  assert_int_equal(waitpid(pid, &outcome, 0), pid);
  close(channel[0]);
  close(channel[1]);
  bool ended = WIFSIGNALED(outcome) && WTERMSIG(outcome) == SIGKILL, exceeded = kn_memory_group_exceeded(&group);
  kn_memory_group_remove(&group);
  if (!made) kt_skip("no cgroup of version 2 with a memory controller is delegated to this user");
  assert_true(ended && exceeded);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_resident_is_watched),     cmocka_unit_test(processor_time_ends),
      cmocka_unit_test(a_group_is_made_below_or_beside), cmocka_unit_test(where_none_may_be_made_there_is_none),
      cmocka_unit_test(a_group_without_memory),          cmocka_unit_test(the_kernel_limits_a_group),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
