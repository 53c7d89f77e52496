/* Operators of a .tflite file: they exist, they read what has a value, and subgraphs do not call themselves. */
#include "model_reader.h"

enum {
  OPERATOR_OPCODE,
  OPERATOR_INPUTS,
  OPERATOR_OUTPUTS,
  OPERATOR_OPTIONS_TYPE,
  OPERATOR_OPTIONS,
  OPERATOR_CUSTOM_OPTIONS,
  OPERATOR_MUTATING_INPUTS = 7,
  OPERATOR_INTERMEDIATES,
  OPERATOR_LARGE_OPTIONS_OFFSET,
  OPERATOR_LARGE_OPTIONS_SIZE,
  OPERATOR_OPTIONS_2_TYPE,
  OPERATOR_OPTIONS_2
};

/* Indices of tensors, -1 where one is left out. */
static kn_flat_vector read_indices(kn_tflite_reader *reader, kn_flat_table operator_, unsigned field) {
  kn_flat_vector indices = kn_flat_vector_field(&reader->flat, operator_, field, 4);
  for (size_t i = 0; i < indices.count; i++) {
    int64_t index = kn_flat_i32_at(&reader->flat, indices, i);
    if (index < -1 || index >= (int64_t)reader->value_count) {
      kn_flat_fail(&reader->flat, indices.at + 4 * i, "it uses a tensor that does not exist");
      return (kn_flat_vector){0};
    }
  }
  return indices;
}

static kn_tflite_value *value_at(kn_tflite_reader *reader, kn_flat_vector indices, size_t i) {
  if (i >= indices.count) return NULL;
  int32_t index = kn_flat_i32_at(&reader->flat, indices, i);
  return index < 0 ? NULL : &reader->values[index];
}

/* ---- options ---- */

/* The engine takes the options of an operator for absent, all fields at their defaults, when their type is not the
 * operator's own. */
static kn_flat_table read_options(kn_tflite_reader *reader, kn_flat_table operator_, uint8_t type, bool second) {
  kn_flat_table options = kn_flat_table_field(&reader->flat, operator_, second ? OPERATOR_OPTIONS_2 : OPERATOR_OPTIONS);
  uint8_t given = kn_flat_u8(&reader->flat, operator_, second ? OPERATOR_OPTIONS_2_TYPE : OPERATOR_OPTIONS_TYPE, 0);
  return given == type ? options : (kn_flat_table){0};
}

/* The engine divides by strides, dilations and window sizes without looking. */
static void check_windows(kn_tflite_reader *reader, kn_flat_table operator_, int32_t code) {
  enum { STRIDES = 1, CONV_2D = 1, DEPTHWISE = 2, POOL_2D = 5, TRANSPOSED = 49, CONV_3D = 106 };
  static const struct {
    int32_t code;
    unsigned strides, others, first; /* fields from 1; fields from `first` */
    uint8_t type;
    bool windows; /* `others` are windows, whose default is 0, and not dilations, whose default is 1 */
  } users[] = {{KN_TFLITE_OP_CONV_2D, 2, 2, 4, CONV_2D, false},
               {KN_TFLITE_OP_DEPTHWISE_CONV_2D, 2, 2, 5, DEPTHWISE, false},
               {KN_TFLITE_OP_TRANSPOSE_CONV, 2, 0, 0, TRANSPOSED, false},
               {KN_TFLITE_OP_CONV_3D, 3, 3, 5, CONV_3D, false},
               {KN_TFLITE_OP_CONV_3D_TRANSPOSE, 3, 3, 5, CONV_3D, false},
               {KN_TFLITE_OP_AVERAGE_POOL_2D, 2, 2, 3, POOL_2D, true},
               {KN_TFLITE_OP_MAX_POOL_2D, 2, 2, 3, POOL_2D, true},
               {KN_TFLITE_OP_L2_POOL_2D, 2, 2, 3, POOL_2D, true}};
  for (size_t i = 0; i < sizeof users / sizeof *users; i++) {
    if (users[i].code != code) continue;
    kn_flat_table options = read_options(reader, operator_, users[i].type, false);
    bool positive = true;
    for (unsigned k = 0; k < users[i].strides; k++)
      positive = positive && kn_flat_i32(&reader->flat, options, STRIDES + k, 0) > 0;
    for (unsigned k = 0; k < users[i].others; k++)
      positive = positive && kn_flat_i32(&reader->flat, options, users[i].first + k, !users[i].windows) > 0;
    if (!positive) kn_flat_fail(&reader->flat, operator_.at, "a stride, dilation or window of it is not positive");
  }
}

/* ---- calls between subgraphs ---- */

static void add_call(kn_tflite_reader *reader, size_t at, int64_t callee) {
  if (callee < 0 || callee >= (int64_t)reader->model->subgraphs) {
    kn_flat_fail(&reader->flat, at, "it calls a subgraph that does not exist");
    return;
  }
  if (reader->call_count == reader->call_capacity) {
    size_t capacity = reader->call_capacity ? 2 * reader->call_capacity : 16, bytes;
    size_t *calls = kn_mul_size(capacity, sizeof *calls, &bytes) ? kn_realloc(reader->calls, bytes) : NULL;
    if (!calls) {
      reader->out_of_memory = true;
      return;
    }
    reader->calls = calls;
    reader->call_capacity = capacity;
  }
  reader->calls[reader->call_count++] = (size_t)callee;
}

static void read_calls(kn_tflite_reader *reader, kn_flat_table operator_, int32_t code) {
  static const struct {
    int32_t code;
    bool second_options;
    uint8_t type;
    unsigned first_field, fields;
  } callers[] = {{KN_TFLITE_OP_CALL, false, 16, 0, 1},
                 {KN_TFLITE_OP_IF, false, 92, 0, 2},
                 {KN_TFLITE_OP_WHILE, false, 93, 0, 2},
                 {KN_TFLITE_OP_CALL_ONCE, false, 103, 0, 1},
                 {KN_TFLITE_OP_STABLEHLO_COMPOSITE, true, 21, 1, 1}};
  for (size_t i = 0; i < sizeof callers / sizeof *callers; i++) {
    if (callers[i].code != code) continue;
    kn_flat_table options = read_options(reader, operator_, callers[i].type, callers[i].second_options);
    for (unsigned k = 0; k < callers[i].fields && kn_tflite_good(reader); k++)
      add_call(reader, operator_.at, kn_flat_i32(&reader->flat, options, callers[i].first_field + k, 0));
  }
}

/* ---- layers ---- */

/* Place of the weights and of the values among the inputs; false for operators without weights. */
static bool weighted(int32_t code, size_t *out_weights, size_t *out_values) {
  *out_weights = 1;
  switch (code) {
    case KN_TFLITE_OP_CONV_2D:
    case KN_TFLITE_OP_DEPTHWISE_CONV_2D:
    case KN_TFLITE_OP_FULLY_CONNECTED:
    case KN_TFLITE_OP_CONV_3D:
      *out_values = 0;
      return true;
    case KN_TFLITE_OP_TRANSPOSE_CONV:
    case KN_TFLITE_OP_CONV_3D_TRANSPOSE:
      *out_values = 2;
      return true;
    default:
      return false;
  }
}

static void count_layer(kn_tflite_reader *reader, kn_flat_vector inputs, int32_t code) {
  size_t weights_index, values_index;
  if (!weighted(code, &weights_index, &values_index)) return;
  const kn_tflite_value *weights = value_at(reader, inputs, weights_index);
  const kn_tflite_value *values = value_at(reader, inputs, values_index);
  if (!weights || !values) {
    kn_flat_fail(&reader->flat, inputs.at, "a layer lacks its weights or its input");
    return;
  }
  reader->model->layers++;
  reader->model->layer_weights[weights->stored_type]++;
  reader->model->layer_inputs[values->type]++;
}

/* ---- operators ---- */

/* Whether input `index` may be left out. The engine's operators look for themselves only where it may. */
static bool optional_input(int32_t code, size_t index) {
  switch (code) {
    case KN_TFLITE_OP_CUSTOM:
      return true;
    case KN_TFLITE_OP_CONV_2D:
    case KN_TFLITE_OP_DEPTHWISE_CONV_2D:
    case KN_TFLITE_OP_FULLY_CONNECTED:
    case KN_TFLITE_OP_CONV_3D:
      return index == 2; /* bias */
    case KN_TFLITE_OP_TRANSPOSE_CONV:
    case KN_TFLITE_OP_CONV_3D_TRANSPOSE:
      return index == 3; /* bias */
    case KN_TFLITE_OP_LSTM:
    case KN_TFLITE_OP_RNN:
    case KN_TFLITE_OP_SVDF:
    case KN_TFLITE_OP_UNIDIRECTIONAL_SEQUENCE_RNN:
    case KN_TFLITE_OP_UNIDIRECTIONAL_SEQUENCE_LSTM:
    case KN_TFLITE_OP_BIDIRECTIONAL_SEQUENCE_RNN:
    case KN_TFLITE_OP_BIDIRECTIONAL_SEQUENCE_LSTM:
      return index > 0;
    default:
      return false;
  }
}

static void check_inputs(kn_tflite_reader *reader, kn_flat_vector inputs, int32_t code) {
  for (size_t i = 0; i < inputs.count; i++) {
    const kn_tflite_value *value = value_at(reader, inputs, i);
    if (!value && !optional_input(code, i)) kn_flat_fail(&reader->flat, inputs.at + 4 * i, "it lacks an input");
    /* Old converters leave the shape input of RESHAPE without data; the operator then takes its options. */
    if (value && !value->written && !(code == KN_TFLITE_OP_RESHAPE && i == 1))
      kn_flat_fail(&reader->flat, inputs.at + 4 * i, "it reads a tensor that nothing has written");
  }
}

static void check_outputs(kn_tflite_reader *reader, kn_flat_vector outputs, int32_t code) {
  for (size_t i = 0; i < outputs.count; i++) {
    kn_tflite_value *value = value_at(reader, outputs, i);
    if (!value && code != KN_TFLITE_OP_CUSTOM) kn_flat_fail(&reader->flat, outputs.at + 4 * i, "it lacks an output");
    if (!value) continue;
    if (value->constant) kn_flat_fail(&reader->flat, outputs.at + 4 * i, "it writes into a constant");
    value->written = true;
  }
}

/* Operators that change the type alone: the engine takes one's size for the other's. */
static void check_conversion(kn_tflite_reader *reader, kn_flat_vector inputs, kn_flat_vector outputs, int32_t code) {
  if (code != KN_TFLITE_OP_DEQUANTIZE && code != KN_TFLITE_OP_QUANTIZE) return;
  const kn_tflite_value *source = value_at(reader, inputs, 0);
  kn_tflite_value *result = value_at(reader, outputs, 0);
  if (!source || !result) {
    kn_flat_fail(&reader->flat, inputs.at, "it lacks an input or an output");
    return;
  }
  if (source->elements != result->elements)
    kn_flat_fail(&reader->flat, inputs.at, "its output has not the size of its input");
  if (code == KN_TFLITE_OP_DEQUANTIZE && source->constant) result->stored_type = source->type;
}

static void read_operator(kn_tflite_reader *reader, kn_flat_table operator_) {
  kn_flat *flat = &reader->flat;
  size_t kind = kn_flat_u32(flat, operator_, OPERATOR_OPCODE, 0);
  kn_flat_vector inputs = read_indices(reader, operator_, OPERATOR_INPUTS);
  kn_flat_vector outputs = read_indices(reader, operator_, OPERATOR_OUTPUTS);
  read_indices(reader, operator_, OPERATOR_INTERMEDIATES);
  kn_flat_table_field(flat, operator_, OPERATOR_OPTIONS);
  kn_flat_table_field(flat, operator_, OPERATOR_OPTIONS_2);
  kn_flat_bytes_field(flat, operator_, OPERATOR_CUSTOM_OPTIONS);
  kn_flat_bytes_field(flat, operator_, OPERATOR_MUTATING_INPUTS);
  uint64_t offset = kn_flat_u64(flat, operator_, OPERATOR_LARGE_OPTIONS_OFFSET, 0);
  uint64_t size = kn_flat_u64(flat, operator_, OPERATOR_LARGE_OPTIONS_SIZE, 0);
  if (offset > flat->bytes || size > flat->bytes - offset)
    kn_flat_fail(flat, operator_.at, "its options lie behind the end of the file");
  if (kind >= reader->model->kind_count) kn_flat_fail(flat, operator_.at, "its operator code does not exist");
  if (flat->fault) return;

  int32_t code = reader->codes[kind];
  const kn_tflite_value *written = value_at(reader, outputs, 0);
  if (!reader->model->kinds[kind].count++ && written) reader->model->kinds[kind].layer = written->name;
  reader->model->operators++;
  check_inputs(reader, inputs, code);
  check_outputs(reader, outputs, code);
  if (flat->fault) return;
  check_conversion(reader, inputs, outputs, code);
  check_windows(reader, operator_, code);
  count_layer(reader, inputs, code);
  read_calls(reader, operator_, code);
}

void kn_tflite_read_operators(kn_tflite_reader *reader, kn_flat_vector operators) {
  for (size_t i = 0; i < operators.count && kn_tflite_good(reader); i++) {
    reader->part = "operator", reader->index = i;
    read_operator(reader, kn_flat_table_at(&reader->flat, operators, i));
  }
}
