/* Shared libraries opened on first use: one table of functions per library, filled by name. */
#ifndef KENNING_CORE_LIBRARY_H
#define KENNING_CORE_LIBRARY_H

#include <stdatomic.h>

#include <kenning/status.h>

typedef struct kn_library {
  const char *file;         /* "libz.so.1" */
  const char *package;      /* Debian package that provides it, for messages */
  const char *const *names; /* of the functions */
  size_t count;
  void *table; /* struct of `count` function pointers in the order of `names` */
  atomic_bool ready;
} kn_library;

/* The struct of function pointers and the list of their names, from an X-macro X(function) and the library's header. */
#define KN_LIBRARY_POINTER(function) __typeof__(function) *function;
#define KN_LIBRARY_NAME(function) #function,

/* Opens the library and fills the table unless that is done. Thread-safe. KN_NOT_INSTALLED names the package. */
kn_status kn_library_use(kn_library *library) KN_MUST_USE;

#endif
