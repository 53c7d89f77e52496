/* LiteRT's C API: the functions used, under prototypes of our own, found by dlsym.
 *
 * LiteRT does not tell its version, and versions have changed parameters under equal names: only libraries whose
 * SHA-256 is known to have these prototypes are opened. */
#ifndef KN_TFLITE_LITERT_API_H
#define KN_TFLITE_LITERT_API_H

#include <kenning/block.h>
#include <kenning/services.h>

typedef struct kn_litert_environment kn_litert_environment;
typedef struct kn_litert_model kn_litert_model;
typedef struct kn_litert_options kn_litert_options;
typedef struct kn_litert_opaque kn_litert_opaque;
typedef struct kn_litert_compiled kn_litert_compiled;
typedef struct kn_litert_signature kn_litert_signature;
typedef struct kn_litert_tensor kn_litert_tensor;
typedef struct kn_litert_requirements kn_litert_requirements;
typedef struct kn_litert_buffer kn_litert_buffer;

/* LiteRtLayout and LiteRtRankedTensorType. `element` has the numbers of TfLiteType. */
typedef struct kn_litert_layout {
  unsigned rank : 7, has_strides : 1;
  int32_t shape[8];
  uint32_t strides[8];
} kn_litert_layout;
typedef struct kn_litert_type {
  int32_t element;
  kn_litert_layout layout;
} kn_litert_type;
_Static_assert(sizeof(kn_litert_layout) == 68 && sizeof(kn_litert_type) == 72, "layout of the library's structs");

/* LiteRtEnvOption. */
typedef struct kn_litert_setting {
  int32_t tag;
  struct {
    int32_t type;
    union {
      int64_t integer;
      const void *pointer;
    };
  } value;
} kn_litert_setting;
_Static_assert(sizeof(kn_litert_setting) == 24, "layout of the library's structs");

enum {
  KN_LITERT_OK = 0,
  KN_LITERT_CPU = 1,
  KN_LITERT_READ = 0,
  KN_LITERT_WRITE = 1,
  KN_LITERT_SETTING_ACCELERATORS = 24, /* bits of the accelerators that are made ready */
  KN_LITERT_SETTING_SEVERITY = 25,     /* least severity that is printed */
  KN_LITERT_SILENT = 4,
  KN_LITERT_INTEGER = 2
};

/* X(result, name without "LiteRt", parameters) */
/* clang-format takes the asterisks of some of these types for products. */
/* clang-format off */
#define KN_LITERT_FUNCTIONS(X)                                                                                         \
  X(int, CreateEnvironment, (int count, const kn_litert_setting *settings, kn_litert_environment **out))              \
  X(void, DestroyEnvironment, (kn_litert_environment * environment))                                                   \
  X(int, CreateModelFromBuffer,                                                                                        \
    (kn_litert_environment * environment, const void *data, size_t bytes, kn_litert_model **out))                      \
  X(void, DestroyModel, (kn_litert_model * model))                                                                     \
  X(int, GetNumModelSignatures, (kn_litert_model * model, size_t *out))                                                \
  X(int, GetModelSignature, (kn_litert_model * model, size_t index, kn_litert_signature **out))                        \
  X(int, GetNumSignatureInputs, (kn_litert_signature * signature, size_t *out))                                        \
  X(int, GetNumSignatureOutputs, (kn_litert_signature * signature, size_t *out))                                       \
  X(int, GetSignatureInputTensorByIndex, (kn_litert_signature * signature, size_t index, kn_litert_tensor **out))      \
  X(int, GetSignatureOutputTensorByIndex, (kn_litert_signature * signature, size_t index, kn_litert_tensor **out))     \
  X(int, GetTensorName, (kn_litert_tensor * tensor, const char **out))                                                 \
  X(int, GetRankedTensorType, (kn_litert_tensor * tensor, kn_litert_type *out))                                        \
  X(int, CreateOptions, (kn_litert_options * *out))                                                                    \
  X(void, DestroyOptions, (kn_litert_options * options))                                                               \
  X(int, SetOptionsHardwareAccelerators, (kn_litert_options * options, int accelerators))                              \
  X(int, CreateOpaqueOptions,                                                                                          \
    (const char *identifier, void *payload, void (*destroy)(void *payload), kn_litert_opaque **out))                   \
  X(int, AddOpaqueOptions, (kn_litert_options * options, kn_litert_opaque *opaque))                                    \
  X(int, CreateCompiledModel,                                                                                          \
    (kn_litert_environment * environment, kn_litert_model *model, kn_litert_options *options,                          \
     kn_litert_compiled **out))                                                                                        \
  X(void, DestroyCompiledModel, (kn_litert_compiled * compiled))                                                       \
  X(int, CompiledModelResizeInputTensor,                                                                               \
    (kn_litert_compiled * compiled, size_t signature, size_t input, const int *shape, size_t rank))                    \
  X(int, GetCompiledModelOutputTensorLayouts,                                                                          \
    (kn_litert_compiled * compiled, size_t signature, size_t count, kn_litert_layout *out, bool update))               \
  X(int, GetCompiledModelInputBufferRequirements,                                                                      \
    (kn_litert_compiled * compiled, size_t signature, size_t input, kn_litert_requirements **out))                     \
  X(int, GetCompiledModelOutputBufferRequirements,                                                                     \
    (kn_litert_compiled * compiled, size_t signature, size_t output, kn_litert_requirements **out))                    \
  X(int, CreateManagedTensorBufferFromRequirements,                                                                    \
    (kn_litert_environment * environment, const kn_litert_type *type, kn_litert_requirements *requirements,            \
     kn_litert_buffer **out))                                                                                          \
  X(int, GetTensorBufferPackedSize, (kn_litert_buffer * buffer, size_t *out))                                          \
  X(int, LockTensorBuffer, (kn_litert_buffer * buffer, void **out, int mode))                                          \
  X(int, UnlockTensorBuffer, (kn_litert_buffer * buffer))                                                              \
  X(void, DestroyTensorBuffer, (kn_litert_buffer * buffer))                                                            \
  X(int, RunCompiledModel,                                                                                             \
    (kn_litert_compiled * compiled, size_t signature, size_t input_count, kn_litert_buffer **inputs,                   \
     size_t output_count, kn_litert_buffer **outputs))                                                                 \
  X(int, CompiledModelIsFullyAccelerated, (kn_litert_compiled * compiled, bool *out))
/* clang-format on */

typedef struct kn_litert_api {
#define KN_LITERT_SLOT(result, name, parameters) result(*name) parameters;
  KN_LITERT_FUNCTIONS(KN_LITERT_SLOT)
#undef KN_LITERT_SLOT
  char *path;          /* of the library; NULL: not opened */
  const char *version; /* that its hash stands for */
  char sha256[65];
} kn_litert_api;

/* Opens the library once; a second call does nothing. `library`: path or NULL, see kn_framework_file. KN_NOT_INSTALLED,
 * KN_INCOMPATIBLE for a library whose hash is not known. */
kn_status kn_litert_api_open(kn_litert_api *api, const char *library) KN_MUST_USE;
void kn_litert_api_clear(kn_litert_api *api);

/* "invalid argument", ... of a LiteRtStatus. */
const char *kn_litert_status_text(int status);

#endif
