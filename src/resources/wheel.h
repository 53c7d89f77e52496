/* Names of wheels: name-version[-build]-python-abi-platform.whl (binary distribution format of the Python Packaging
 * User Guide), and the checksums that a manifest has of them. */
#ifndef KENNING_RESOURCES_WHEEL_H
#define KENNING_RESOURCES_WHEEL_H

#include "resources/manifest.h"

/* Whether a file of this name is the package that the entry names, for its Python and platform. */
bool kn_wheel_fits(const char *name, const kn_manifest_file *file);
/* Whether a file of this name is a wheel of the requirement, "name==version" with or without an environment marker. */
bool kn_wheel_is_of(const char *name, const char *requirement);

/* Whether one of the environment's wheels is of the requirement. */
bool kn_wheel_is_known(const kn_manifest_environment *environment, const char *requirement);

/* Refuses the wheels in `directory` that are called like one of the environment's and are not the same; the first one
 * found is removed, so that it can be fetched anew. */
kn_status kn_wheel_check_all(const kn_manifest_environment *environment, const char *directory) KN_MUST_USE;
/* A requirements file for pip's --require-hashes: each requirement of the list with the checksums of the wheels that it
 * may be. */
kn_status kn_wheel_write_requirements(const kn_manifest_environment *environment, const kn_string_list *const *lists,
                                      size_t list_count, const char *path) KN_MUST_USE;

#endif
