/* Errors. A function that can fail returns a kn_status: NULL means success, anything else is owned by the receiver,
 * who returns it upwards (perhaps with kn_status_annotate) or frees it. */
#ifndef KENNING_STATUS_H
#define KENNING_STATUS_H

#include <kenning/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kn_status_s *kn_status;

/* A code says what the caller should do. X(name, number, text): the numbers never change; they are also what targets
 * say to hosts that understand them (docs/protocol.md).
 *   CANCELLED         the user asked to stop: save what there is and end
 *   INVALID_ARGUMENT  fix the arguments or the scenario
 *   NOT_FOUND         a named thing (class, file, parameter) does not exist: fix the name
 *   BAD_DATA          an input file is damaged or is not what it claims to be: fix the file
 *   INCOMPATIBLE      the parts do not fit together (formats, shapes, versions): choose others
 *   NOT_INSTALLED     install something; the message names the command
 *   OUT_OF_MEMORY     free memory and try again
 *   IO_ERROR          the system refused to read or write: disk full, permissions, ...
 *   BACKEND_FAILED    a framework or tool failed on valid-looking input; its own words are in the message
 *   TIMEOUT           a deadline passed: try again or allow more time
 *   BUSY              somebody else holds the resource: try again later
 *   INTERNAL          a fault of this program: report it */
#define KN_CODES(X)                          \
  X(OK, 0, "ok")                             \
  X(CANCELLED, 1, "cancelled")               \
  X(INVALID_ARGUMENT, 2, "invalid argument") \
  X(NOT_FOUND, 3, "not found")               \
  X(BAD_DATA, 4, "bad data")                 \
  X(INCOMPATIBLE, 5, "incompatible")         \
  X(NOT_INSTALLED, 6, "not installed")       \
  X(OUT_OF_MEMORY, 7, "out of memory")       \
  X(IO_ERROR, 8, "input/output error")       \
  X(BACKEND_FAILED, 9, "back-end failed")    \
  X(TIMEOUT, 10, "timeout")                  \
  X(BUSY, 11, "busy")                        \
  X(INTERNAL, 12, "internal error")

typedef enum kn_code {
#define KN_CODE_NUMBER(name, number, text) KN_##name = number,
  KN_CODES(KN_CODE_NUMBER)
#undef KN_CODE_NUMBER
} kn_code;

/* Makes a status. Never returns NULL and never fails: when memory is exhausted it returns a static
 * KN_OUT_OF_MEMORY status. Thread-safe. */
KN_API kn_status kn_status_make(kn_code code, const char *format, ...) KN_MUST_USE KN_NEVER_NULL KN_PRINTF(2, 3);
/* The same with the place of the fault, e.g. "scenario.json:12:5" (NULL: no place). */
KN_API kn_status kn_status_make_at(kn_code code, const char *where, const char *format, ...) KN_MUST_USE KN_NEVER_NULL
    KN_PRINTF(3, 4);
KN_API kn_status kn_status_vmake_at(kn_code code, const char *where, const char *format,
                                    va_list arguments) KN_MUST_USE KN_NEVER_NULL KN_PRINTF(3, 0);
/* KN_OUT_OF_MEMORY without allocating. */
KN_API kn_status kn_status_out_of_memory(void) KN_MUST_USE KN_NEVER_NULL;

/* Adds a line of context ("while loading model.h5") to a status on its way up and returns it; NULL stays NULL. */
KN_API kn_status kn_status_annotate(kn_status status, const char *format, ...) KN_MUST_USE KN_PRINTF(2, 3);
/* Takes both and returns one status that reports all faults of `first`, then all of `second`. Either may be NULL.
 * The code is that of the first fault, except that faults of the input outweigh KN_NOT_INSTALLED. */
KN_API kn_status kn_status_join(kn_status first, kn_status second) KN_MUST_USE;

KN_API kn_code kn_status_code(kn_status status);
/* Number of faults; message, place (or NULL) and context of fault `index`. Strings live as long as the status. */
KN_API size_t kn_status_count(kn_status status);
KN_API const char *kn_status_message(kn_status status, size_t index);
KN_API const char *kn_status_where(kn_status status, size_t index);
/* Context lines of fault `index` joined by newlines, innermost first; "" when there are none. */
KN_API const char *kn_status_context(kn_status status, size_t index);
KN_API void kn_status_free(kn_status status);
/* "invalid argument", "not installed", ... */
KN_API const char *kn_code_name(kn_code code);

/* Returns from the calling function when `expression` yields a status. */
#define KN_TRY(expression)                     \
  do {                                         \
    kn_status kn_try_status_ = (expression);   \
    if (kn_try_status_) return kn_try_status_; \
  } while (0)

#ifdef __cplusplus
}
#endif
#endif
