/* System calls, and functions of libssl, that fail when they are asked to: the test programs of this directory that
 * link system.c call its functions in place of the C library's (CMakeLists.txt, --wrap). */
#ifndef TESTS_TORTURE_SYSTEM_H
#define TESTS_TORTURE_SYSTEM_H

#include <kenning/status.h>
#include <stdbool.h>

/* Names of all functions that can fail, NULL-terminated; those of libssl stand apart. */
extern const char *const kt_system_calls[];
extern const char *const kt_tls_calls[];

/* The `nth` call (from 1) of `function` fails with `error` and does nothing; of libssl's all fail. */
void kt_system_fail(const char *function, unsigned nth, int error);
/* Nothing fails any more. Whether something did. */
bool kt_system_mend(void);

/* Descriptors of this process, a few more than there are, always as many. */
int kt_descriptors(void);
/* Fails the test unless `status`, which it takes, is none or says something, there are `before` descriptors, and no
 * child is left. What worked and should not have, or gave another result, is to be told by a status that begins with
 * "wrong: ". */
void kt_system_check(const char *function, unsigned nth, kn_status status, int before);

/* Something that is done again and again while one call fails: it tells of that or is right, and leaves nothing. */
typedef struct kt_torture {
  const char *what; /* for messages */
  kn_status (*operation)(void *context);
  void *context;
  const char *const *calls; /* that fail, NULL-terminated */
  const int *errors;        /* with which they fail, 0-terminated */
  unsigned most;            /* of the calls of one function, from the first on, that are let fail */
  bool whole;               /* there must not be more */
  bool hasty;               /* its own deadlines are short: on a busy machine it may be late without a failing call */
  const char *const *vital; /* those whose first call's failing (EIO) is not overcome, NULL-terminated; NULL: none */
} kt_torture;
void kt_system_torture(const kt_torture *torture);

#endif
