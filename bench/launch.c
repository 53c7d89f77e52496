/* How long a program takes from its start to its end.
 *
 *   bench-launch RUNS PROGRAM [ARGUMENT...]
 *
 * Runs it RUNS times, after one run that does not count, and prints the wall time of each in nanoseconds, one a line.
 * posix_spawn does not copy the memory of the parent, so the time is that of the program. Its output goes to /dev/null.
 * Exit 1 when the program cannot be started or does not end with 0. */
#include <kenning/services.h>

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* -1 when it failed, with the reason on stderr. */
static int64_t run(char **command, const posix_spawn_file_actions_t *actions) {
  pid_t child;
  int status = 0;
  int64_t start = kn_now_ns();
  int error = posix_spawn(&child, command[0], actions, NULL, command, environ);
  if (error) {
    fprintf(stderr, "bench-launch: %s: %s\n", command[0], strerror(error));
    return -1;
  }
  bool waited = waitpid(child, &status, 0) == child;
  int64_t end = kn_now_ns();
  if (waited && WIFEXITED(status) && WEXITSTATUS(status) == 0) return end - start;
  fprintf(stderr, "bench-launch: %s failed (wait status %d)\n", command[0], status);
  return -1;
}

int main(int argc, char **argv) {
  char *end = NULL;
  unsigned long runs = argc > 2 ? strtoul(argv[1], &end, 10) : 0;
  if (!end || *end || runs < 1 || runs > 1000000) {
    fprintf(stderr, "usage: bench-launch RUNS PROGRAM [ARGUMENT...], 1 to 1000000 runs\n");
    return 2;
  }
  posix_spawn_file_actions_t actions;
  if (posix_spawn_file_actions_init(&actions) ||
      posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0) ||
      posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0) ||
      posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)) {
    fprintf(stderr, "bench-launch: out of memory\n");
    return 1;
  }
  int64_t time = run(argv + 2, &actions);
  for (unsigned long i = 0; i < runs && time >= 0; i++) {
    time = run(argv + 2, &actions);
    if (time >= 0) printf("%lld\n", (long long)time);
  }
  posix_spawn_file_actions_destroy(&actions);
  return time < 0;
}
