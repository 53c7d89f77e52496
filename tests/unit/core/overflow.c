/* Fills the stack of a thread: argv[1] is "first" or "other". */
#include "core/crash.h"
#include "core/thread.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

/* Not a call at the end, which would need no stack. */
static int deeper(volatile int *before) {
  volatile int here[256] = {*before};
  if (*before == 0) return 0; /* it never is */
  return deeper(here) + here[255];
}

static void *fill(void *context) {
  volatile int start = *(int *)context;
  *(int *)context = deeper(&start);
  return NULL;
}

int main(int argc, char **argv) {
  const struct rlimit no_core = {0};
  setrlimit(RLIMIT_CORE, &no_core);
  kn_crash_install();
  kn_crash_expect("inference", "a block", "a model", NULL);
  int context = 1;
  kn_thread thread;
  if (argc != 2 || !strcmp(argv[1], "first")) {
    fill(&context);
  } else if (kn_thread_start(&thread, NULL, fill, &context) == 0) {
    kn_thread_join(&thread);
  }
  printf("%d\n", context); /* not reached */
  return 0;
}
