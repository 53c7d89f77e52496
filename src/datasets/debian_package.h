/* Files of a Debian package without installing it, as any user: apt fetches and verifies it, dpkg-deb unpacks it. */
#ifndef KENNING_DATASETS_DEBIAN_PACKAGE_H
#define KENNING_DATASETS_DEBIAN_PACKAGE_H

#include <kenning/status.h>

/* Unpacks `package` below `directory`, which exists and is empty; leaves the .deb there too. Root updates apt's lists
 * when they do not know the package; others get KN_NOT_INSTALLED with the command. Also KN_BACKEND_FAILED (no network,
 * ...), KN_CANCELLED. */
kn_status kn_debian_package_unpack(const char *package, const char *directory) KN_MUST_USE;

#endif
