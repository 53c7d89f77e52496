/* Inputs and outputs of a loaded model against an io specification, and tensors against both. */
#include <string.h>

#include <kenning/iospec.h>

static kn_status compare(const kn_ioentry *given, const kn_ioentry *found) {
  bool same =
      given->rank == found->rank && (given->dtype == found->dtype || (given->dtype == KN_FLOAT32 && found->quantized));
  for (uint32_t k = 1; same && k < given->rank; k++) same = given->shape[k] == -1 || given->shape[k] == found->shape[k];
  if (same) return NULL;
  char *said = kn_shape_text(given->rank, given->shape), *is = kn_shape_text(found->rank, found->shape);
  kn_status status = said && is ? kn_status_make(KN_INCOMPATIBLE,
                                                 "the io specification says '%s' is %s [%s], but the model's '%s' is "
                                                 "%s [%s]: remove or mend the .json file beside the model",
                                                 given->name ? given->name : "", kn_dtype_name(given->dtype), said,
                                                 found->name, kn_dtype_name(found->dtype), is)
                                : kn_status_out_of_memory();
  kn_free(said);
  kn_free(is);
  return status;
}

/* Place in `list` of an entry called `name`; `otherwise` where there is none. */
static size_t find(const kn_iolist *list, const char *name, size_t otherwise) {
  for (size_t i = 0; name && i < list->count; i++)
    if (list->entries[i].name && !strcmp(list->entries[i].name, name)) return i;
  return otherwise;
}

/* Dimensions that `entry` leaves free, but the first. */
static void fill_shape(kn_ioentry *entry, const kn_ioentry *from) {
  for (uint32_t k = 1; from->rank == entry->rank && k < entry->rank; k++)
    if (entry->shape[k] == -1) entry->shape[k] = from->shape[k];
}

/* Names are the model's, or none is, as where the specification is of the model that this one was made of: then the
 * order counts. Some of them would be guessed. */
static kn_status check_names(const kn_iolist *given, const kn_iolist *found, const char *what) {
  const char *stranger = NULL;
  size_t known = 0;
  for (size_t i = 0; i < given->count; i++) {
    const char *name = given->entries[i].name;
    if (find(found, name, found->count) < found->count)
      known++;
    else if (!stranger)
      stranger = name ? name : "";
  }
  if (!known || !stranger) return NULL;
  return kn_status_make(
      KN_INCOMPATIBLE, "the io specification has the %s '%s', which the model does not have, beside others that it has",
      what, stranger);
}

static kn_status bind(const kn_iolist *given, const kn_iolist *found, const char *what, kn_iolist *out_list,
                      size_t *out_places) {
  for (size_t i = 0; i < found->count; i++) {
    const kn_ioentry *said = given ? &given->entries[i] : NULL;
    size_t place = said ? find(found, said->name, i) : i;
    for (size_t k = 0; k < i; k++)
      if (out_places[k] == place)
        return kn_status_make(KN_INCOMPATIBLE, "the io specification names the model's %s '%s' twice", what,
                              found->entries[place].name);
    kn_ioentry entry = found->entries[place];
    entry.order = (int64_t)place;
    if (said) {
      KN_TRY(compare(said, &entry));
      if (said->order >= 0) entry.order = said->order;
      if (said->prequantized_dtype != KN_DTYPE_NONE) entry.prequantized_dtype = said->prequantized_dtype;
      entry.class_name = said->class_name;
      if (said->quantized && !entry.quantized && said->dtype == entry.dtype) {
        entry.quantized = true;
        entry.scale = said->scale;
        entry.zero_point = said->zero_point;
      }
    }
    out_places[i] = place;
    KN_TRY(kn_iolist_add(out_list, &entry));
  }
  return NULL;
}

kn_status kn_iolist_bind(const kn_iolist *given, const kn_iolist *found, const char *what, kn_iolist *out_list,
                         size_t *out_places) {
  if (given && !given->count) given = NULL;
  if (given && given->count != found->count)
    return kn_status_make(KN_INCOMPATIBLE, "the io specification has %zu %s(s), the model %zu", given->count, what,
                          found->count);
  if (given) KN_TRY(check_names(given, found, what));
  return bind(given, found, what, out_list, out_places);
}

kn_status kn_iolist_inherit(kn_iolist *list, const kn_iolist *before) {
  for (size_t i = 0; i < list->count; i++) {
    kn_ioentry *entry = &list->entries[i];
    size_t place = find(before, entry->name, i);
    if (place >= before->count) continue;
    const kn_ioentry *origin = &before->entries[place];
    fill_shape(entry, origin);
    if (origin->quantized && !entry->quantized && origin->dtype == entry->dtype) {
      entry->quantized = true;
      entry->scale = origin->scale;
      entry->zero_point = origin->zero_point;
      entry->prequantized_dtype = origin->prequantized_dtype;
    }
    if (entry->class_name || !origin->class_name) continue;
    entry->class_name = kn_strdup(origin->class_name);
    if (!entry->class_name) return kn_status_out_of_memory();
  }
  return NULL;
}

static kn_status check(const kn_ioentry *entry, const kn_tensor_view *view, size_t *out_elements) {
  size_t bytes;
  KN_TRY(kn_tensor_bytes(entry->dtype, entry->rank, entry->shape, &bytes));
  *out_elements = bytes / kn_dtype_size(entry->dtype);
  if (view->dtype != entry->dtype && !(view->dtype == KN_FLOAT32 && entry->quantized))
    return kn_status_make(KN_INVALID_ARGUMENT, "'%s' is %s in the model; %s cannot be exchanged with it", entry->name,
                          kn_dtype_name(entry->dtype), kn_dtype_name(view->dtype));
  if (kn_tensor_elements(view) != *out_elements || view->bytes != *out_elements * kn_dtype_size(view->dtype))
    return kn_status_make(KN_INVALID_ARGUMENT, "'%s' has %zu elements in the model, the tensor handed over %zu",
                          entry->name, *out_elements, kn_tensor_elements(view));
  return NULL;
}

kn_status kn_ioentry_store(const kn_ioentry *entry, const kn_tensor_view *view, void *out) {
  size_t elements;
  KN_TRY(check(entry, view, &elements));
  if (view->dtype != entry->dtype)
    return kn_quantize(view->data, elements, entry->scale, entry->zero_point, entry->dtype, out);
  memcpy(out, view->data, view->bytes);
  return NULL;
}

kn_status kn_ioentry_fetch(const kn_ioentry *entry, const void *from, const kn_tensor_view *out) {
  size_t elements;
  KN_TRY(check(entry, out, &elements));
  if (out->dtype != entry->dtype)
    return kn_dequantize(from, elements, entry->scale, entry->zero_point, entry->dtype, out->data);
  memcpy(out->data, from, out->bytes);
  return NULL;
}
