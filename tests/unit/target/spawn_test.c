/* Child processes: that they have ended is seen at once and by nothing but their end, and how is told. */
#include "support/status.h"
#include "support/unit.h"
#include "target/server.h"
#include "target/spawn.h"

#include <fcntl.h>
#include <kenning/services.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 50, SOON_MS = 20000, NEVER_MS = 100 };

static kn_child start(const char *script) {
  const char *const arguments[] = {"-c", script, NULL};
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  assert_true(null >= 0);
  const kn_child_request request = {
      .program = "sh", .arguments = arguments, .client = null, .config = null, .slots = -1, .output = null};
  kn_child child;
  kt_assert_ok(kn_child_spawn(&request, &child));
  close(null);
  return child;
}

static bool seen_to_end(const kn_child *child, int milliseconds) {
  struct pollfd one = {.fd = child->watch, .events = POLLIN};
  return poll(&one, 1, milliseconds) > 0;
}

/* However close the look is to the end: the outcome is the child's own. */
static void the_end_is_seen_and_told(void **state) {
  (void)state;
  for (int i = 0; i < ROUNDS; i++) {
    kn_child child = start("exit 7");
    assert_true(seen_to_end(&child, SOON_MS));
    int outcome = kn_child_end(&child, 0);
    assert_true(WIFEXITED(outcome));
    assert_int_equal(WEXITSTATUS(outcome), 7);
    assert_int_equal(child.pid, 0);
    child = start("kill -TERM $$; sleep 60");
    outcome = kn_child_end(&child, SOON_MS);
    assert_true(WIFSIGNALED(outcome));
    assert_int_equal(WTERMSIG(outcome), SIGTERM);
  }
}

static void one_that_goes_on_is_killed(void **state) {
  (void)state;
  kn_child child = start("exec sleep 60");
  assert_false(seen_to_end(&child, NEVER_MS));
  const int outcome = kn_child_end(&child, 0);
  assert_true(WIFSIGNALED(outcome));
  assert_int_equal(WTERMSIG(outcome), SIGKILL);
}

/* It counts as ended then, and nobody waits for it. */
static void one_that_gives_its_sign_of_life_away_is_killed(void **state) {
  (void)state;
  kn_child child = start("exec 6>&-; exec sleep 60");
  const int64_t begun = kn_now_ns();
  const int outcome = kn_child_end(&child, 2 * SOON_MS);
  assert_true(kn_now_ns() - begun < (int64_t)SOON_MS * 1000000);
  assert_true(WIFSIGNALED(outcome));
  assert_int_equal(WTERMSIG(outcome), SIGKILL);
}

/* What was started for another child is not in the way. */
static void each_end_is_its_own(void **state) {
  (void)state;
  kn_child first = start("exec sleep 60"), second = start("exec sleep 60");
  kill(first.pid, SIGKILL);
  assert_true(seen_to_end(&first, SOON_MS));
  assert_false(seen_to_end(&second, NEVER_MS));
  (void)kn_child_end(&first, 0);
  (void)kn_child_end(&second, 0);
}

/* A worker whose parent ended before the worker could ask to be told of it. */
static void an_orphan_ends(void **state) {
  (void)state;
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  close(ends[0]); /* the parent is gone */
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(ends[1], KN_WORKER_LIFE_FD);
    kn_child_bind_to_parent();
    _exit(0);
  }
  close(ends[1]);
  int outcome;
  assert_int_equal(waitpid(pid, &outcome, 0), pid);
  assert_true(WIFEXITED(outcome));
  assert_int_equal(WEXITSTATUS(outcome), 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_end_is_seen_and_told),
      cmocka_unit_test(one_that_goes_on_is_killed),
      cmocka_unit_test(each_end_is_its_own),
      cmocka_unit_test(an_orphan_ends),
      cmocka_unit_test(one_that_gives_its_sign_of_life_away_is_killed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
