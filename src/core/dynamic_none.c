#include "core/dynamic.h"

#include <stddef.h>

void *kn_dynamic_open(const char *path, const char **out_fault) {
  (void)path;
  *out_fault = "this program is static: it opens no libraries";
  return NULL;
}

void *kn_dynamic_symbol(void *handle, const char *name) {
  (void)handle, (void)name;
  return NULL;
}

void kn_dynamic_close(void *handle) { (void)handle; }

const char *kn_dynamic_own_library(void) { return NULL; }
