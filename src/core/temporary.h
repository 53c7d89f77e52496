/* Names of temporary files and directories. They say which process made them, so that what a killed one left is removed
 * by the next that works in the same directory. */
#ifndef KENNING_CORE_TEMPORARY_H
#define KENNING_CORE_TEMPORARY_H

/* ".tmp-MACHINE-PROCESS-START-N-NAME" beside `path`, which names no directory. Removes from that directory what
 * processes left that are not there any more (of another machine or container: what is older than a week), as far as it
 * is the user's own. NULL: out of memory. Free with kn_free. */
char *kn_temporary_name(const char *path);

#endif
