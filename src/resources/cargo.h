/* Source packages of the Rust registry, fetched by cargo. */
#ifndef KENNING_RESOURCES_CARGO_H
#define KENNING_RESOURCES_CARGO_H

#include "resources/package.h"

/* Path of the package "name==version" in `directory`, NAME-VERSION.crate; *out_path is NULL when it is not there. */
kn_status kn_cargo_find(const char *directory, const char *package, char **out_path) KN_MUST_USE;
/* Fetches it into `directory`. `run` holds what the progress shows. */
kn_status kn_cargo_fetch(const kn_downloads *downloads, const char *package, const char *directory,
                         kn_client_run *run) KN_MUST_USE;

#endif
