/* State of one pass over a .tflite file; shared by the files that check its parts. */
#ifndef KN_TFLITE_MODEL_READER_H
#define KN_TFLITE_MODEL_READER_H

#include "shared/flatbuffer.h"
#include "model_file.h"

/* Numbers of the schema's BuiltinOperator that are treated by themselves. */
enum {
  KN_TFLITE_OP_AVERAGE_POOL_2D = 1,
  KN_TFLITE_OP_CONV_2D = 3,
  KN_TFLITE_OP_DEPTHWISE_CONV_2D = 4,
  KN_TFLITE_OP_DEQUANTIZE = 6,
  KN_TFLITE_OP_FULLY_CONNECTED = 9,
  KN_TFLITE_OP_L2_POOL_2D = 12,
  KN_TFLITE_OP_LSTM = 16,
  KN_TFLITE_OP_MAX_POOL_2D = 17,
  KN_TFLITE_OP_RESHAPE = 22,
  KN_TFLITE_OP_RNN = 24,
  KN_TFLITE_OP_SVDF = 27,
  KN_TFLITE_OP_CALL = 31,
  KN_TFLITE_OP_CUSTOM = 32,
  KN_TFLITE_OP_UNIDIRECTIONAL_SEQUENCE_RNN = 35,
  KN_TFLITE_OP_UNIDIRECTIONAL_SEQUENCE_LSTM = 44,
  KN_TFLITE_OP_BIDIRECTIONAL_SEQUENCE_RNN = 46,
  KN_TFLITE_OP_DELEGATE = 51,
  KN_TFLITE_OP_BIDIRECTIONAL_SEQUENCE_LSTM = 52,
  KN_TFLITE_OP_TRANSPOSE_CONV = 67,
  KN_TFLITE_OP_QUANTIZE = 114,
  KN_TFLITE_OP_IF = 118,
  KN_TFLITE_OP_WHILE = 119,
  KN_TFLITE_OP_CALL_ONCE = 129,
  KN_TFLITE_OP_CONV_3D = 132,
  KN_TFLITE_OP_CONV_3D_TRANSPOSE = 141,
  KN_TFLITE_OP_STABLEHLO_COMPOSITE = 206
};

#define KN_TFLITE_NO_SUBGRAPH SIZE_MAX

typedef struct kn_tflite_buffer {
  size_t at;      /* offset of the data in the file */
  uint64_t bytes; /* 0: no data */
  bool counted;   /* in constant_bytes */
} kn_tflite_buffer;

/* What the operators of a subgraph need to know of its tensors. */
typedef struct kn_tflite_value {
  const char *name; /* points into the file's bytes */
  uint64_t elements;
  uint8_t type;
  uint8_t stored_type; /* of the constant behind a DEQUANTIZE; otherwise `type` */
  bool constant;
  bool written; /* has a value when the operator at hand runs */
} kn_tflite_value;

typedef struct kn_tflite_reader {
  kn_flat flat;
  kn_tflite_model *model;
  kn_tflite_buffer *buffers;
  size_t buffer_count;
  int32_t *codes;          /* operator numbers, by operator code of the file */
  kn_tflite_value *values; /* of the subgraph at hand */
  size_t value_count;
  size_t *calls; /* subgraphs that subgraph i calls: calls[first_call[i]] .. calls[first_call[i + 1] - 1] */
  size_t call_count, call_capacity;
  size_t *first_call;
  bool out_of_memory, unsupported;
  /* For messages. */
  const char *part; /* "tensor", ... or NULL */
  size_t index;
  size_t subgraph; /* KN_TFLITE_NO_SUBGRAPH: none at hand */
} kn_tflite_reader;

/* False on the first fault. */
static inline bool kn_tflite_good(const kn_tflite_reader *reader) {
  return !reader->flat.fault && !reader->out_of_memory;
}
void kn_tflite_unsupported(kn_tflite_reader *reader, size_t at, const char *fault);

/* The tensors of a subgraph into reader->values, and the counts of the model. */
void kn_tflite_read_tensors(kn_tflite_reader *reader, kn_flat_vector tensors);
/* Inputs or outputs of the main subgraph. Free with kn_free. */
kn_tflite_tensor *kn_tflite_read_interface(kn_tflite_reader *reader, kn_flat_vector tensors, kn_flat_vector indices);
/* The operators of a subgraph, in running order. */
void kn_tflite_read_operators(kn_tflite_reader *reader, kn_flat_vector operators);

#endif
