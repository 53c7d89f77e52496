/* IREE's runtime as `kenning install iree` makes it: the functions of build/engine.h, found by dlsym; nothing here is
 * linked. */
#ifndef KN_IREE_API_H
#define KN_IREE_API_H

#include "build/engine.h"

#include <kenning/block.h>
#include <kenning/services.h>

typedef struct kn_iree_api {
#define KN_IREE_SLOT(result, name, parameters) result(*name) parameters;
  KENNING_IREE_FUNCTIONS(KN_IREE_SLOT)
#undef KN_IREE_SLOT
  char *path; /* of the library; NULL: not opened */
} kn_iree_api;

/* Opens the engine once; a second call does nothing. `library`: path or NULL, see kn_framework_file. KN_NOT_INSTALLED;
 * KN_INCOMPATIBLE for a library that was made for another version of this plug-in. */
kn_status kn_iree_api_open(kn_iree_api *api, const char *library) KN_MUST_USE;
void kn_iree_api_clear(kn_iree_api *api);

/* Status for a call that failed, in the engine's words. Never NULL. */
kn_status kn_iree_fault(kn_code code, const char *what, const kenning_iree_words *words) KN_MUST_USE;

/* KN_DTYPE_NONE and KENNING_IREE_NONE stand for each other. */
kn_dtype kn_iree_dtype(kenning_iree_type type);

#endif
