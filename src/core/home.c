#include "core/home.h"

#include "core/dynamic.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Path of the binary that holds this code. */
static bool find_binary(char out[PATH_MAX]) {
  const char *library = kn_dynamic_own_library();
  if (library) return realpath(library, out);
  ssize_t length = readlink("/proc/self/exe", out, PATH_MAX - 1);
  if (length <= 0) return false;
  out[length] = '\0';
  return true;
}

const char *kn_home_directory(void) {
  static char directory[PATH_MAX];
  if (!directory[0]) {
    char binary[PATH_MAX];
    if (!find_binary(binary)) return NULL;
    char *slash = strrchr(binary, '/');
    if (!slash || slash == binary) return NULL;
    memcpy(directory, binary, (size_t)(slash - binary));
  }
  return directory;
}

kn_status kn_home_find(const char *const *places, char **out_path) {
  *out_path = NULL;
  const char *base = kn_home_directory();
  for (; base && *places; places++) {
    char *path = kn_format("%s/%s", base, *places);
    if (!path) return kn_status_out_of_memory();
    if (access(path, R_OK) == 0) {
      *out_path = path;
      return NULL;
    }
    kn_free(path);
  }
  return NULL;
}
