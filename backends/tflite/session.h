/* A model loaded into an interpreter, with its inputs and outputs bound to an io specification. */
#ifndef KN_TFLITE_SESSION_H
#define KN_TFLITE_SESSION_H

#include "delegates.h"
#include "model_file.h"

/* What the engine said, in one line. */
typedef struct kn_tflite_words {
  char text[1024];
  size_t length;
} kn_tflite_words;

typedef struct kn_tflite_session {
  const kn_tflite_api *api;
  char *bytes; /* of the file: the interpreter reads its constants from there */
  kn_tflite_model file;
  kn_tfl_model *model;
  kn_tfl_options *options;
  kn_tfl_interpreter *interpreter;
  kn_tflite_delegates delegates;
  kn_tflite_words words;
  kn_iospec spec;         /* in the order in which tensors are handed over */
  kn_tfl_tensor **inputs; /* by position in the spec; they belong to the interpreter */
  const kn_tfl_tensor **outputs;
} kn_tflite_session;

/* Opens a model; the session must not move afterwards. Sizes the inputs for request->batch samples. Codes:
 * KN_NOT_FOUND, KN_BAD_DATA (the file), KN_INCOMPATIBLE (batch, io specification, unsupported contents),
 * KN_BACKEND_FAILED with the engine's words. After a failure, and for a zeroed session, kn_tflite_session_close does
 * what is left to do. */
kn_status kn_tflite_session_open(kn_tflite_session *session, const kn_tflite_api *api, const kn_load_request *request,
                                 const kn_string_list *delegates, int32_t threads) KN_MUST_USE;
void kn_tflite_session_close(kn_tflite_session *session);

/* A failure of the engine with its words; forgets them. */
kn_status kn_tflite_session_failure(kn_tflite_session *session, const char *what) KN_MUST_USE;

/* Binds the interpreter's tensors to session->spec; see session_binding.c. */
kn_status kn_tflite_session_bind(kn_tflite_session *session, const kn_load_request *request) KN_MUST_USE;

#endif
