#include "relax_api.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <kenning/services.h>

_Static_assert(sizeof(kn_relax_object) == 24 && sizeof(kn_relax_value) == 16, "the layouts of tvm-ffi 0.1");

enum { MAJOR = 0, MINOR = 1 };

static kn_status resolve(kn_relax_api *api, void *handle, const char *path) {
#define SYMBOL(result, name, parameters) {"TVMFFI" #name, offsetof(kn_relax_api, name)},
  static const kn_symbol symbols[] = {KN_RELAX_FUNCTIONS(SYMBOL)};
#undef SYMBOL
  KN_TRY(kn_library_functions(handle, path, symbols, sizeof symbols / sizeof *symbols,
                              "it is no tvm-ffi of version 0.1; `kenning install tvm` puts one in place", api));
  kn_relax_version version = {0};
  api->GetVersion(&version);
  snprintf(api->version, sizeof api->version, "%u.%u.%u", version.major, version.minor, version.patch);
  if (version.major != MAJOR || version.minor != MINOR)
    return kn_status_make(KN_INCOMPATIBLE, "%s is tvm-ffi %s; 0.1 is supported: `kenning install tvm`", path,
                          api->version);
  return NULL;
}

/* Beside TVM's run time where the user names one: the two belong together. */
static kn_status find_ffi(const char *library, char **out_path) {
  const char *slash = library && *library ? strrchr(library, '/') : NULL;
  if (!slash) return kn_framework_file("tvm", "ffi_library", NULL, out_path);
  char *beside = kn_format("%.*s/libtvm_ffi.so", (int)(slash - library), library);
  if (!beside) return kn_status_out_of_memory();
  kn_status status = kn_framework_file("tvm", "ffi_library", access(beside, R_OK) == 0 ? beside : NULL, out_path);
  kn_free(beside);
  return status;
}

static kn_status open_both(kn_relax_api *api, const char *path, const char *ffi) {
  void *handle, *engine;
  /* tvm-ffi first: TVM's run time asks for it by name and then finds it. */
  KN_TRY(kn_library_open(ffi, &handle));
  KN_TRY(resolve(api, handle, ffi));
  KN_TRY(kn_library_open(path, &engine));
  /* What tvm-ffi registers by itself would say nothing about the run time. */
  const kn_relax_bytes name = {"runtime.config_threadpool", sizeof "runtime.config_threadpool" - 1};
  kn_relax_object *configure = NULL;
  if (api->FunctionGetGlobal(&name, &configure) || !configure)
    return kn_status_make(KN_INCOMPATIBLE,
                          "%s is no run time of TVM 0.25 to 0.27; `kenning install tvm` puts one in place", path);
  api->ObjectDecRef(configure);
  return NULL;
}

kn_status kn_relax_api_open(kn_relax_api *api, const char *library) {
  char *path, *ffi = NULL;
  if (api->path) return NULL;
  KN_TRY(kn_framework_file("tvm", "library", library, &path));
  kn_status status = find_ffi(library ? path : NULL, &ffi);
  if (!status) status = open_both(api, path, ffi);
  kn_free(ffi);
  if (status)
    kn_free(path);
  else
    api->path = path;
  return status;
}

void kn_relax_api_clear(kn_relax_api *api) {
  kn_free(api->path);
  *api = (kn_relax_api){0};
}
