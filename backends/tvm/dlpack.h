/* DLPack's tensor, which both flavours of TVM exchange; the layout is fixed by the DLPack specification, version 0.8.
 */
#ifndef KN_TVM_DLPACK_H
#define KN_TVM_DLPACK_H

#include <kenning/tensor.h>

enum { KN_DL_CPU = 1 };
enum { KN_DL_INT = 0, KN_DL_UINT = 1, KN_DL_FLOAT = 2, KN_DL_BFLOAT = 4, KN_DL_BOOL = 6 };

typedef struct kn_dl_device {
  int32_t type, id;
} kn_dl_device;

typedef struct kn_dl_type {
  uint8_t code, bits;
  uint16_t lanes;
} kn_dl_type;

typedef struct kn_dl_tensor {
  void *data;
  kn_dl_device device;
  int32_t rank;
  kn_dl_type type;
  int64_t *shape, *strides;
  uint64_t byte_offset;
} kn_dl_tensor;

/* DLManagedTensor. */
typedef struct kn_dl_managed {
  kn_dl_tensor tensor;
  void *context;
  void (*deleter)(struct kn_dl_managed *self);
} kn_dl_managed;

/* KN_DTYPE_NONE for types that tensors here do not have. */
kn_dtype kn_dl_dtype(kn_dl_type type);
kn_dl_type kn_dl_type_of(kn_dtype dtype);
/* First byte of the elements. */
void *kn_dl_data(const kn_dl_tensor *tensor);
/* KN_INCOMPATIBLE unless the tensor is on the CPU, compact, and has this type and size. */
kn_status kn_dl_check(const kn_dl_tensor *tensor, const char *name, kn_dtype dtype, size_t bytes) KN_MUST_USE;

#endif
