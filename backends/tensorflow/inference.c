#include "inference.h"
#include "session.h"
#include "shared/named_layers.h"

#include <string.h>

/* ---- specifications ---- */

/* The dimensions of one tensor: the batch in the first, others from `given` (or NULL) where the model leaves them
 * open. */
static kn_status settle_shape(kn_ioentry *entry, int64_t batch, const kn_ioentry *given) {
  if (entry->rank > 0 && (entry->shape[0] < 0 || batch == entry->shape[0])) entry->shape[0] = batch;
  if (entry->rank > 0 && entry->shape[0] != batch)
    return kn_status_make(KN_INCOMPATIBLE, "'%s' takes batches of %lld, not of %lld", entry->name,
                          (long long)entry->shape[0], (long long)batch);
  for (uint32_t i = 1; i < entry->rank; i++) {
    if (entry->shape[i] < 0 && given && given->rank == entry->rank) entry->shape[i] = given->shape[i];
    if (entry->shape[i] < 0)
      return kn_status_make(KN_INCOMPATIBLE,
                            "dimension %u of '%s' is not fixed by the model: give it in an io specification beside the "
                            "model (FILE.json)",
                            i, entry->name);
  }
  return NULL;
}

/* What is given for the tensor `name`, or in its place where no name is the same. */
static const kn_ioentry *entry_for(const kn_iolist *list, const char *name, size_t index) {
  for (size_t i = 0; list && i < list->count; i++)
    if (list->entries[i].name && !strcmp(list->entries[i].name, name)) return &list->entries[i];
  return list && index < list->count ? &list->entries[index] : NULL;
}

static kn_status add_keras_inputs(const keras_network *network, int64_t batch, const kn_iospec *given, kn_iospec *out) {
  const kn_iolist *list = kn_iospec_model_input(given);
  for (size_t i = 0; i < network->input_count; i++) {
    const keras_layer *layer = &network->layers[network->inputs[i].layer];
    char *name = kn_strdup(layer->name);
    if (!name) return kn_status_out_of_memory();
    kn_ioentry entry = {.name = name, .order = (int64_t)i};
    kn_status status = keras_input_shape(layer, &entry.rank, entry.shape);
    if (!status) status = keras_input_dtype(layer, &entry.dtype);
    if (!status) status = settle_shape(&entry, batch, entry_for(list, name, i));
    if (!status) status = kn_iolist_add(&out->input, &entry);
    kn_free(name);
    KN_TRY(status);
  }
  return NULL;
}

static kn_status add_saved_tensors(const saved_model_tensors *tensors, int64_t batch, const kn_iolist *given,
                                   kn_iolist *out) {
  for (size_t i = 0; i < tensors->count; i++) {
    const saved_model_tensor *tensor = &tensors->items[i];
    kn_ioentry entry = {.name = tensor->name, .order = (int64_t)i, .dtype = tensor->dtype, .rank = tensor->rank};
    memcpy(entry.shape, tensor->shape, sizeof entry.shape);
    if (!tensor->rank_known)
      return kn_status_make(KN_INCOMPATIBLE, "'%s' has no fixed number of dimensions", tensor->name);
    if (entry.dtype == KN_DTYPE_NONE)
      return kn_status_make(KN_INCOMPATIBLE, "'%s' has an element type that is not supported", tensor->name);
    KN_TRY(settle_shape(&entry, batch, entry_for(given, tensor->name, i)));
    KN_TRY(kn_iolist_add(out, &entry));
  }
  return NULL;
}

static kn_status describe_saved(const saved_model *model, int64_t batch, const kn_iospec *given, kn_iospec *out) {
  KN_TRY(add_saved_tensors(&model->inputs, batch, kn_iospec_model_input(given), &out->input));
  return add_saved_tensors(&model->outputs, batch, given ? &given->output : NULL, &out->output);
}

static const char *output_name(const keras_network *network, size_t index) {
  return network->layers[network->outputs[index].layer].name;
}

static kn_status add_output(kn_iospec *spec, const char *name, kn_dtype dtype, uint32_t rank, const int64_t *shape,
                            int64_t batch) {
  char *copy = kn_strdup(name);
  if (!copy) return kn_status_out_of_memory();
  kn_ioentry entry = {.name = copy, .order = (int64_t)spec->output.count, .dtype = dtype, .rank = rank};
  memcpy(entry.shape, shape, rank * sizeof *shape);
  kn_status status = settle_shape(&entry, batch, NULL);
  if (!status) status = kn_iolist_add(&spec->output, &entry);
  kn_free(copy);
  return status;
}

/* Outputs from the configuration; *out_known false where only the framework can tell a shape. */
static kn_status add_keras_outputs(const keras_network *network, int64_t batch, kn_iospec *out, bool *out_known) {
  *out_known = true;
  for (size_t i = 0; i < network->output_count; i++) {
    uint32_t rank;
    int64_t shape[KN_MAX_RANK];
    *out_known = *out_known && keras_output_shape(network, i, &rank, shape);
    if (*out_known) KN_TRY(add_output(out, output_name(network, i), KN_FLOAT32, rank, shape, batch));
  }
  return NULL;
}

/* ---- graphs ---- */

static kn_status reserve_ends(inference *loaded, size_t input_count, size_t output_count) {
  loaded->inputs = kn_alloc_array(input_count, sizeof *loaded->inputs);
  loaded->input_values = kn_alloc_array(input_count, sizeof(TF_Tensor *));
  loaded->outputs = kn_alloc_array(output_count, sizeof *loaded->outputs);
  loaded->output_values = kn_alloc_array(output_count, sizeof(TF_Tensor *));
  return loaded->inputs && loaded->input_values && loaded->outputs && loaded->output_values ? NULL
                                                                                            : kn_status_out_of_memory();
}

static kn_status build_ends(inference *loaded, graph *g, int64_t batch) {
  const keras_network *network = &g->model->network;
  kn_iospec *spec = &loaded->spec;
  for (size_t i = 0; i < spec->input.count; i++) {
    const kn_ioentry *entry = &spec->input.entries[i];
    TF_DataType type = tf_type_of(entry->dtype);
    KN_TRY(graph_placeholder(g, type, entry->rank, entry->shape, &loaded->inputs[i]));
  }
  KN_TRY(graph_build(g, loaded->inputs, loaded->outputs));
  for (size_t i = 0; i < network->output_count; i++) {
    uint32_t rank;
    int64_t shape[KN_MAX_RANK];
    KN_TRY(graph_shape(g, loaded->outputs[i], &rank, shape));
    kn_dtype dtype = tf_dtype_of(g->tf->TF_OperationOutputType(loaded->outputs[i]));
    KN_TRY(add_output(spec, output_name(network, i), dtype, rank, shape, batch));
  }
  return NULL;
}

/* The TensorFlow graph of a Keras model, and its specification. */
static kn_status build_keras(const char *path, int64_t batch, const kn_iospec *given, const char *library,
                             keras_model *model, inference *loaded) {
  KN_TRY(graph_check(&model->network, path));
  KN_TRY(add_keras_inputs(&model->network, batch, given, &loaded->spec));
  KN_TRY(reserve_ends(loaded, model->network.input_count, model->network.output_count));
  KN_TRY(tf_api_open(library, &loaded->tf));
  graph g;
  KN_TRY(graph_create(loaded->tf, model, &g));
  kn_status status = build_ends(loaded, &g, batch);
  if (!status) {
    loaded->graph = g.graph;
    loaded->grouped = g.grouped;
    g.graph = NULL;
  }
  graph_destroy(&g);
  return status;
}

static kn_status describe_keras(const char *path, int64_t batch, const char *library, kn_iospec *out_spec) {
  keras_model model;
  bool known = false;
  KN_TRY(keras_model_open(path, &model));
  kn_status status = add_keras_inputs(&model.network, batch, NULL, out_spec);
  if (!status) status = add_keras_outputs(&model.network, batch, out_spec, &known);
  if (!status && !known) {
    inference built = {0};
    status = build_keras(path, batch, NULL, library, &model, &built);
    if (!status) {
      kn_iospec_clear(out_spec);
      *out_spec = built.spec;
      built.spec = (kn_iospec){0};
    }
    inference_unload(&built);
  }
  keras_model_clear(&model);
  return status;
}

kn_status inference_describe(const char *path, int64_t batch, const char *library, kn_iospec *out_spec) {
  model_format format;
  *out_spec = (kn_iospec){0};
  KN_TRY(model_format_of(path, &format));
  kn_status status;
  if (format == MODEL_KERAS) {
    status = describe_keras(path, batch, library, out_spec);
  } else {
    saved_model model;
    KN_TRY(saved_model_read(path, &model));
    status = describe_saved(&model, batch, NULL, out_spec);
    saved_model_clear(&model);
  }
  if (status) kn_iospec_clear(out_spec);
  return kn_status_annotate(status, "while reading the specification of %s", path);
}

/* ---- loading ---- */

static kn_status load_keras(const char *path, int64_t batch, const kn_iospec *given, const char *library,
                            inference *loaded) {
  keras_model model;
  KN_TRY(keras_model_open(path, &model));
  loaded->has_sizes = true;
  loaded->file_bytes = model.file_bytes;
  loaded->weights_bytes = model.weights_bytes;
  loaded->optimizer_bytes = model.optimizer_bytes;
  kn_status status = build_keras(path, batch, given, library, &model, loaded);
  if (!status) status = session_open(loaded->tf, loaded->graph, loaded->threads, !loaded->grouped, &loaded->session);
  keras_model_clear(&model);
  return status;
}

static kn_status find_outputs(const inference *loaded, const saved_model_tensors *tensors, TF_Output *out) {
  for (size_t i = 0; i < tensors->count; i++) {
    const saved_model_tensor *tensor = &tensors->items[i];
    TF_Operation *operation = loaded->tf->TF_GraphOperationByName(loaded->graph, tensor->operation);
    if (!operation || tensor->index >= loaded->tf->TF_OperationNumOutputs(operation))
      return kn_status_make(KN_BAD_DATA, "the signature names the tensor %s:%d, which the graph does not have",
                            tensor->operation, tensor->index);
    out[i] = (TF_Output){operation, tensor->index};
  }
  return NULL;
}

static kn_status load_saved_graph(const char *path, const char *library, const saved_model *model, inference *loaded) {
  KN_TRY(reserve_ends(loaded, model->inputs.count, model->outputs.count));
  KN_TRY(tf_api_open(library, &loaded->tf));
  loaded->graph = loaded->tf->TF_NewGraph();
  if (!loaded->graph) return kn_status_out_of_memory();
  KN_TRY(kn_status_name_layers(
      session_load(loaded->tf, path, "serve", loaded->threads, loaded->graph, &loaded->session), path));
  KN_TRY(find_outputs(loaded, &model->inputs, loaded->inputs));
  return find_outputs(loaded, &model->outputs, loaded->outputs);
}

static kn_status load_saved(const char *path, int64_t batch, const kn_iospec *given, const char *library,
                            inference *loaded) {
  saved_model model;
  KN_TRY(saved_model_read(path, &model));
  kn_status status = describe_saved(&model, batch, given, &loaded->spec);
  if (!status) status = load_saved_graph(path, library, &model, loaded);
  saved_model_clear(&model);
  return status;
}

/* Puts the tensors of one side into the order of what is given, by their names. */
static kn_status bind(const kn_iolist *given, const char *what, kn_iolist *list, TF_Output *ends) {
  size_t count = list->count, *places = kn_alloc_array(count, sizeof *places);
  TF_Output *before = kn_alloc_array(count, sizeof *before);
  kn_iolist bound = {0};
  kn_status status = places && before ? NULL : kn_status_out_of_memory();
  if (!status) status = kn_iolist_bind(given, list, what, &bound, places);
  if (!status) {
    memcpy(before, ends, count * sizeof *before);
    for (size_t i = 0; i < count; i++) ends[i] = before[places[i]];
    const kn_iolist old = *list;
    *list = bound;
    bound = old;
  }
  kn_iospec_clear(&(kn_iospec){.input = bound});
  kn_free(before);
  kn_free(places);
  return status;
}

static kn_status bind_ends(const kn_iospec *given, inference *loaded) {
  if (!given) return NULL;
  KN_TRY(bind(kn_iospec_model_input(given), "input", &loaded->spec.input, loaded->inputs));
  return bind(&given->output, "output", &loaded->spec.output, loaded->outputs);
}

static kn_status allocate_inputs(inference *loaded) {
  for (size_t i = 0; i < loaded->spec.input.count; i++) {
    const kn_ioentry *entry = &loaded->spec.input.entries[i];
    size_t bytes;
    KN_TRY(kn_tensor_bytes(entry->dtype, entry->rank, entry->shape, &bytes));
    loaded->input_values[i] =
        loaded->tf->TF_AllocateTensor(tf_type_of(entry->dtype), entry->shape, (int)entry->rank, bytes);
    if (!loaded->input_values[i]) return kn_status_out_of_memory();
    memset(loaded->tf->TF_TensorData(loaded->input_values[i]), 0, bytes);
  }
  size_t position = 0;
  while (loaded->tf->TF_GraphNextOperation(loaded->graph, &position)) loaded->operation_count++;
  loaded->status = loaded->tf->TF_NewStatus();
  return loaded->status ? NULL : kn_status_out_of_memory();
}

kn_status inference_load(const char *path, int64_t batch, const kn_iospec *spec, const char *library, int64_t threads,
                         inference *out_inference) {
  model_format format;
  *out_inference = (inference){.threads = kn_thread_count(threads)};
  KN_TRY(model_format_of(path, &format));
  kn_status status = format == MODEL_KERAS ? load_keras(path, batch, spec, library, out_inference)
                                           : load_saved(path, batch, spec, library, out_inference);
  if (!status) status = bind_ends(spec, out_inference);
  if (!status) status = allocate_inputs(out_inference);
  if (status) inference_unload(out_inference);
  return kn_status_annotate(status, "while loading %s", path);
}

static void drop_outputs(inference *loaded) {
  for (size_t i = 0; i < loaded->spec.output.count; i++) {
    if (loaded->output_values[i]) loaded->tf->TF_DeleteTensor(loaded->output_values[i]);
    loaded->output_values[i] = NULL;
  }
}

void inference_unload(inference *loaded) {
  if (loaded->tf) {
    if (loaded->output_values) drop_outputs(loaded);
    for (size_t i = 0; loaded->input_values && i < loaded->spec.input.count; i++)
      if (loaded->input_values[i]) loaded->tf->TF_DeleteTensor(loaded->input_values[i]);
    session_close(loaded->tf, loaded->session);
    if (loaded->graph) loaded->tf->TF_DeleteGraph(loaded->graph);
    if (loaded->status) loaded->tf->TF_DeleteStatus(loaded->status);
  }
  kn_free(loaded->inputs);
  kn_free(loaded->input_values);
  kn_free(loaded->outputs);
  kn_free(loaded->output_values);
  kn_iospec_clear(&loaded->spec);
  *loaded = (inference){0};
}

kn_status inference_iospec(const inference *loaded, kn_iospec *out_spec) {
  if (!loaded->session) return kn_status_make(KN_INVALID_ARGUMENT, "no model is loaded");
  return kn_iospec_copy(&loaded->spec, out_spec);
}

/* ---- running ---- */

static kn_status check_view(const kn_ioentry *entry, const kn_tensor_view *view) {
  bool same = view->rank == entry->rank && (view->dtype == entry->dtype || view->dtype == KN_FLOAT32);
  for (uint32_t i = 0; same && i < entry->rank; i++) same = view->shape[i] == entry->shape[i];
  if (same) return NULL;
  return kn_status_make(KN_INVALID_ARGUMENT,
                        "the data for '%s' do not have the shape or the element type (%s) of the "
                        "model's tensor",
                        entry->name, kn_dtype_name(entry->dtype));
}

kn_status inference_set_input(inference *loaded, const kn_tensor_view *inputs, size_t count) {
  KN_TRY(kn_iolist_check_count(&loaded->spec.input, count, "input"));
  for (size_t i = 0; i < count; i++) {
    const kn_ioentry *entry = &loaded->spec.input.entries[i];
    void *data = loaded->tf->TF_TensorData(loaded->input_values[i]);
    KN_TRY(check_view(entry, &inputs[i]));
    if (inputs[i].dtype == entry->dtype)
      memcpy(data, inputs[i].data, inputs[i].bytes);
    else
      KN_TRY(kn_quantize(inputs[i].data, kn_tensor_elements(&inputs[i]), 1, 0, entry->dtype, data));
  }
  drop_outputs(loaded);
  return NULL;
}

kn_status inference_invoke(inference *loaded) {
  if (!loaded->session) return kn_status_make(KN_INVALID_ARGUMENT, "no model is loaded");
  if (loaded->output_values[0]) drop_outputs(loaded);
  loaded->tf->TF_SessionRun(loaded->session, NULL, loaded->inputs, loaded->input_values, (int)loaded->spec.input.count,
                            loaded->outputs, loaded->output_values, (int)loaded->spec.output.count, NULL, 0, NULL,
                            loaded->status);
  return tf_status_take(loaded->tf, loaded->status, "run the model");
}

kn_status inference_output(inference *loaded, const kn_tensor_view *outputs, size_t count) {
  KN_TRY(kn_iolist_check_count(&loaded->spec.output, count, "output"));
  for (size_t i = 0; i < count; i++) {
    const kn_ioentry *entry = &loaded->spec.output.entries[i];
    const TF_Tensor *value = loaded->output_values[i];
    if (!value) return kn_status_make(KN_INVALID_ARGUMENT, "the model has not run since its input was set");
    KN_TRY(check_view(entry, &outputs[i]));
    size_t bytes = loaded->tf->TF_TensorByteSize(value), elements = kn_tensor_elements(&outputs[i]);
    if (!bytes && elements) return kn_status_make(KN_INCOMPATIBLE, "the model's output '%s' is empty", entry->name);
    if (tf_dtype_of(loaded->tf->TF_TensorType(value)) != entry->dtype ||
        bytes != elements * kn_dtype_size(entry->dtype))
      return kn_status_make(KN_BACKEND_FAILED, "output '%s' has %zu bytes, not what its specification says",
                            entry->name, bytes);
    const void *data = loaded->tf->TF_TensorData(value);
    if (outputs[i].dtype == entry->dtype)
      memcpy(outputs[i].data, data, bytes);
    else
      KN_TRY(kn_dequantize(data, elements, 1, 0, entry->dtype, outputs[i].data));
  }
  return NULL;
}

/* ---- facts ---- */

/* What the file holds besides the weights. */
static kn_status describe_contents(const inference *loaded, kn_record *record) {
  KN_TRY(kn_record_set_int(record, "weights_bytes", (int64_t)loaded->weights_bytes));
  KN_TRY(kn_record_set_int(record, "optimizer_state_bytes", (int64_t)loaded->optimizer_bytes));
  return kn_record_set_int(record, "model_file_bytes", (int64_t)loaded->file_bytes);
}

kn_status inference_statistics(const inference *loaded, kn_record *out_record) {
  kn_record *delegate;
  if (!loaded->session) return kn_status_make(KN_INVALID_ARGUMENT, "no model is loaded");
  KN_TRY(kn_record_set_int(out_record, "threads", loaded->threads));
  KN_TRY(kn_record_set_int(out_record, "operators", (int64_t)loaded->operation_count));
  KN_TRY(kn_record_append_object(out_record, "delegates", &delegate));
  KN_TRY(kn_record_set_string(delegate, "name",
                              loaded->tf->onednn ? "TensorFlow CPU kernels with oneDNN" : "TensorFlow CPU kernels"));
  KN_TRY(kn_record_set_int(delegate, "operators", (int64_t)loaded->operation_count));
  KN_TRY(kn_record_set_string(out_record, "library", loaded->tf->path));
  KN_TRY(kn_record_set_string(out_record, "library_version", loaded->tf->TF_Version()));
  return loaded->has_sizes ? describe_contents(loaded, out_record) : NULL;
}
