/* What `kenning install` makes on this machine: one file, of packages that are sources, by a script of the back-end. */
#ifndef KENNING_RESOURCES_BUILD_H
#define KENNING_RESOURCES_BUILD_H

#include "resources/package.h"

/* Hash of all that the result is made of: the entry of the manifest, the sources for this machine, the build
 * directory and, where it runs in one, the environment. The manifest must have a build. */
kn_status kn_build_definition(const kn_manifest *manifest, char out_hex[65]) KN_MUST_USE;
/* Whether what it takes is at hand or can be fetched: KN_NOT_INSTALLED names the missing programs and what brings them,
 * KN_NOT_FOUND what is not among the downloads when nobody may be asked. *out_bytes: still to download. */
kn_status kn_build_prepare(const kn_manifest *manifest, const kn_downloads *downloads, int64_t *out_bytes) KN_MUST_USE;

typedef struct kn_build_places {
  const char *work;        /* directory to be made, removed at the end */
  const char *files;       /* where the framework's files are and the result goes */
  const char *environment; /* of Python, or NULL */
} kn_build_places;

/* Fetches and checks the sources, unpacks each as `work`/<package name> and runs
 *   python3 SCRIPT --sources WORK --files FILES --output FILES/RESULT [--environment DIRECTORY]
 * under the rules of tools: its log is kept, "PROGRESS", "ERROR" are heard. The result must be there afterwards. */
kn_status kn_build_run(const kn_manifest *manifest, const kn_downloads *downloads,
                       const kn_build_places *places) KN_MUST_USE;

#endif
