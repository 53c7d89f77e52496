/* A model loaded into ONNX Runtime, with its inputs and outputs bound to an io specification. */
#ifndef KN_ORT_SESSION_H
#define KN_ORT_SESSION_H

#include "api.h"
#include "model_file.h"

typedef struct kn_ort_settings {
  const kn_string_list *providers; /* as the engine spells them, in order of preference; empty: the processor alone */
  int optimization_level;          /* GraphOptimizationLevel */
  int threads;
} kn_ort_settings;

/* Inputs or outputs of the session in the order in which tensors are handed over. */
typedef struct kn_ort_side {
  kn_iolist list;     /* concrete */
  const char **names; /* point into the list */
  kn_ort_value **values;
  void **data; /* of the values */
} kn_ort_side;

typedef struct kn_ort_session_state {
  const kn_ort_api *api;
  kn_onnx_model file; /* its texts point into `bytes`; both only while the model is opened */
  char *bytes;
  size_t byte_count;
  size_t operators; /* in the file */
  int64_t opset;
  uint64_t weight_bytes;
  char *weights_text; /* "53 FLOAT, 2 INT64" */
  kn_ort_options *options;
  kn_ort_session *session;
  kn_ort_side inputs, outputs;
} kn_ort_session_state;

/* Opens a model for request->batch samples. Free dimensions other than the first come from request->spec. Codes:
 * KN_NOT_FOUND, KN_BAD_DATA (the file), KN_INCOMPATIBLE (batch, shapes, io specification, operators), KN_NOT_INSTALLED
 * (provider), KN_BACKEND_FAILED with the engine's words. After a failure, and for a zeroed state, close does what is
 * left to do. */
kn_status kn_ort_session_open(kn_ort_session_state *state, const kn_ort_api *api, const kn_load_request *request,
                              const kn_ort_settings *settings) KN_MUST_USE;
void kn_ort_session_close(kn_ort_session_state *state);
/* Runs the model once on what the inputs hold. */
kn_ort_status *kn_ort_session_run(const kn_ort_session_state *state);

/* Memory for the names, values and data of a side whose list is there. */
kn_status kn_ort_side_allocate(kn_ort_side *side) KN_MUST_USE;
void kn_ort_side_clear(const kn_ort_api *api, kn_ort_side *side);
/* Fills state->inputs.list, in the order of the specification, and state->outputs.list, as the file has them. */
kn_status kn_ort_bind_inputs(kn_ort_session_state *state, const kn_load_request *request) KN_MUST_USE;
/* Brings the outputs, whose shapes are known by now, into the order of the specification. */
kn_status kn_ort_bind_outputs(kn_ort_session_state *state, const kn_load_request *request) KN_MUST_USE;
/* ONNX's number of a type. */
int kn_ort_type_of(kn_dtype dtype);
/* Adds the execution providers to state->options; see providers.c. */
kn_status kn_ort_add_providers(const kn_ort_session_state *state, const kn_string_list *providers) KN_MUST_USE;

#endif
