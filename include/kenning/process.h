/* Programs run as children: found on PATH or by path, started without a shell, watched until they end. */
#ifndef KENNING_PROCESS_H
#define KENNING_PROCESS_H

#include <kenning/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum kn_stream { KN_STREAM_OUT = 1, KN_STREAM_ERROR = 2 } kn_stream;

typedef struct kn_process_request {
  const char *const *arguments;   /* NULL-terminated; [0] is the program: a path when it has a '/', else on PATH */
  const char *const *environment; /* changes to ours: "NAME=value" sets, "NAME" takes away; NULL-terminated or NULL */
  const char *directory;          /* working directory; NULL: ours */
  double timeout_s;               /* 0: none */
  /* 0: none. Resident size of the child, looked at every 50 ms; its private memory is also limited to twice this by
   * the system, so that one large request fails in the child at once. */
  size_t memory_limit_bytes;
  /* Called in the calling thread with each line without its end. Lines end at '\n' or '\r', are cut at 16 KiB, and hold
   * no colours and no control characters but tabs (others become '?'). A status stops the child and is returned. May be
   * NULL. */
  kn_status (*line)(void *context, kn_stream stream, const char *text);
  /* Called about every 100 ms while the child runs, for showing progress. May be NULL. */
  void (*tick)(void *context, double elapsed_s);
  void *context;
} kn_process_request;

typedef struct kn_process_result {
  int exit_code; /* -1 when it did not exit by itself */
  int signal;    /* that ended it, or 0 */
  double seconds;
} kn_process_result;

/* Runs a program to its end. NULL when it exits with 0. Otherwise KN_NOT_INSTALLED (no such program),
 * KN_BACKEND_FAILED (another exit code, a signal, too much memory; its last lines are in the message), KN_TIMEOUT,
 * KN_CANCELLED. `out_result` (may be NULL) is filled in all cases where it ran.
 *
 * The child leads a session and a process group of its own, with /dev/null as stdin, default signal handlers, and no
 * other descriptor of ours. When it is stopped the whole group gets SIGTERM and, 2 s later, SIGKILL; what it leaves
 * behind in its group when it ends is killed too. It dies with the calling thread where setpriv(1) is at hand.
 * Thread-safe. */
KN_API kn_status kn_process_run(const kn_process_request *request, kn_process_result *out_result) KN_MUST_USE;

/* Runs a program for at most `timeout_s` and returns what it wrote to stdout, at most 1 MiB, lines ended by '\n'. Free
 * with kn_free. */
KN_API kn_status kn_process_output(const char *const *arguments, double timeout_s, char **out_text) KN_MUST_USE;

/* Full path of a program on PATH; free with kn_free. KN_NOT_INSTALLED when there is none. */
KN_API kn_status kn_process_find(const char *program, char **out_path) KN_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
