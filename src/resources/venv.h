/* Python environments of tools: <data>/environments/<name>-<hash>, named by what was asked for and by the version of
 * the Python that made it, so that several frameworks share one. */
#ifndef KENNING_RESOURCES_VENV_H
#define KENNING_RESOURCES_VENV_H

#include "resources/installation.h"
#include "resources/manifest.h"
#include "resources/package.h"

/* What the environment of the manifest, which must have one, would be: name, directory, definition hash, Python
 * version; the lock hash when it is there already, else NULL. KN_NOT_INSTALLED without Python, KN_INCOMPATIBLE when its
 * version does not fit. */
kn_status kn_venv_plan(const kn_manifest *manifest, const kn_downloads *downloads,
                       kn_installed_environment *out_environment) KN_MUST_USE;
/* Makes what kn_venv_plan found missing and fills in the lock hash; `force` makes it anew. KN_BACKEND_FAILED for a
 * wheel that is not the one of the manifest. */
kn_status kn_venv_make(const kn_manifest *manifest, const kn_downloads *downloads, bool force,
                       kn_installed_environment *environment) KN_MUST_USE;
void kn_venv_clear(kn_installed_environment *environment);

/* Compares the packages that are in the environment with its lock. KN_NOT_INSTALLED when they differ or its Python does
 * not start. */
kn_status kn_venv_check(const kn_installed_environment *environment) KN_MUST_USE;

#endif
