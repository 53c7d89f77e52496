/* Files in memory, in the place of those that a target writes and reads: a fuzzer runs many times more often where no
 * model waits for a disk. What is called here instead of the real functions is listed in CMakeLists.txt (--wrap). */
#ifndef TESTS_FUZZ_WIRE_MEMORY_STORE_H
#define TESTS_FUZZ_WIRE_MEMORY_STORE_H

/* Removes all files. */
void kt_memory_store_clear(void);

#endif
