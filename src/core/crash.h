/* What to say when a signal ends the program: an engine's machine code, or a model's, can do what it likes. Said before
 * something of others is called, told by the handler in one line on stderr; then the signal takes its course. */
#ifndef KENNING_CORE_CRASH_H
#define KENNING_CORE_CRASH_H

/* Installs handlers of SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGABRT, on a stack of their own for the calling thread. Not
 * under sanitizers, which have their own. */
void kn_crash_install(void);

enum { KN_CRASH_STACK_BYTES = 32 << 10 };
/* Handlers run on `room`, of KN_CRASH_STACK_BYTES, when they interrupt the calling thread; NULL: on its stack again. */
void kn_crash_use_stack(char *room);

/* What begins now. Texts are copied, and cut when they are long; `model` and `way_out` may be NULL. */
void kn_crash_expect(const char *phase, const char *block, const char *model, const char *way_out);
/* What was said is over. */
void kn_crash_forget(void);

#endif
