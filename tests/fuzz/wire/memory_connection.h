/* A connection in memory, in the place of transport/connection.c: what the peer says lies ready, what is said to it is
 * dropped. No descriptor, no system call, no waiting: a fuzzer runs many times more often with it. */
#ifndef TESTS_FUZZ_WIRE_MEMORY_CONNECTION_H
#define TESTS_FUZZ_WIRE_MEMORY_CONNECTION_H

#include "target/protocol.h"
#include "wire/message.h"

/* The peer says these bytes, which live as long as the connection, and then closes it, or (`stalls`) says no more. */
kn_connection kt_memory_connection(const void *said, size_t bytes, bool stalls);

/* Adds the answer of a target that did what it was asked for, in one frame with the 12-byte header, behind the first
 * `count` bytes; returns how many there are then. */
size_t kt_memory_answer(uint8_t *out, size_t count, kn_message type, const void *payload, size_t bytes);
/* The same for uploads and commands, whose answer is the action that was done. */
size_t kt_memory_done(uint8_t *out, size_t count, kn_message type);

#endif
