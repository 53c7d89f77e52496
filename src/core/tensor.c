#include <kenning/tensor.h>

#include <string.h>

static const struct {
  const char *name;
  size_t size;
} dtypes[] = {
    [KN_DTYPE_NONE] = {"none", 0},   [KN_FLOAT32] = {"float32", 4}, [KN_FLOAT16] = {"float16", 2},
    [KN_BFLOAT16] = {"bfloat16", 2}, [KN_FLOAT64] = {"float64", 8}, [KN_INT8] = {"int8", 1},
    [KN_UINT8] = {"uint8", 1},       [KN_INT16] = {"int16", 2},     [KN_UINT16] = {"uint16", 2},
    [KN_INT32] = {"int32", 4},       [KN_UINT32] = {"uint32", 4},   [KN_INT64] = {"int64", 8},
    [KN_UINT64] = {"uint64", 8},     [KN_BOOL8] = {"bool", 1},
};
enum { DTYPE_COUNT = sizeof dtypes / sizeof dtypes[0] };

size_t kn_dtype_size(kn_dtype dtype) { return (unsigned)dtype < DTYPE_COUNT ? dtypes[dtype].size : 0; }

const char *kn_dtype_name(kn_dtype dtype) { return (unsigned)dtype < DTYPE_COUNT ? dtypes[dtype].name : "none"; }

kn_dtype kn_dtype_from_name(const char *name) {
  for (unsigned i = 1; i < DTYPE_COUNT; i++)
    if (!strcmp(dtypes[i].name, name)) return (kn_dtype)i;
  return KN_DTYPE_NONE;
}

kn_status kn_tensor_bytes(kn_dtype dtype, uint32_t rank, const int64_t *shape, size_t *out_bytes) {
  *out_bytes = 0;
  size_t bytes = kn_dtype_size(dtype);
  if (!bytes) return kn_status_make(KN_INVALID_ARGUMENT, "a tensor needs a data type");
  if (rank > KN_MAX_RANK)
    return kn_status_make(KN_INVALID_ARGUMENT, "a tensor of rank %u: at most %d", rank, KN_MAX_RANK);
  for (uint32_t i = 0; i < rank; i++) {
    if (shape[i] < 0)
      return kn_status_make(KN_INVALID_ARGUMENT, "dimension %u of the tensor is %lld; a concrete size is needed", i,
                            (long long)shape[i]);
    if (!kn_mul_size(bytes, (size_t)shape[i], &bytes) || bytes > (size_t)PTRDIFF_MAX)
      return kn_status_make(KN_INVALID_ARGUMENT, "the tensor's size overflows");
  }
  *out_bytes = bytes;
  return NULL;
}

char *kn_shape_text(uint32_t rank, const int64_t *shape) {
  char *text = kn_strdup("");
  for (uint32_t k = 0; text && k < rank; k++) {
    char *longer = kn_format("%s%s%lld", text, k ? "," : "", (long long)shape[k]);
    kn_free(text);
    text = longer;
  }
  return text;
}

size_t kn_tensor_elements(const kn_tensor_view *view) {
  size_t size = kn_dtype_size(view->dtype);
  return size ? view->bytes / size : 0;
}

kn_status kn_tensor_create(kn_dtype dtype, uint32_t rank, const int64_t *shape, kn_tensor_view *out_tensor) {
  *out_tensor = (kn_tensor_view){0};
  size_t bytes, total;
  KN_TRY(kn_tensor_bytes(dtype, rank, shape, &bytes));
  /* The block's own address is kept in front of the aligned data so that kn_tensor_free finds it. */
  if (!kn_add_size(bytes, KN_TENSOR_ALIGNMENT + sizeof(void *), &total)) return kn_status_out_of_memory();
  char *block = kn_alloc(total);
  if (!block) return kn_status_out_of_memory();
  uintptr_t start = (uintptr_t)block + sizeof(void *);
  char *data = block + sizeof(void *) + (KN_TENSOR_ALIGNMENT - start % KN_TENSOR_ALIGNMENT) % KN_TENSOR_ALIGNMENT;
  memcpy(data - sizeof(void *), &block, sizeof block);
  out_tensor->data = data;
  out_tensor->bytes = bytes;
  out_tensor->dtype = dtype;
  out_tensor->rank = rank;
  if (rank) memcpy(out_tensor->shape, shape, rank * sizeof *shape);
  return NULL;
}

void kn_tensor_free(kn_tensor_view *tensor) {
  if (tensor->data) {
    void *block;
    memcpy(&block, (char *)tensor->data - sizeof(void *), sizeof block);
    kn_free(block);
  }
  *tensor = (kn_tensor_view){0};
}
