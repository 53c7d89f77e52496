/* A connection in memory, in the place of transport/connection.c: what the peer says lies ready, what is said to it is
 * dropped. No descriptor, no system call, no waiting: a fuzzer runs many times more often with it. */
#ifndef TESTS_FUZZ_WIRE_MEMORY_CONNECTION_H
#define TESTS_FUZZ_WIRE_MEMORY_CONNECTION_H

#include "transport/connection.h"

/* The peer says these bytes, which live as long as the connection, and then closes it, or (`stalls`) says no more. */
kn_connection kt_memory_connection(const void *said, size_t bytes, bool stalls);

#endif
