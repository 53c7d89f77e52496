/* System calls, and functions of libssl, that fail when they are asked to: the test programs of this directory that
 * link system.c call its functions in place of the C library's (CMakeLists.txt, --wrap). */
#ifndef TESTS_TORTURE_SYSTEM_H
#define TESTS_TORTURE_SYSTEM_H

#include <stdbool.h>

/* Names of all functions that can fail, NULL-terminated; those of libssl stand apart. */
extern const char *const kt_system_calls[];
extern const char *const kt_tls_calls[];

/* The `nth` call (from 1) of `function` fails with `error` and does nothing; of libssl's all fail. */
void kt_system_fail(const char *function, unsigned nth, int error);
/* Nothing fails any more. Whether something did. */
bool kt_system_mend(void);

#endif
