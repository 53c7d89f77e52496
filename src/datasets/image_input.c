#include "datasets/image_input.h"

const kn_choice kn_image_layouts[] = {
    {"NHWC", KN_IMAGE_NHWC, "height, width, channels"}, {"NCHW", KN_IMAGE_NCHW, "channels, height, width"}, {0}};

const kn_choice kn_image_preprocesses[] = {
    {"torch", KN_IMAGE_PREPROCESS_TORCH, "values 0 to 1, minus ImageNet's mean, over its standard deviation"},
    {"tf", KN_IMAGE_PREPROCESS_TF, "values -1 to 1"},
    {"caffe", KN_IMAGE_PREPROCESS_CAFFE, "values 0 to 255 minus ImageNet's mean; blue, green, red"},
    {"unit", KN_IMAGE_PREPROCESS_UNIT, "values 0 to 1"},
    {"none", KN_IMAGE_PREPROCESS_NONE, "values 0 to 255"},
    {0}};

/* ImageNet's mean and standard deviation of red, green and blue in 0..1, and the means of blue, green and red in
 * 0..255 that Caffe's reference models were trained with. */
static const struct preprocess {
  float divisor, offset[3], deviation[3];
  bool blue_first;
} preprocesses[] = {
    [KN_IMAGE_PREPROCESS_TORCH] = {255.0f, {0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}, false},
    [KN_IMAGE_PREPROCESS_TF] = {127.5f, {1, 1, 1}, {1, 1, 1}, false},
    [KN_IMAGE_PREPROCESS_CAFFE] = {1, {103.939f, 116.779f, 123.68f}, {1, 1, 1}, true},
    [KN_IMAGE_PREPROCESS_UNIT] = {255.0f, {0, 0, 0}, {1, 1, 1}, false},
    [KN_IMAGE_PREPROCESS_NONE] = {1, {0, 0, 0}, {1, 1, 1}, false},
};

void kn_image_input_make(int64_t width, int64_t height, kn_image_layout layout, kn_resample resampling,
                         kn_image_preprocess preprocess, kn_image_input *out_input) {
  const struct preprocess *at = &preprocesses[preprocess];
  *out_input = (kn_image_input){
      .width = (uint32_t)width, .height = (uint32_t)height, .layout = layout, .resampling = resampling};
  kn_pixel_table_make(at->divisor, at->offset, at->deviation, at->blue_first, &out_input->table);
}

kn_status kn_image_input_load(const kn_image_input *input, const char *path, const kn_tensor_view *out) {
  kn_image image, resized;
  KN_TRY(kn_image_read(path, &image));
  kn_status status = kn_image_resize(&image, input->width, input->height, input->resampling, &resized);
  kn_image_clear(&image);
  if (status) return kn_status_annotate(status, "while resizing %s", path);
  status = kn_pixels_write(&resized, &input->table, input->layout == KN_IMAGE_NCHW, out);
  kn_image_clear(&resized);
  return status;
}

void kn_image_describe(int64_t width, int64_t height, int64_t channels, kn_image_layout layout,
                       kn_dataset_info *out_info) {
  bool planar = layout == KN_IMAGE_NCHW;
  out_info->dtype = KN_FLOAT32;
  out_info->rank = 3;
  out_info->shape[0] = planar ? channels : height;
  out_info->shape[1] = planar ? height : width;
  out_info->shape[2] = planar ? width : channels;
  out_info->layout = kn_image_layouts[layout].name;
}

void kn_image_input_describe(const kn_image_input *input, kn_dataset_info *out_info) {
  kn_image_describe(input->width, input->height, 3, input->layout, out_info);
  for (int c = 0; c < 3; c++) out_info->range[c] = (double)input->table.values[c][255] - input->table.values[c][0];
}
