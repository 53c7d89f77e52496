#include "unit/resources/data_directories.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "support/directory.h"
#include "support/status.h"

static char *place(const kt_world *world, const char *name, const char *variable) {
  char *path = kt_path(world->directory, name);
  kt_assert_ok(kn_directory_make(path));
  setenv(variable, path, 1);
  return path;
}

kt_world kt_world_make(void) {
  kt_world world = {.directory = kt_directory_make()};
  world.data = place(&world, "data", "KENNING_DATA_DIR");
  world.cache = place(&world, "cache", "KENNING_CACHE_DIR");
  world.state = place(&world, "state", "KENNING_STATE_DIR");
  world.share = place(&world, "share", "KENNING_SHARE_DIR");
  char *source = kt_source_path("share/install"), *link = kt_path(world.share, "install");
  if (symlink(source, link) != 0) fail_msg("symlink %s", link);
  free(link);
  free(source);
  unsetenv("KENNING_PLUGIN_PATH");
  unsetenv("KENNING_PYTHON");
  return world;
}

void kt_world_remove(kt_world *world) {
  free(world->data);
  free(world->cache);
  free(world->state);
  free(world->share);
  kt_directory_remove(world->directory);
  *world = (kt_world){0};
}

char *kt_world_path(const kt_world *world, const char *name) { return kt_path(world->directory, name); }

void kt_world_write(const kt_world *world, const char *name, const char *text) {
  char *path = kt_world_path(world, name);
  kt_assert_ok(kn_directory_make_parent(path));
  kt_file_write_text(path, text);
  free(path);
}

void kt_world_write_program(const kt_world *world, const char *name, const char *text) {
  kt_world_write(world, name, text);
  char *path = kt_world_path(world, name);
  if (chmod(path, 0755) != 0) fail_msg("chmod %s", path);
  free(path);
}

int kt_world_entries(const kt_world *world, const char *name) {
  char *path = kt_world_path(world, name);
  int count = kt_directory_entries(path);
  free(path);
  return count;
}
