/* Pooling, padding, cropping, reshaping, resizing. Tensors are [N,H,W,C]. */
#include "graph.h"

#include <string.h>

static kn_status image_shape(graph *g, const graph_call *call, int64_t shape[KN_MAX_RANK]) {
  uint32_t rank;
  KN_TRY(graph_shape(g, call->inputs[0], &rank, shape));
  return rank == 4 ? NULL : graph_refuse(g, call, "its input is not [N,H,W,C]");
}

static kn_status pool(graph *g, const graph_call *call, const char *type, TF_Output *out) {
  int64_t shape[KN_MAX_RANK], size[4] = {1, 0, 0, 1}, strides[4] = {1, 0, 0, 1};
  KN_TRY(image_shape(g, call, shape));
  if (!keras_integers(call->layer->config, "pool_size", size + 1, 2) || size[1] < 1 || size[2] < 1)
    return graph_damaged(g, call, "pool_size");
  if (!keras_integers(call->layer->config, "strides", strides + 1, 2)) memcpy(strides, size, sizeof strides);
  if (strides[1] < 1 || strides[2] < 1) return graph_damaged(g, call, "strides");
  bool same = strcmp(keras_text(call->layer->config, "padding", "valid"), "same") == 0;
  TF_OperationDescription *operation = graph_begin(g, type);
  g->tf->TF_AddInput(operation, call->inputs[0]);
  g->tf->TF_SetAttrIntList(operation, "ksize", size, 4);
  g->tf->TF_SetAttrIntList(operation, "strides", strides, 4);
  g->tf->TF_SetAttrString(operation, "padding", same ? "SAME" : "VALID", same ? 4 : 5);
  return graph_end(g, operation, out);
}

static kn_status build_max_pool(graph *g, const graph_call *call, TF_Output *out) {
  return pool(g, call, "MaxPool", out);
}
static kn_status build_average_pool(graph *g, const graph_call *call, TF_Output *out) {
  return pool(g, call, "AvgPool", out);
}

static kn_status reduce_image(graph *g, const graph_call *call, const char *type, TF_Output *out) {
  int64_t shape[KN_MAX_RANK];
  const int64_t height_and_width[2] = {1, 2};
  TF_Output axes;
  KN_TRY(image_shape(g, call, shape));
  KN_TRY(graph_integers(g, height_and_width, 2, &axes));
  TF_OperationDescription *operation = graph_begin(g, type);
  g->tf->TF_AddInput(operation, call->inputs[0]);
  g->tf->TF_AddInput(operation, axes);
  g->tf->TF_SetAttrBool(operation, "keep_dims", keras_bool(call->layer->config, "keepdims", false));
  return graph_end(g, operation, out);
}

static kn_status build_global_average(graph *g, const graph_call *call, TF_Output *out) {
  return reduce_image(g, call, "Mean", out);
}
static kn_status build_global_max(graph *g, const graph_call *call, TF_Output *out) {
  return reduce_image(g, call, "Max", out);
}

/* [[top, bottom], [left, right]], [height, width] or one number, of `key` */
static kn_status read_margins(const graph *g, const graph_call *call, const char *key, int64_t margins[2][2]) {
  yyjson_val *value = yyjson_obj_get(call->layer->config, key);
  int64_t both[2];
  bool read = true;
  for (size_t i = 0; i < 2; i++) {
    yyjson_val *pair = yyjson_arr_get(value, i);
    for (size_t k = 0; k < 2 && yyjson_is_arr(pair); k++) {
      read = read && yyjson_is_int(yyjson_arr_get(pair, k));
      margins[i][k] = yyjson_get_sint(yyjson_arr_get(pair, k));
    }
  }
  if (!yyjson_is_arr(yyjson_arr_get_first(value))) {
    read = keras_integers(call->layer->config, key, both, 2);
    for (size_t i = 0; i < 2; i++) margins[i][0] = margins[i][1] = read ? both[i] : 0;
  }
  for (size_t i = 0; i < 2; i++)
    for (size_t k = 0; k < 2; k++) read = read && margins[i][k] >= 0 && margins[i][k] < INT32_MAX / 4;
  return read ? NULL : graph_damaged(g, call, key);
}

static kn_status build_padding(graph *g, const graph_call *call, TF_Output *out) {
  int64_t shape[KN_MAX_RANK], margins[2][2] = {{0}};
  KN_TRY(image_shape(g, call, shape));
  KN_TRY(read_margins(g, call, "padding", margins));
  int32_t pads[8] = {
      0, 0, (int32_t)margins[0][0], (int32_t)margins[0][1], (int32_t)margins[1][0], (int32_t)margins[1][1], 0, 0};
  const int64_t pads_shape[2] = {4, 2};
  TF_Output paddings;
  KN_TRY(graph_constant(g, TF_INT32, 2, pads_shape, pads, sizeof pads, &paddings));
  return graph_binary(g, "Pad", call->inputs[0], paddings, out);
}

static kn_status build_cropping(graph *g, const graph_call *call, TF_Output *out) {
  int64_t shape[KN_MAX_RANK], margins[2][2] = {{0}}, begin[4] = {0}, size[4] = {-1, -1, -1, -1};
  KN_TRY(image_shape(g, call, shape));
  KN_TRY(read_margins(g, call, "cropping", margins));
  for (size_t i = 0; i < 2; i++) {
    begin[i + 1] = margins[i][0];
    size[i + 1] = shape[i + 1] - margins[i][0] - margins[i][1];
    if (shape[i + 1] < 0) return graph_refuse(g, call, "height and width of its input are not fixed");
    if (size[i + 1] < 1) return graph_damaged(g, call, "cropping");
  }
  TF_Output begins, sizes;
  KN_TRY(graph_integers(g, begin, 4, &begins));
  KN_TRY(graph_integers(g, size, 4, &sizes));
  TF_OperationDescription *operation = graph_begin(g, "Slice");
  g->tf->TF_AddInput(operation, call->inputs[0]);
  g->tf->TF_AddInput(operation, begins);
  g->tf->TF_AddInput(operation, sizes);
  return graph_end(g, operation, out);
}

/* Product of the dimensions of one sample. */
static kn_status sample_elements(graph *g, const graph_call *call, int64_t *out_elements) {
  uint32_t rank;
  int64_t shape[KN_MAX_RANK];
  KN_TRY(graph_shape(g, call->inputs[0], &rank, shape));
  *out_elements = 1;
  for (uint32_t i = 1; i < rank; i++) {
    if (shape[i] < 0) return graph_refuse(g, call, "the shape of its input is not fixed");
    if (__builtin_mul_overflow(*out_elements, shape[i], out_elements))
      return graph_refuse(g, call, "its input is impossibly large");
  }
  return NULL;
}

static kn_status build_flatten(graph *g, const graph_call *call, TF_Output *out) {
  int64_t shape[2] = {-1, 0};
  KN_TRY(sample_elements(g, call, &shape[1]));
  return graph_reshape(g, call->inputs[0], shape, 2, out);
}

static kn_status build_reshape(graph *g, const graph_call *call, TF_Output *out) {
  int64_t shape[KN_MAX_RANK] = {-1}, elements, known = 1;
  yyjson_val *target = yyjson_obj_get(call->layer->config, "target_shape");
  size_t count = yyjson_arr_size(target), unknown = 0;
  if (count + 1 > KN_MAX_RANK) return graph_damaged(g, call, "target_shape");
  KN_TRY(sample_elements(g, call, &elements));
  for (size_t i = 0; i < count; i++) {
    yyjson_val *item = yyjson_arr_get(target, i);
    shape[i + 1] = yyjson_get_sint(item);
    if (!yyjson_is_int(item) || shape[i + 1] < -1 || shape[i + 1] == 0) return graph_damaged(g, call, "target_shape");
    if (shape[i + 1] == -1)
      unknown = unknown ? KN_MAX_RANK : i + 1;
    else if (__builtin_mul_overflow(known, shape[i + 1], &known))
      return graph_damaged(g, call, "target_shape");
  }
  if (unknown == KN_MAX_RANK || elements % known != 0) return graph_damaged(g, call, "target_shape");
  if (unknown) shape[unknown] = elements / known; /* the batch is the one that stays open */
  return graph_reshape(g, call->inputs[0], shape, count + 1, out);
}

static kn_status build_permute(graph *g, const graph_call *call, TF_Output *out) {
  uint32_t rank;
  int64_t shape[KN_MAX_RANK], order[KN_MAX_RANK] = {0};
  TF_Output permutation;
  KN_TRY(graph_shape(g, call->inputs[0], &rank, shape));
  if (rank < 2 || yyjson_arr_size(yyjson_obj_get(call->layer->config, "dims")) != rank - 1 ||
      !keras_integers(call->layer->config, "dims", order + 1, rank - 1))
    return graph_damaged(g, call, "dims");
  KN_TRY(graph_integers(g, order, rank, &permutation));
  return graph_binary(g, "Transpose", call->inputs[0], permutation, out);
}

static kn_status build_upsampling(graph *g, const graph_call *call, TF_Output *out) {
  int64_t shape[KN_MAX_RANK], size[2];
  KN_TRY(image_shape(g, call, shape));
  if (!keras_integers(call->layer->config, "size", size, 2) || size[0] < 1 || size[1] < 1)
    return graph_damaged(g, call, "size");
  if (shape[1] < 0 || shape[2] < 0) return graph_refuse(g, call, "height and width of its input are not fixed");
  const char *how = keras_text(call->layer->config, "interpolation", "nearest");
  bool nearest = strcmp(how, "nearest") == 0;
  if (!nearest && strcmp(how, "bilinear") != 0)
    return graph_refuse(g, call, "the interpolation '%s' is not supported", how);
  const int64_t wanted[2] = {shape[1] * size[0], shape[2] * size[1]};
  TF_Output lengths;
  KN_TRY(graph_integers(g, wanted, 2, &lengths));
  TF_OperationDescription *operation = graph_begin(g, nearest ? "ResizeNearestNeighbor" : "ResizeBilinear");
  g->tf->TF_AddInput(operation, call->inputs[0]);
  g->tf->TF_AddInput(operation, lengths);
  g->tf->TF_SetAttrBool(operation, "half_pixel_centers", 1);
  return graph_end(g, operation, out);
}

const graph_layer_kind graph_shape_layers[] = {{"AveragePooling2D", build_average_pool, false},
                                               {"Cropping2D", build_cropping, false},
                                               {"Flatten", build_flatten, false},
                                               {"GlobalAveragePooling2D", build_global_average, false},
                                               {"GlobalMaxPooling2D", build_global_max, false},
                                               {"MaxPooling2D", build_max_pool, false},
                                               {"Permute", build_permute, false},
                                               {"Reshape", build_reshape, false},
                                               {"UpSampling2D", build_upsampling, false},
                                               {"ZeroPadding2D", build_padding, false},
                                               {NULL, NULL, false}};
