#include "api.h"

#include <dlfcn.h>
#include <string.h>

static kn_status resolve(kn_iree_api *api, void *handle, const char *path) {
#define SYMBOL(result, name, parameters) {"kenning_iree_" #name, offsetof(kn_iree_api, name)},
  static const kn_symbol symbols[] = {KENNING_IREE_FUNCTIONS(SYMBOL)};
#undef SYMBOL
  KN_TRY(kn_library_functions(handle, path, symbols, sizeof symbols / sizeof *symbols,
                              "it is not the library that `kenning install iree` makes, or one of an older "
                              "kenning; `kenning install --force iree` makes it anew",
                              api));
  if (api->interface_number() != KENNING_IREE_INTERFACE)
    return kn_status_make(
        KN_INCOMPATIBLE,
        "%s was made for another kenning (interface %d, not %d); `kenning install --force iree` makes "
        "it anew",
        path, api->interface_number(), KENNING_IREE_INTERFACE);
  return NULL;
}

kn_status kn_iree_api_open(kn_iree_api *api, const char *library) {
  if (api->path) return NULL;
  char *path;
  void *handle;
  KN_TRY(kn_framework_file("iree", "library", library, &path));
  kn_status status = kn_library_open(path, &handle);
  if (!status) status = resolve(api, handle, path);
  if (status)
    kn_free(path);
  else
    api->path = path;
  return status;
}

void kn_iree_api_clear(kn_iree_api *api) {
  kn_free(api->path);
  *api = (kn_iree_api){0};
}

kn_status kn_iree_fault(kn_code code, const char *what, const kenning_iree_words *words) {
  /* The first line says what, the next ones where in the engine. */
  int length = (int)strcspn(words->text, "\n");
  const char *text = words->text;
  /* "runtime/src/iree/vm/context.c:125: NOT_FOUND; ..." */
  const char *source = strstr(text, ".c:"), *end = source && source < text + length ? strstr(source, ": ") : NULL;
  if (end && end < text + length) {
    length -= (int)(end + 2 - text);
    text = end + 2;
  }
  return kn_status_make(code, "IREE %s: %.*s", what, length, length ? text : "no reason given");
}

kn_dtype kn_iree_dtype(kenning_iree_type type) {
  static const kn_dtype dtypes[] = {
      [KENNING_IREE_F32] = KN_FLOAT32, [KENNING_IREE_F16] = KN_FLOAT16, [KENNING_IREE_BF16] = KN_BFLOAT16,
      [KENNING_IREE_F64] = KN_FLOAT64, [KENNING_IREE_I8] = KN_INT8,     [KENNING_IREE_U8] = KN_UINT8,
      [KENNING_IREE_I16] = KN_INT16,   [KENNING_IREE_U16] = KN_UINT16,  [KENNING_IREE_I32] = KN_INT32,
      [KENNING_IREE_U32] = KN_UINT32,  [KENNING_IREE_I64] = KN_INT64,   [KENNING_IREE_U64] = KN_UINT64,
      [KENNING_IREE_BOOL] = KN_BOOL8};
  return (size_t)type < sizeof dtypes / sizeof *dtypes ? dtypes[type] : KN_DTYPE_NONE;
}
