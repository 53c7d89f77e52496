/* Inputs and outputs of an interpreter against an io specification: same names, shapes and types, one order. */
#include "session.h"

#include <stdio.h>
#include <string.h>

/* What one input or output of the loaded model is. `entry` borrows the name from the file. */
static kn_status describe(const kn_tflite_session *session, const kn_tfl_tensor *tensor, const kn_tflite_tensor *file,
                          size_t order, kn_ioentry *out_entry) {
  const kn_tflite_api *api = session->api;
  int32_t rank = api->TensorNumDims(tensor);
  kn_dtype dtype = kn_tflite_engine_dtype(api->TensorType(tensor));
  if (dtype == KN_DTYPE_NONE || rank < 0 || rank > KN_MAX_RANK)
    return kn_status_make(KN_INCOMPATIBLE, "'%s' has a type or rank that is not supported (%s, %d dimensions)",
                          file->name, kn_tflite_type_name(file->type), rank);
  *out_entry = (kn_ioentry){.name = (char *)(uintptr_t)file->name,
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

static const char *shape_text(uint32_t rank, const int64_t *shape, char out[160]) {
  size_t length = 0;
  out[0] = '\0';
  for (uint32_t k = 0; k < rank; k++)
    length += (size_t)snprintf(out + length, 160 - length, "%s%lld", k ? "," : "", (long long)shape[k]);
  return out;
}

/* The first dimension is the batch, and -1 in the specification fits everything. A specification of the model before
 * it was quantized fits too: values are quantized on their way in. */
static kn_status compare(const kn_ioentry *given, const kn_ioentry *found) {
  bool same = given->rank == found->rank &&
              (given->dtype == found->dtype || (given->dtype == KN_FLOAT32 && found->quantized));
  for (uint32_t k = 1; same && k < given->rank; k++) same = given->shape[k] == -1 || given->shape[k] == found->shape[k];
  if (same) return NULL;
  char a[160], b[160];
  return kn_status_make(
      KN_INCOMPATIBLE,
      "the io specification says '%s' is %s [%s], but the model's '%s' is %s [%s]: remove or mend the "
      ".json file beside the model",
      given->name ? given->name : "", kn_dtype_name(given->dtype), shape_text(given->rank, given->shape, a),
      found->name, kn_dtype_name(found->dtype), shape_text(found->rank, found->shape, b));
}

/* Place in the interpreter of entry `index` of the specification: by name, else by position. */
static size_t find_by_name(const kn_tflite_tensor *files, size_t count, const char *name, size_t index) {
  for (size_t i = 0; name && i < count; i++)
    if (!strcmp(files[i].name, name)) return i;
  return index;
}

typedef struct side {
  const char *what; /* for messages */
  const kn_tflite_tensor *files;
  size_t count;
  const kn_iolist *given; /* or NULL */
  bool output;
} side;

static const kn_tfl_tensor *engine_tensor(const kn_tflite_session *session, const side *at, size_t index) {
  return at->output ? session->api->InterpreterGetOutputTensor(session->interpreter, (int32_t)index)
                    : session->api->InterpreterGetInputTensor(session->interpreter, (int32_t)index);
}

static kn_status bind_side(kn_tflite_session *session, const side *at, kn_iolist *out_list,
                           const kn_tfl_tensor **out_tensors, bool *taken) {
  for (size_t i = 0; i < at->count; i++) {
    const kn_ioentry *given = at->given ? &at->given->entries[i] : NULL;
    size_t index = given ? find_by_name(at->files, at->count, given->name, i) : i;
    if (taken[index])
      return kn_status_make(KN_INCOMPATIBLE, "the io specification names the model's %s '%s' twice", at->what,
                            at->files[index].name);
    taken[index] = true;
    kn_ioentry entry = {0};
    out_tensors[i] = engine_tensor(session, at, index);
    KN_TRY(describe(session, out_tensors[i], &at->files[index], index, &entry));
    if (given) {
      KN_TRY(compare(given, &entry));
      if (given->order >= 0) entry.order = given->order;
      if (given->prequantized_dtype != KN_DTYPE_NONE) entry.prequantized_dtype = given->prequantized_dtype;
      entry.class_name = given->class_name;
    }
    KN_TRY(kn_iolist_add(out_list, &entry));
  }
  return NULL;
}

static kn_status bind(kn_tflite_session *session, const side *at, kn_iolist *out_list,
                      const kn_tfl_tensor **out_tensors) {
  if (at->given && at->given->count != at->count)
    return kn_status_make(KN_INCOMPATIBLE, "the io specification has %zu %s(s), the model %zu", at->given->count,
                          at->what, at->count);
  bool *taken = kn_alloc_array(at->count, sizeof *taken);
  if (!taken) return kn_status_out_of_memory();
  kn_status status = bind_side(session, at, out_list, out_tensors, taken);
  kn_free(taken);
  return status;
}

kn_status kn_tflite_session_bind(kn_tflite_session *session, const kn_load_request *request) {
  const kn_iospec *spec = request->spec;
  side inputs = {.what = "input", .files = session->file.inputs, .count = session->file.input_count};
  side outputs = {
      .what = "output", .files = session->file.outputs, .count = session->file.output_count, .output = true};
  /* Where a specification tells the wrapper's input from the model's, the model's is meant here. */
  if (spec && spec->processed_input.count)
    inputs.given = &spec->processed_input;
  else if (spec && spec->input.count)
    inputs.given = &spec->input;
  if (spec && spec->output.count) outputs.given = &spec->output;
  if ((size_t)session->api->InterpreterGetInputTensorCount(session->interpreter) != inputs.count ||
      (size_t)session->api->InterpreterGetOutputTensorCount(session->interpreter) != outputs.count)
    return kn_status_make(KN_BACKEND_FAILED, "the engine counts other inputs and outputs than the file has");

  const kn_tfl_tensor **bound = kn_alloc_array(inputs.count, sizeof *bound);
  session->inputs = (kn_tfl_tensor **)(uintptr_t)bound;
  session->outputs = kn_alloc_array(outputs.count, sizeof *session->outputs);
  if (!session->inputs || !session->outputs) return kn_status_out_of_memory();
  KN_TRY(bind(session, &inputs, &session->spec.input, bound));
  KN_TRY(bind(session, &outputs, &session->spec.output, session->outputs));
  for (size_t i = 0; i < inputs.count; i++) {
    const kn_ioentry *entry = &session->spec.input.entries[i];
    size_t bytes;
    KN_TRY(kn_tensor_bytes(entry->dtype, entry->rank, entry->shape, &bytes));
    if (bytes != session->api->TensorByteSize(bound[i]) || (bytes && !session->api->TensorData(bound[i])))
      return kn_status_make(KN_BACKEND_FAILED, "the engine has no place for input '%s'", entry->name);
  }
  return NULL;
}
