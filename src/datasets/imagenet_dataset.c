/* ImageNet: Russakovsky et al., "ImageNet Large Scale Visual Recognition Challenge", 2015. Photographs of 1000 classes,
 * in the layout of the original: dataset_root/images/ and dataset_root/labels.json. */
#include "datasets/image_input.h"
#include "datasets/image_list.h"
#include "datasets/imagenet_labels.h"

/* Images are resized to a square of this side. */
enum { SIDE = 224 };

typedef struct imagenet {
  kn_dataset_options base;
  int image_memory_layout, preprocess_type;
  char *class_names;
  kn_class_map map;
  kn_image_list list;
  kn_image_input input;
} imagenet;

static kn_status add_images(imagenet *at, const kn_image_labels *labels) {
  at->list.root = at->base.dataset_root;
  for (size_t i = 0; i < labels->count; i++) {
    char *name = kn_format("images/%s", labels->items[i].image);
    if (!name) return kn_status_out_of_memory();
    bool added;
    size_t faulty = at->list.faults.count;
    kn_status status = kn_image_list_add(&at->list, name, labels->items[i].label, &added);
    if (!status && !added && faulty == at->list.faults.count)
      status = kn_status_make_at(KN_BAD_DATA, name, "labels.json names it, but it is not a JPEG or PNG image");
    kn_free(name);
    KN_TRY(status);
  }
  return kn_image_list_finish(&at->list);
}

static kn_status read_labels(imagenet *at, kn_image_labels *out_labels) {
  char *path = kn_format("%s/labels.json", at->base.dataset_root);
  if (!path) return kn_status_out_of_memory();
  kn_status status = kn_image_labels_read(path, &at->map, out_labels);
  if (kn_status_code(status) == KN_NOT_FOUND) {
    kn_status_free(status);
    status = kn_status_make(KN_NOT_FOUND,
                            "%s is missing. ImageNet has to be downloaded by hand, its terms ask for it%s: put the "
                            "images into %s/images, and a file labels.json beside that, such as {\"file1.png\": 1, "
                            "\"file2.png\": 853}",
                            path, at->base.download_dataset ? " (download_dataset cannot)" : "", at->base.dataset_root);
  }
  kn_free(path);
  return status;
}

static kn_status dataset_open(void *self) {
  imagenet *at = self;
  kn_image_input_make(SIDE, SIDE, (kn_image_layout)at->image_memory_layout, KN_RESAMPLE_BICUBIC,
                      (kn_image_preprocess)at->preprocess_type, &at->input);
  KN_TRY(kn_class_map_read(at->class_names, &at->map));
  kn_image_labels labels = {0};
  KN_TRY(read_labels(at, &labels));
  kn_status status = add_images(at, &labels);
  kn_image_labels_clear(&labels);
  return status;
}

static void dataset_close(void *self) {
  imagenet *at = self;
  kn_image_list_clear(&at->list);
  kn_class_map_clear(&at->map);
}

static kn_status dataset_info(void *self, kn_dataset_info *out_info) {
  const imagenet *at = self;
  *out_info = (kn_dataset_info){.task = KN_TASK_CLASSIFICATION,
                                .count = at->list.count,
                                .classes = (int64_t)at->map.count,
                                .class_names = (const char *const *)at->map.names};
  kn_image_input_describe(&at->input, out_info);
  return NULL;
}

static kn_status dataset_label(void *self, size_t index, int64_t *out_label) {
  const imagenet *at = self;
  return kn_image_list_label(&at->list, index, out_label);
}

static kn_status dataset_load(void *self, size_t index, const kn_tensor_view *out) {
  const imagenet *at = self;
  return kn_image_list_load(&at->list, index, &at->input, out);
}

static kn_status dataset_sample_id(void *self, size_t index, char *out, size_t size) {
  const imagenet *at = self;
  return kn_image_list_copy_name(&at->list, index, out, size);
}

static kn_status dataset_load_file(void *self, const char *path, const kn_tensor_view *out) {
  const imagenet *at = self;
  return kn_image_input_load(&at->input, path, out);
}

static const kn_option options[] = {
    {"image_memory_layout", "Order of the dimensions of an image", KN_OPTION_ENUM, 0,
     KN_FIELD(imagenet, image_memory_layout), .def.i = KN_IMAGE_NHWC, .choices = kn_image_layouts},
    {"preprocess_type", "What is done to the values of a pixel", KN_OPTION_ENUM, 0, KN_FIELD(imagenet, preprocess_type),
     .def.i = KN_IMAGE_PREPROCESS_CAFFE, .choices = kn_image_preprocesses},
    {"class_names", "Names of the classes: a text file with one per line, or JSON; default: their numbers",
     KN_OPTION_PATH, KN_OPTION_NULLABLE | KN_OPTION_INPUT | KN_OPTION_RESOURCE, KN_FIELD(imagenet, class_names)},
    {0}};

static const kn_dataset_ops ops = {.struct_size = sizeof(kn_dataset_ops),
                                   .open = dataset_open,
                                   .close = dataset_close,
                                   .info = dataset_info,
                                   .label = dataset_label,
                                   .load = dataset_load,
                                   .sample_id = dataset_sample_id,
                                   .load_file = dataset_load_file};

extern const kn_class kn_imagenet_dataset_class;
const kn_class kn_imagenet_dataset_class = {.struct_size = sizeof(kn_class),
                                            .name = "kenning.datasets.imagenet_dataset.ImageNetDataset",
                                            .kind = KN_KIND_DATASET,
                                            .summary = "ImageNet 2012: photographs of 1000 classes, downloaded by hand",
                                            .options = options,
                                            .instance_size = sizeof(imagenet),
                                            .ops = &ops};
