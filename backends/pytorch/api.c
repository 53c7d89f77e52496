#include "api.h"

#include <dlfcn.h>

static torch_api api; /* complete once the library is open */

static kn_status load_symbols(void *handle, const char *path, torch_api *out_api) {
#define SYMBOL(result, name, parameters) {#name, offsetof(torch_api, name)},
  static const kn_symbol symbols[] = {TORCH_SHIM_FUNCTIONS(SYMBOL) AOTI_FUNCTIONS(SYMBOL)};
#undef SYMBOL
  KN_TRY(kn_library_functions(handle, path, symbols, sizeof symbols / sizeof *symbols,
                              "it is not what this program was written for; run `kenning install --force pytorch`",
                              out_api));
  if (out_api->torch_shim_abi() == TORCH_SHIM_ABI) return NULL;
  return kn_status_make(KN_INCOMPATIBLE,
                        "%s was made by another version of Kenning; run `kenning install --force pytorch`", path);
}

static kn_status open_library(const char *path) {
  void *handle = NULL;
  torch_api loaded = {.path = path};
  KN_TRY(kn_library_open(path, &handle));
  KN_TRY(load_symbols(handle, path, &loaded));
  api = loaded;
  return NULL;
}

kn_status torch_api_open(const char *library, const torch_api **out_api) {
  *out_api = NULL;
  KN_TRY(kn_library_open_once("pytorch", library, open_library));
  *out_api = &api;
  return NULL;
}

kn_status torch_result(const torch_api *torch, int32_t result, const char *what) {
  if (result == 0) return NULL;
  return kn_status_make(KN_BACKEND_FAILED, "PyTorch could not %s: %s", what, torch->torch_shim_error());
}

int64_t torch_threads(const torch_api *torch, int64_t threads) {
  threads = kn_thread_count(threads);
  torch->torch_shim_threads((int32_t)threads);
  return threads;
}

static const struct {
  kn_dtype dtype;
  int32_t torch;
} dtypes[] = {{KN_FLOAT32, TORCH_FLOAT32},   {KN_FLOAT64, TORCH_FLOAT64}, {KN_FLOAT16, TORCH_FLOAT16},
              {KN_BFLOAT16, TORCH_BFLOAT16}, {KN_UINT8, TORCH_UINT8},     {KN_INT8, TORCH_INT8},
              {KN_INT16, TORCH_INT16},       {KN_INT32, TORCH_INT32},     {KN_INT64, TORCH_INT64},
              {KN_BOOL8, TORCH_BOOL}};

int32_t torch_dtype_of(kn_dtype dtype) {
  for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
    if (dtypes[i].dtype == dtype) return dtypes[i].torch;
  return -1;
}

kn_dtype torch_kn_dtype_of(int32_t dtype) {
  for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
    if (dtypes[i].torch == dtype) return dtypes[i].dtype;
  return KN_DTYPE_NONE;
}
