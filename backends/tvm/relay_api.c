#include "relay_api.h"

#include <dlfcn.h>
#include <string.h>

#include <kenning/services.h>

static kn_status resolve(kn_relay_api *api, void *handle, const char *path) {
  void *symbol;
#define KN_RELAY_RESOLVE(result, name, parameters)                                                                 \
  symbol = dlsym(handle, "TVM" #name);                                                                             \
  if (!symbol)                                                                                                     \
    return kn_status_make(KN_INCOMPATIBLE,                                                                         \
                          "%s lacks the function TVM" #name                                                        \
                          ": it is no run time of a TVM with relay (0.8 to 0.16); `kenning install tvm` puts one " \
                          "in place",                                                                              \
                          path);                                                                                   \
  memcpy(&api->name, &symbol, sizeof symbol);
  KN_RELAY_FUNCTIONS(KN_RELAY_RESOLVE)
#undef KN_RELAY_RESOLVE
  return NULL;
}

kn_status kn_relay_api_open(kn_relay_api *api, const char *library) {
  char *path;
  void *handle;
  if (api->path) return NULL;
  KN_TRY(kn_framework_file("tvm", "relay_library", library, &path));
  kn_status status = kn_library_open(path, &handle);
  if (!status) status = resolve(api, handle, path);
  if (status)
    kn_free(path);
  else
    api->path = path;
  return status;
}

void kn_relay_api_clear(kn_relay_api *api) {
  kn_free(api->path);
  *api = (kn_relay_api){0};
}
