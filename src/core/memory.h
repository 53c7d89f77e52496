/* Failure injection for the allocator behind kn_alloc and its family. */
#ifndef KENNING_CORE_MEMORY_H
#define KENNING_CORE_MEMORY_H

#include <kenning/base.h>

/* Lets the next `successes` allocations succeed and all later ones fail, until called again; UINT64_MAX: never fail.
 * For tests: one thread sets it while no other allocates. */
void kn_memory_fail_after(uint64_t successes);
/* Allocations asked for since the start of the process. */
uint64_t kn_memory_allocations(void);

#endif
