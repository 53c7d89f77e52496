#include "api.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { OLDEST_MAJOR = 2, OLDEST_MINOR = 17, NEWEST_TRIED_MINOR = 21 };

/* The engine announces each delegate on stderr. Not part of the C API and not in every build, hence optional:
 * tflite::LoggerOptions::SetMinimumLogSeverity(WARNING). */
static void quieten(void *handle) {
  void *symbol = dlsym(handle, "_ZN6tflite13LoggerOptions21SetMinimumLogSeverityENS_11LogSeverityE");
  int (*set_minimum_severity)(int severity);
  memcpy(&set_minimum_severity, &symbol, sizeof symbol);
  if (symbol) set_minimum_severity(2);
}

static kn_status resolve(kn_tflite_api *api, void *handle, const char *path) {
#define SYMBOL(result, name, parameters) {"TfLite" #name, offsetof(kn_tflite_api, name)},
  static const kn_symbol symbols[] = {KN_TFLITE_FUNCTIONS(SYMBOL)};
#undef SYMBOL
  return kn_library_functions(handle, path, symbols, sizeof symbols / sizeof *symbols,
                              "it is no TensorFlow Lite library or one of a version before 2.17; "
                              "`kenning install tflite` provides one that fits",
                              api);
}

/* "2.21.0" */
static bool parse_version(const char *version, unsigned *out_major, unsigned *out_minor) {
  char *end = NULL;
  unsigned long major = version && *version >= '0' && *version <= '9' ? strtoul(version, &end, 10) : ULONG_MAX;
  if (major > 999 || *end != '.' || end[1] < '0' || end[1] > '9') return false;
  unsigned long minor = strtoul(end + 1, NULL, 10);
  *out_major = (unsigned)major;
  *out_minor = (unsigned)minor;
  return minor <= 999;
}

static kn_status check_version(kn_tflite_api *api, const char *path) {
  const char *version = api->Version();
  if (!parse_version(version, &api->major, &api->minor))
    return kn_status_make(KN_INCOMPATIBLE, "%s does not tell its version", path);
  if (api->major != OLDEST_MAJOR || api->minor < OLDEST_MINOR)
    return kn_status_make(KN_INCOMPATIBLE,
                          "%s is TensorFlow Lite %s; versions from 2.17 up are supported: `kenning install tflite`",
                          path, version);
  if (api->minor > NEWEST_TRIED_MINOR)
    kn_log(KN_LOG_WARNING, "%s is TensorFlow Lite %s, which has not been tried; 2.17 to 2.21 have", path, version);
  return NULL;
}

static kn_status open_library(kn_tflite_api *api, const char *path) {
  void *handle;
  KN_TRY(kn_library_open(path, &handle));
  KN_TRY(resolve(api, handle, path));
  KN_TRY(check_version(api, path));
  quieten(handle);
  return NULL;
}

kn_status kn_tflite_api_open(kn_tflite_api *api, const char *library) {
  if (api->path) return NULL;
  char *path;
  KN_TRY(kn_framework_file("tflite", "library", library, &path));
  kn_status status = open_library(api, path);
  if (status)
    kn_free(path);
  else
    api->path = path;
  return status;
}

void kn_tflite_api_clear(kn_tflite_api *api) {
  kn_free(api->path);
  *api = (kn_tflite_api){0};
}

kn_dtype kn_tflite_engine_dtype(int type) {
  static const kn_dtype dtypes[] = {
      [1] = KN_FLOAT32, [2] = KN_INT32,   [3] = KN_UINT8,    [4] = KN_INT64,    [6] = KN_BOOL8,
      [7] = KN_INT16,   [9] = KN_INT8,    [10] = KN_FLOAT16, [11] = KN_FLOAT64, [13] = KN_UINT64,
      [16] = KN_UINT32, [17] = KN_UINT16, [19] = KN_BFLOAT16};
  return type >= 0 && (size_t)type < sizeof dtypes / sizeof *dtypes ? dtypes[type] : KN_DTYPE_NONE;
}
