/* The C API of tvm-ffi 0.1 (c_api.h), through which the official TVM is driven: the functions and layouts used, under
 * declarations of our own. */
#ifndef KN_TVM_RELAX_API_H
#define KN_TVM_RELAX_API_H

#include <kenning/status.h>

#include "dlpack.h"

/* TVMFFITypeIndex: values of kn_relax_value. */
enum {
  KN_RELAX_NONE = 0,
  KN_RELAX_INT = 1,
  KN_RELAX_BOOL = 2,
  KN_RELAX_DEVICE = 6,
  KN_RELAX_TEXT = 8,     /* const char * */
  KN_RELAX_OBJECTS = 64, /* from here on values are counted objects */
  KN_RELAX_FUNCTION = 68,
  KN_RELAX_TENSOR = 70,
  KN_RELAX_ARRAY = 71,
  KN_RELAX_MODULE = 73
};

/* TVMFFIObject: what every object begins with. */
typedef struct kn_relax_object {
  uint64_t references;
  int32_t type;
  uint32_t padding;
  void (*deleter)(void *self, int flags);
} kn_relax_object;

/* TVMFFIAny. */
typedef struct kn_relax_value {
  int32_t type;
  uint32_t small_length;
  union {
    int64_t integer;
    double number;
    const char *text;
    kn_relax_object *object;
    kn_dl_device device;
  };
} kn_relax_value;

/* TVMFFIByteArray. */
typedef struct kn_relax_bytes {
  const char *data;
  size_t size;
} kn_relax_bytes;

/* What follows the header in an error and in an array: TVMFFIErrorCell, TVMFFISeqCell; only their beginnings. */
typedef struct kn_relax_error {
  kn_relax_bytes kind, message;
} kn_relax_error;

typedef struct kn_relax_sequence {
  const kn_relax_value *data;
  int64_t size;
} kn_relax_sequence;

typedef struct kn_relax_version {
  uint32_t major, minor, patch;
} kn_relax_version;

/* X(result, name without "TVMFFI", parameters) */
#define KN_RELAX_FUNCTIONS(X)                                                                             \
  X(void, GetVersion, (kn_relax_version * out_version))                                                   \
  X(int, FunctionGetGlobal, (const kn_relax_bytes *name, kn_relax_object **out_function))                 \
  X(int, FunctionCall,                                                                                    \
    (kn_relax_object * function, kn_relax_value * arguments, int32_t count, kn_relax_value * out_result)) \
  X(void, ErrorMoveFromRaised, (kn_relax_object * *out_error))                                            \
  X(int, ObjectDecRef, (kn_relax_object * object))                                                        \
  X(int, TensorFromDLPack, (kn_dl_managed * from, int32_t alignment, int32_t contiguous, kn_relax_object * *out_tensor))

typedef struct kn_relax_api {
  char *path;       /* of TVM's run time; NULL: not open */
  char version[32]; /* of tvm-ffi */
#define KN_RELAX_SLOT(result, name, parameters) result(*name) parameters;
  KN_RELAX_FUNCTIONS(KN_RELAX_SLOT)
#undef KN_RELAX_SLOT
} kn_relax_api;

/* Opens libtvm_ffi.so, which must lie beside `library` where that is given, and TVM's run time, unless they are open.
 * KN_NOT_INSTALLED, KN_INCOMPATIBLE. */
kn_status kn_relax_api_open(kn_relax_api *api, const char *library) KN_MUST_USE;
void kn_relax_api_clear(kn_relax_api *api);

#endif
