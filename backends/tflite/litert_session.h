/* A model loaded by LiteRT, with its inputs and outputs bound to an io specification. One thread at a time: two that
 * run one compiled model get wrong results without being told. */
#ifndef KN_TFLITE_LITERT_SESSION_H
#define KN_TFLITE_LITERT_SESSION_H

#include "litert_api.h"
#include "model_file.h"

enum { KN_LITERT_MOST_TENSORS = 64 };

/* The inputs, or the outputs. */
typedef struct kn_litert_side {
  size_t count;
  kn_litert_buffer *buffers[KN_LITERT_MOST_TENSORS]; /* in the signature's order */
  size_t places[KN_LITERT_MOST_TENSORS];             /* of entry i of the specification among them */
} kn_litert_side;

typedef struct kn_litert_session {
  const kn_litert_api *api;
  char *bytes; /* of the file: the model reads its constants from there */
  kn_tflite_model file;
  kn_litert_environment *environment;
  kn_litert_model *model;
  kn_litert_options *options;
  kn_litert_compiled *compiled;
  kn_litert_side inputs, outputs;
  kn_iospec spec;
  bool loaded;
} kn_litert_session;

/* As kn_tflite_session_open. */
kn_status kn_litert_session_open(kn_litert_session *session, const kn_litert_api *api, const kn_load_request *request,
                                 int32_t threads) KN_MUST_USE;
void kn_litert_session_close(kn_litert_session *session);

/* In the order of session->spec; the views are as many as it has entries. */
kn_status kn_litert_session_store(kn_litert_session *session, const kn_tensor_view *inputs) KN_MUST_USE;
kn_status kn_litert_session_run(kn_litert_session *session) KN_MUST_USE;
kn_status kn_litert_session_fetch(kn_litert_session *session, const kn_tensor_view *outputs) KN_MUST_USE;
kn_status kn_litert_session_describe(const kn_litert_session *session, kn_record *record) KN_MUST_USE;

#endif
