/* What this plug-in opens: the C interface to libtorch that `kenning install pytorch` compiles (build/torch_shim.h),
 * and through it the functions of libtorch that compiled packages need. */
#ifndef PYTORCH_API_H
#define PYTORCH_API_H

#include <kenning/plugin.h>

#include "build/torch_shim.h"

typedef struct aoti_tensor aoti_tensor; /* AtenTensorHandle */

/* libtorch's interface for packages, torch/csrc/inductor/aoti_torch/c/shim.h: 0 is success. */
#define AOTI_FUNCTIONS(X)                                                                                             \
  X(int32_t, aoti_torch_device_type_cpu, (void))                                                                      \
  X(int32_t, aoti_torch_create_tensor_from_blob_v2,                                                                   \
    (void *data, int64_t rank, const int64_t *shape, const int64_t *strides, int64_t offset, int32_t dtype,           \
     int32_t device_type, int32_t device, aoti_tensor **out, int32_t layout, const uint8_t *metadata, int64_t bytes)) \
  X(int32_t, aoti_torch_get_data_ptr, (aoti_tensor * tensor, void **out))                                             \
  X(int32_t, aoti_torch_get_dim, (aoti_tensor * tensor, int64_t * out))                                               \
  X(int32_t, aoti_torch_get_sizes, (aoti_tensor * tensor, int64_t * *out))                                            \
  X(int32_t, aoti_torch_get_strides, (aoti_tensor * tensor, int64_t * *out))                                          \
  X(int32_t, aoti_torch_get_dtype, (aoti_tensor * tensor, int32_t * out))                                             \
  X(int32_t, aoti_torch_delete_tensor_object, (aoti_tensor * tensor))

typedef struct torch_api {
#define TORCH_SLOT(type, name, parameters) type(*name) parameters;
  TORCH_SHIM_FUNCTIONS(TORCH_SLOT)
  AOTI_FUNCTIONS(TORCH_SLOT)
#undef TORCH_SLOT
  const char *path; /* of the library */
} torch_api;

/* Opens it once per process; `library` is the block's own option and may be NULL. KN_NOT_INSTALLED, KN_INCOMPATIBLE
 * (made for another version, another copy is open). Any thread. */
kn_status torch_api_open(const char *library, const torch_api **out_api) KN_MUST_USE;
/* NULL for 0, else libtorch's words; `what` says what was tried ("run the model"). */
kn_status torch_result(const torch_api *torch, int32_t result, const char *what) KN_MUST_USE;
/* Sets the threads of one operator for the whole process; 0: as many as there are cores. Returns their number. */
int64_t torch_threads(const torch_api *torch, int64_t threads);

/* libtorch's number of an element type and ours; -1 / KN_DTYPE_NONE for those that only one side has. */
int32_t torch_dtype_of(kn_dtype dtype);
kn_dtype torch_kn_dtype_of(int32_t dtype);

#endif
