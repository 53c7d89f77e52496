/* Files and directories besides what <kenning/services.h> declares (kn_file_read, kn_file_write, ...). */
#ifndef KENNING_CORE_FILE_H
#define KENNING_CORE_FILE_H

#include <kenning/services.h>

/* Status for a failed system call: "`path`: cannot `verb`: reason". `error` is its errno: KN_NOT_FOUND for a missing
 * file, KN_IO_ERROR otherwise. Never NULL. */
kn_status kn_file_fault(const char *path, const char *verb, int error) KN_MUST_USE KN_NEVER_NULL;

/* The same for an input: what the user can mend (no such file, no permission, a name too long) is KN_NOT_FOUND or
 * KN_INVALID_ARGUMENT. Never NULL. */
kn_status kn_file_input_fault(const char *path, const char *verb, int error) KN_MUST_USE KN_NEVER_NULL;

/* Whether `path` names what can be read as an input: a regular file, or with `directory` a directory. Never waits, as
 * opening a pipe would. KN_NOT_FOUND, KN_INVALID_ARGUMENT (no permission), KN_BAD_DATA (pipes, devices, sockets). */
kn_status kn_file_check_input(const char *path, bool directory) KN_MUST_USE;
/* Opens a regular file for reading, under the same rules. Close *out_file. */
kn_status kn_file_open(const char *path, int *out_file) KN_MUST_USE;
/* One file under two names, links followed; false when either does not exist or is NULL. */
bool kn_file_same(const char *one, const char *other);
/* Whether `path` can be written with kn_file_write, tried with a temporary file or directory that is removed
 * at once. Directories that are missing on the way are not made: kn_file_write does that. */
kn_status kn_file_check_output(const char *path) KN_MUST_USE;

/* The same for what appears by renaming (models): no device either. */
kn_status kn_file_check_replaced(const char *path) KN_MUST_USE;

/* Makes a directory with its parents; an existing one is fine. */
kn_status kn_directory_make(const char *path) KN_MUST_USE;
/* Makes the directory that `path` lies in. */
kn_status kn_directory_make_parent(const char *path) KN_MUST_USE;
/* Whether the directory that `path` lies in is there (*out_there) or could be made, which is tried and undone. */
kn_status kn_directory_check_parent(const char *path, bool *out_there) KN_MUST_USE;
/* Removes `path` with all that is in it; does not follow symbolic links. A missing one is fine. A directory is gone
 * under its name at once, so that one that is there is whole; what an interruption leaves has a temporary name. */
kn_status kn_directory_remove(const char *path) KN_MUST_USE;
/* Sum of the sizes of the files below `path`, 0 when there is none. For showing progress: nothing is locked. */
uint64_t kn_directory_bytes(const char *path);

/* True when `path` is a regular file (symbolic links are followed); `out_bytes` (may be NULL) is its size. */
bool kn_file_exists(const char *path, uint64_t *out_bytes);

/* True for what is written in place and never replaced: character devices, and the links of /dev such as /dev/stdout,
 * whatever they lead to. A pipe with a name is neither: writing to it could wait for ever. */
bool kn_file_in_place(const char *path);

/* Takes the lock of the lock file `path` (made when missing) and waits for it until kn_cancelled. `waiting` is logged
 * when it does not come at once. `shared`: several readers at a time. Release with kn_file_unlock. */
kn_status kn_file_lock(const char *path, bool shared, const char *waiting, int *out_lock) KN_MUST_USE;
/* A negative `lock` is allowed. */
void kn_file_unlock(int lock);

#endif
