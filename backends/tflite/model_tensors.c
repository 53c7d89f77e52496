/* Tensors of a .tflite file: types, shapes, data and quantization fit together. */
#include "model_reader.h"

#include <math.h>

/* Fields of the schema's tables. */
enum {
  TENSOR_SHAPE,
  TENSOR_TYPE,
  TENSOR_BUFFER,
  TENSOR_NAME,
  TENSOR_QUANTIZATION,
  TENSOR_IS_VARIABLE,
  TENSOR_SPARSITY,
  TENSOR_SHAPE_SIGNATURE,
  TENSOR_EXTERNAL_BUFFER = 10
};
enum {
  QUANTIZATION_SCALE = 2,
  QUANTIZATION_ZERO_POINT,
  QUANTIZATION_DETAILS_TYPE,
  QUANTIZATION_DETAILS,
  QUANTIZATION_DIMENSION
};
enum { DETAILS_CUSTOM = 1, DETAILS_BLOCKWISE = 2 };
enum { BLOCKWISE_SCALES, BLOCKWISE_ZERO_POINTS };

/* Tensors larger than this are taken for damage: the engine multiplies sizes without looking. */
static const uint64_t largest_constant_bytes = (uint64_t)1 << 34, largest_value_bytes = (uint64_t)INT32_MAX;

/* Bits of one element; 0: no fixed size. */
static unsigned type_bits(int type) {
  static const uint8_t bits[KN_TFLITE_TYPES] = {32,  16, 32, 8, 64, 0,  8, 16, 64, 8, 64,
                                                128, 64, 0,  0, 32, 16, 4, 16, 2,  4};
  return bits[type];
}

/* Number of elements, and the bytes they take; false when there cannot be so many. */
static bool measure(const kn_tflite_reader *reader, kn_flat_vector shape, int type, uint64_t *out_elements,
                    uint64_t *out_bytes) {
  uint64_t elements = 1, bits;
  for (size_t i = 0; i < shape.count; i++) {
    int32_t dimension = kn_flat_i32_at(&reader->flat, shape, i);
    if (dimension < 0 || __builtin_mul_overflow(elements, (uint64_t)dimension, &elements)) return false;
  }
  if (__builtin_mul_overflow(elements, (uint64_t)type_bits(type), &bits)) return false;
  *out_elements = elements;
  *out_bytes = bits / 8 + (bits % 8 != 0);
  return true;
}

/* Strings are stored as: their number n, n + 1 offsets from the start, the characters; 32 bit each. */
static bool strings_fit(kn_tflite_reader *reader, const kn_tflite_buffer *buffer) {
  if (buffer->bytes < 8 || buffer->bytes > INT32_MAX) return false;
  kn_flat_vector words = {.at = buffer->at, .count = (size_t)buffer->bytes / 4};
  uint64_t count = kn_flat_u32_at(&reader->flat, words, 0);
  if (count + 2 > words.count) return false;
  uint64_t previous = 4 * (count + 2);
  for (size_t i = 0; i <= count; i++) {
    uint64_t offset = kn_flat_u32_at(&reader->flat, words, 1 + i);
    if (offset < previous || offset > buffer->bytes) return false;
    previous = offset;
  }
  return true;
}

/* Range of the zero points of a type; false for types that computing is not done on. */
static bool zero_point_range(int type, int64_t *out_low, int64_t *out_high) {
  switch (type) {
    case KN_TFLITE_INT8:
      *out_low = INT8_MIN, *out_high = INT8_MAX;
      return true;
    case KN_TFLITE_UINT8:
      *out_low = 0, *out_high = UINT8_MAX;
      return true;
    case KN_TFLITE_INT16:
      *out_low = INT16_MIN, *out_high = INT16_MAX;
      return true;
    default:
      return false;
  }
}

/* Scales and zero points with which the operators can compute; `constant`: weights, some of which may be all 0. */
static void check_scales(kn_tflite_reader *reader, kn_flat_vector scale, kn_flat_vector zero_point, int type,
                         bool constant) {
  kn_flat *flat = &reader->flat;
  int64_t low = 0, high = 0;
  bool computed = zero_point_range(type, &low, &high);
  for (size_t i = 0; i < scale.count; i++) {
    float value = kn_flat_f32_at(flat, scale, i);
    bool usable = computed && !constant ? isnormal(value) && value > 0 : isfinite(value) && value >= 0;
    if (!usable) kn_flat_fail(flat, scale.at + 4 * i, "a scale of its quantization is impossible");
  }
  for (size_t i = 0; computed && i < zero_point.count; i++) {
    int64_t value = kn_flat_i64_at(flat, zero_point, i);
    if (value < low || value > high)
      kn_flat_fail(flat, zero_point.at + 8 * i, "a zero point of its quantization does not fit its type");
  }
}

static void check_quantization(kn_tflite_reader *reader, kn_flat_table quantization, kn_flat_vector shape, int type,
                               bool constant, size_t tensor_count) {
  kn_flat *flat = &reader->flat;
  kn_flat_vector scale = kn_flat_vector_field(flat, quantization, QUANTIZATION_SCALE, 4);
  kn_flat_vector zero_point = kn_flat_vector_field(flat, quantization, QUANTIZATION_ZERO_POINT, 8);
  kn_flat_table details = kn_flat_table_field(flat, quantization, QUANTIZATION_DETAILS);
  if (scale.count && zero_point.count && scale.count != zero_point.count)
    kn_flat_fail(flat, quantization.at, "it has not as many zero points as scales");
  check_scales(reader, scale, zero_point, type, constant);
  if (scale.count > 1) {
    int32_t dimension = kn_flat_i32(flat, quantization, QUANTIZATION_DIMENSION, 0);
    if (dimension < 0 || (size_t)dimension >= shape.count ||
        kn_flat_i32_at(flat, shape, (size_t)dimension) != (int64_t)scale.count)
      kn_flat_fail(flat, quantization.at, "its scales do not fit its shape");
  }
  if (kn_flat_u8(flat, quantization, QUANTIZATION_DETAILS_TYPE, 0) == DETAILS_BLOCKWISE &&
      (kn_flat_u32(flat, details, BLOCKWISE_SCALES, 0) >= tensor_count ||
       kn_flat_i32(flat, details, BLOCKWISE_ZERO_POINTS, 0) >= (int64_t)tensor_count))
    kn_flat_fail(flat, details.at, "its scales are in a tensor that does not exist");
}

static void read_tensor(kn_tflite_reader *reader, kn_flat_table tensor, size_t tensor_count,
                        kn_tflite_value *out_value) {
  kn_flat *flat = &reader->flat;
  kn_flat_vector shape = kn_flat_vector_field(flat, tensor, TENSOR_SHAPE, 4);
  kn_flat_vector signature = kn_flat_vector_field(flat, tensor, TENSOR_SHAPE_SIGNATURE, 4);
  uint8_t type = kn_flat_u8(flat, tensor, TENSOR_TYPE, 0);
  uint32_t index = kn_flat_u32(flat, tensor, TENSOR_BUFFER, 0);
  const char *name = kn_flat_string(flat, tensor, TENSOR_NAME);
  if (flat->fault) return;
  if (type >= KN_TFLITE_TYPES) {
    kn_tflite_unsupported(reader, tensor.at, "its type is none that this version of TensorFlow Lite's schema has");
    return;
  }
  if (kn_flat_table_field(flat, tensor, TENSOR_SPARSITY).at)
    kn_tflite_unsupported(reader, tensor.at, "it is stored sparsely, which is not supported");
  if (kn_flat_u32(flat, tensor, TENSOR_EXTERNAL_BUFFER, 0))
    kn_tflite_unsupported(reader, tensor.at, "its data is in another file, which is not supported");
  if (index >= reader->buffer_count) {
    kn_flat_fail(flat, tensor.at, "its buffer does not exist");
    return;
  }
  if (signature.count && signature.count != shape.count)
    kn_flat_fail(flat, tensor.at, "its shape and its shape signature have not the same number of dimensions");

  kn_tflite_buffer *buffer = &reader->buffers[index];
  uint64_t elements = 0, expected = 0;
  if (!measure(reader, shape, type, &elements, &expected) ||
      expected > (buffer->bytes ? largest_constant_bytes : largest_value_bytes)) {
    kn_flat_fail(flat, tensor.at, "its shape is impossible");
  } else if (buffer->bytes && type == KN_TFLITE_STRING) {
    if (!strings_fit(reader, buffer)) kn_flat_fail(flat, buffer->at, "its texts run past the end of its data");
  } else if (buffer->bytes && type_bits(type) && buffer->bytes != expected) {
    kn_flat_fail(flat, tensor.at, "its data has not the size that its shape asks for");
  }
  kn_flat_table quantization = kn_flat_table_field(flat, tensor, TENSOR_QUANTIZATION);
  bool constant = buffer->bytes != 0;
  if (quantization.at) check_quantization(reader, quantization, shape, type, constant, tensor_count);
  if (flat->fault) return;

  *out_value = (kn_tflite_value){.name = name && *name ? name : NULL,
                                 .elements = elements,
                                 .type = type,
                                 .stored_type = type,
                                 .constant = constant,
                                 .written = constant || kn_flat_u8(flat, tensor, TENSOR_IS_VARIABLE, 0)};
  kn_tflite_model *model = reader->model;
  (constant ? model->constants : model->activations)[type]++;
  if (constant && !buffer->counted) {
    buffer->counted = true;
    model->constant_bytes += buffer->bytes;
  }
}

void kn_tflite_read_tensors(kn_tflite_reader *reader, kn_flat_vector tensors) {
  kn_free(reader->values);
  reader->value_count = 0;
  reader->values = kn_alloc_array(tensors.count, sizeof *reader->values);
  if (!reader->values) {
    reader->out_of_memory = true;
    return;
  }
  reader->value_count = tensors.count;
  for (size_t i = 0; i < tensors.count && kn_tflite_good(reader); i++) {
    reader->part = "tensor", reader->index = i;
    read_tensor(reader, kn_flat_table_at(&reader->flat, tensors, i), tensors.count, &reader->values[i]);
  }
}

static void read_interface_tensor(kn_tflite_reader *reader, kn_flat_table tensor, kn_tflite_tensor *out) {
  kn_flat *flat = &reader->flat;
  kn_flat_vector shape = kn_flat_vector_field(flat, tensor, TENSOR_SHAPE, 4);
  kn_flat_vector signature = kn_flat_vector_field(flat, tensor, TENSOR_SHAPE_SIGNATURE, 4);
  const char *name = kn_flat_string(flat, tensor, TENSOR_NAME);
  out->name = name ? name : "";
  out->type = kn_flat_u8(flat, tensor, TENSOR_TYPE, 0);
  if (shape.count > KN_MAX_RANK) {
    kn_tflite_unsupported(reader, tensor.at, "an input or output has more than 8 dimensions");
    return;
  }
  out->rank = (uint32_t)shape.count;
  for (size_t i = 0; i < shape.count; i++) {
    out->shape[i] = kn_flat_i32_at(flat, shape, i);
    out->dynamic[i] = signature.count && kn_flat_i32_at(flat, signature, i) == -1;
  }
  kn_flat_table quantization = kn_flat_table_field(flat, tensor, TENSOR_QUANTIZATION);
  kn_flat_vector scale = kn_flat_vector_field(flat, quantization, QUANTIZATION_SCALE, 4);
  kn_flat_vector zero_point = kn_flat_vector_field(flat, quantization, QUANTIZATION_ZERO_POINT, 8);
  bool integer = out->type == KN_TFLITE_INT8 || out->type == KN_TFLITE_UINT8 || out->type == KN_TFLITE_INT16;
  if (integer && scale.count == 1 && kn_flat_f32_at(flat, scale, 0) > 0) {
    out->quantized = true;
    out->scale = kn_flat_f32_at(flat, scale, 0);
    out->zero_point = zero_point.count ? kn_flat_i64_at(flat, zero_point, 0) : 0;
  }
}

kn_tflite_tensor *kn_tflite_read_interface(kn_tflite_reader *reader, kn_flat_vector tensors, kn_flat_vector indices) {
  if (!kn_tflite_good(reader)) return NULL;
  kn_tflite_tensor *list = kn_alloc_array(indices.count, sizeof *list);
  if (!list) reader->out_of_memory = true;
  for (size_t i = 0; i < indices.count && kn_tflite_good(reader); i++) {
    size_t index = kn_flat_u32_at(&reader->flat, indices, i);
    reader->part = "tensor", reader->index = index;
    list[i].index = index;
    if (index < tensors.count)
      read_interface_tensor(reader, kn_flat_table_at(&reader->flat, tensors, index), &list[i]);
    else
      kn_flat_fail(&reader->flat, indices.at + 4 * i, "it is an input or output of the model, but does not exist");
  }
  return list;
}
