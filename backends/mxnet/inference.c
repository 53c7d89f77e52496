#include "inference.h"

#include <kenning/layout.h>
#include <string.h>

/* ---- what the model takes ---- */

static const kn_ioentry *find_entry(const kn_iolist *list, const char *name, size_t index, size_t count) {
  if (!list || list->count != count) return NULL;
  for (size_t i = 0; i < count; i++)
    if (list->entries[i].name && !strcmp(list->entries[i].name, name)) return &list->entries[i];
  return &list->entries[index];
}

/* Fills what is open in `entry` from `rank` dimensions, which have to agree where both say something. */
static kn_status merge(kn_ioentry *entry, bool *known, const int64_t *shape, uint32_t rank, const char *whose) {
  bool same = !*known || entry->rank == rank;
  for (uint32_t i = 0; same && i < rank; i++) {
    if (!*known || (i > 0 && entry->shape[i] == -1)) entry->shape[i] = shape[i];
    same = i == 0 || shape[i] == -1 || entry->shape[i] == shape[i];
  }
  entry->rank = rank;
  *known = true;
  return same ? NULL
              : kn_status_make(KN_INCOMPATIBLE, "the model's input '%s' has another shape than %s says", entry->name,
                               whose);
}

static kn_status describe_input(const symbol_variable *variable, const kn_ioentry *given, const sample_shape *sample,
                                int64_t batch, kn_ioentry *entry) {
  bool known = variable->has_shape;
  entry->name = variable->name;
  entry->dtype = KN_FLOAT32;
  if (known) {
    entry->rank = variable->rank;
    memcpy(entry->shape, variable->shape, sizeof entry->shape);
  }
  if (variable->dtype > 0 || (given && given->dtype != KN_FLOAT32))
    return kn_status_make(KN_INCOMPATIBLE,
                          "the model's input '%s' is not float32, the only type that MXNet's predictor takes",
                          variable->name);
  if (given) KN_TRY(merge(entry, &known, given->shape, given->rank, "the io specification"));
  if (!known && sample->rank) {
    int64_t shape[KN_MAX_RANK] = {-1};
    memcpy(shape + 1, sample->shape, sample->rank * sizeof *shape);
    KN_TRY(merge(entry, &known, shape, sample->rank + 1, "the data set"));
  }
  for (uint32_t i = 1; known && i < entry->rank; i++) known = entry->shape[i] > 0;
  if (!known || !entry->rank)
    return kn_status_make(KN_INCOMPATIBLE,
                          "the model does not say the shape of its input '%s'; put an io specification beside it (the "
                          "model's name with .json behind it), or save the model with the attribute __shape__",
                          variable->name);
  entry->shape[0] = batch;
  return NULL;
}

static kn_status describe_inputs(const model *m, const kn_load_request *request, const sample_shape *sample,
                                 inference *loaded) {
  const kn_iolist *given = kn_iospec_model_input(request->spec);
  const sample_shape none = {0};
  if (given && given->count != m->input_count)
    return kn_status_make(KN_INCOMPATIBLE, "the io specification has %zu input(s), the model %zu", given->count,
                          m->input_count);
  for (size_t i = 0; i < m->input_count; i++) {
    kn_ioentry entry = {.order = (int64_t)i};
    KN_TRY(describe_input(m->inputs[i], find_entry(given, m->inputs[i]->name, i, m->input_count),
                          m->input_count == 1 ? sample : &none, request->batch, &entry));
    KN_TRY(kn_iolist_add(&loaded->spec.input, &entry));
  }
  return NULL;
}

/* ---- loading ---- */

/* What MXNet says of a graph is about the graph: names the layer of an operator that it does not have. */
static kn_status refusal(const model *m, kn_status words) {
  static const char begin[] = "Operator ", end[] = " is not registered";
  if (kn_status_code(words) != KN_BACKEND_FAILED) return words;
  const char *message = kn_status_message(words, 0), *start = strstr(message, begin);
  const char *stop = start ? strstr(start, end) : NULL;
  kn_status status = NULL;
  if (stop) {
    char *name = kn_strndup(start + strlen(begin), (size_t)(stop - start) - strlen(begin)), *layer = NULL;
    status = name ? symbol_find_operator(m->symbol, name, &layer) : kn_status_out_of_memory();
    if (!status && layer)
      status = kn_status_make(KN_INCOMPATIBLE, "MXNet does not have the operator '%s' of the layer '%s'", name, layer);
    kn_free(name);
    kn_free(layer);
  }
  if (!status) status = kn_status_make(KN_INCOMPATIBLE, "%s", message);
  kn_status_free(words);
  return status;
}

static kn_status create(const model *m, inference *loaded) {
  uint32_t offsets[2 + 8] = {0}, shapes[8 * KN_MAX_RANK], used = 0;
  const char *names[8];
  size_t count = loaded->spec.input.count;
  if (count > 8) return kn_status_make(KN_INCOMPATIBLE, "the model has %zu inputs; 8 are supported", count);
  for (size_t i = 0; i < count; i++) {
    const kn_ioentry *entry = &loaded->spec.input.entries[i];
    size_t bytes;
    KN_TRY(kn_tensor_bytes(KN_FLOAT32, entry->rank, entry->shape, &bytes));
    if (bytes / sizeof(float) > UINT32_MAX) return kn_status_make(KN_INCOMPATIBLE, "'%s' is too large", entry->name);
    names[i] = entry->name;
    for (uint32_t k = 0; k < entry->rank; k++) shapes[used++] = (uint32_t)entry->shape[k];
    offsets[i + 1] = used;
  }
  int result = loaded->mx->MXPredCreate(m->symbol, m->params, (int)m->params_bytes, MX_CPU, 0, (uint32_t)count, names,
                                        offsets, shapes, &loaded->predictor);
  return refusal(m, mx_result(loaded->mx, result, "load the model"));
}

static kn_status describe_outputs(const model *m, inference *loaded) {
  for (size_t i = 0; i < m->graph.output_count; i++) {
    uint32_t *shape, rank;
    int dtype;
    KN_TRY(mx_result(loaded->mx, loaded->mx->MXPredGetOutputShape(loaded->predictor, (uint32_t)i, &shape, &rank),
                     "tell the shape of an output"));
    kn_ioentry entry = {.name = m->graph.outputs[i], .dtype = KN_FLOAT32, .rank = rank, .order = (int64_t)i};
    if (rank > KN_MAX_RANK)
      return kn_status_make(KN_INCOMPATIBLE, "the model's output '%s' has %u dimensions", entry.name, rank);
    for (uint32_t k = 0; k < rank; k++) entry.shape[k] = shape[k];
    /* The predictor hands out what the array holds, whatever its type, as if it were float32. */
    KN_TRY(mx_result(loaded->mx, loaded->mx->MXPredGetOutputType(loaded->predictor, (uint32_t)i, &dtype),
                     "tell the type of an output"));
    if (dtype != MX_FLOAT32)
      return kn_status_make(KN_INCOMPATIBLE,
                            "the model's output '%s' is not float32, the only type that MXNet's predictor gives: end "
                            "the model with a cast",
                            entry.name);
    KN_TRY(kn_iolist_add(&loaded->spec.output, &entry));
  }
  return NULL;
}

static kn_status bind_side(const kn_iolist *given, const char *what, kn_iolist *list, size_t *out_places) {
  kn_iolist bound = {0};
  kn_status status = kn_iolist_bind(given, list, what, &bound, out_places);
  if (!status) {
    const kn_iolist found = *list;
    *list = bound;
    bound = found;
  }
  kn_iospec_clear(&(kn_iospec){.input = bound});
  return status;
}

/* Into the order of what is given. Inputs are handed over by their names, outputs by their numbers. */
static kn_status bind(const kn_iospec *given, inference *loaded) {
  size_t *places = kn_alloc_array(loaded->spec.input.count, sizeof *places);
  loaded->output_places = kn_alloc_array(loaded->spec.output.count, sizeof *loaded->output_places);
  kn_status status = places && loaded->output_places ? NULL : kn_status_out_of_memory();
  if (!status) status = bind_side(kn_iospec_model_input(given), "input", &loaded->spec.input, places);
  if (!status) status = bind_side(given ? &given->output : NULL, "output", &loaded->spec.output, loaded->output_places);
  kn_free(places);
  return status;
}

/* Where the data are NHWC and the model is NCHW, the model's input is described as the data are. */
static kn_status turn(const sample_shape *sample, inference *loaded) {
  kn_ioentry *entry = &loaded->spec.input.entries[0];
  size_t bytes;
  if (loaded->spec.input.count != 1 || !kn_layout_is_planar(sample->shape, sample->rank, entry->shape, entry->rank))
    return NULL;
  KN_TRY(kn_tensor_bytes(KN_FLOAT32, entry->rank, entry->shape, &bytes));
  loaded->planar = kn_alloc(bytes);
  if (!loaded->planar) return kn_status_out_of_memory();
  KN_TRY(kn_iolist_add(&loaded->spec.processed_input, entry));
  loaded->channels = (size_t)sample->shape[2];
  loaded->pixels = (size_t)sample->shape[0] * (size_t)sample->shape[1];
  memcpy(entry->shape + 1, sample->shape, 3 * sizeof *entry->shape);
  return NULL;
}

enum { NEWEST = 109 }; /* 1.9 */

static kn_status load(const kn_load_request *request, const sample_shape *sample, const char *library, int64_t threads,
                      const model *m, inference *loaded) {
  if (request->batch < 1 || request->batch > INT32_MAX)
    return kn_status_make(KN_INVALID_ARGUMENT, "%lld samples per inference are not possible",
                          (long long)request->batch);
  if (m->graph.version / 100 > NEWEST)
    return kn_status_make(
        KN_INCOMPATIBLE,
        "the model was saved by MXNet %lld.%lld, which is newer than 1.9: save it with that or an older one",
        (long long)(m->graph.version / 10000), (long long)(m->graph.version / 100 % 100));
  KN_TRY(describe_inputs(m, request, sample, loaded));
  KN_TRY(mx_api_open(library, &loaded->mx));
  loaded->threads = mx_threads(loaded->mx, threads);
  KN_TRY(create(m, loaded));
  KN_TRY(describe_outputs(m, loaded));
  KN_TRY(bind(request->spec, loaded));
  loaded->operator_count = m->graph.operator_count;
  loaded->weights_bytes = m->weights_bytes;
  return turn(sample, loaded);
}

kn_status inference_load(const kn_load_request *request, const sample_shape *sample, const char *library,
                         int64_t threads, inference *out_inference) {
  model m;
  *out_inference = (inference){0};
  KN_TRY(kn_status_annotate(model_open(request->path, &m), "while loading %s", request->path));
  kn_status status = load(request, sample, library, threads, &m, out_inference);
  model_clear(&m);
  if (status) inference_unload(out_inference);
  return kn_status_annotate(status, "while loading %s", request->path);
}

void inference_unload(inference *loaded) {
  if (loaded->predictor) (void)loaded->mx->MXPredFree(loaded->predictor);
  kn_iospec_clear(&loaded->spec);
  kn_free(loaded->planar);
  kn_free(loaded->output_places);
  *loaded = (inference){0};
}

kn_status inference_iospec(const inference *loaded, kn_iospec *out_spec) {
  if (!loaded->predictor) return kn_status_make(KN_INVALID_ARGUMENT, "no model is loaded");
  return kn_iospec_copy(&loaded->spec, out_spec);
}

/* ---- running ---- */

static kn_status check_views(const inference *loaded, const kn_iolist *list, const kn_tensor_view *views, size_t count,
                             const char *what) {
  if (!loaded->predictor) return kn_status_make(KN_INVALID_ARGUMENT, "no model is loaded");
  KN_TRY(kn_iolist_check_count(list, count, what));
  for (size_t i = 0; i < count; i++) {
    const kn_ioentry *entry = &list->entries[i];
    bool same = views[i].rank == entry->rank && views[i].dtype == KN_FLOAT32;
    for (uint32_t k = 0; same && k < entry->rank; k++) same = views[i].shape[k] == entry->shape[k];
    if (!same)
      return kn_status_make(KN_INVALID_ARGUMENT,
                            "the data for '%s' do not have the shape of the model's tensor, or are not float32",
                            entry->name);
  }
  return NULL;
}

kn_status inference_set_input(inference *loaded, const kn_tensor_view *inputs, size_t count) {
  KN_TRY(check_views(loaded, &loaded->spec.input, inputs, count, "input"));
  for (size_t i = 0; i < count; i++) {
    const kn_ioentry *entry = &loaded->spec.input.entries[i];
    const float *data = inputs[i].data;
    size_t elements = kn_tensor_elements(&inputs[i]);
    if (loaded->planar) {
      kn_layout_make_planar(data, loaded->planar, (size_t)entry->shape[0], loaded->pixels, loaded->channels,
                            sizeof *data);
      data = loaded->planar;
    }
    KN_TRY(mx_result(loaded->mx, loaded->mx->MXPredSetInput(loaded->predictor, entry->name, data, (uint32_t)elements),
                     "take the input"));
  }
  return NULL;
}

/* The engine may work in threads of its own (MXNET_ENGINE_TYPE): an inference ends when they are done. */
kn_status inference_invoke(inference *loaded) {
  if (!loaded->predictor) return kn_status_make(KN_INVALID_ARGUMENT, "no model is loaded");
  int result = loaded->mx->MXPredForward(loaded->predictor);
  if (!result) result = loaded->mx->MXNDArrayWaitAll();
  return mx_result(loaded->mx, result, "run the model");
}

kn_status inference_output(inference *loaded, const kn_tensor_view *outputs, size_t count) {
  KN_TRY(check_views(loaded, &loaded->spec.output, outputs, count, "output"));
  for (size_t i = 0; i < count; i++)
    KN_TRY(mx_result(loaded->mx,
                     loaded->mx->MXPredGetOutput(loaded->predictor, (uint32_t)loaded->output_places[i], outputs[i].data,
                                                 (uint32_t)kn_tensor_elements(&outputs[i])),
                     "give its output"));
  return NULL;
}

kn_status inference_statistics(const inference *loaded, kn_record *out_record) {
  kn_record *delegate;
  if (!loaded->predictor) return kn_status_make(KN_INVALID_ARGUMENT, "no model is loaded");
  KN_TRY(kn_record_set_int(out_record, "threads", loaded->threads));
  KN_TRY(kn_record_set_int(out_record, "operators", (int64_t)loaded->operator_count));
  KN_TRY(kn_record_append_object(out_record, "delegates", &delegate));
  KN_TRY(kn_record_set_string(delegate, "name", "MXNet with oneDNN"));
  KN_TRY(kn_record_set_int(delegate, "operators", (int64_t)loaded->operator_count));
  KN_TRY(kn_record_set_string(out_record, "library", loaded->mx->path));
  KN_TRY(kn_record_set_string(out_record, "library_version", loaded->mx->version));
  return kn_record_set_int(out_record, "weights_bytes", (int64_t)loaded->weights_bytes);
}
