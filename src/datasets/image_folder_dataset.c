/* Images in a directory per class: dataset_root/<class>/<image>. Classes are numbered in the byte order of their
 * names. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <kenning/services.h>

#include "core/file.h"
#include "datasets/image_input.h"
#include "datasets/image_list.h"

typedef struct image_folder {
  kn_dataset_options base;
  int64_t image_width, image_height;
  int image_memory_layout, preprocess_type, resampling;
  kn_image_list list;
  kn_image_input input;
  char **class_names;
  size_t classes;
} image_folder;

static int not_hidden(const struct dirent *entry) { return entry->d_name[0] != '.'; }

static int by_bytes(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

static void free_entries(struct dirent **entries, int count) {
  for (int i = 0; i < count; i++) free(entries[i]);
  free(entries);
}

/* The entries of a directory in order, without the hidden ones; free with free_entries. */
static kn_status list_directory(const char *path, struct dirent ***out_entries, int *out_count) {
  *out_count = scandir(path, out_entries, not_hidden, by_bytes);
  if (*out_count >= 0) return NULL;
  *out_entries = NULL;
  *out_count = 0;
  return kn_file_input_fault(path, "list the directory", errno);
}

static bool is_directory(const char *path) {
  struct stat found;
  return !stat(path, &found) && S_ISDIR(found.st_mode);
}

/* Adds the files of one class; *out_skipped counts what is no image, also directories. */
static kn_status add_files(image_folder *at, const char *class_name, const char *path, size_t *out_skipped) {
  struct dirent **entries;
  int count;
  *out_skipped = 0;
  KN_TRY(list_directory(path, &entries, &count));
  kn_status status = NULL;
  for (int i = 0; i < count && !status; i++) {
    char *full = kn_format("%s/%s", path, entries[i]->d_name);
    const char *name = full ? full + strlen(path) - strlen(class_name) : NULL; /* "class/file" */
    bool added = false;
    if (!full)
      status = kn_status_out_of_memory();
    else if (!is_directory(full))
      status = kn_image_list_add(&at->list, name, (int64_t)at->classes, &added);
    *out_skipped += !added;
    kn_free(full);
  }
  free_entries(entries, count);
  return status;
}

static kn_status add_class(image_folder *at, const char *name, const char *path) {
  size_t before = at->list.count, faulty = at->list.faults.count, skipped;
  KN_TRY(add_files(at, name, path, &skipped));
  skipped -= at->list.faults.count - faulty;
  if (skipped)
    kn_log(KN_LOG_WARNING, "%s: %zu %s left out, not being images", path, skipped,
           skipped == 1 ? "entry is" : "entries are");
  if (before == at->list.count && faulty == at->list.faults.count)
    kn_log(KN_LOG_WARNING, "%s: the class has no images", path);
  at->class_names[at->classes] = kn_strdup(name);
  if (!at->class_names[at->classes]) return kn_status_out_of_memory();
  at->classes++;
  return NULL;
}

static kn_status add_classes(image_folder *at, struct dirent **entries, int count) {
  at->class_names = kn_alloc_array((size_t)count, sizeof *at->class_names);
  if (!at->class_names) return kn_status_out_of_memory();
  kn_status status = NULL;
  for (int i = 0; i < count && !status; i++) {
    char *path = kn_format("%s/%s", at->base.dataset_root, entries[i]->d_name);
    if (!path)
      status = kn_status_out_of_memory();
    else if (is_directory(path))
      status = add_class(at, entries[i]->d_name, path);
    kn_free(path);
  }
  return status;
}

static kn_status dataset_open(void *self) {
  image_folder *at = self;
  at->list.root = at->base.dataset_root;
  kn_image_input_make(at->image_width, at->image_height, (kn_image_layout)at->image_memory_layout,
                      (kn_resample)at->resampling, (kn_image_preprocess)at->preprocess_type, &at->input);
  struct dirent **entries;
  int count;
  KN_TRY(list_directory(at->base.dataset_root, &entries, &count));
  kn_status status = add_classes(at, entries, count);
  free_entries(entries, count);
  KN_TRY(status);
  KN_TRY(kn_image_list_finish(&at->list));
  if (!at->list.count)
    return kn_status_make(KN_BAD_DATA,
                          "%s: the data set is empty: a directory per class is expected here, with JPEG or PNG images "
                          "in it",
                          at->base.dataset_root);
  return NULL;
}

static void dataset_close(void *self) {
  image_folder *at = self;
  kn_image_list_clear(&at->list);
  for (size_t i = 0; i < at->classes; i++) kn_free(at->class_names[i]);
  kn_free(at->class_names);
  at->class_names = NULL;
  at->classes = 0;
}

static kn_status dataset_info(void *self, kn_dataset_info *out_info) {
  const image_folder *at = self;
  *out_info = (kn_dataset_info){.task = KN_TASK_CLASSIFICATION,
                                .count = at->list.count,
                                .classes = (int64_t)at->classes,
                                .class_names = (const char *const *)at->class_names};
  kn_image_input_describe(&at->input, out_info);
  return NULL;
}

static kn_status dataset_label(void *self, size_t index, int64_t *out_label) {
  const image_folder *at = self;
  return kn_image_list_label(&at->list, index, out_label);
}

static kn_status dataset_load_file(void *self, const char *path, const kn_tensor_view *out) {
  const image_folder *at = self;
  return kn_image_input_load(&at->input, path, out);
}

static kn_status dataset_load(void *self, size_t index, const kn_tensor_view *out) {
  const image_folder *at = self;
  return kn_image_list_load(&at->list, index, &at->input, out);
}

static kn_status dataset_sample_id(void *self, size_t index, char *out, size_t size) {
  const image_folder *at = self;
  return kn_image_list_copy_name(&at->list, index, out, size);
}

static const kn_choice resamplings[] = {{"nearest", KN_RESAMPLE_NEAREST, "the nearest pixel"},
                                        {"box", KN_RESAMPLE_BOX, "mean of the pixels covered"},
                                        {"bilinear", KN_RESAMPLE_BILINEAR, "triangle filter"},
                                        {"hamming", KN_RESAMPLE_HAMMING, "Hamming-windowed sinc"},
                                        {"bicubic", KN_RESAMPLE_BICUBIC, "cubic convolution (the default of Pillow)"},
                                        {"lanczos", KN_RESAMPLE_LANCZOS, "sinc windowed over three lobes"},
                                        {0}};

static const kn_option options[] = {
    {"image_width", "Width of a sample in pixels; images are resized to it", KN_OPTION_INT, 0,
     KN_FIELD(image_folder, image_width), .def.i = 224, .min = 1, .max = 16384},
    {"image_height", "Height of a sample in pixels; images are resized to it", KN_OPTION_INT, 0,
     KN_FIELD(image_folder, image_height), .def.i = 224, .min = 1, .max = 16384},
    {"image_memory_layout", "Order of the dimensions of an image", KN_OPTION_ENUM, 0,
     KN_FIELD(image_folder, image_memory_layout), .def.i = KN_IMAGE_NHWC, .choices = kn_image_layouts},
    {"preprocess_type", "What is done to the values of a pixel", KN_OPTION_ENUM, 0,
     KN_FIELD(image_folder, preprocess_type), .def.i = KN_IMAGE_PREPROCESS_TORCH, .choices = kn_image_preprocesses},
    {"resampling", "Filter that resizes images", KN_OPTION_ENUM, 0, KN_FIELD(image_folder, resampling),
     .def.i = KN_RESAMPLE_BICUBIC, .choices = resamplings},
    {0}};

static const kn_dataset_ops ops = {.struct_size = sizeof(kn_dataset_ops),
                                   .open = dataset_open,
                                   .close = dataset_close,
                                   .info = dataset_info,
                                   .label = dataset_label,
                                   .load = dataset_load,
                                   .sample_id = dataset_sample_id,
                                   .load_file = dataset_load_file};

extern const kn_class kn_image_folder_dataset_class;
const kn_class kn_image_folder_dataset_class = {.struct_size = sizeof(kn_class),
                                                .name = "kenning.datasets.image_folder_dataset.ImageFolderDataset",
                                                .kind = KN_KIND_DATASET,
                                                .summary = "JPEG and PNG images in a directory per class",
                                                .options = options,
                                                .instance_size = sizeof(image_folder),
                                                .ops = &ops};
