/* How optimizers come to their results: from the cache of results or from a tool, judged either way, there whole or not
 * at all. The same names in the library and in plug-ins. */
#ifndef KENNING_PRODUCTION_H
#define KENNING_PRODUCTION_H

#include <kenning/block.h>
#include <kenning/services.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kn_production {
  const char *path; /* of the result */
  const char *key;  /* text that names everything the result depends on */
  /* Name of the result's file while it is made; NULL: "model" with the extension of `path`. */
  const char *name;
  /* Name of a second file beside it that `make` writes and `judge` reads, cached with the first; NULL: there is none.
   */
  const char *companion;
  void *context; /* of the functions */
  /* Writes the result to `path`, in a directory of its own where further files may be put: it goes with all that is in
   * it when the production ends. `record` gets what the tool reported. Not called when the result is cached. */
  kn_status (*make)(void *context, const char *path, kn_record *record);
  /* Whether the file is what was asked for, and what there is to tell about it. */
  kn_status (*judge)(void *context, const char *path, kn_record *record);
  /* Puts the result, with its companion, where it belongs: whole or not at all. NULL: the file alone goes to
   * kn_production.path. */
  kn_status (*publish)(void *context, const char *path);
} kn_production;

/* Looks the result up, makes it where it is not cached, judges it, keeps it in the cache, publishes it. `record` gets
 * "cached" (bool), "sha256" of the result, "converter" (what `make` reported) and what `judge` tells. A full cache is
 * no fault. Codes of the functions; KN_IO_ERROR, KN_INVALID_ARGUMENT (the path). */
KN_API kn_status kn_production_run(const kn_production *production, kn_record *record) KN_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
