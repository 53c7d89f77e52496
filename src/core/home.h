/* Where this Kenning lies on the disk: what belongs to it is found beside it. */
#ifndef KENNING_CORE_HOME_H
#define KENNING_CORE_HOME_H

#include <kenning/status.h>

/* Directory of the running program, or of libkenning.so where that is what runs; links are followed. NULL when it is
 * not known. The string lives as long as the process. Thread-safe after its first call. */
const char *kn_home_directory(void);

/* The first of `places` (relative to that directory, NULL-terminated) that exists and can be read, *out_path NULL when
 * none does. Free with kn_free. */
kn_status kn_home_find(const char *const *places, char **out_path) KN_MUST_USE;

#endif
