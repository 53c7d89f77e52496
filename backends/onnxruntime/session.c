#include "session.h"

#include <string.h>

/* ---- the model ---- */

static kn_status check_operators(const kn_onnx_model *file) {
  const kn_onnx_operator *foreign = kn_onnx_model_foreign(file);
  if (!foreign) return NULL;
  return kn_status_make(KN_INCOMPATIBLE,
                        "the operator %.*s.%.*s of the layer '%.*s' is defined neither by ONNX nor by the model",
                        KN_ONNX_TEXT(foreign->domain), KN_ONNX_TEXT(foreign->type), KN_ONNX_TEXT(foreign->layer));
}

static kn_status read_file(kn_ort_session_state *state, const char *path) {
  KN_TRY(kn_file_read(path, (size_t)1 << 36, &state->bytes, &state->byte_count));
  KN_TRY(kn_onnx_model_read(state->bytes, state->byte_count, &state->file));
  KN_TRY(check_operators(&state->file));
  state->operators = state->file.operators;
  state->opset = kn_onnx_model_opset(&state->file);
  state->weight_bytes = state->file.weight_bytes;
  state->weights_text = kn_onnx_census_text(state->file.weights);
  return state->weights_text ? NULL : kn_status_out_of_memory();
}

/* What the engine refuses of a file that our reader takes: things it does not know, or damage. */
static kn_status refusal(const kn_ort_session_state *state, kn_ort_status *failed) {
  const kn_ort_api *api = state->api;
  const char *words = api->GetErrorMessage(failed);
  int code = api->GetErrorCode(failed);
  bool unknown =
      code == KN_ORT_NOT_IMPLEMENTED || strstr(words, "not a registered function") || strstr(words, "No Op registered");
  bool newer = strstr(words, "opset") && strstr(words, "under development");
  bool version = strstr(words, "Unsupported model IR version");
  kn_status status;
  if (newer || version)
    status = kn_status_make(KN_INCOMPATIBLE,
                            "the model is of operator set %lld (format version %lld), which is newer than ONNX Runtime "
                            "%s: export it with an older one (opset_version), or name a newer library. %.600s",
                            (long long)kn_onnx_model_opset(&state->file), (long long)state->file.ir_version,
                            api->version, words);
  else
    status = kn_status_make(unknown ? KN_INCOMPATIBLE : KN_BAD_DATA, "ONNX Runtime %s does not take the model: %.800s",
                            api->version, words);
  api->ReleaseStatus(failed);
  return status;
}

static kn_status create_session(kn_ort_session_state *state, const char *path) {
  const kn_ort_api *api = state->api;
  /* From memory, so that what was checked is what the engine reads; values in other files need the path. */
  kn_ort_status *failed = state->file.external ? api->CreateSession(api->env, path, state->options, &state->session)
                                               : api->CreateSessionFromArray(api->env, state->bytes, state->byte_count,
                                                                             state->options, &state->session);
  return failed ? refusal(state, failed) : NULL;
}

static kn_status set_options(kn_ort_session_state *state, const kn_ort_settings *settings) {
  const kn_ort_api *api = state->api;
  KN_ORT_TRY(api, CreateSessionOptions(&state->options), "cannot be set up");
  KN_ORT_TRY(api, SetSessionGraphOptimizationLevel(state->options, settings->optimization_level),
             "refuses graph_optimization_level");
  KN_ORT_TRY(api, SetIntraOpNumThreads(state->options, settings->threads), "refuses num_threads");
  KN_ORT_TRY(api, SetInterOpNumThreads(state->options, 1), "refuses one thread between operators");
  return kn_ort_add_providers(state, settings->providers);
}

/* ---- inputs and outputs ---- */

kn_status kn_ort_side_allocate(kn_ort_side *side) {
  side->names = kn_alloc_array(side->list.count, sizeof *side->names);
  side->values = kn_alloc_array(side->list.count, sizeof *side->values);
  side->data = kn_alloc_array(side->list.count, sizeof *side->data);
  if (!side->names || !side->values || !side->data) return kn_status_out_of_memory();
  for (size_t i = 0; i < side->list.count; i++) side->names[i] = side->list.entries[i].name;
  return NULL;
}

static bool concrete(const kn_ioentry *entry) {
  for (uint32_t k = 0; k < entry->rank; k++)
    if (entry->shape[k] < 1) return false;
  return true;
}

static kn_status make_value(const kn_ort_api *api, kn_ort_side *side, size_t index) {
  const kn_ioentry *entry = &side->list.entries[index];
  kn_ort_allocator *allocator;
  size_t bytes;
  KN_TRY(kn_tensor_bytes(entry->dtype, entry->rank, entry->shape, &bytes));
  KN_ORT_TRY(api, GetAllocatorWithDefaultOptions(&allocator), "has no memory");
  KN_ORT_TRY(
      api,
      CreateTensorAsOrtValue(allocator, entry->shape, entry->rank, kn_ort_type_of(entry->dtype), &side->values[index]),
      "cannot make a tensor");
  KN_ORT_TRY(api, GetTensorMutableData(side->values[index], &side->data[index]), "has no data for a tensor");
  memset(side->data[index], 0, bytes);
  return NULL;
}

/* The shape of an output that the engine has made. */
static kn_status learn_output(const kn_ort_session_state *state, size_t index) {
  const kn_ort_api *api = state->api;
  kn_ioentry *entry = &state->outputs.list.entries[index];
  kn_ort_value *value = state->outputs.values[index];
  kn_ort_shape *shape;
  size_t rank = 0;
  int type = 0, tensor = 0;
  KN_ORT_TRY(api, IsTensor(value, &tensor), "does not tell what an output is");
  if (!tensor) return kn_status_make(KN_INCOMPATIBLE, "the output '%s' is no tensor", entry->name);
  KN_ORT_TRY(api, GetTensorTypeAndShape(value, &shape), "does not tell a shape");
  kn_status status = kn_ort_failure(api, api->GetDimensionsCount(shape, &rank), "does not tell a rank");
  if (!status) status = kn_ort_failure(api, api->GetTensorElementType(shape, &type), "does not tell a type");
  if (!status && rank <= KN_MAX_RANK)
    status = kn_ort_failure(api, api->GetDimensions(shape, entry->shape, rank), "does not tell a shape");
  api->ReleaseTensorTypeAndShapeInfo(shape);
  KN_TRY(status);
  if (rank > KN_MAX_RANK || type != kn_ort_type_of(entry->dtype))
    return kn_status_make(KN_INCOMPATIBLE, "the output '%s' has %zu dimensions or another type than the file says",
                          entry->name, rank);
  entry->rank = (uint32_t)rank;
  if (!concrete(entry)) return kn_status_make(KN_INCOMPATIBLE, "the output '%s' is empty", entry->name);
  KN_ORT_TRY(api, GetTensorMutableData(value, &state->outputs.data[index]), "has no data for an output");
  return NULL;
}

/* Where shapes are computed while the model runs, those of the outputs are known after the first run only; what that
 * run has made is kept for the next ones. */
static kn_status make_outputs(kn_ort_session_state *state) {
  kn_ort_side *outputs = &state->outputs;
  bool known = true;
  for (size_t i = 0; i < outputs->list.count; i++)
    known = known && outputs->list.entries[i].rank && concrete(&outputs->list.entries[i]);
  if (known) {
    for (size_t i = 0; i < outputs->list.count; i++) KN_TRY(make_value(state->api, outputs, i));
    return NULL;
  }
  KN_TRY(kn_ort_failure(state->api, kn_ort_session_run(state), "failed to run the model on zeros"));
  for (size_t i = 0; i < outputs->list.count; i++) KN_TRY(learn_output(state, i));
  return NULL;
}

static kn_status check_counts(const kn_ort_session_state *state) {
  const kn_ort_api *api = state->api;
  size_t inputs = 0, outputs = 0;
  KN_ORT_TRY(api, SessionGetInputCount(state->session, &inputs), "does not count its inputs");
  KN_ORT_TRY(api, SessionGetOutputCount(state->session, &outputs), "does not count its outputs");
  if (inputs == state->inputs.list.count && outputs == state->outputs.list.count) return NULL;
  return kn_status_make(KN_BACKEND_FAILED, "the engine counts other inputs and outputs than the file has");
}

kn_ort_status *kn_ort_session_run(const kn_ort_session_state *state) {
  return state->api->Run(state->session, NULL, state->inputs.names, (const kn_ort_value *const *)state->inputs.values,
                         state->inputs.list.count, state->outputs.names, state->outputs.list.count,
                         state->outputs.values);
}

static void release_file(kn_ort_session_state *state) {
  kn_onnx_model_clear(&state->file);
  kn_free(state->bytes);
  state->bytes = NULL;
}

static kn_status open_session(kn_ort_session_state *state, const kn_load_request *request,
                              const kn_ort_settings *settings) {
  if (request->batch < 1 || request->batch > INT32_MAX)
    return kn_status_make(KN_INVALID_ARGUMENT, "%lld samples per inference are not possible",
                          (long long)request->batch);
  KN_TRY(read_file(state, request->path));
  KN_TRY(set_options(state, settings));
  KN_TRY(kn_ort_bind_inputs(state, request));
  KN_TRY(kn_ort_side_allocate(&state->inputs));
  KN_TRY(kn_ort_side_allocate(&state->outputs));
  KN_TRY(create_session(state, request->path));
  KN_TRY(check_counts(state));
  release_file(state); /* the engine has a copy */
  for (size_t i = 0; i < state->inputs.list.count; i++) KN_TRY(make_value(state->api, &state->inputs, i));
  KN_TRY(make_outputs(state));
  return kn_ort_bind_outputs(state, request);
}

kn_status kn_ort_session_open(kn_ort_session_state *state, const kn_ort_api *api, const kn_load_request *request,
                              const kn_ort_settings *settings) {
  *state = (kn_ort_session_state){.api = api};
  kn_status status = open_session(state, request, settings);
  if (status) kn_ort_session_close(state);
  return kn_status_annotate(status, "while loading %s", request->path);
}

void kn_ort_side_clear(const kn_ort_api *api, kn_ort_side *side) {
  for (size_t i = 0; side->values && i < side->list.count; i++)
    if (side->values[i]) api->ReleaseValue(side->values[i]);
  kn_free(side->names);
  kn_free(side->values);
  kn_free(side->data);
  kn_iospec_clear(&(kn_iospec){.input = side->list});
  *side = (kn_ort_side){0};
}

void kn_ort_session_close(kn_ort_session_state *state) {
  const kn_ort_api *api = state->api;
  kn_ort_side_clear(api, &state->inputs);
  kn_ort_side_clear(api, &state->outputs);
  if (state->session) api->ReleaseSession(state->session);
  if (state->options) api->ReleaseSessionOptions(state->options);
  release_file(state);
  kn_free(state->weights_text);
  *state = (kn_ort_session_state){0};
}
