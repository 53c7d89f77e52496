/* A .tflite file: verification and what is in it.
 *
 * The engine checks the FlatBuffer's structure, but not everything its operators later trust, and it tells a damaged
 * file from a good one on stderr only. kn_tflite_model_read is a pure function of the bytes: it refuses what is
 * truncated, garbled or inconsistent, and describes the rest. Schema: version 3 of TensorFlow Lite's schema.fbs. */
#ifndef KN_TFLITE_MODEL_FILE_H
#define KN_TFLITE_MODEL_FILE_H

#include "shared/tflite_operators.h"

#include <kenning/block.h>

/* Numbers of the schema's TensorType. */
enum {
  KN_TFLITE_FLOAT32 = 0,
  KN_TFLITE_FLOAT16 = 1,
  KN_TFLITE_INT32 = 2,
  KN_TFLITE_UINT8 = 3,
  KN_TFLITE_STRING = 5,
  KN_TFLITE_INT16 = 7,
  KN_TFLITE_INT8 = 9,
  KN_TFLITE_RESOURCE = 13,
  KN_TFLITE_VARIANT = 14,
  KN_TFLITE_TYPES = 21
};

/* "FLOAT32", ... as the schema spells them. */
const char *kn_tflite_type_name(int type);
/* KN_DTYPE_NONE for types that a tensor view cannot hold. */
kn_dtype kn_tflite_type_dtype(int type);

/* A tensor of the model's interface. */
typedef struct kn_tflite_tensor {
  const char *name;           /* points into the file's bytes; "" when it has none */
  const char *signature_name; /* its name in the first signature of the main subgraph: that of the model that was
                                 converted; NULL when there is no signature */
  size_t index;               /* in the subgraph */
  int type;
  uint32_t rank;
  int64_t shape[KN_MAX_RANK];
  bool dynamic[KN_MAX_RANK]; /* the dimension may be resized (shape_signature -1) */
  bool quantized;            /* scale and zero_point hold for the whole tensor */
  float scale;
  int64_t zero_point;
} kn_tflite_tensor;

typedef struct kn_tflite_operator_count {
  const char *name;   /* points into the file's bytes for custom operators, static otherwise */
  bool custom, known; /* a custom one is known by whoever brings it */
  size_t count;
  const char *layer; /* the value that the first of them writes, as the file names it; NULL: none */
} kn_tflite_operator_count;

typedef struct kn_tflite_model {
  kn_tflite_tensor *inputs, *outputs; /* of the main subgraph, in the interpreter's order */
  size_t input_count, output_count;
  size_t subgraphs;
  size_t operators;                /* all subgraphs together */
  kn_tflite_operator_count *kinds; /* by operator code of the file; count 0 possible */
  size_t kind_count;
  size_t constants[KN_TFLITE_TYPES];   /* tensors with data in the file, by type */
  size_t activations[KN_TFLITE_TYPES]; /* tensors without, inputs and outputs included */
  uint64_t constant_bytes;             /* data of the constants, shared buffers counted once */
  /* Convolutions and fully connected layers: by type of their weights in the file (looked up through a DEQUANTIZE
   * before the layer), and by type of the values they compute on. */
  size_t layers;
  size_t layer_weights[KN_TFLITE_TYPES];
  size_t layer_inputs[KN_TFLITE_TYPES];
  /* The converter's own note in the file: version of TensorFlow; NULL when there is none. */
  const char *converter_version;
} kn_tflite_model;

/* KN_BAD_DATA with what is wrong and at which offset, KN_INCOMPATIBLE for what is not supported. `out_model` is
 * cleared on failure; its texts point into `data`. */
kn_status kn_tflite_model_read(const void *data, size_t bytes, kn_tflite_model *out_model) KN_MUST_USE;
void kn_tflite_model_clear(kn_tflite_model *model);

/* What a specification calls the tensor: its name in the signature where `given` (or NULL) has that and not its name in
 * the file, which is its name otherwise. */
const char *kn_tflite_tensor_name(const kn_tflite_tensor *tensor, const kn_iolist *given);

/* What an engine's `words` are likely about, as " (operator NAME, which makes 'LAYER')": one that it names, else one
 * that engines may lack. Free with kn_free; NULL without memory. */
char *kn_tflite_suspect_text(const kn_tflite_model *model, const char *words);

/* Short text such as "12 FLOAT32, 3 INT8" of one of the counts above. Free with kn_free; NULL without memory. */
char *kn_tflite_census_text(const size_t counts[KN_TFLITE_TYPES]);

#endif
