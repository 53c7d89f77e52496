/* Inputs and outputs of an interpreter against an io specification: same names, shapes and types, one order. */
#include "session.h"

#include <string.h>

/* What one input or output of the loaded model is. `entry` borrows the name from the file. */
static kn_status describe(const kn_tflite_session *session, const kn_tfl_tensor *tensor, const kn_tflite_tensor *file,
                          const kn_iolist *given, size_t order, kn_ioentry *out_entry) {
  const kn_tflite_api *api = session->api;
  int32_t rank = api->TensorNumDims(tensor);
  kn_dtype dtype = kn_tflite_engine_dtype(api->TensorType(tensor));
  if (dtype == KN_DTYPE_NONE || rank < 0 || rank > KN_MAX_RANK)
    return kn_status_make(KN_INCOMPATIBLE, "'%s' has a type or rank that is not supported (%s, %d dimensions)",
                          file->name, kn_tflite_type_name(file->type), rank);
  *out_entry = (kn_ioentry){.name = (char *)(uintptr_t)kn_tflite_tensor_name(file, given),
                            .dtype = dtype,
                            .rank = (uint32_t)rank,
                            .order = (int64_t)order,
                            .quantized = file->quantized,
                            .prequantized_dtype = file->quantized ? KN_FLOAT32 : KN_DTYPE_NONE};
  for (int32_t k = 0; k < rank; k++) out_entry->shape[k] = api->TensorDim(tensor, k);
  if (file->quantized) {
    kn_tfl_quantization quantization = api->TensorQuantizationParams(tensor);
    out_entry->scale = (double)quantization.scale;
    out_entry->zero_point = quantization.zero_point;
  }
  return NULL;
}

typedef struct side {
  const kn_tflite_tensor *files;
  size_t count;
  bool output;
} side;

static const kn_tfl_tensor *engine_tensor(const kn_tflite_session *session, const side *at, size_t index) {
  return at->output ? session->api->InterpreterGetOutputTensor(session->interpreter, (int32_t)index)
                    : session->api->InterpreterGetInputTensor(session->interpreter, (int32_t)index);
}

static kn_status bind_found(const kn_tflite_session *session, const side *at, const kn_iolist *given, kn_iolist *found,
                            kn_iolist *out_list, size_t *places) {
  for (size_t i = 0; i < at->count; i++) {
    kn_ioentry entry;
    KN_TRY(describe(session, engine_tensor(session, at, i), &at->files[i], given, i, &entry));
    KN_TRY(kn_iolist_add(found, &entry));
  }
  return kn_iolist_bind(given, found, at->output ? "output" : "input", out_list, places);
}

static kn_status bind(const kn_tflite_session *session, const side *at, const kn_iolist *given, kn_iolist *out_list,
                      const kn_tfl_tensor **out_tensors) {
  kn_iospec found = {0};
  size_t *places = kn_alloc_array(at->count, sizeof *places);
  kn_status status =
      places ? bind_found(session, at, given, &found.input, out_list, places) : kn_status_out_of_memory();
  for (size_t i = 0; !status && i < at->count; i++) out_tensors[i] = engine_tensor(session, at, places[i]);
  kn_iospec_clear(&found);
  kn_free(places);
  return status;
}

kn_status kn_tflite_session_bind(kn_tflite_session *session, const kn_load_request *request) {
  const kn_iospec *spec = request->spec;
  const side inputs = {.files = session->file.inputs, .count = session->file.input_count};
  const side outputs = {.files = session->file.outputs, .count = session->file.output_count, .output = true};
  if ((size_t)session->api->InterpreterGetInputTensorCount(session->interpreter) != inputs.count ||
      (size_t)session->api->InterpreterGetOutputTensorCount(session->interpreter) != outputs.count)
    return kn_status_make(KN_BACKEND_FAILED, "the engine counts other inputs and outputs than the file has");

  const kn_tfl_tensor **bound = kn_alloc_array(inputs.count, sizeof *bound);
  session->inputs = (kn_tfl_tensor **)(uintptr_t)bound;
  session->outputs = kn_alloc_array(outputs.count, sizeof *session->outputs);
  if (!session->inputs || !session->outputs) return kn_status_out_of_memory();
  KN_TRY(bind(session, &inputs, kn_iospec_model_input(spec), &session->spec.input, bound));
  KN_TRY(bind(session, &outputs, spec ? &spec->output : NULL, &session->spec.output, session->outputs));
  for (size_t i = 0; i < inputs.count; i++) {
    const kn_ioentry *entry = &session->spec.input.entries[i];
    size_t bytes;
    KN_TRY(kn_tensor_bytes(entry->dtype, entry->rank, entry->shape, &bytes));
    if (bytes != session->api->TensorByteSize(bound[i]) || (bytes && !session->api->TensorData(bound[i])))
      return kn_status_make(KN_BACKEND_FAILED, "the engine has no place for input '%s'", entry->name);
  }
  return NULL;
}
