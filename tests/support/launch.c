/* Starts a program and reports how it ended and how large it grew.
 *
 *   launch FD PROGRAM ARGUMENT...
 *
 * Linux counts into a process's peak resident size that of the process that started it. This one is small; the tests,
 * with a sanitizer inside, are not. The report goes to the file descriptor FD as one line: wait status and KiB. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void kill_group(int signal) {
  (void)signal;
  kill(0, SIGKILL);
}

int main(int count, char **arguments) {
  if (count < 3) return 127;
  int report = (int)strtol(arguments[1], NULL, 10);
  /* When the test dies, the program dies with it. */
  signal(SIGIO, kill_group);
  if (fcntl(report, F_SETFD, FD_CLOEXEC) != 0 || prctl(PR_SET_PDEATHSIG, SIGIO) != 0) return 127;

  /* Signals of the test to the process group are for the program; this waits for its end. */
  static const int for_program[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
  sigset_t all;
  posix_spawnattr_t attributes;
  sigfillset(&all);
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  for (size_t i = 0; i < sizeof for_program / sizeof *for_program; i++) signal(for_program[i], SIG_IGN);

  pid_t pid = 0;
  int error = posix_spawnp(&pid, arguments[2], NULL, &attributes, arguments + 2, environ);
  if (error) {
    dprintf(report, "cannot start %s: %s\n", arguments[2], strerror(error));
    return 127;
  }
  int status = 0;
  struct rusage usage = {0};
  while (wait4(pid, &status, 0, &usage) < 0) {
    if (errno != EINTR) return 127;
  }
  dprintf(report, "%d %ld\n", status, usage.ru_maxrss);
  return 0;
}
