#include "relay_api.h"

#include <dlfcn.h>
#include <string.h>

#include <kenning/services.h>

static kn_status resolve(kn_relay_api *api, void *handle, const char *path) {
#define SYMBOL(result, name, parameters) {"TVM" #name, offsetof(kn_relay_api, name)},
  static const kn_symbol symbols[] = {KN_RELAY_FUNCTIONS(SYMBOL)};
#undef SYMBOL
  return kn_library_functions(
      handle, path, symbols, sizeof symbols / sizeof *symbols,
      "it is no run time of a TVM with relay (0.8 to 0.16); `kenning install tvm` puts one in place", api);
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
