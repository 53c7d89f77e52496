#include "wire/iolayout.h"

static kn_dtype wire_dtype(const kn_ioentry *entry) {
  if (!entry->quantized) return entry->dtype;
  return entry->prequantized_dtype ? entry->prequantized_dtype : KN_FLOAT32;
}

/* Entries without an order come behind those with one, as they stand. */
static bool before(const kn_iolist *list, size_t a, size_t b) {
  uint64_t one = (uint64_t)list->entries[a].order, other = (uint64_t)list->entries[b].order;
  return one != other ? one < other : a < b;
}

static kn_status lay_out(const kn_iolist *list, size_t limit, kn_iolayout *layout) {
  for (size_t i = 0; i < list->count; i++) {
    const kn_ioentry *entry = &list->entries[i];
    kn_tensor_view *view = &layout->views[i];
    view->dtype = wire_dtype(entry);
    view->rank = entry->rank;
    for (uint32_t k = 0; k < entry->rank; k++) {
      if (entry->shape[k] < 0)
        return kn_status_make(KN_INCOMPATIBLE, "dimension %u of '%s' is open: a target needs the size", (unsigned)k,
                              entry->name);
      view->shape[k] = entry->shape[k];
    }
    KN_TRY(kn_tensor_bytes(view->dtype, view->rank, view->shape, &view->bytes));
    if (!kn_add_size(layout->bytes, view->bytes, &layout->bytes) || layout->bytes > limit)
      return kn_status_make(KN_INCOMPATIBLE, "the tensors take more than the %zu bytes that a message may have", limit);
  }
  for (size_t i = 0; i < list->count; i++)
    for (size_t k = 0; k < list->count; k++)
      if (k != i && before(list, k, i)) layout->offsets[i] += layout->views[k].bytes;
  for (size_t i = 0; i < list->count; i++) /* engines take aligned values */
    if (layout->offsets[i] % kn_dtype_size(layout->views[i].dtype))
      return kn_status_make(KN_INCOMPATIBLE, "'%s' does not begin at a multiple of its element size in the message",
                            list->entries[i].name);
  return NULL;
}

kn_status kn_iolayout_create(const kn_iolist *list, size_t limit, kn_iolayout *out_layout) {
  *out_layout = (kn_iolayout){.count = list->count};
  out_layout->views = kn_alloc_array(list->count, sizeof *out_layout->views);
  out_layout->offsets = kn_alloc_array(list->count, sizeof *out_layout->offsets);
  kn_status status =
      out_layout->views && out_layout->offsets ? lay_out(list, limit, out_layout) : kn_status_out_of_memory();
  if (status) kn_iolayout_clear(out_layout);
  return status;
}

void kn_iolayout_clear(kn_iolayout *layout) {
  kn_free(layout->views);
  kn_free(layout->offsets);
  *layout = (kn_iolayout){0};
}

void kn_iolayout_place(kn_iolayout *layout, void *payload) {
  for (size_t i = 0; i < layout->count; i++) layout->views[i].data = (char *)payload + layout->offsets[i];
}
