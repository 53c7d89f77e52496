/* Names of the tensor types, in the order of the schema's numbers. */
#include "model_file.h"

static const char *const types[KN_TFLITE_TYPES] = {
    "FLOAT32", "FLOAT16",   "INT32",  "UINT8",   "INT64",      "STRING", "BOOL",
    "INT16",   "COMPLEX64", "INT8",   "FLOAT64", "COMPLEX128", "UINT64", "RESOURCE",
    "VARIANT", "UINT32",    "UINT16", "INT4",    "BFLOAT16",   "INT2",   "UINT4"};

const char *kn_tflite_type_name(int type) { return type >= 0 && type < KN_TFLITE_TYPES ? types[type] : "unknown"; }

kn_dtype kn_tflite_type_dtype(int type) {
  static const kn_dtype dtypes[KN_TFLITE_TYPES] = {
      [0] = KN_FLOAT32, [1] = KN_FLOAT16, [2] = KN_INT32,    [3] = KN_UINT8,    [4] = KN_INT64,
      [6] = KN_BOOL8,   [7] = KN_INT16,   [9] = KN_INT8,     [10] = KN_FLOAT64, [12] = KN_UINT64,
      [15] = KN_UINT32, [16] = KN_UINT16, [18] = KN_BFLOAT16};
  return type >= 0 && type < KN_TFLITE_TYPES ? dtypes[type] : KN_DTYPE_NONE;
}
