/* A world of its own for a test: data, cache, state and share directories in one temporary directory, and a framework
 * "fake" whose manifest and tools the test writes. */
#ifndef TESTS_UNIT_RESOURCES_DATA_DIRECTORIES_H
#define TESTS_UNIT_RESOURCES_DATA_DIRECTORIES_H

#include <kenning/status.h>

typedef struct kt_world {
  char *directory;
  char *data, *cache, *state, *share;
} kt_world;

/* Sets KENNING_DATA_DIR, KENNING_CACHE_DIR, KENNING_STATE_DIR and KENNING_SHARE_DIR; share/install is the source
 * tree's. Fails the running test when it cannot. */
kt_world kt_world_make(void);
void kt_world_remove(kt_world *world);
/* Writes `text` to `name` below the world's directory, with the directories it needs. */
void kt_world_write(const kt_world *world, const char *name, const char *text);
/* The same with permission to run it. */
void kt_world_write_program(const kt_world *world, const char *name, const char *text);
/* `name` below the world's directory; free with free(). */
char *kt_world_path(const kt_world *world, const char *name);
/* Number of entries of a directory below the world's directory; -1 when there is none. */
int kt_world_entries(const kt_world *world, const char *name);

#endif
