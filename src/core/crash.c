#include "core/crash.h"

#include <kenning/plugin.h>
#include <pthread.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_BYTES = 2048 };

/* Two, so that the one that the handler reads is never the one that is written. */
static char texts[2][TEXT_BYTES];
static _Atomic(const char *) told;
static pthread_mutex_t writing = PTHREAD_MUTEX_INITIALIZER;

void kn_crash_expect(const char *phase, const char *block, const char *model, const char *way_out) {
  pthread_mutex_lock(&writing);
  char *text = atomic_load(&told) == texts[0] ? texts[1] : texts[0];
  int written =
      snprintf(text, TEXT_BYTES - 1, " in the phase \"%s\" of %s%s%s%s%s", phase, block,
               model ? ", with the model " : "", model ? model : "", way_out ? "; " : "", way_out ? way_out : "");
  size_t length = written < 0 ? 0 : (size_t)written < TEXT_BYTES - 1 ? (size_t)written : TEXT_BYTES - 2;
  text[length] = '\n';
  text[length + 1] = '\0';
  atomic_store(&told, text);
  pthread_mutex_unlock(&writing);
}

void kn_crash_forget(void) { atomic_store(&told, NULL); }

/* ---- the handler: write(2) and raise(3) alone ---- */

/* stderr as it was at the beginning: while an engine is opened, the number may stand for something else. */
static int words_to = STDERR_FILENO;

static const struct {
  int number;
  const char *words;
} crashes[] = {{SIGSEGV, "kenning: error: crashed by SIGSEGV (a memory access that is not allowed)"},
               {SIGBUS, "kenning: error: crashed by SIGBUS (memory that is not there, such as a file that was cut)"},
               {SIGILL, "kenning: error: crashed by SIGILL (an instruction that this processor does not have)"},
               {SIGFPE, "kenning: error: crashed by SIGFPE (arithmetic that is not possible)"},
               {SIGABRT, "kenning: error: ended by SIGABRT (a program's own check)"}};
enum { CRASHES = sizeof crashes / sizeof *crashes };

static void say(const char *text) {
  size_t length = 0;
  while (text[length]) length++;
  if (write(words_to, text, length) < 0) return;
}

/* SA_RESETHAND has put the default action back: what is raised takes its course when this returns. */
static void on_crash(int number) {
  const char *text = atomic_load(&told);
  for (size_t i = 0; i < CRASHES; i++)
    if (crashes[i].number == number) say(crashes[i].words);
  say(text ? text : "\n");
  raise(number);
}

void kn_crash_use_stack(char *room) {
  if (KN_SANITIZER_KIND) return;
  const stack_t own = {.ss_sp = room, .ss_size = KN_CRASH_STACK_BYTES, .ss_flags = room ? 0 : SS_DISABLE};
  (void)sigaltstack(&own, NULL); /* without it a stack that is full ends without a word */
}

void kn_crash_install(void) {
  static char stack[KN_CRASH_STACK_BYTES];
  if (KN_SANITIZER_KIND) return;
  kn_crash_use_stack(stack);
  int own = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  if (own >= 0) words_to = own;
  struct sigaction action = {.sa_handler = on_crash, .sa_flags = (int)(SA_RESETHAND | SA_ONSTACK)};
  for (size_t i = 0; i < CRASHES; i++) sigaction(crashes[i].number, &action, NULL);
}
