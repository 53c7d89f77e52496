/* Inputs and outputs of a model against an io specification: same names, shapes and types, one order; free dimensions
 * become numbers. */
#include "session.h"

#include <stdio.h>
#include <string.h>

int kn_ort_type_of(kn_dtype dtype) {
  for (int type = 1; type < KN_ONNX_TYPES; type++)
    if (kn_onnx_type_dtype(type) == dtype) return type;
  return 0;
}

typedef struct side {
  const char *what; /* for messages */
  const kn_onnx_list *values;
  const kn_iolist *given; /* or NULL */
  int64_t batch;          /* 0: outputs, whose free dimensions the engine tells */
} side;

static const char *shape_text(uint32_t rank, const int64_t *shape, char out[160]) {
  size_t length = 0;
  out[0] = '\0';
  for (uint32_t k = 0; k < rank; k++)
    length += (size_t)snprintf(out + length, 160 - length, "%s%lld", k ? "," : "", (long long)shape[k]);
  return out;
}

/* The first dimension is the batch, and -1 on either side fits everything. */
static kn_status compare(const kn_ioentry *given, const kn_onnx_value *value) {
  bool same = given->dtype == value->dtype && given->rank == value->rank;
  for (uint32_t k = 1; same && k < given->rank; k++)
    same = given->shape[k] == -1 || value->shape[k] == -1 || given->shape[k] == value->shape[k];
  if (same) return NULL;
  char a[160], b[160];
  return kn_status_make(
      KN_INCOMPATIBLE,
      "the io specification says '%s' is %s [%s], but the model's '%.*s' is %s [%s]: remove or mend the .json file "
      "beside the model",
      given->name ? given->name : "", kn_dtype_name(given->dtype), shape_text(given->rank, given->shape, a),
      KN_ONNX_TEXT(value->name), kn_dtype_name(value->dtype), shape_text(value->rank, value->shape, b));
}

/* Place in the model of entry `index` of the specification: by name, else by position. */
static size_t find(const kn_onnx_list *values, const char *name, size_t index) {
  const kn_onnx_value *items = values->items;
  for (size_t i = 0; name && i < values->count; i++)
    if (kn_onnx_text_is(items[i].name, name)) return i;
  return index;
}

/* ---- free dimensions ---- */

static kn_status fix_batch(const side *at, const kn_onnx_value *value, kn_ioentry *entry) {
  if (entry->shape[0] == -1 || entry->shape[0] == at->batch) {
    entry->shape[0] = at->batch;
    return NULL;
  }
  return kn_status_make(KN_INCOMPATIBLE,
                        "the model is made for %lld sample(s) per inference ('%.*s'), not for %lld: set "
                        "inference_batch_size to %lld or convert the model with a free first dimension",
                        (long long)entry->shape[0], KN_ONNX_TEXT(value->name), (long long)at->batch,
                        (long long)entry->shape[0]);
}

static kn_status fix_shape(const side *at, const kn_onnx_value *value, const kn_ioentry *given, kn_ioentry *entry) {
  if (!at->batch) return NULL;
  if (entry->rank) KN_TRY(fix_batch(at, value, entry));
  for (uint32_t k = 1; k < entry->rank; k++) {
    if (entry->shape[k] != -1) continue;
    entry->shape[k] = given ? given->shape[k] : -1;
    if (entry->shape[k] >= 1) continue;
    return kn_status_make(KN_INCOMPATIBLE,
                          "dimension %u of the input '%.*s' is free%s%.*s: give its size in the io specification, the "
                          ".json file beside the model",
                          k, KN_ONNX_TEXT(value->name), value->symbols[k].length ? ", called " : "",
                          KN_ONNX_TEXT(value->symbols[k]));
  }
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

static kn_status bind_entry(const side *at, size_t place, const kn_ioentry *given, kn_iolist *out_list) {
  const kn_onnx_value *value = (const kn_onnx_value *)at->values->items + place;
  kn_ioentry entry = {.dtype = value->dtype, .rank = value->rank, .order = (int64_t)place};
  memcpy(entry.shape, value->shape, sizeof entry.shape);
  if (given) {
    /* A value of unknown rank is known once the model has run. */
    if (at->batch || value->rank) KN_TRY(compare(given, value));
    if (given->order >= 0) entry.order = given->order;
    if (given->prequantized_dtype != KN_DTYPE_NONE) entry.prequantized_dtype = given->prequantized_dtype;
    entry.class_name = given->class_name;
  }
  KN_TRY(fix_shape(at, value, given, &entry));
  entry.name = kn_strndup(value->name.data, value->name.length);
  kn_status status = entry.name ? kn_iolist_add(out_list, &entry) : kn_status_out_of_memory();
  kn_free(entry.name);
  return status;
}

/* `places` tells for each entry of the list which value of the file it is. */
static kn_status bind(const side *at, kn_iolist *out_list, size_t **out_places) {
  size_t count = at->values->count, *places = *out_places = kn_alloc_array(count, sizeof *places);
  if (!places) return kn_status_out_of_memory();
  if (at->given && at->given->count != count)
    return kn_status_make(KN_INCOMPATIBLE, "the io specification has %zu %s(s), the model %zu", at->given->count,
                          at->what, count);
  for (size_t i = 0; i < count; i++) {
    const kn_ioentry *given = at->given ? &at->given->entries[i] : NULL;
    places[i] = given ? find(at->values, given->name, i) : i;
    for (size_t k = 0; k < i; k++)
      if (places[k] == places[i])
        return kn_status_make(KN_INCOMPATIBLE, "the io specification names the model's %s '%.*s' twice", at->what,
                              KN_ONNX_TEXT(((const kn_onnx_value *)at->values->items)[places[i]].name));
    KN_TRY(bind_entry(at, places[i], given, out_list));
  }
  return NULL;
}

kn_status kn_ort_bind(kn_ort_session_state *state, const kn_load_request *request) {
  const kn_iospec *spec = request->spec;
  side inputs = {.what = "input", .values = &state->file.inputs, .batch = request->batch};
  side outputs = {.what = "output", .values = &state->file.outputs};
  size_t *places = NULL, *output_places = NULL;
  /* Where a specification tells the wrapper's input from the model's, the model's is meant here. */
  if (spec && spec->processed_input.count)
    inputs.given = &spec->processed_input;
  else if (spec && spec->input.count)
    inputs.given = &spec->input;
  if (spec && spec->output.count) outputs.given = &spec->output;
  kn_status status = bind(&inputs, &state->inputs.list, &places);
  if (!status) status = bind(&outputs, &state->outputs.list, &output_places);
  if (!status) status = override_dimensions(state, &state->inputs, places);
  kn_free(places);
  kn_free(output_places);
  return status;
}
