/* ONNX Runtime's C API: the functions used, under prototypes of our own. The library exports one function, which
 * answers with a table per version of the API; tables only grow, so that a place in them means the same in every
 * library that knows the version. Nothing here is linked. */
#ifndef KN_ORT_API_H
#define KN_ORT_API_H

#include <kenning/block.h>
#include <kenning/services.h>

/* The lowest version whose table has every place below (ONNX Runtime 1.12, where 216 came). */
enum { KN_ORT_API_VERSION = 12, KN_ORT_API_PLACES = 217 };

typedef struct kn_ort_status kn_ort_status;
typedef struct kn_ort_env kn_ort_env;
typedef struct kn_ort_options kn_ort_options;
typedef struct kn_ort_session kn_ort_session;
typedef struct kn_ort_value kn_ort_value;
typedef struct kn_ort_shape kn_ort_shape;
typedef struct kn_ort_allocator kn_ort_allocator;
typedef struct kn_ort_cuda_options kn_ort_cuda_options;

/* OrtErrorCode, OrtLoggingLevel. */
enum { KN_ORT_INVALID_PROTOBUF = 7, KN_ORT_NOT_IMPLEMENTED = 9, KN_ORT_INVALID_GRAPH = 10 };
enum { KN_ORT_LOG_ERROR = 3 };

typedef void (*kn_ort_logger)(void *user_data, int level, const char *category, const char *id, const char *place,
                              const char *message);

/* X(place in the table, result, name, parameters) */
#define KN_ORT_FUNCTIONS(X)                                                                                           \
  X(1, int, GetErrorCode, (const kn_ort_status *status))                                                              \
  X(2, const char *, GetErrorMessage, (const kn_ort_status *status))                                                  \
  X(4, kn_ort_status *, CreateEnvWithCustomLogger,                                                                    \
    (kn_ort_logger logger, void *user_data, int level, const char *id, kn_ort_env **out))                             \
  X(6, kn_ort_status *, DisableTelemetryEvents, (const kn_ort_env *env))                                              \
  X(7, kn_ort_status *, CreateSession,                                                                                \
    (const kn_ort_env *env, const char *path, const kn_ort_options *options, kn_ort_session **out))                   \
  X(8, kn_ort_status *, CreateSessionFromArray,                                                                       \
    (const kn_ort_env *env, const void *data, size_t bytes, const kn_ort_options *options, kn_ort_session **out))     \
  X(9, kn_ort_status *, Run,                                                                                          \
    (kn_ort_session * session, const void *run_options, const char *const *input_names,                               \
     const kn_ort_value *const *inputs, size_t input_count, const char *const *output_names, size_t output_count,     \
     kn_ort_value **outputs))                                                                                         \
  X(10, kn_ort_status *, CreateSessionOptions, (kn_ort_options * *out))                                               \
  X(23, kn_ort_status *, SetSessionGraphOptimizationLevel, (kn_ort_options * options, int level))                     \
  X(24, kn_ort_status *, SetIntraOpNumThreads, (kn_ort_options * options, int threads))                               \
  X(25, kn_ort_status *, SetInterOpNumThreads, (kn_ort_options * options, int threads))                               \
  X(30, kn_ort_status *, SessionGetInputCount, (const kn_ort_session *session, size_t *out))                          \
  X(31, kn_ort_status *, SessionGetOutputCount, (const kn_ort_session *session, size_t *out))                         \
  X(36, kn_ort_status *, SessionGetInputName,                                                                         \
    (const kn_ort_session *session, size_t index, kn_ort_allocator *allocator, char **out))                           \
  X(37, kn_ort_status *, SessionGetOutputName,                                                                        \
    (const kn_ort_session *session, size_t index, kn_ort_allocator *allocator, char **out))                           \
  X(48, kn_ort_status *, CreateTensorAsOrtValue,                                                                      \
    (kn_ort_allocator * allocator, const int64_t *shape, size_t rank, int type, kn_ort_value **out))                  \
  X(50, kn_ort_status *, IsTensor, (const kn_ort_value *value, int *out))                                             \
  X(51, kn_ort_status *, GetTensorMutableData, (kn_ort_value * value, void **out))                                    \
  X(60, kn_ort_status *, GetTensorElementType, (const kn_ort_shape *shape, int *out))                                 \
  X(61, kn_ort_status *, GetDimensionsCount, (const kn_ort_shape *shape, size_t *out))                                \
  X(62, kn_ort_status *, GetDimensions, (const kn_ort_shape *shape, int64_t *out, size_t count))                      \
  X(65, kn_ort_status *, GetTensorTypeAndShape, (const kn_ort_value *value, kn_ort_shape **out))                      \
  X(76, kn_ort_status *, AllocatorFree, (kn_ort_allocator * allocator, void *pointer))                                \
  X(78, kn_ort_status *, GetAllocatorWithDefaultOptions, (kn_ort_allocator * *out))                                   \
  X(92, void, ReleaseEnv, (kn_ort_env * env))                                                                         \
  X(93, void, ReleaseStatus, (kn_ort_status * status))                                                                \
  X(95, void, ReleaseSession, (kn_ort_session * session))                                                             \
  X(96, void, ReleaseValue, (kn_ort_value * value))                                                                   \
  X(99, void, ReleaseTensorTypeAndShapeInfo, (kn_ort_shape * shape))                                                  \
  X(100, void, ReleaseSessionOptions, (kn_ort_options * options))                                                     \
  X(124, kn_ort_status *, AddFreeDimensionOverrideByName, (kn_ort_options * options, const char *name, int64_t size)) \
  X(125, kn_ort_status *, GetAvailableProviders, (char ***out, int *out_count))                                       \
  X(126, kn_ort_status *, ReleaseAvailableProviders, (char **list, int count))                                        \
  X(204, kn_ort_status *, SessionOptionsAppendExecutionProvider_CUDA_V2,                                              \
    (kn_ort_options * options, const kn_ort_cuda_options *cuda))                                                      \
  X(205, kn_ort_status *, CreateCUDAProviderOptions, (kn_ort_cuda_options * *out))                                    \
  X(208, void, ReleaseCUDAProviderOptions, (kn_ort_cuda_options * cuda))                                              \
  X(216, kn_ort_status *, SessionOptionsAppendExecutionProvider,                                                      \
    (kn_ort_options * options, const char *name, const char *const *keys, const char *const *values, size_t count))

typedef struct kn_ort_api {
#define KN_ORT_SLOT(place, result, name, parameters) result(*name) parameters;
  KN_ORT_FUNCTIONS(KN_ORT_SLOT)
#undef KN_ORT_SLOT
  char *path; /* of the library; NULL: not opened */
  const char *version;
  kn_ort_env *env;
} kn_ort_api;

/* Opens the engine once and tries that the table means what it should; a second call does nothing. `library`: path or
 * NULL, see kn_framework_file. KN_NOT_INSTALLED, KN_INCOMPATIBLE (another library, a version before 1.12). */
kn_status kn_ort_api_open(kn_ort_api *api, const char *library) KN_MUST_USE;
/* When no session is left. A zeroed struct is allowed. */
void kn_ort_api_clear(kn_ort_api *api);

/* The engine's failure as one of ours, `what` in front of its words; NULL stays NULL. Releases it. */
kn_status kn_ort_failure(const kn_ort_api *api, kn_ort_status *status, const char *what) KN_MUST_USE;

/* Returns from the calling function when the engine fails. */
#define KN_ORT_TRY(api, call, what) KN_TRY(kn_ort_failure((api), (api)->call, (what)))

#endif
