/* The reader of .tflite files: what it says of good ones, and that it refuses every other. */
#include "support/unit.h"

#include <stdio.h>
#include <string.h>

#include <kenning/services.h>

#include "core/memory.h"
#include "support/status.h"
#include "shared/flatbuffer.h"
#include "tflite/model_file.h"

typedef struct bytes {
  unsigned char *data;
  size_t count;
} bytes;

static bytes read_model(const char *name) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", TFLITE_DATA, name);
  char *data;
  size_t count;
  kt_assert_ok(kn_file_read(path, 0, &data, &count));
  return (bytes){(unsigned char *)data, count};
}

/* An exact copy in memory of its own, so that the sanitizer sees a step over its end. */
static bytes copy_of(bytes from, size_t count) {
  bytes to = {malloc(count ? count : 1), count};
  assert_non_null(to.data);
  memcpy(to.data, from.data, count);
  return to;
}

/* ---- good files ---- */

static size_t count_of(const kn_tflite_model *model, const char *name) {
  for (size_t i = 0; i < model->kind_count; i++)
    if (!strcmp(model->kinds[i].name, name)) return model->kinds[i].count;
  return 0;
}

static void describes_float32(void **state) {
  (void)state;
  bytes file = read_model("fp32.tflite");
  kn_tflite_model model;
  kt_assert_ok(kn_tflite_model_read(file.data, file.count, &model));
  assert_int_equal(model.input_count, 1);
  assert_string_equal(model.inputs[0].name, "serving_default_image:0");
  assert_string_equal(model.inputs[0].signature_name, "image");
  assert_int_equal(model.inputs[0].rank, 4);
  const int64_t shape[4] = {1, 4, 4, 1};
  assert_memory_equal(model.inputs[0].shape, shape, sizeof shape);
  assert_true(model.inputs[0].dynamic[0]);
  assert_false(model.inputs[0].dynamic[1]);
  assert_false(model.inputs[0].quantized);
  assert_int_equal(model.output_count, 1);
  assert_string_equal(model.outputs[0].signature_name, "scores");
  assert_int_equal(model.outputs[0].shape[1], 3);
  assert_int_equal(model.subgraphs, 1);
  assert_int_equal(model.operators, 4);
  assert_int_equal(count_of(&model, "CONV_2D"), 1);
  assert_int_equal(count_of(&model, "SOFTMAX"), 1);
  assert_int_equal(model.layers, 2);
  assert_int_equal(model.layer_weights[KN_TFLITE_FLOAT32], 2);
  assert_int_equal(model.constants[KN_TFLITE_FLOAT32], 4);
  assert_int_equal(model.constants[KN_TFLITE_INT32], 1);
  /* 3*3*2 + 2 + 8*3 + 3 numbers of the layers and the 2 of the new shape. */
  assert_int_equal(model.constant_bytes, 4 * (18 + 2 + 24 + 3) + 4 * 2);
  assert_string_equal(model.converter_version, "2.21.0");
  kn_tflite_model_clear(&model);
  kn_free(file.data);
}

static void describes_quantized(void **state) {
  (void)state;
  bytes file = read_model("int8.tflite");
  kn_tflite_model model;
  kt_assert_ok(kn_tflite_model_read(file.data, file.count, &model));
  assert_int_equal(model.inputs[0].type, KN_TFLITE_INT8);
  assert_true(model.inputs[0].quantized);
  assert_true(model.inputs[0].scale > 0.0076F && model.inputs[0].scale < 0.0077F);
  assert_int_equal(model.inputs[0].zero_point, -2);
  assert_int_equal(model.layer_weights[KN_TFLITE_INT8], model.layers);
  assert_int_equal(model.layer_inputs[KN_TFLITE_INT8], model.layers);
  assert_int_equal(model.activations[KN_TFLITE_FLOAT32], 0);
  kn_tflite_model_clear(&model);
  kn_free(file.data);

  file = read_model("float16.tflite");
  kt_assert_ok(kn_tflite_model_read(file.data, file.count, &model));
  assert_int_equal(model.layer_weights[KN_TFLITE_FLOAT16], model.layers);
  assert_int_equal(model.layer_inputs[KN_TFLITE_FLOAT32], model.layers);
  assert_int_equal(count_of(&model, "DEQUANTIZE"), 4);
  char *text = kn_tflite_census_text(model.constants);
  assert_string_equal(text, "4 FLOAT16, 1 INT32");
  kn_free(text);
  kn_tflite_model_clear(&model);
  kn_free(file.data);
}

static void describes_subgraphs(void **state) {
  (void)state;
  bytes file = read_model("while.tflite");
  kn_tflite_model model;
  kt_assert_ok(kn_tflite_model_read(file.data, file.count, &model));
  assert_int_equal(model.subgraphs, 3);
  assert_int_equal(model.input_count, 2);
  assert_int_equal(count_of(&model, "WHILE"), 1);
  assert_int_equal(count_of(&model, "MUL"), 1);
  assert_int_equal(model.layers, 0);
  kn_tflite_model_clear(&model);
  kn_free(file.data);
}

/* ---- damaged files ---- */

static const char *const models[] = {"fp32.tflite", "float16.tflite", "int8.tflite", "uint8.tflite", "while.tflite"};
enum { MODELS = sizeof models / sizeof *models };

/* Reads what may be damaged; true when it is accepted. Whatever is wrong, the code and the text say so. */
static bool reads(bytes file) {
  kn_tflite_model model;
  kn_status status = kn_tflite_model_read(file.data, file.count, &model);
  if (!status) {
    kn_tflite_model_clear(&model);
    return true;
  }
  kn_code code = kn_status_code(status);
  assert_true(code == KN_BAD_DATA || code == KN_INCOMPATIBLE);
  assert_non_null(strstr(kn_status_message(status, 0), "TensorFlow Lite model"));
  assert_null(model.inputs);
  kn_status_free(status);
  return false;
}

static void refuses_truncated(void **state) {
  (void)state;
  for (size_t i = 0; i < MODELS; i++) {
    bytes file = read_model(models[i]);
    assert_true(reads(file));
    for (size_t count = 0; count < file.count; count++) {
      bytes part = copy_of(file, count);
      /* The last bytes are filling up to a multiple of 4. */
      if (reads(part)) assert_true(count + 4 > file.count);
      free(part.data);
    }
    kn_free(file.data);
  }
}

static void survives_any_byte(void **state) {
  (void)state;
  static const unsigned char values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
  for (size_t i = 0; i < MODELS; i++) {
    bytes file = read_model(models[i]);
    bytes copy = copy_of(file, file.count);
    for (size_t at = 0; at < file.count; at++) {
      for (size_t k = 0; k < sizeof values; k++) {
        copy.data[at] = values[k];
        reads(copy);
      }
      copy.data[at] = file.data[at] ^ 0x10;
      reads(copy);
      copy.data[at] = file.data[at];
    }
    free(copy.data);
    kn_free(file.data);
  }
}

static void survives_any_word(void **state) {
  (void)state;
  for (size_t i = 0; i < MODELS; i++) {
    bytes file = read_model(models[i]);
    const uint32_t count = (uint32_t)file.count;
    const uint32_t values[] = {0, 1, 4, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffc, count, count - 4, count / 2};
    bytes copy = copy_of(file, file.count);
    for (size_t at = 0; at + 4 <= file.count; at += 4) {
      for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
        memcpy(copy.data + at, &values[k], 4);
        reads(copy);
      }
      memcpy(copy.data + at, file.data + at, 4);
    }
    free(copy.data);
    kn_free(file.data);
  }
}

static void survives_many_faults(void **state) {
  (void)state;
  uint64_t random = 88172645463325252U;
  for (size_t i = 0; i < MODELS; i++) {
    bytes file = read_model(models[i]);
    for (int round = 0; round < 3000; round++) {
      bytes copy = copy_of(file, file.count);
      for (int fault = 0; fault < 1 + round % 6; fault++) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17; /* Marsaglia 2003, xorshift64 */
        copy.data[random % file.count] = (unsigned char)(random >> 56);
      }
      reads(copy);
      free(copy.data);
    }
    kn_free(file.data);
  }
}

/* ---- single faults, each with its message ---- */

enum { MODEL_VERSION = 0, MODEL_SUBGRAPHS = 2, MODEL_BUFFERS = 4, MODEL_METADATA = 6, MODEL_SIGNATURES = 7 };

static kn_flat open_flat(bytes file) {
  kn_flat flat;
  kn_flat_init(&flat, file.data, file.count);
  return flat;
}

static kn_flat_table part(kn_flat *flat, kn_flat_table table, unsigned list, size_t index) {
  kn_flat_vector vector = kn_flat_tables_field(flat, table, list);
  assert_true(index < vector.count);
  return kn_flat_table_at(flat, vector, index);
}

static kn_flat_table subgraph(kn_flat *flat, size_t index) {
  return part(flat, kn_flat_root(flat, "TFL3"), MODEL_SUBGRAPHS, index);
}

/* Offset of a field that is there. */
static size_t field(bytes file, kn_flat_table table, unsigned number) {
  uint16_t offset;
  assert_true(4 + 2 * number + 2 <= table.vtable_bytes);
  memcpy(&offset, file.data + table.vtable + 4 + 2 * (size_t)number, 2);
  assert_true(offset != 0);
  return table.at + offset;
}

static void put(bytes file, size_t at, uint32_t value) {
  assert_true(at + 4 <= file.count);
  memcpy(file.data + at, &value, 4);
}

/* First tensor of the main subgraph with (or without) data. */
static kn_flat_table tensor_of(bytes file, kn_flat *flat, bool constant) {
  kn_flat_table main_graph = subgraph(flat, 0);
  kn_flat_vector tensors = kn_flat_tables_field(flat, main_graph, 0);
  for (size_t i = 0; i < tensors.count; i++) {
    kn_flat_table tensor = kn_flat_table_at(flat, tensors, i);
    kn_flat_table buffer = part(flat, kn_flat_root(flat, "TFL3"), MODEL_BUFFERS, kn_flat_u32(flat, tensor, 2, 0));
    if ((kn_flat_bytes_field(flat, buffer, 0).count > 0) == constant) return tensor;
  }
  kt_fail("no such tensor in %zu bytes", file.count);
}

static void wrong_identifier(bytes file, kn_flat *flat) {
  (void)flat;
  file.data[7] = '2';
}

static void wrong_version(bytes file, kn_flat *flat) {
  put(file, field(file, kn_flat_root(flat, "TFL3"), MODEL_VERSION), 2);
}

static void missing_buffer(bytes file, kn_flat *flat) { put(file, field(file, tensor_of(file, flat, true), 2), 1000); }

static void unknown_type(bytes file, kn_flat *flat) { file.data[field(file, tensor_of(file, flat, true), 1)] = 99; }

static void wrong_size(bytes file, kn_flat *flat) {
  put(file, kn_flat_vector_field(flat, tensor_of(file, flat, true), 0, 4).at, 77);
}

static void negative_shape(bytes file, kn_flat *flat) {
  put(file, kn_flat_vector_field(flat, tensor_of(file, flat, false), 0, 4).at, 0xfffffff0U);
}

static void huge_shape(bytes file, kn_flat *flat) {
  size_t at = kn_flat_vector_field(flat, tensor_of(file, flat, false), 0, 4).at;
  put(file, at, 0x7fffffff);
  put(file, at + 4, 0x7fffffff);
}

static void broken_texts(bytes file, kn_flat *flat) {
  file.data[field(file, tensor_of(file, flat, true), 1)] = KN_TFLITE_STRING;
}

static void missing_operator_code(bytes file, kn_flat *flat) {
  put(file, field(file, part(flat, subgraph(flat, 0), 3, 1), 0), 40);
}

static void missing_input(bytes file, kn_flat *flat) {
  put(file, kn_flat_vector_field(flat, part(flat, subgraph(flat, 0), 3, 0), 1, 4).at, 60);
}

static void later_input(bytes file, kn_flat *flat) {
  /* The first operator reads what the last one writes. */
  kn_flat_vector operators = kn_flat_tables_field(flat, subgraph(flat, 0), 3);
  kn_flat_table last = kn_flat_table_at(flat, operators, operators.count - 1);
  uint32_t result = kn_flat_u32_at(flat, kn_flat_vector_field(flat, last, 2, 4), 0);
  put(file, kn_flat_vector_field(flat, kn_flat_table_at(flat, operators, 0), 1, 4).at, result);
}

static void constant_output(bytes file, kn_flat *flat) {
  kn_flat_table first = part(flat, subgraph(flat, 0), 3, 0);
  uint32_t weights = kn_flat_u32_at(flat, kn_flat_vector_field(flat, first, 1, 4), 1);
  put(file, kn_flat_vector_field(flat, first, 2, 4).at, weights);
}

static void missing_graph_input(bytes file, kn_flat *flat) {
  put(file, kn_flat_vector_field(flat, subgraph(flat, 0), 1, 4).at, 500);
}

static void missing_signature_tensor(bytes file, kn_flat *flat) {
  kn_flat_table signature = part(flat, kn_flat_root(flat, "TFL3"), MODEL_SIGNATURES, 0);
  put(file, field(file, part(flat, signature, 1, 0), 1), 500);
}

static void missing_metadata_buffer(bytes file, kn_flat *flat) {
  put(file, field(file, part(flat, kn_flat_root(flat, "TFL3"), MODEL_METADATA, 0), 1), 500);
}

static void wild_offset(bytes file, kn_flat *flat) {
  put(file, field(file, kn_flat_root(flat, "TFL3"), MODEL_SUBGRAPHS), 0x7ffffff0);
}

static void wild_length(bytes file, kn_flat *flat) {
  put(file, kn_flat_tables_field(flat, subgraph(flat, 0), 0).at - 4, 0x40000000);
}

static void bad_scale(bytes file, kn_flat *flat) {
  kn_flat_table quantization = kn_flat_table_field(flat, tensor_of(file, flat, false), 4);
  put(file, kn_flat_vector_field(flat, quantization, 2, 4).at, 0x7fc00000); /* NaN */
}

static void bad_zero_point(bytes file, kn_flat *flat) {
  kn_flat_table quantization = kn_flat_table_field(flat, tensor_of(file, flat, false), 4);
  put(file, kn_flat_vector_field(flat, quantization, 3, 8).at, 128);
}

static void no_stride(bytes file, kn_flat *flat) {
  kn_flat_table convolution = part(flat, subgraph(flat, 0), 3, 0);
  put(file, field(file, kn_flat_table_field(flat, convolution, 4), 1), 0);
}

static void other_options(bytes file, kn_flat *flat) {
  file.data[field(file, part(flat, subgraph(flat, 0), 3, 0), 3)] = 5;
}

static void left_out_input(bytes file, kn_flat *flat) {
  put(file, kn_flat_vector_field(flat, part(flat, subgraph(flat, 0), 3, 1), 1, 4).at, 0xffffffffU);
}

static void left_out_output(bytes file, kn_flat *flat) {
  put(file, kn_flat_vector_field(flat, part(flat, subgraph(flat, 0), 3, 1), 2, 4).at, 0xffffffffU);
}

static void grown_weights(bytes file, kn_flat *flat) {
  /* The first operator of the float16 model makes float32 of a constant: its result gets another shape. */
  kn_flat_table main_graph = subgraph(flat, 0);
  uint32_t result = kn_flat_u32_at(flat, kn_flat_vector_field(flat, part(flat, main_graph, 3, 0), 2, 4), 0);
  put(file, kn_flat_vector_field(flat, part(flat, main_graph, 0, result), 0, 4).at, 5000);
}

/* The WHILE of the main subgraph. */
static kn_flat_table loop(kn_flat *flat) { return kn_flat_table_field(flat, part(flat, subgraph(flat, 0), 3, 0), 4); }

static void calls_nothing(bytes file, kn_flat *flat) { put(file, field(file, loop(flat), 1), 9); }

static void calls_itself(bytes file, kn_flat *flat) { put(file, field(file, loop(flat), 1), 0); }

static void refuses_single_faults(void **state) {
  (void)state;
  static const struct {
    const char *model;
    void (*damage)(bytes file, kn_flat *flat);
    kn_code code;
    const char *message;
  } cases[] = {
      {"fp32.tflite", wrong_identifier, KN_BAD_DATA, "identifier"},
      {"fp32.tflite", wrong_version, KN_BAD_DATA, "schema is not version 3"},
      {"fp32.tflite", missing_buffer, KN_BAD_DATA, "its buffer does not exist"},
      {"int8.tflite", unknown_type, KN_INCOMPATIBLE, "its type is none"},
      {"fp32.tflite", wrong_size, KN_BAD_DATA, "size that its shape asks for"},
      {"fp32.tflite", negative_shape, KN_BAD_DATA, "its shape is impossible"},
      {"fp32.tflite", huge_shape, KN_BAD_DATA, "its shape is impossible"},
      {"int8.tflite", broken_texts, KN_BAD_DATA, "texts run past"},
      {"fp32.tflite", missing_operator_code, KN_BAD_DATA, "operator 1: its operator code does not exist"},
      {"fp32.tflite", missing_input, KN_BAD_DATA, "operator 0: it uses a tensor that does not exist"},
      {"fp32.tflite", later_input, KN_BAD_DATA, "nothing has written"},
      {"fp32.tflite", constant_output, KN_BAD_DATA, "writes into a constant"},
      {"fp32.tflite", missing_graph_input, KN_BAD_DATA, "one of its inputs does not exist"},
      {"fp32.tflite", missing_signature_tensor, KN_BAD_DATA, "signature 0: it names a tensor"},
      {"fp32.tflite", missing_metadata_buffer, KN_BAD_DATA, "metadata 0: its buffer"},
      {"fp32.tflite", wild_offset, KN_BAD_DATA, "behind the end of the file"},
      {"fp32.tflite", wild_length, KN_BAD_DATA, "runs past the end of the file"},
      {"int8.tflite", bad_scale, KN_BAD_DATA, "scale of its quantization is impossible"},
      {"int8.tflite", bad_zero_point, KN_BAD_DATA, "zero point of its quantization does not fit"},
      {"fp32.tflite", no_stride, KN_BAD_DATA, "stride, dilation or window"},
      {"fp32.tflite", other_options, KN_BAD_DATA, "stride, dilation or window"},
      {"fp32.tflite", left_out_input, KN_BAD_DATA, "operator 1: it lacks an input"},
      {"fp32.tflite", left_out_output, KN_BAD_DATA, "operator 1: it lacks an output"},
      {"float16.tflite", grown_weights, KN_BAD_DATA, "its output has not the size of its input"},
      {"while.tflite", calls_nothing, KN_BAD_DATA, "calls a subgraph that does not exist"},
      {"while.tflite", calls_itself, KN_BAD_DATA, "it calls itself"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    bytes file = read_model(cases[i].model);
    kn_flat flat = open_flat(file);
    cases[i].damage(file, &flat);
    kn_tflite_model model;
    kt_assert_fault(kn_tflite_model_read(file.data, file.count, &model), cases[i].code, cases[i].message);
    kn_free(file.data);
  }
}

/* Every operator of the list is the same one, and it has as many inputs as the list has operators: a walk of 10^8 steps
 * in a file of 90 kB. */
static void refuses_endless_walks(void **state) {
  (void)state;
  const size_t operator_count = 10000;
  bytes file = read_model("fp32.tflite");
  size_t list = (file.count + 3) & ~(size_t)3, table = list + 4 + 4 * operator_count, vtable = table + 12;
  size_t inputs = vtable + 8, total = inputs + 4 + 4 * operator_count;
  bytes large = {calloc(total, 1), total};
  assert_non_null(large.data);
  memcpy(large.data, file.data, file.count);
  kn_flat flat = open_flat(file);
  size_t operators = field(file, subgraph(&flat, 0), 3);
  put(large, operators, (uint32_t)(list - operators));
  put(large, list, (uint32_t)operator_count);
  for (size_t i = 0; i < operator_count; i++) put(large, list + 4 + 4 * i, (uint32_t)(table - (list + 4 + 4 * i)));
  /* The table: the distance to its list of fields, field 0 (operator code 1, RESHAPE), field 1 (the inputs, all 0). */
  put(large, table, (uint32_t)-12);
  put(large, table + 4, 1);
  put(large, table + 8, (uint32_t)(inputs - (table + 8)));
  const uint16_t fields[] = {8, 12, 4, 8};
  memcpy(large.data + vtable, fields, sizeof fields);
  put(large, inputs, (uint32_t)operator_count);
  kn_tflite_model model;
  kt_assert_fault(kn_tflite_model_read(large.data, large.count, &model), KN_BAD_DATA, "over and over");
  free(large.data);
  kn_free(file.data);
}

static void survives_lack_of_memory(void **state) {
  (void)state;
  for (size_t i = 0; i < MODELS; i++) {
    bytes file = read_model(models[i]);
    kn_code code = KN_OUT_OF_MEMORY;
    for (uint64_t successes = 0; code == KN_OUT_OF_MEMORY; successes++) {
      assert_true(successes < 100);
      kn_tflite_model model;
      kn_memory_fail_after(successes);
      kn_status status = kn_tflite_model_read(file.data, file.count, &model);
      kn_memory_fail_after(UINT64_MAX);
      code = kn_status_code(status);
      assert_true(code == KN_OUT_OF_MEMORY || code == KN_OK);
      kn_status_free(status);
      kn_tflite_model_clear(&model);
    }
    kn_free(file.data);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(describes_float32),     cmocka_unit_test(describes_quantized),
      cmocka_unit_test(describes_subgraphs),   cmocka_unit_test(refuses_truncated),
      cmocka_unit_test(survives_any_byte),     cmocka_unit_test(survives_any_word),
      cmocka_unit_test(survives_many_faults),  cmocka_unit_test(refuses_single_faults),
      cmocka_unit_test(refuses_endless_walks), cmocka_unit_test(survives_lack_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
