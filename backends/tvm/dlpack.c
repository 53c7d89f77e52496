#include "dlpack.h"

static const struct {
  kn_dtype dtype;
  uint8_t code, bits;
} types[] = {{KN_FLOAT32, KN_DL_FLOAT, 32}, {KN_FLOAT16, KN_DL_FLOAT, 16}, {KN_BFLOAT16, KN_DL_BFLOAT, 16},
             {KN_FLOAT64, KN_DL_FLOAT, 64}, {KN_INT8, KN_DL_INT, 8},       {KN_UINT8, KN_DL_UINT, 8},
             {KN_INT16, KN_DL_INT, 16},     {KN_UINT16, KN_DL_UINT, 16},   {KN_INT32, KN_DL_INT, 32},
             {KN_UINT32, KN_DL_UINT, 32},   {KN_INT64, KN_DL_INT, 64},     {KN_UINT64, KN_DL_UINT, 64},
             {KN_BOOL8, KN_DL_BOOL, 8},     {KN_BOOL8, KN_DL_UINT, 1}};

kn_dtype kn_dl_dtype(kn_dl_type type) {
  for (size_t i = 0; type.lanes == 1 && i < sizeof types / sizeof *types; i++)
    if (types[i].code == type.code && types[i].bits == type.bits) return types[i].dtype;
  return KN_DTYPE_NONE;
}

kn_dl_type kn_dl_type_of(kn_dtype dtype) {
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (types[i].dtype == dtype) return (kn_dl_type){types[i].code, types[i].bits, 1};
  return (kn_dl_type){0};
}

void *kn_dl_data(const kn_dl_tensor *tensor) { return (char *)tensor->data + tensor->byte_offset; }

static bool compact(const kn_dl_tensor *tensor) {
  int64_t step = 1;
  for (int32_t k = tensor->rank; tensor->strides && k-- > 0; step *= tensor->shape[k])
    if (tensor->shape[k] != 1 && tensor->strides[k] != step) return false;
  return true;
}

kn_status kn_dl_check(const kn_dl_tensor *tensor, const char *name, kn_dtype dtype, size_t bytes) {
  size_t found = 0;
  kn_dtype type = kn_dl_dtype(tensor->type);
  bool fits = tensor->device.type == KN_DL_CPU && tensor->rank >= 0 && tensor->rank <= KN_MAX_RANK && compact(tensor) &&
              type == dtype;
  if (fits) KN_TRY(kn_tensor_bytes(type, (uint32_t)tensor->rank, tensor->shape, &found));
  if (fits && found == bytes) return NULL;
  return kn_status_make(KN_INCOMPATIBLE,
                        "the io specification says '%s' is %s of %zu bytes, and the compiled model has %s of %zu bytes",
                        name, kn_dtype_name(dtype), bytes, kn_dtype_name(type), found);
}
