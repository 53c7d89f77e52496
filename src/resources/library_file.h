/* Whether a file is a shared library of this machine, and whole: judged before the loader maps it, which ends the
 * process by a signal where a file is shorter than its headers say. */
#ifndef KENNING_RESOURCES_LIBRARY_FILE_H
#define KENNING_RESOURCES_LIBRARY_FILE_H

#include <kenning/status.h>

/* KN_NOT_INSTALLED with what is wrong: no library, one for another machine, or cut off. */
kn_status kn_library_file_check(const char *path) KN_MUST_USE;

#endif
