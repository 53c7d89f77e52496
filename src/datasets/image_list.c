#include "datasets/image_list.h"

#include <string.h>

#include <kenning/services.h>

#include "imaging/image.h"

enum { FIRST_ROOM = 256 };

static kn_status append(kn_image_list *list, const char *name, int64_t label) {
  if (list->count == list->room) {
    size_t room = list->room ? list->room * 2 : FIRST_ROOM, bytes;
    kn_image_item *items = kn_mul_size(room, sizeof *items, &bytes) ? kn_realloc(list->items, bytes) : NULL;
    if (!items) return kn_status_out_of_memory();
    list->items = items;
    list->room = room;
  }
  char *copy = kn_strdup(name);
  if (!copy) return kn_status_out_of_memory();
  list->items[list->count++] = (kn_image_item){copy, label};
  return NULL;
}

static char *join(const char *root, const char *name) { return kn_format("%s/%s", root, name); }

kn_status kn_image_list_add(kn_image_list *list, const char *name, int64_t label, bool *out_added) {
  *out_added = false;
  if (kn_cancelled()) return kn_status_make(KN_CANCELLED, "stopped while looking through %s", list->root);
  char *path = join(list->root, name);
  if (!path) return kn_status_out_of_memory();
  bool is_image;
  kn_status fault = kn_image_check_file(path, &is_image);
  kn_free(path);
  if (fault) return kn_faults_keep(&list->faults, fault);
  if (!is_image) return NULL;
  KN_TRY(append(list, name, label));
  *out_added = true;
  return NULL;
}

kn_status kn_image_list_finish(kn_image_list *list) {
  return kn_faults_take(&list->faults, list->root, "files cannot be used");
}

kn_status kn_image_list_label(const kn_image_list *list, size_t index, int64_t *out_label) {
  KN_TRY(kn_dataset_check_index(index, list->count));
  *out_label = list->items[index].label;
  return NULL;
}

kn_status kn_image_list_load(const kn_image_list *list, size_t index, const kn_image_input *input,
                             const kn_tensor_view *out) {
  KN_TRY(kn_dataset_check_index(index, list->count));
  char *path = join(list->root, list->items[index].name);
  if (!path) return kn_status_out_of_memory();
  kn_status status = kn_image_input_load(input, path, out);
  kn_free(path);
  return status;
}

kn_status kn_image_list_copy_name(const kn_image_list *list, size_t index, char *out, size_t size) {
  KN_TRY(kn_dataset_check_index(index, list->count));
  const char *name = list->items[index].name;
  size_t length = strlen(name);
  if (length >= size)
    return kn_status_make(KN_INVALID_ARGUMENT, "%s/%s: the name takes %zu bytes, there is room for %zu", list->root,
                          name, length + 1, size);
  memcpy(out, name, length + 1);
  return NULL;
}

void kn_image_list_clear(kn_image_list *list) {
  for (size_t i = 0; i < list->count; i++) kn_free(list->items[i].name);
  kn_free(list->items);
  kn_status_free(list->faults.shown);
  *list = (kn_image_list){0};
}
