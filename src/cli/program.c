/* What the programs have in common: signals and exit codes. */
#include "cli/command.h"
#include "core/log.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

int kn_command_finish(kn_status status) {
  if (!status) return 0;
  kn_log_status(status);
  kn_code code = kn_status_code(status);
  kn_status_free(status);
  switch (code) {
    case KN_OK:
      return 0;
    case KN_INVALID_ARGUMENT:
    case KN_NOT_FOUND:
    case KN_BAD_DATA:
    case KN_INCOMPATIBLE:
      return 2;
    case KN_NOT_INSTALLED:
      return 3;
    default:
      return 1;
  }
}

static const char *told = "";

/* The first Ctrl-C asks the run to finish its step and save; the second ends the program. */
static void on_signal(int number) {
  (void)number;
  if (kn_cancelled()) _exit(130);
  kn_cancel();
  if (write(STDERR_FILENO, told, strlen(told)) < 0) return;
}

/* What is opened later must not take the place of a standard descriptor that is closed, where others would write into
 * it. These stay as useless as closed ones, but for stderr, which takes messages and loses them. */
static void hold_standard_descriptors(void) {
  static const int modes[] = {O_WRONLY, O_RDONLY, O_WRONLY};
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", modes[fd]) < 0) return;
}

void kn_prepare_program(const char *text) {
  hold_standard_descriptors();
  told = text;
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, NULL);
  action.sa_handler = SIG_DFL; /* ignored by whoever started this, it would hide how children end */
  sigaction(SIGCHLD, &action, NULL);
}
