/* Tensors of an .onnx file: the values of initializers, the types of inputs and outputs. */
#include "model_file.h"

#include <stdio.h>
#include <string.h>

static const struct {
  const char *name;
  kn_dtype dtype;
  unsigned bits;
} types[] = {[1] = {"FLOAT", KN_FLOAT32, 32},
             [2] = {"UINT8", KN_UINT8, 8},
             [3] = {"INT8", KN_INT8, 8},
             [4] = {"UINT16", KN_UINT16, 16},
             [5] = {"INT16", KN_INT16, 16},
             [6] = {"INT32", KN_INT32, 32},
             [7] = {"INT64", KN_INT64, 64},
             [8] = {"STRING", KN_DTYPE_NONE, 0},
             [9] = {"BOOL", KN_BOOL8, 8},
             [10] = {"FLOAT16", KN_FLOAT16, 16},
             [11] = {"DOUBLE", KN_FLOAT64, 64},
             [12] = {"UINT32", KN_UINT32, 32},
             [13] = {"UINT64", KN_UINT64, 64},
             [14] = {"COMPLEX64", KN_DTYPE_NONE, 64},
             [15] = {"COMPLEX128", KN_DTYPE_NONE, 128},
             [16] = {"BFLOAT16", KN_BFLOAT16, 16},
             [17] = {"FLOAT8E4M3FN", KN_DTYPE_NONE, 8},
             [18] = {"FLOAT8E4M3FNUZ", KN_DTYPE_NONE, 8},
             [19] = {"FLOAT8E5M2", KN_DTYPE_NONE, 8},
             [20] = {"FLOAT8E5M2FNUZ", KN_DTYPE_NONE, 8},
             [21] = {"UINT4", KN_DTYPE_NONE, 4},
             [22] = {"INT4", KN_DTYPE_NONE, 4},
             [23] = {"FLOAT4E2M1", KN_DTYPE_NONE, 4}};
enum { KNOWN_TYPES = sizeof types / sizeof *types };

const char *kn_onnx_type_name(int64_t type) {
  return type > 0 && type < KNOWN_TYPES ? types[type].name : "of a type that is not known";
}

kn_dtype kn_onnx_type_dtype(int64_t type) { return type > 0 && type < KNOWN_TYPES ? types[type].dtype : KN_DTYPE_NONE; }

/* ---- initializers ---- */

typedef struct tensor {
  kn_onnx_text name;
  int64_t type;
  uint64_t elements;
  bool raw, external;
  size_t raw_bytes;
} tensor;

static kn_status add_dimension(tensor *t, uint64_t size) {
  if (size > INT64_MAX || (size && t->elements > UINT64_MAX / 128 / size))
    return kn_status_make(KN_BAD_DATA, "the tensor '%.*s' has an impossible shape", KN_ONNX_TEXT(t->name));
  t->elements *= size;
  return NULL;
}

static kn_status take_tensor_field(tensor *t, const kn_protobuf_field *field) {
  kn_protobuf list = field->bytes;
  uint64_t size;
  switch (field->number) {
    case 1: /* dims, packed or one by one */
      if (field->type == KN_PROTOBUF_VARINT) return add_dimension(t, field->value);
      KN_TRY(kn_onnx_expect(field, KN_PROTOBUF_BYTES, "the shape of a tensor"));
      while (kn_protobuf_varint(&list, &size)) KN_TRY(add_dimension(t, size));
      return kn_onnx_whole(&list);
    case 2: /* data_type */
      t->type = (int64_t)field->value;
      return kn_onnx_expect(field, KN_PROTOBUF_VARINT, "the type of a tensor");
    case 8: /* name */
      t->name = kn_onnx_text_of(field->bytes);
      return kn_onnx_expect(field, KN_PROTOBUF_BYTES, "the name of a tensor");
    case 9: /* raw_data */
      t->raw = true;
      t->raw_bytes = kn_protobuf_length(field->bytes);
      return kn_onnx_expect(field, KN_PROTOBUF_BYTES, "the data of a tensor");
    case 14: /* data_location: 1 is EXTERNAL */
      t->external = field->value == 1;
      return kn_onnx_expect(field, KN_PROTOBUF_VARINT, "the place of a tensor");
    default:
      return NULL;
  }
}

kn_status kn_onnx_tensor_read(kn_protobuf message, kn_onnx_model *model, kn_onnx_list *names) {
  tensor t = {.elements = 1};
  kn_protobuf_field field;
  while (kn_protobuf_next(&message, &field)) {
    KN_TRY(take_tensor_field(&t, &field));
  }
  KN_TRY(kn_onnx_whole(&message));
  bool known = t.type > 0 && t.type < KNOWN_TYPES;
  uint64_t bytes = known ? (t.elements * types[t.type].bits + 7) / 8 : 0;
  if (known && types[t.type].bits && t.raw && !t.external && bytes != t.raw_bytes)
    return kn_status_make(KN_BAD_DATA, "the tensor '%.*s' needs %llu bytes of data and has %zu", KN_ONNX_TEXT(t.name),
                          (unsigned long long)bytes, t.raw_bytes);
  model->weights[known ? t.type : 0]++;
  model->weight_bytes += bytes;
  model->external |= t.external;
  if (!names) return NULL;
  kn_onnx_text *name = kn_onnx_list_add(names, sizeof *name);
  if (!name) return kn_status_out_of_memory();
  *name = t.name;
  return NULL;
}

/* ---- inputs and outputs ---- */

static kn_status read_dimension(kn_protobuf message, kn_onnx_value *value) {
  kn_protobuf_field field;
  if (value->rank == KN_MAX_RANK)
    return kn_status_make(KN_INCOMPATIBLE, "'%.*s' has more than %d dimensions", KN_ONNX_TEXT(value->name),
                          KN_MAX_RANK);
  int64_t *size = &value->shape[value->rank];
  kn_onnx_text *symbol = &value->symbols[value->rank];
  *size = -1;
  while (kn_protobuf_next(&message, &field)) {
    if (field.number == 1) { /* dim_value; negative ones and, by habit of some exporters, 0 stand for a free one */
      KN_TRY(kn_onnx_expect(&field, KN_PROTOBUF_VARINT, "a dimension"));
      *size = field.value > 0 && field.value <= INT64_MAX ? (int64_t)field.value : -1;
    } else if (field.number == 2) { /* dim_param */
      KN_TRY(kn_onnx_expect(&field, KN_PROTOBUF_BYTES, "the name of a dimension"));
      *symbol = kn_onnx_text_of(field.bytes);
    }
  }
  KN_TRY(kn_onnx_whole(&message));
  value->rank++;
  return NULL;
}

static kn_status read_tensor_type(kn_protobuf message, kn_onnx_value *value, bool *out_tensor) {
  kn_protobuf_field field, dimension;
  int64_t type = 0;
  while (kn_protobuf_next(&message, &field)) {
    if (field.number == 1) { /* elem_type */
      KN_TRY(kn_onnx_expect(&field, KN_PROTOBUF_VARINT, "the type of a value"));
      type = (int64_t)field.value;
    } else if (field.number == 2) { /* shape */
      KN_TRY(kn_onnx_expect(&field, KN_PROTOBUF_BYTES, "the shape of a value"));
      *out_tensor = true;
      kn_protobuf shape = field.bytes;
      while (kn_protobuf_next(&shape, &dimension)) {
        if (dimension.number == 1) KN_TRY(read_dimension(dimension.bytes, value));
      }
      KN_TRY(kn_onnx_whole(&shape));
    }
  }
  KN_TRY(kn_onnx_whole(&message));
  value->dtype = kn_onnx_type_dtype(type);
  if (value->dtype == KN_DTYPE_NONE)
    return kn_status_make(KN_INCOMPATIBLE, "'%.*s' is %s, which is not supported as input or output",
                          KN_ONNX_TEXT(value->name), kn_onnx_type_name(type));
  return NULL;
}

kn_status kn_onnx_value_read(kn_protobuf message, kn_onnx_value *out_value, bool *out_tensor) {
  kn_protobuf_field field;
  bool typed = false;
  kn_protobuf type = {0};
  *out_value = (kn_onnx_value){0};
  *out_tensor = false;
  while (kn_protobuf_next(&message, &field)) {
    if (field.number == 1) { /* name */
      KN_TRY(kn_onnx_expect(&field, KN_PROTOBUF_BYTES, "the name of a value"));
      out_value->name = kn_onnx_text_of(field.bytes);
    } else if (field.number == 2) { /* type */
      KN_TRY(kn_onnx_expect(&field, KN_PROTOBUF_BYTES, "the type of a value"));
      type = field.bytes;
    }
  }
  KN_TRY(kn_onnx_whole(&message));
  while (kn_protobuf_next(&type, &field)) {
    if (field.number == 1) { /* tensor_type */
      typed = true;
      KN_TRY(read_tensor_type(field.bytes, out_value, out_tensor));
    }
  }
  KN_TRY(kn_onnx_whole(&type));
  if (typed) return NULL;
  return kn_status_make(KN_INCOMPATIBLE,
                        "'%.*s' is no tensor: sequences, maps and optional values are not supported "
                        "as input or output",
                        KN_ONNX_TEXT(out_value->name));
}
