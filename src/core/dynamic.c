#include "core/dynamic.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>

void *kn_dynamic_open(const char *path, const char **out_fault) {
  void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  *out_fault = handle ? NULL : dlerror();
  return handle;
}

void *kn_dynamic_symbol(void *handle, const char *name) { return dlsym(handle, name); }

void kn_dynamic_close(void *handle) { dlclose(handle); }

/* The loader gives the program itself an empty name. */
const char *kn_dynamic_own_library(void) {
  Dl_info info;
  void *extra = NULL;
  if (!dladdr1((const void *)(uintptr_t)&kn_dynamic_own_library, &info, &extra, RTLD_DL_LINKMAP) || !extra) return NULL;
  const struct link_map *map = extra;
  return map->l_name && strchr(map->l_name, '/') ? map->l_name : NULL;
}
