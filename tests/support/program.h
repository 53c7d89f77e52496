/* Runs a program as a user would and keeps what it said. */
#ifndef TESTS_SUPPORT_PROGRAM_H
#define TESTS_SUPPORT_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct kt_run_options {
  const char *directory;          /* working directory; NULL: that of the test */
  const char *input;              /* stdin as text; NULL: nothing to read */
  const char *const *environment; /* "NAME=value" sets, "NAME" takes away; NULL-terminated; NULL: that of the test */
  int timeout_s;                  /* from the call that waits for the end; 0: 30 */
} kt_run_options;

typedef struct kt_run {
  int exit_code; /* -1 when a signal ended it */
  int signal;    /* 0 when it exited */
  bool timed_out;
  char *out; /* stdout with a NUL behind it */
  size_t out_bytes;
  char *err;
  size_t err_bytes;
  int64_t peak_rss_kib; /* largest resident size of the program; -1 when it timed out */
  int64_t wall_ns;      /* includes about 1 ms of the test's own */
} kt_run;

/* The program under test as this preset built it, and as users run it (release flags, no sanitizer). */
const char *kt_kenning(void);
const char *kt_kenning_release(void);
/* Skips the running test unless kt_kenning_release() finds the framework installed and whole. */
void kt_need(const char *framework);

/* Runs arguments[0] with the NULL-terminated arguments; `options` may be NULL. A program that cannot be started fails
 * the running test, nothing else does. Free the result with kt_run_free. */
kt_run kt_run_program(const char *const *arguments, const kt_run_options *options);
void kt_run_free(kt_run *run);
/* Runs kt_kenning() with the arguments that follow. */
#define kt_run_kenning(options, ...) kt_run_program((const char *const[]){kt_kenning(), __VA_ARGS__, NULL}, options)

/* The same in two steps, for servers. Every kt_start is followed by kt_finish, which waits for the end, kills the
 * program with its children when that takes too long, and frees `process`. */
typedef struct kt_process kt_process;
kt_process *kt_start(const char *const *arguments, const kt_run_options *options);
/* Waits until `text` stands in stdout or stderr; false, with what stands there told, when the
 * program ends or `timeout_s` passes before. */
bool kt_wait_output(kt_process *process, const char *text, int timeout_s);
void kt_signal(kt_process *process, int signal);
kt_run kt_finish(kt_process *process);

/* Fails the test, showing both streams, unless the program exited with `code`. */
#define kt_assert_exit(run, code) kt_assert_exit_at(run, code, __FILE__, __LINE__)
void kt_assert_exit_at(const kt_run *run, int code, const char *file, int line);
/* Fails the test, showing the text, unless `part` stands in `text`. */
#define kt_assert_contains(text, part) kt_assert_contains_at(text, part, __FILE__, __LINE__)
void kt_assert_contains_at(const char *text, const char *part, const char *file, int line);

#endif
