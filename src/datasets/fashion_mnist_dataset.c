/* Fashion-MNIST: Xiao, Rasul, Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning
 * Algorithms", 2017. 60,000 training and 10,000 test images of 28 x 28 grey pixels in 10 classes. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include <kenning/block.h>

#include "datasets/fashion_mnist_files.h"
#include "datasets/image_input.h"

enum {
  SIDE = KN_FASHION_MNIST_SIDE,
  PIXELS = SIDE * SIDE,
  TRAIN = KN_FASHION_MNIST_TRAIN,
  ALL = KN_FASHION_MNIST_TRAIN + KN_FASHION_MNIST_TEST
};

typedef struct fashion_mnist {
  kn_dataset_options base;
  int image_memory_layout;
  float values[256]; /* of a byte */
  kn_idx files[KN_FASHION_MNIST_FILES];
  atomic_bool images_read[KN_FASHION_MNIST_FILES]; /* images are read when the first of them is wanted */
} fashion_mnist;

/* Held while images are read. */
static pthread_mutex_t reading = PTHREAD_MUTEX_INITIALIZER;

static const char *const class_names[KN_FASHION_MNIST_CLASSES] = {
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"};

static kn_status read_file(fashion_mnist *at, kn_fashion_mnist_file file) {
  return kn_fashion_mnist_read(at->base.dataset_root, file, &at->files[file]);
}

static kn_status dataset_open(void *self) {
  fashion_mnist *at = self;
  for (int v = 0; v < 256; v++) at->values[v] = (float)v / 255.0f;
  KN_TRY(kn_fashion_mnist_provide(at->base.dataset_root, at->base.download_dataset));
  KN_TRY(read_file(at, KN_FASHION_MNIST_TRAIN_LABELS));
  return read_file(at, KN_FASHION_MNIST_TEST_LABELS);
}

static void dataset_close(void *self) {
  fashion_mnist *at = self;
  for (int i = 0; i < KN_FASHION_MNIST_FILES; i++) {
    kn_idx_clear(&at->files[i]);
    atomic_store(&at->images_read[i], false);
  }
}

static kn_status dataset_info(void *self, kn_dataset_info *out_info) {
  const fashion_mnist *at = self;
  *out_info = (kn_dataset_info){.task = KN_TASK_CLASSIFICATION,
                                .count = ALL,
                                .classes = KN_FASHION_MNIST_CLASSES,
                                .class_names = class_names,
                                .split_published = true};
  kn_image_describe(SIDE, SIDE, 1, (kn_image_layout)at->image_memory_layout, out_info);
  out_info->range[0] = 1;
  return NULL;
}

static kn_split dataset_published_split(void *self, size_t index) {
  (void)self;
  return index < TRAIN ? KN_SPLIT_TRAIN : index < ALL ? KN_SPLIT_TEST : KN_SPLIT_NONE;
}

static kn_status dataset_label(void *self, size_t index, int64_t *out_label) {
  const fashion_mnist *at = self;
  KN_TRY(kn_dataset_check_index(index, ALL));
  *out_label = index < TRAIN ? at->files[KN_FASHION_MNIST_TRAIN_LABELS].values[index]
                             : at->files[KN_FASHION_MNIST_TEST_LABELS].values[index - TRAIN];
  return NULL;
}

static kn_status want_images(fashion_mnist *at, kn_fashion_mnist_file file) {
  if (atomic_load_explicit(&at->images_read[file], memory_order_acquire)) return NULL;
  pthread_mutex_lock(&reading);
  kn_status status = NULL;
  if (!atomic_load_explicit(&at->images_read[file], memory_order_relaxed)) {
    status = read_file(at, file);
    atomic_store_explicit(&at->images_read[file], !status, memory_order_release);
  }
  pthread_mutex_unlock(&reading);
  return status;
}

static kn_status dataset_load(void *self, size_t index, const kn_tensor_view *out) {
  fashion_mnist *at = self;
  KN_TRY(kn_dataset_check_index(index, ALL));
  if (out->dtype != KN_FLOAT32 || out->bytes != PIXELS * sizeof(float))
    return kn_status_make(KN_INVALID_ARGUMENT, "a sample of Fashion-MNIST is %d float32 values", PIXELS);
  kn_fashion_mnist_file file = index < TRAIN ? KN_FASHION_MNIST_TRAIN_IMAGES : KN_FASHION_MNIST_TEST_IMAGES;
  KN_TRY(want_images(at, file));
  const uint8_t *image = at->files[file].values + (index < TRAIN ? index : index - TRAIN) * PIXELS;
  float *values = out->data;
  for (int i = 0; i < PIXELS; i++) values[i] = at->values[image[i]];
  return NULL;
}

/* ITU-R BT.601's luminance in 16 fraction bits, as Pillow's convert("L") computes it. */
static uint8_t grey_of(const uint8_t *rgb) {
  return (uint8_t)((rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 0x8000u) >> 16);
}

static kn_status dataset_load_file(void *self, const char *path, const kn_tensor_view *out) {
  const fashion_mnist *at = self;
  if (out->dtype != KN_FLOAT32 || out->bytes != PIXELS * sizeof(float))
    return kn_status_make(KN_INVALID_ARGUMENT, "a sample of Fashion-MNIST is %d float32 values", PIXELS);
  kn_image image, small;
  KN_TRY(kn_image_read(path, &image));
  for (size_t i = 0; i < (size_t)image.width * image.height; i++) {
    uint8_t *pixel = image.pixels + i * 3;
    pixel[0] = pixel[1] = pixel[2] = grey_of(pixel);
  }
  kn_status status = kn_image_resize(&image, SIDE, SIDE, KN_RESAMPLE_BICUBIC, &small);
  kn_image_clear(&image);
  if (status) return kn_status_annotate(status, "while resizing %s", path);
  float *values = out->data;
  for (size_t i = 0; i < PIXELS; i++) values[i] = at->values[small.pixels[i * 3]];
  kn_image_clear(&small);
  return NULL;
}

static kn_status dataset_sample_id(void *self, size_t index, char *out, size_t size) {
  (void)self;
  KN_TRY(kn_dataset_check_index(index, ALL));
  snprintf(out, size, index < TRAIN ? "train/%05zu" : "test/%05zu", index < TRAIN ? index : index - TRAIN);
  return NULL;
}

static const kn_option options[] = {
    {"image_memory_layout", "Order of the dimensions of an image", KN_OPTION_ENUM, 0,
     KN_FIELD(fashion_mnist, image_memory_layout), .def.i = KN_IMAGE_NHWC, .choices = kn_image_layouts},
    {0}};

static const kn_dataset_ops ops = {.struct_size = sizeof(kn_dataset_ops),
                                   .open = dataset_open,
                                   .close = dataset_close,
                                   .info = dataset_info,
                                   .published_split = dataset_published_split,
                                   .label = dataset_label,
                                   .load = dataset_load,
                                   .sample_id = dataset_sample_id,
                                   .load_file = dataset_load_file};

extern const kn_class kn_fashion_mnist_dataset_class;
const kn_class kn_fashion_mnist_dataset_class = {
    .struct_size = sizeof(kn_class),
    .name = "kenning.datasets.fashion_mnist_dataset.FashionMNISTDataset",
    .kind = KN_KIND_DATASET,
    .summary = "Fashion-MNIST: 60,000 training and 10,000 test images of clothing, 28 x 28 grey pixels, 10 classes",
    .options = options,
    .instance_size = sizeof(fashion_mnist),
    .ops = &ops};
