/* Names, types and shapes of a model's inputs and outputs. */
#include "session.h"

#include <string.h>

static kn_status describe_shape(const kn_vino_api *api, const kn_vino_port *port, kn_ioentry *entry) {
  kn_vino_partial_shape shape = {0};
  int result = api->port_get_partial_shape(port, &shape);
  if (result != KN_VINO_OK) return kn_vino_fault(api, KN_BACKEND_FAILED, "does not tell a shape", result);
  bool open = shape.rank.min != shape.rank.max;
  int64_t rank = open ? -1 : shape.rank.min;
  for (int64_t k = 0; k < rank && k < KN_MAX_RANK; k++)
    entry->shape[k] = shape.dims[k].min == shape.dims[k].max ? shape.dims[k].min : -1;
  api->partial_shape_free(&shape);
  if (open || rank > KN_MAX_RANK)
    return kn_status_make(KN_INCOMPATIBLE, "'%s' has %s dimensions, which is not supported", entry->name,
                          open ? "an open number of" : "more than 8");
  entry->rank = (uint32_t)rank;
  return NULL;
}

static kn_status describe_port(const kn_vino_api *api, const kn_vino_port *port, size_t index, bool output,
                               kn_iolist *list) {
  char *name = NULL;
  int type = 0;
  /* A port without a name is an error to the engine; it gets one by its place. */
  if (api->port_get_any_name(port, &name) != KN_VINO_OK) name = NULL;
  char *entry_name = name ? kn_strdup(name) : kn_format("%s_%zu", output ? "output" : "input", index);
  api->free(name);
  if (!entry_name) return kn_status_out_of_memory();
  kn_ioentry entry = {.name = entry_name, .order = (int64_t)index};
  int result = api->port_get_element_type(port, &type);
  kn_status status =
      result == KN_VINO_OK ? NULL : kn_vino_fault(api, KN_BACKEND_FAILED, "does not tell a type", result);
  entry.dtype = kn_vino_dtype(type);
  if (!status && entry.dtype == KN_DTYPE_NONE)
    status =
        kn_status_make(KN_INCOMPATIBLE, "'%s' is of a type that is not supported as input or output (OpenVINO's %d)",
                       entry_name, type);
  if (!status) status = describe_shape(api, port, &entry);
  if (!status) status = kn_iolist_add(list, &entry);
  kn_free(entry_name);
  return status;
}

kn_status kn_vino_describe(const kn_vino_api *api, const kn_vino_model *model, bool outputs, kn_iolist *list) {
  size_t count = 0;
  int result = outputs ? api->model_outputs_size(model, &count) : api->model_inputs_size(model, &count);
  if (result != KN_VINO_OK) return kn_vino_fault(api, KN_BACKEND_FAILED, "does not count the model's ends", result);
  if (!count) return kn_status_make(KN_INCOMPATIBLE, "the model has no %s", outputs ? "output" : "input");
  for (size_t i = 0; i < count; i++) {
    kn_vino_port *port = NULL;
    result =
        outputs ? api->model_const_output_by_index(model, i, &port) : api->model_const_input_by_index(model, i, &port);
    if (result != KN_VINO_OK) return kn_vino_fault(api, KN_BACKEND_FAILED, "does not show an end of the model", result);
    kn_status status = describe_port(api, port, i, outputs, list);
    api->output_const_port_free(port);
    KN_TRY(status);
  }
  return NULL;
}

/* ---- open dimensions ---- */

/* What the specification says of the input: by name, else by position. */
static const kn_ioentry *counterpart(const kn_iolist *given, const kn_ioentry *entry, size_t index) {
  for (size_t i = 0; given && i < given->count; i++)
    if (given->entries[i].name && !strcmp(given->entries[i].name, entry->name)) return &given->entries[i];
  return given && index < given->count ? &given->entries[index] : NULL;
}

static kn_status settle_entry(kn_ioentry *entry, const kn_ioentry *said, int64_t batch, bool *out_changed) {
  for (uint32_t k = 0; k < entry->rank; k++) {
    bool open = entry->shape[k] == -1;
    if (k == 0 && !open && entry->shape[0] != batch && batch != 1)
      return kn_status_make(KN_INCOMPATIBLE,
                            "'%s' takes %lld samples at a time and not %lld: the model fixes its first dimension; set "
                            "inference_batch_size to %lld",
                            entry->name, (long long)entry->shape[0], (long long)batch, (long long)entry->shape[0]);
    if (!open) continue;
    if (k > 0 && said && said->rank == entry->rank) entry->shape[k] = said->shape[k];
    if (k == 0) entry->shape[0] = batch;
    if (entry->shape[k] < 1)
      return kn_status_make(
          KN_INCOMPATIBLE,
          "the model leaves dimension %u of its input '%s' open; give the io specification (the .json "
          "file beside the model) a concrete shape",
          k, entry->name);
    *out_changed = true;
  }
  return NULL;
}

static kn_status reshape(const kn_vino_api *api, const kn_vino_model *model, const kn_iolist *inputs, size_t *indexes,
                         kn_vino_partial_shape *shapes, kn_vino_dimension *dims) {
  for (size_t i = 0; i < inputs->count; i++) {
    const kn_ioentry *entry = &inputs->entries[i];
    indexes[i] = i;
    shapes[i] = (kn_vino_partial_shape){.rank = {entry->rank, entry->rank}, .dims = dims + i * KN_MAX_RANK};
    for (uint32_t k = 0; k < entry->rank; k++)
      shapes[i].dims[k] = (kn_vino_dimension){entry->shape[k], entry->shape[k]};
  }
  int result = api->model_reshape_by_port_indexes(model, indexes, shapes, inputs->count);
  return result == KN_VINO_OK ? NULL
                              : kn_vino_fault(api, KN_INCOMPATIBLE, "cannot give the model these shapes", result);
}

kn_status kn_vino_settle(const kn_vino_api *api, const kn_vino_model *model, const kn_load_request *request,
                         kn_iolist *inputs) {
  const kn_iolist *given = kn_iospec_model_input(request->spec);
  bool changed = false;
  for (size_t i = 0; i < inputs->count; i++)
    KN_TRY(settle_entry(&inputs->entries[i], counterpart(given, &inputs->entries[i], i), request->batch, &changed));
  if (!changed) return NULL;
  size_t *indexes = kn_alloc_array(inputs->count, sizeof *indexes);
  kn_vino_partial_shape *shapes = kn_alloc_array(inputs->count, sizeof *shapes);
  kn_vino_dimension *dims = kn_alloc_array(inputs->count, KN_MAX_RANK * sizeof *dims);
  kn_status status =
      indexes && shapes && dims ? reshape(api, model, inputs, indexes, shapes, dims) : kn_status_out_of_memory();
  kn_free(indexes);
  kn_free(shapes);
  kn_free(dims);
  return status;
}
