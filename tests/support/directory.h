/* Temporary directories and small files of tests. Every function fails the running test when it cannot do its work. */
#ifndef TESTS_SUPPORT_DIRECTORY_H
#define TESTS_SUPPORT_DIRECTORY_H

#include <stddef.h>

/* Makes an empty directory of the test's own. Free with kt_directory_remove. */
char *kt_directory_make(void);
/* Removes `path` with all that is in it, and frees the string. NULL is allowed. */
void kt_directory_remove(char *path);

/* How many names there are in it; -1: it cannot be listed. */
int kt_directory_entries(const char *path);

/* `directory`/`name`; free with free(). */
char *kt_path(const char *directory, const char *name);
/* A file below the source tree, for example "scenarios/native.json"; free with free(). */
char *kt_source_path(const char *name);

void kt_file_write(const char *path, const void *data, size_t bytes);
void kt_file_write_text(const char *path, const char *text);
/* The whole file with a NUL behind it; `out_bytes` (may be NULL) is the size without it. Free with free(). */
char *kt_file_read(const char *path, size_t *out_bytes);

#endif
