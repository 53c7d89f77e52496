/* What IREE's compiler writes: a ZIP archive of stored members (the module, constants, machine code), each with its
 * CRC-32. The engine checks the module's structure and none of the sums, and runs the machine code as it is. */
#ifndef KENNING_IREE_ARCHIVE_H
#define KENNING_IREE_ARCHIVE_H

#include <kenning/status.h>

/* Whether every member of the module at `path` is what was written: KN_BAD_DATA with the member that is not,
 * KN_INCOMPATIBLE (compressed, encrypted), KN_NOT_FOUND, KN_IO_ERROR. */
kn_status kn_iree_archive_check(const char *path) KN_MUST_USE;

#endif
