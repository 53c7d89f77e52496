#include "session.h"

#include <stdio.h>
#include <string.h>

/* ---- the engine's words ---- */

static void hear(void *user_data, const char *format, va_list arguments) KN_PRINTF(2, 0);
static void hear(void *user_data, const char *format, va_list arguments) {
  kn_tflite_words *words = user_data;
  size_t room = sizeof words->text - words->length;
  int length = vsnprintf(words->text + words->length, room, format, arguments);
  if (length < 0) return;
  words->length += (size_t)length < room ? (size_t)length : room - 1;
  while (words->length && words->text[words->length - 1] == '\n') words->length--;
  /* Several messages: "; " between them. */
  if (words->length + 3 < sizeof words->text) {
    memcpy(words->text + words->length, "; ", 3);
    words->length += 2;
  }
}

static kn_status failure(kn_tflite_session *session, kn_code code, const char *what, const char *where) {
  kn_tflite_words *words = &session->words;
  size_t length =
      words->length >= 2 && !strcmp(words->text + words->length - 2, "; ") ? words->length - 2 : words->length;
  kn_status status = kn_status_make(code, "TensorFlow Lite %s %s%s%s%.*s", session->api->Version(), what, where,
                                    length ? ": " : "", (int)length, words->text);
  words->length = 0;
  words->text[0] = '\0';
  return status;
}

kn_status kn_tflite_session_failure(kn_tflite_session *session, const char *what) {
  return failure(session, KN_BACKEND_FAILED, what, "");
}

/* The engine does not take the model. */
static kn_status refusal(kn_tflite_session *session, const char *what) {
  char *where = kn_tflite_suspect_text(&session->file, session->words.text);
  kn_status status = where ? failure(session, KN_INCOMPATIBLE, what, where) : kn_status_out_of_memory();
  kn_free(where);
  return status;
}

/* ---- steps of opening ---- */

static kn_status read_file(kn_tflite_session *session, const char *path) {
  size_t bytes;
  /* A copy and not a map: what was checked is what the engine reads, also when the file changes meanwhile. */
  KN_TRY(kn_file_read(path, (size_t)1 << 36, &session->bytes, &bytes));
  KN_TRY(kn_status_annotate(kn_tflite_model_read(session->bytes, bytes, &session->file), "while reading %s", path));
  session->model = session->api->ModelCreateWithErrorReporter(session->bytes, bytes, hear, &session->words);
  if (!session->model)
    return kn_status_make(KN_BAD_DATA, "%s is no model that TensorFlow Lite %s accepts%s%s", path,
                          session->api->Version(), session->words.length ? ": " : "", session->words.text);
  return NULL;
}

static kn_status build_interpreter(kn_tflite_session *session, const kn_string_list *delegates, int32_t threads) {
  const kn_tflite_api *api = session->api;
  session->options = api->InterpreterOptionsCreate();
  if (!session->options) return kn_status_out_of_memory();
  api->InterpreterOptionsSetErrorReporter(session->options, hear, &session->words);
  api->InterpreterOptionsSetNumThreads(session->options, threads);
  KN_TRY(kn_tflite_delegates_create(api, delegates, threads, &session->delegates));
  kn_tflite_delegates_add(&session->delegates, api, session->options);
  session->interpreter = api->InterpreterCreate(session->model, session->options);
  if (!session->interpreter) return refusal(session, "could not build an interpreter");
  kn_tflite_delegates_settle(&session->delegates);
  return NULL;
}

/* The engine does not judge new shapes when delegates run the operators: they are judged here, and nothing but the
 * first dimension changes. */
static kn_status resize_input(kn_tflite_session *session, size_t index, int64_t batch) {
  const kn_tflite_tensor *tensor = &session->file.inputs[index];
  if (tensor->rank == 0 || tensor->shape[0] == batch) return NULL;
  if (!tensor->dynamic[0])
    return kn_status_make(KN_INCOMPATIBLE,
                          "the model is made for %lld sample(s) per inference, not for %lld: set inference_batch_size "
                          "to %lld or convert the model with a free first dimension",
                          (long long)tensor->shape[0], (long long)batch, (long long)tensor->shape[0]);
  int shape[KN_MAX_RANK];
  shape[0] = (int)batch;
  for (uint32_t k = 1; k < tensor->rank; k++) shape[k] = (int)tensor->shape[k];
  if (session->api->InterpreterResizeInputTensor(session->interpreter, (int32_t)index, shape, (int32_t)tensor->rank) !=
      KN_TFL_OK)
    return kn_tflite_session_failure(session, "could not resize an input");
  return NULL;
}

/* Where shapes are computed while the model runs, those of the outputs are known after the first run only. */
static kn_status learn_shapes(kn_tflite_session *session) {
  const kn_tflite_api *api = session->api;
  bool known = true;
  for (size_t i = 0; i < session->file.output_count; i++) {
    const kn_tfl_tensor *tensor = api->InterpreterGetOutputTensor(session->interpreter, (int32_t)i);
    known = known && api->TensorData(tensor);
  }
  if (known) return NULL;
  for (size_t i = 0; i < session->file.input_count; i++) {
    const kn_tfl_tensor *tensor = api->InterpreterGetInputTensor(session->interpreter, (int32_t)i);
    void *data = api->TensorData(tensor);
    if (data) memset(data, 0, api->TensorByteSize(tensor));
  }
  if (api->InterpreterInvoke(session->interpreter) != KN_TFL_OK)
    return kn_tflite_session_failure(session,
                                     "failed to run the model on zeros, which tells the shapes of its outputs");
  return NULL;
}

static kn_status open_session(kn_tflite_session *session, const kn_load_request *request,
                              const kn_string_list *delegates, int32_t threads) {
  if (request->batch < 1 || request->batch > INT32_MAX)
    return kn_status_make(KN_INVALID_ARGUMENT, "%lld samples per inference are not possible",
                          (long long)request->batch);
  KN_TRY(read_file(session, request->path));
  KN_TRY(build_interpreter(session, delegates, threads));
  for (size_t i = 0; i < session->file.input_count; i++) KN_TRY(resize_input(session, i, request->batch));
  if (session->api->InterpreterAllocateTensors(session->interpreter) != KN_TFL_OK)
    return refusal(session, "could not prepare the model");
  KN_TRY(learn_shapes(session));
  return kn_tflite_session_bind(session, request);
}

kn_status kn_tflite_session_open(kn_tflite_session *session, const kn_tflite_api *api, const kn_load_request *request,
                                 const kn_string_list *delegates, int32_t threads) {
  *session = (kn_tflite_session){.api = api};
  kn_status status = open_session(session, request, delegates, threads);
  if (status) kn_tflite_session_close(session);
  return kn_status_annotate(status, "while loading %s", request->path);
}

void kn_tflite_session_close(kn_tflite_session *session) {
  const kn_tflite_api *api = session->api;
  if (session->interpreter) api->InterpreterDelete(session->interpreter);
  if (session->options) api->InterpreterOptionsDelete(session->options);
  if (session->model) api->ModelDelete(session->model);
  /* The interpreter calls its delegates while it goes. */
  kn_tflite_delegates_destroy(&session->delegates);
  kn_tflite_model_clear(&session->file);
  kn_iospec_clear(&session->spec);
  kn_free(session->inputs);
  kn_free(session->outputs);
  kn_free(session->bytes);
  *session = (kn_tflite_session){0};
}
