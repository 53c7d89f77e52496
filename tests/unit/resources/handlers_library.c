/* A library that, as some engines do, installs signal handlers when it is opened. */
#include <signal.h>
#include <stddef.h>

static void handle(int number) { (void)number; }

static void __attribute__((constructor)) install(void) {
  struct sigaction action = {.sa_handler = handle};
  sigaction(SIGSEGV, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGUSR2, &action, NULL);
}

__attribute__((visibility("default"))) const char *fake_version(void);
const char *fake_version(void) { return "1.0"; }
