/* What a SavedModel directory says about its inputs and outputs, read from saved_model.pb without TensorFlow. Messages
 * and field numbers: tensorflow/core/protobuf/saved_model.proto, meta_graph.proto; encoding: protobuf's wire format. */
#ifndef TENSORFLOW_SAVED_MODEL_H
#define TENSORFLOW_SAVED_MODEL_H

#include <kenning/plugin.h>

typedef struct saved_model_tensor {
  char *name;      /* in the signature: "keras_tensor" */
  char *operation; /* in the graph: "serving_default_keras_tensor" */
  int index;       /* output of the operation */
  kn_dtype dtype;
  bool rank_known;
  uint32_t rank;
  int64_t shape[KN_MAX_RANK]; /* -1: any */
} saved_model_tensor;

typedef struct saved_model_tensors {
  saved_model_tensor *items; /* in the order of their names */
  size_t count;
} saved_model_tensors;

typedef struct saved_model {
  char *signature; /* "serving_default" where the model has it */
  saved_model_tensors inputs, outputs;
} saved_model;

/* Whether `path` is a directory with a saved_model.pb. */
bool saved_model_is_at(const char *path);
/* KN_NOT_FOUND, KN_BAD_DATA; KN_INCOMPATIBLE without a signature for inference. */
kn_status saved_model_read(const char *directory, saved_model *out_model) KN_MUST_USE;
/* The same from the bytes of a saved_model.pb; `name` is used in messages. */
kn_status saved_model_parse(const void *data, size_t bytes, const char *name, saved_model *out_model) KN_MUST_USE;
/* A zeroed one is allowed. */
void saved_model_clear(saved_model *model);

#endif
