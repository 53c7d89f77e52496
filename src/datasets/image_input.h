/* How an image becomes the input of a model: size, resampling, pixel values, memory layout. */
#ifndef KENNING_DATASETS_IMAGE_INPUT_H
#define KENNING_DATASETS_IMAGE_INPUT_H

#include <kenning/block.h>

#include "imaging/pixels.h"
#include "imaging/resize.h"

typedef enum kn_image_layout { KN_IMAGE_NHWC = 0, KN_IMAGE_NCHW } kn_image_layout;

/* Choices of the option image_memory_layout. */
extern const kn_choice kn_image_layouts[];

/* What is done to the bytes 0..255 of a pixel. The names are those of the original's option preprocess_type. */
typedef enum kn_image_preprocess {
  KN_IMAGE_PREPROCESS_TORCH = 0, /* 0..1, minus ImageNet's mean, over its standard deviation */
  KN_IMAGE_PREPROCESS_TF,        /* -1..1 */
  KN_IMAGE_PREPROCESS_CAFFE,     /* 0..255 minus ImageNet's mean, blue first */
  KN_IMAGE_PREPROCESS_UNIT,      /* 0..1 */
  KN_IMAGE_PREPROCESS_NONE       /* 0..255 */
} kn_image_preprocess;

/* Choices of the option preprocess_type. */
extern const kn_choice kn_image_preprocesses[];

typedef struct kn_image_input {
  uint32_t width, height;
  kn_image_layout layout;
  kn_resample resampling;
  kn_pixel_table table;
} kn_image_input;

void kn_image_input_make(int64_t width, int64_t height, kn_image_layout layout, kn_resample resampling,
                         kn_image_preprocess preprocess, kn_image_input *out_input);
/* Reads an image file into a float32 tensor of the described shape. Thread-safe. */
kn_status kn_image_input_load(const kn_image_input *input, const char *path, const kn_tensor_view *out) KN_MUST_USE;

/* Fills dtype, rank, shape and layout of float32 images. */
void kn_image_describe(int64_t width, int64_t height, int64_t channels, kn_image_layout layout,
                       kn_dataset_info *out_info);
/* The same and the range for the samples that kn_image_input_load makes. */
void kn_image_input_describe(const kn_image_input *input, kn_dataset_info *out_info);

#endif
