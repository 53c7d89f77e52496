/* Inputs and outputs of a model against an io specification; free dimensions become numbers. */
#include "session.h"

int kn_ort_type_of(kn_dtype dtype) {
  for (int type = 1; type < KN_ONNX_TYPES; type++)
    if (kn_onnx_type_dtype(type) == dtype) return type;
  return 0;
}

/* ---- free dimensions ---- */

static kn_status fix_batch(kn_ioentry *entry, int64_t batch) {
  if (entry->shape[0] == -1 || entry->shape[0] == batch) {
    entry->shape[0] = batch;
    return NULL;
  }
  return kn_status_make(KN_INCOMPATIBLE,
                        "the model is made for %lld sample(s) per inference ('%s'), not for %lld: set "
                        "inference_batch_size to %lld or convert the model with a free first dimension",
                        (long long)entry->shape[0], entry->name, (long long)batch, (long long)entry->shape[0]);
}

static kn_status fix_shape(const kn_onnx_value *value, int64_t batch, kn_ioentry *entry) {
  if (entry->rank) KN_TRY(fix_batch(entry, batch));
  for (uint32_t k = 1; k < entry->rank; k++)
    if (entry->shape[k] < 1)
      return kn_status_make(
          KN_INCOMPATIBLE,
          "dimension %u of the input '%s' is free%s%.*s: give its size in the io specification, the .json file beside "
          "the model",
          k, entry->name, value->symbols[k].length ? ", called " : "", KN_ONNX_TEXT(value->symbols[k]));
  return NULL;
}

/* Names of dimensions mean the same size everywhere in the model; with them known the engine plans its memory. */
static kn_status override_dimension(const kn_ort_session_state *state, kn_onnx_text symbol, int64_t size) {
  char *name = kn_strndup(symbol.data, symbol.length);
  if (!name) return kn_status_out_of_memory();
  kn_ort_status *failed = state->api->AddFreeDimensionOverrideByName(state->options, name, size);
  kn_free(name);
  return kn_ort_failure(state->api, failed, "cannot fix a dimension");
}

static kn_status check_symbol(const kn_ort_session_state *state, const kn_ort_side *inputs, const size_t *places,
                              size_t last, uint32_t dimension) {
  const kn_onnx_value *values = kn_onnx_inputs(&state->file);
  kn_onnx_text symbol = values[places[last]].symbols[dimension];
  int64_t size = inputs->list.entries[last].shape[dimension];
  for (size_t i = 0; i <= last; i++)
    for (uint32_t k = 0; k < values[places[i]].rank; k++)
      if (kn_onnx_text_equal(values[places[i]].symbols[k], symbol) && inputs->list.entries[i].shape[k] != size)
        return kn_status_make(KN_INCOMPATIBLE, "the dimension %.*s is %lld for '%s' and %lld for '%s'",
                              KN_ONNX_TEXT(symbol), (long long)inputs->list.entries[i].shape[k],
                              inputs->list.entries[i].name, (long long)size, inputs->list.entries[last].name);
  return NULL;
}

static kn_status override_dimensions(const kn_ort_session_state *state, const kn_ort_side *inputs,
                                     const size_t *places) {
  const kn_onnx_value *values = kn_onnx_inputs(&state->file);
  for (size_t i = 0; i < inputs->list.count; i++) {
    const kn_onnx_value *value = &values[places[i]];
    for (uint32_t k = 0; k < value->rank; k++) {
      if (value->shape[k] != -1 || !value->symbols[k].length) continue;
      KN_TRY(check_symbol(state, inputs, places, i, k));
      KN_TRY(override_dimension(state, value->symbols[k], inputs->list.entries[i].shape[k]));
    }
  }
  return NULL;
}

/* ---- binding ---- */

kn_status kn_ort_bind_inputs(kn_ort_session_state *state, const kn_load_request *request) {
  kn_iospec found;
  size_t *places = NULL;
  KN_TRY(kn_onnx_model_iospec(&state->file, &found));
  kn_ort_side *inputs = &state->inputs;
  const kn_iolist *given = kn_iospec_model_input(request->spec);
  kn_status status = given ? kn_iolist_inherit(&found.input, given) : NULL; /* free dimensions */
  if (!status && !(places = kn_alloc_array(found.input.count, sizeof *places))) status = kn_status_out_of_memory();
  if (!status) status = kn_iolist_bind(given, &found.input, "input", &inputs->list, places);
  for (size_t i = 0; i < inputs->list.count && !status; i++)
    status = fix_shape(&kn_onnx_inputs(&state->file)[places[i]], request->batch, &inputs->list.entries[i]);
  if (!status) status = override_dimensions(state, inputs, places);
  /* In the file's order, with its free dimensions, until the engine has made them. */
  state->outputs.list = found.output;
  found.output = (kn_iolist){0};
  kn_free(places);
  kn_iospec_clear(&found);
  return status;
}

kn_status kn_ort_bind_outputs(kn_ort_session_state *state, const kn_load_request *request) {
  kn_ort_side found = state->outputs;
  size_t *places = kn_alloc_array(found.list.count, sizeof *places);
  state->outputs = (kn_ort_side){0};
  kn_status status = places ? NULL : kn_status_out_of_memory();
  if (!status)
    status = kn_iolist_bind(request->spec ? &request->spec->output : NULL, &found.list, "output", &state->outputs.list,
                            places);
  if (!status) status = kn_ort_side_allocate(&state->outputs);
  for (size_t i = 0; i < found.list.count && !status; i++) {
    state->outputs.values[i] = found.values[places[i]];
    state->outputs.data[i] = found.data[places[i]];
    found.values[places[i]] = NULL;
  }
  kn_ort_side_clear(state->api, &found);
  kn_free(places);
  return status;
}
