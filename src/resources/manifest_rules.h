/* What the entries of a manifest must look like beyond their types. KN_INVALID_ARGUMENT, all faults with their places.
 */
#ifndef KENNING_RESOURCES_MANIFEST_RULES_H
#define KENNING_RESOURCES_MANIFEST_RULES_H

#include "resources/manifest.h"

kn_status kn_manifest_check_file(const kn_instance *instance) KN_MUST_USE;
kn_status kn_manifest_check_source(const kn_instance *instance) KN_MUST_USE;
kn_status kn_manifest_check_build(const kn_instance *instance) KN_MUST_USE;
kn_status kn_manifest_check_environment(const kn_instance *instance) KN_MUST_USE;
/* Files end up side by side: two of the same name are alternatives of one key or a fault. */
kn_status kn_manifest_check_names(const kn_manifest *manifest) KN_MUST_USE;

#endif
