/* A list of labelled image files below one directory. */
#ifndef KENNING_DATASETS_IMAGE_LIST_H
#define KENNING_DATASETS_IMAGE_LIST_H

#include "datasets/faults.h"
#include "datasets/image_input.h"

typedef struct kn_image_item {
  char *name; /* relative to the root */
  int64_t label;
} kn_image_item;

typedef struct kn_image_list {
  const char *root; /* not owned */
  kn_image_item *items;
  size_t count, room;
  kn_faults faults; /* one for each file that was refused */
} kn_image_list;

/* Looks at the first bytes of `root`/`name` and appends the file. A file that is no image by name nor content is left
 * out: *out_added is false. A file that should be an image and is none is kept in mind for kn_image_list_finish. */
kn_status kn_image_list_add(kn_image_list *list, const char *name, int64_t label, bool *out_added) KN_MUST_USE;
/* The faults of all files that were refused: the first KN_FAULTS_SHOWN in full, then their number. */
kn_status kn_image_list_finish(kn_image_list *list) KN_MUST_USE;
/* The following refuse an index beyond the last item. */
kn_status kn_image_list_label(const kn_image_list *list, size_t index, int64_t *out_label) KN_MUST_USE;
/* Reads item `index` as `input` says. Thread-safe. */
kn_status kn_image_list_load(const kn_image_list *list, size_t index, const kn_image_input *input,
                             const kn_tensor_view *out) KN_MUST_USE;
kn_status kn_image_list_copy_name(const kn_image_list *list, size_t index, char *out, size_t size) KN_MUST_USE;
/* A zeroed struct is allowed. */
void kn_image_list_clear(kn_image_list *list);

#endif
