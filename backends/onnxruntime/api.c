#include "api.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* OrtApiBase, which has been the same since the first release. */
typedef struct api_base {
  const void *(*GetApi)(uint32_t version);
  const char *(*GetVersionString)(void);
} api_base;

kn_status kn_ort_failure(const kn_ort_api *api, kn_ort_status *status, const char *what) {
  if (!status) return NULL;
  kn_status made = kn_status_make(KN_BACKEND_FAILED, "ONNX Runtime %s: %.900s", what, api->GetErrorMessage(status));
  api->ReleaseStatus(status);
  return made;
}

/* Errors come back as statuses as well: what is logged is for those who look closely. */
static void log_line(void *user_data, int level, const char *category, const char *id, const char *place,
                     const char *message) {
  (void)user_data, (void)level, (void)category, (void)id;
  kn_log(KN_LOG_DEBUG, "ONNX Runtime: %s (%s)", message ? message : "", place ? place : "");
}

/* Newer releases keep an identity of the machine and a log of what is done below the user's home unless told not to,
 * before they are loaded. */
static void refuse_telemetry(void) { (void)setenv("ORT_DISABLE_TELEMETRY", "1", 1); }

static bool old_version(const char *version) {
  unsigned major, minor;
  return version && sscanf(version, "%u.%u", &major, &minor) == 2 && (major < 1 || (major == 1 && minor < 12));
}

static kn_status take_table(kn_ort_api *api, void *handle, const char *path) {
  const api_base *(*get_base)(void);
  void *symbol = dlsym(handle, "OrtGetApiBase");
  memcpy(&get_base, &symbol, sizeof symbol);
  const api_base *base = get_base ? get_base() : NULL;
  if (!base)
    return kn_status_make(KN_INCOMPATIBLE, "%s is no ONNX Runtime library; `kenning install onnxruntime` provides one",
                          path);
  api->version = base->GetVersionString();
  void *const *table = old_version(api->version) ? NULL : base->GetApi(KN_ORT_API_VERSION);
  if (!table)
    return kn_status_make(KN_INCOMPATIBLE,
                          "%s is ONNX Runtime %s; versions from 1.12 up are supported: `kenning install onnxruntime`",
                          path, api->version ? api->version : "of an unknown version");
#define KN_ORT_TAKE(place, result, name, parameters)                                                     \
  _Static_assert((place) < KN_ORT_API_PLACES, "raise KN_ORT_API_VERSION with the places that are used"); \
  memcpy(&api->name, &table[place], sizeof api->name);
  KN_ORT_FUNCTIONS(KN_ORT_TAKE)
#undef KN_ORT_TAKE
  return NULL;
}

/* Whether the table means what it should, by what can be known of results. */
static kn_status try_table(const kn_ort_api *api) {
  static const int64_t shape[] = {2, 3};
  kn_ort_allocator *allocator = NULL;
  kn_ort_value *value = NULL;
  kn_ort_shape *found = NULL;
  int is_tensor = 0, type = 0;
  size_t rank = 0;
  int64_t sizes[2] = {0};
  KN_ORT_TRY(api, GetAllocatorWithDefaultOptions(&allocator), "has no memory");
  KN_ORT_TRY(api, CreateTensorAsOrtValue(allocator, shape, 2, 7, &value), "cannot make a tensor");
  kn_status status = kn_ort_failure(api, api->IsTensor(value, &is_tensor), "cannot tell a tensor");
  if (!status) status = kn_ort_failure(api, api->GetTensorTypeAndShape(value, &found), "cannot tell a shape");
  if (!status) status = kn_ort_failure(api, api->GetTensorElementType(found, &type), "cannot tell a type");
  if (!status) status = kn_ort_failure(api, api->GetDimensionsCount(found, &rank), "cannot tell a rank");
  if (!status && rank == 2) status = kn_ort_failure(api, api->GetDimensions(found, sizes, 2), "cannot tell a shape");
  if (!status && (is_tensor != 1 || type != 7 || rank != 2 || sizes[0] != 2 || sizes[1] != 3))
    status = kn_status_make(KN_INCOMPATIBLE, "ONNX Runtime's functions are not where they should be");
  if (found) api->ReleaseTensorTypeAndShapeInfo(found);
  api->ReleaseValue(value);
  return status;
}

static kn_status open_library(kn_ort_api *api, const char *path) {
  void *handle;
  refuse_telemetry();
  KN_TRY(kn_library_open(path, &handle));
  KN_TRY(take_table(api, handle, path));
  KN_ORT_TRY(api, CreateEnvWithCustomLogger(log_line, NULL, KN_ORT_LOG_ERROR, "kenning", &api->env),
             "cannot be started");
  KN_ORT_TRY(api, DisableTelemetryEvents(api->env), "cannot be kept from telling about its use");
  return kn_status_annotate(try_table(api), "while trying %s", path);
}

kn_status kn_ort_api_open(kn_ort_api *api, const char *library) {
  if (api->path) return NULL;
  char *path;
  KN_TRY(kn_framework_file("onnxruntime", "library", library, &path));
  kn_status status = open_library(api, path);
  if (!status) {
    api->path = path;
    return NULL;
  }
  kn_free(path);
  kn_ort_api_clear(api);
  return status;
}

void kn_ort_api_clear(kn_ort_api *api) {
  if (api->env) api->ReleaseEnv(api->env);
  kn_free(api->path);
  *api = (kn_ort_api){0};
}
