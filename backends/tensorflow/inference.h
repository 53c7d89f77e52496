/* A model loaded for inference: a Keras model (.h5, .keras) built as a graph, or a SavedModel. */
#ifndef TENSORFLOW_INFERENCE_H
#define TENSORFLOW_INFERENCE_H

#include "graph.h"
#include "saved_model.h"

typedef enum model_format { MODEL_KERAS, MODEL_SAVED } model_format;

/* Looks at the file or directory. KN_NOT_FOUND, KN_BAD_DATA. */
kn_status model_format_of(const char *path, model_format *out_format) KN_MUST_USE;
/* "keras", "saved_model" */
const char *model_format_name(model_format format);

typedef struct inference {
  const tf_api *tf;
  TF_Graph *graph;
  TF_Session *session;
  TF_Status *status;
  int64_t threads;
  bool grouped;              /* it has grouped convolutions */
  kn_iospec spec;            /* names, types and shapes; batch included */
  TF_Output *inputs;         /* spec.input.count */
  TF_Tensor **input_values;  /* allocated once; set_input writes into them */
  TF_Output *outputs;        /* spec.output.count */
  TF_Tensor **output_values; /* of the last run, TensorFlow's; NULL before */
  size_t operation_count;
  bool has_sizes; /* the file tells them (.h5) */
  uint64_t file_bytes, weights_bytes, optimizer_bytes;
} inference;

/* Specification of the model at `path` for batches of `batch`, without TensorFlow where the file tells enough; else it
 * is opened (`library`: see tf_api_open). */
kn_status inference_describe(const char *path, int64_t batch, const char *library, kn_iospec *out_spec) KN_MUST_USE;
/* `spec` (or NULL) gives dimensions that the model leaves open, and the order of inputs and outputs by their names.
 * `threads` 0: all cores. */
kn_status inference_load(const char *path, int64_t batch, const kn_iospec *spec, const char *library, int64_t threads,
                         inference *out_inference) KN_MUST_USE;
/* A zeroed one is allowed. */
void inference_unload(inference *loaded);
kn_status inference_iospec(const inference *loaded, kn_iospec *out_spec) KN_MUST_USE;

kn_status inference_set_input(inference *loaded, const kn_tensor_view *inputs, size_t count) KN_MUST_USE;
kn_status inference_invoke(inference *loaded) KN_MUST_USE;
kn_status inference_output(inference *loaded, const kn_tensor_view *outputs, size_t count) KN_MUST_USE;
kn_status inference_statistics(const inference *loaded, kn_record *out_record) KN_MUST_USE;

#endif
