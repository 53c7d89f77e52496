/* An .onnx file: verification and what is in it, without an engine.
 *
 * kn_onnx_model_read is a pure function of the bytes. It refuses what is cut or garbled, tensors whose data does not
 * have the size of their shape, and what no engine of ours runs (strings and sequences as inputs), and describes the
 * rest. Schema: onnx.proto of ONNX, whose field numbers stand at their use. */
#ifndef KN_ONNX_MODEL_FILE_H
#define KN_ONNX_MODEL_FILE_H

#include <kenning/iospec.h>
#include <kenning/protobuf.h>

/* Numbers of the schema's TensorProto.DataType, which are ONNX Runtime's too. */
enum { KN_ONNX_FLOAT = 1, KN_ONNX_UINT8 = 2, KN_ONNX_INT8 = 3, KN_ONNX_STRING = 8, KN_ONNX_TYPES = 32 };

/* "FLOAT", ... as the schema spells them; "type N" for numbers it did not have when this was written. */
const char *kn_onnx_type_name(int64_t type);
/* KN_DTYPE_NONE for types that a tensor view cannot hold. */
kn_dtype kn_onnx_type_dtype(int64_t type);

/* A text of the file; not ended by NUL. */
typedef struct kn_onnx_text {
  const char *data;
  size_t length;
} kn_onnx_text;
/* For "%.*s". */
#define KN_ONNX_TEXT(text) (int)((text).length < 200 ? (text).length : 200), (text).data

/* Input or output of the model. */
typedef struct kn_onnx_value {
  kn_onnx_text name;
  kn_dtype dtype;
  uint32_t rank;
  int64_t shape[KN_MAX_RANK];        /* -1: free */
  kn_onnx_text symbols[KN_MAX_RANK]; /* name of a free dimension; length 0: it has none */
} kn_onnx_value;

typedef struct kn_onnx_operator {
  kn_onnx_text domain; /* length 0: ONNX's own */
  kn_onnx_text type;
  kn_onnx_text layer; /* name of the first node of this kind, or of its first output */
  size_t count;
} kn_onnx_operator;

typedef struct kn_onnx_opset {
  kn_onnx_text domain;
  int64_t version;
} kn_onnx_opset;

/* Grows by itself; see model_file.c. */
typedef struct kn_onnx_list {
  void *items;
  size_t count, room;
} kn_onnx_list;

typedef struct kn_onnx_model {
  int64_t ir_version;
  kn_onnx_text producer, producer_version;
  kn_onnx_list inputs, outputs;  /* kn_onnx_value; inputs without those that have a value in the file */
  kn_onnx_list opsets;           /* kn_onnx_opset */
  kn_onnx_list kinds;            /* kn_onnx_operator */
  kn_onnx_list functions;        /* kn_onnx_operator: defined by the file itself, count 0 */
  size_t operators;              /* subgraphs included */
  size_t weights[KN_ONNX_TYPES]; /* initializers by type; later types at 0 */
  uint64_t weight_bytes;
  bool external; /* values of initializers are in other files */
} kn_onnx_model;

/* KN_BAD_DATA with what is wrong and where, KN_INCOMPATIBLE for what is not supported. `out_model` is cleared on
 * failure; its texts point into `data`. */
kn_status kn_onnx_model_read(const void *data, size_t bytes, kn_onnx_model *out_model) KN_MUST_USE;
void kn_onnx_model_clear(kn_onnx_model *model);

static inline const kn_onnx_value *kn_onnx_inputs(const kn_onnx_model *model) { return model->inputs.items; }
static inline const kn_onnx_value *kn_onnx_outputs(const kn_onnx_model *model) { return model->outputs.items; }

/* Number of operators of ONNX's own domain or "com.microsoft" with this name. */
size_t kn_onnx_model_count(const kn_onnx_model *model, const char *type);
/* Version of ONNX's own operator set. */
int64_t kn_onnx_model_opset(const kn_onnx_model *model);
/* An operator of a domain that neither ONNX, ONNX Runtime nor the file itself defines, or NULL. */
const kn_onnx_operator *kn_onnx_model_foreign(const kn_onnx_model *model);
/* Specification of inputs and outputs, free dimensions as -1. */
kn_status kn_onnx_model_iospec(const kn_onnx_model *model, kn_iospec *out_spec) KN_MUST_USE;
/* Short text such as "53 FLOAT, 2 INT64". Free with kn_free; NULL without memory. */
char *kn_onnx_census_text(const size_t counts[KN_ONNX_TYPES]);

/* ---- shared by the files of the reader ---- */

/* After a walk that ended: KN_BAD_DATA with the place where the bytes are no message. */
kn_status kn_onnx_whole(const kn_protobuf *message) KN_MUST_USE;
/* KN_BAD_DATA unless the field is encoded as `type`. `what` names it. */
kn_status kn_onnx_expect(const kn_protobuf_field *field, kn_protobuf_type type, const char *what) KN_MUST_USE;
/* A zeroed item at the end of a list; NULL without memory. */
void *kn_onnx_list_add(kn_onnx_list *list, size_t item_size);
kn_onnx_text kn_onnx_text_of(kn_protobuf bytes);
bool kn_onnx_text_is(kn_onnx_text text, const char *wanted);
bool kn_onnx_text_equal(kn_onnx_text a, kn_onnx_text b);
/* Reads a TensorProto; counts it, and appends its name to `names` (kn_onnx_text) unless that is NULL. */
kn_status kn_onnx_tensor_read(kn_protobuf message, kn_onnx_model *model, kn_onnx_list *names) KN_MUST_USE;
/* Reads a ValueInfoProto. */
kn_status kn_onnx_value_read(kn_protobuf message, kn_onnx_value *out_value, bool *out_tensor) KN_MUST_USE;

#endif
