#include "api.h"

#include <ctype.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

enum { OLDEST_YEAR = 2025, NEWEST_TRIED_YEAR = 2026, NEWEST_TRIED_MINOR = 4 };

static kn_status resolve(kn_vino_api *api, void *handle, const char *path) {
#define SYMBOL(result, name, parameters) {"ov_" #name, offsetof(kn_vino_api, name)},
  static const kn_symbol symbols[] = {KN_VINO_FUNCTIONS(SYMBOL)};
#undef SYMBOL
  return kn_library_functions(handle, path, symbols, sizeof symbols / sizeof *symbols,
                              "it is no C library of OpenVINO, or one of a version before 2025.0; "
                              "`kenning install openvino` provides one that fits",
                              api);
}

/* "2026.4.1-22982-3e7bc2d8b9a-releases/2026/4" */
static kn_status check_version(const char *version, const char *path) {
  char *end;
  long year = strtol(version, &end, 10), minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;
  if (*end != '.' || year < 2000)
    return kn_status_make(KN_INCOMPATIBLE, "%s says that its version is '%.80s'", path, version);
  if (year < OLDEST_YEAR)
    return kn_status_make(KN_INCOMPATIBLE,
                          "%s is OpenVINO %.40s; versions from 2025.0 up are supported: `kenning install openvino`",
                          path, version);
  if (year > NEWEST_TRIED_YEAR || (year == NEWEST_TRIED_YEAR && minor > NEWEST_TRIED_MINOR))
    kn_log(KN_LOG_WARNING, "%s is OpenVINO %.40s, which has not been tried; 2026.4 has", path, version);
  return NULL;
}

static kn_status read_version(kn_vino_api *api, const char *path) {
  kn_vino_version version = {0};
  int result = api->get_openvino_version(&version);
  if (result != KN_VINO_OK) return kn_vino_fault(api, KN_INCOMPATIBLE, "does not tell its version", result);
  const char *build = version.build ? version.build : "";
  kn_status status = check_version(build, path);
  /* "2026.4.1": what follows names the build. */
  if (!status) {
    api->version = kn_strndup(build, strcspn(build, "-"));
    if (!api->version) status = kn_status_out_of_memory();
  }
  api->version_free(&version);
  return status;
}

static kn_status open_library(kn_vino_api *api, const char *path) {
  void *handle;
  KN_TRY(kn_library_open(path, &handle));
  KN_TRY(resolve(api, handle, path));
  return read_version(api, path);
}

kn_status kn_vino_api_open(kn_vino_api *api, const char *library) {
  if (api->path) return NULL;
  char *path;
  KN_TRY(kn_framework_file("openvino", "library", library, &path));
  kn_status status = open_library(api, path);
  if (status)
    kn_free(path);
  else
    api->path = path;
  return status;
}

void kn_vino_api_clear(kn_vino_api *api) {
  kn_free(api->path);
  kn_free(api->version);
  *api = (kn_vino_api){0};
}

/* The engine begins with where in its source it failed, which tells nobody anything. */
static const char *without_source(const char *words) {
  const char *failed = strstr(words, " failed at src/"), *end = failed ? strstr(failed, ":\n") : NULL;
  if (!end) {
    failed = strstr(words, "Exception from src/");
    end = failed == words ? strstr(words, ":\n") : NULL;
  }
  return end && end[2] ? without_source(end + 2) : words;
}

kn_status kn_vino_fault(const kn_vino_api *api, kn_code code, const char *what, int result) {
  const char *copy = api->get_last_err_msg(), *words = copy;
  if (!words || !*words) words = api->get_error_info(result);
  words = without_source(words ? words : "");
  char line[600];
  size_t length = 0;
  for (const char *c = words; *c && length + 1 < sizeof line; c++) {
    bool space = isspace((unsigned char)*c) != 0;
    if (space && (!length || line[length - 1] == ' ')) continue;
    line[length++] = space ? ' ' : *c;
  }
  while (length && line[length - 1] == ' ') length--;
  line[length] = '\0';
  api->free(copy);
  return kn_status_make(code, "OpenVINO %s: %s", what, *line ? line : "no reason given");
}

kn_dtype kn_vino_dtype(int type) {
  static const kn_dtype dtypes[] = {
      [1] = KN_BOOL8,   [2] = KN_BFLOAT16, [3] = KN_FLOAT16, [4] = KN_FLOAT32, [5] = KN_FLOAT64,
      [7] = KN_INT8,    [8] = KN_INT16,    [9] = KN_INT32,   [10] = KN_INT64,  [16] = KN_UINT8,
      [17] = KN_UINT16, [18] = KN_UINT32,  [19] = KN_UINT64};
  return type >= 0 && (size_t)type < sizeof dtypes / sizeof *dtypes ? dtypes[type] : KN_DTYPE_NONE;
}
