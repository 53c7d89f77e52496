/* The dynamic loader, in one place: a static program is built with dynamic_none.c, where nothing can be opened. */
#ifndef KENNING_CORE_DYNAMIC_H
#define KENNING_CORE_DYNAMIC_H

#include <kenning/base.h>

/* A library, all of it resolved, its symbols to itself; NULL with the loader's words in *out_fault. */
void *kn_dynamic_open(const char *path, const char **out_fault);
/* NULL when there is none. */
void *kn_dynamic_symbol(void *handle, const char *name);
void kn_dynamic_close(void *handle);
/* The file that holds this code, where it is a library; NULL in a program. */
const char *kn_dynamic_own_library(void);

#endif
