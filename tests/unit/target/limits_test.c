/* What keeps a worker within its limits, and memory that it shares. */
#include "target/limits.h"
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

/* A tree of files in place of the kernel's: what is written where. That the kernel then limits the group is its own
 * matter; where it may not be made, there is none. */
static void groups_are_made_where_they_may_be(void **state) {
  (void)state;
  char *root = kt_directory_make(), *own = kt_path(root, "own"), *mine = kt_path(root, "user");
  char *path = NULL, text[512];
  kn_memory_group group;
  kt_file_write(own, "4:memory:/elsewhere\n0::/user\n", 29);
  kt_assert_ok(kn_memory_group_make(root, own, 77, 1000, &group)); /* nothing delegated: no such directory */
  assert_null(group.path);
  assert_int_equal(mkdir(mine, 0700), 0);
  kt_assert_ok(kn_memory_group_make(root, own, 77, 1000, &group)); /* no memory controller in it: no memory.max */
  assert_null(group.path);
  snprintf(text, sizeof text, "%s/kenning-77", mine);
  assert_int_equal(access(text, F_OK), -1);
  kt_file_write(own, "1:cpu:/\n", 8);
  kt_assert_ok(kn_memory_group_make(root, own, 77, 1000, &group)); /* not of version 2 */
  assert_null(group.path);
  group.path = kn_format("%s", mine);
  assert_false(kn_memory_group_exceeded(&group));
  path = kt_path(mine, "memory.events");
  kt_file_write(path, "low 0\nhigh 0\nmax 4\noom 1\noom_kill 0\n", 36);
  assert_false(kn_memory_group_exceeded(&group));
  kt_file_write(path, "low 0\nhigh 0\nmax 4\noom 1\noom_kill 2\n", 36);
  assert_true(kn_memory_group_exceeded(&group));
  assert_int_equal(unlink(path), 0);
  kn_memory_group_remove(&group);
  assert_int_equal(access(mine, F_OK), -1);
  free(path);
  free(mine);
  free(own);
  kt_directory_remove(root);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_resident_is_watched),
      cmocka_unit_test(processor_time_ends),
      cmocka_unit_test(groups_are_made_where_they_may_be),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
