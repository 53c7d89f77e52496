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
/* What worked and should not have, or gave another result: operations of tests say "wrong: " then. */
bool kt_is_wrong(kn_status status);
/* Fails the test unless `status`, which it takes, is none or says something that is not wrong, there are `before`
 * descriptors, and no child is left. */
void kt_system_check(const char *function, unsigned nth, kn_status status, int before);

#endif
