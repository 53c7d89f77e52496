#include "litert_api.h"

#include <dlfcn.h>
#include <string.h>

/* Libraries that have the prototypes of litert_api.h: those of backends/tflite/litert/manifest.json. */
static const struct {
  const char *sha256, *version;
} known[] = {{"eec47eb35e2924b3166015887e652a58edc9af823ae38e02bf83bef2548300bb", "2.3.0"},
             {"b57687dc234d2b8b0598aef5a9c961ed24263df8f8b3f56adbee1cff618e544b", "2.3.0"}};

static kn_status check_hash(kn_litert_api *api, const char *path) {
  KN_TRY(kn_sha256_file(path, api->sha256));
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (!strcmp(known[i].sha256, api->sha256)) {
      api->version = known[i].version;
      return NULL;
    }
  return kn_status_make(KN_INCOMPATIBLE,
                        "%s is not the LiteRT library that this version of kenning knows: LiteRT does not tell its "
                        "version, and its functions have changed between versions; take the one that `kenning install "
                        "litert` fetches",
                        path);
}

static kn_status resolve(kn_litert_api *api, void *handle, const char *path) {
#define SYMBOL(result, name, parameters) {"LiteRt" #name, offsetof(kn_litert_api, name)},
  static const kn_symbol symbols[] = {KN_LITERT_FUNCTIONS(SYMBOL)};
#undef SYMBOL
  return kn_library_functions(handle, path, symbols, sizeof symbols / sizeof *symbols,
                              "`kenning install litert` provides one that fits", api);
}

kn_status kn_litert_api_open(kn_litert_api *api, const char *library) {
  if (api->path) return NULL;
  char *path;
  void *handle;
  KN_TRY(kn_framework_file("litert", "library", library, &path));
  kn_status status = check_hash(api, path);
  if (!status) status = kn_library_open(path, &handle);
  if (!status) status = resolve(api, handle, path);
  if (status)
    kn_free(path);
  else
    api->path = path;
  return status;
}

void kn_litert_api_clear(kn_litert_api *api) {
  kn_free(api->path);
  *api = (kn_litert_api){0};
}

const char *kn_litert_status_text(int status) {
  static const struct {
    int status;
    const char *text;
  } texts[] = {{1, "invalid argument"}, {2, "out of memory"},        {3, "failure at run time"},
               {4, "missing input"},    {5, "unsupported"},          {6, "not found"},
               {7, "timeout"},          {8, "wrong version"},        {100, "cancelled"},
               {500, "file"},           {501, "damaged flatbuffer"}, {502, "library not loaded"},
               {504, "compilation"}};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    if (texts[i].status == status) return texts[i].text;
  return "unknown failure";
}
