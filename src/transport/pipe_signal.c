#include "transport/pipe_signal.h"

#include <errno.h>
#include <time.h>

static sigset_t alone(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  return set;
}

kn_pipe_signal kn_pipe_signal_hold(void) {
  const sigset_t set = alone();
  sigset_t pending;
  kn_pipe_signal held = {0};
  pthread_sigmask(SIG_BLOCK, &set, &held.before);
  if (sigismember(&held.before, SIGPIPE) != 1) return held; /* it would have come */
  sigpending(&pending);
  held.pending = sigismember(&pending, SIGPIPE) == 1;
  return held;
}

void kn_pipe_signal_release(const kn_pipe_signal *held, bool raised) {
  const int error = errno;
  const sigset_t set = alone();
  if (raised && !held->pending)
    while (sigtimedwait(&set, NULL, &(struct timespec){0}) < 0 && errno == EINTR) continue;
  pthread_sigmask(SIG_SETMASK, &held->before, NULL);
  errno = error;
}
