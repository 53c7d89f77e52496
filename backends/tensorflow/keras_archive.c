#include "keras_archive.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "zip_member.h"

enum { NAME_LIMIT = 96, WEIGHT_LIMIT = 4 };

bool keras_archive_is_at(const char *path) { return zip_is_at(path); }

/* ---- the archive ---- */

enum { METADATA, CONFIG, WEIGHTS, MEMBERS };

static kn_status take_version(keras_model *model, const zip_member *metadata) {
  yyjson_doc *document = metadata->data ? yyjson_read(metadata->data, metadata->bytes, 0) : NULL;
  const char *version = yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(document), "keras_version"));
  kn_status status = version ? keras_model_set_version(model, version)
                             : kn_status_make(KN_BAD_DATA, "%s: metadata.json tells no keras_version", model->path);
  yyjson_doc_free(document);
  return status;
}

static kn_status take_members(keras_model *model, zip_member members[MEMBERS]) {
  if (!members[CONFIG].data || !members[WEIGHTS].data)
    return kn_status_make(KN_BAD_DATA, "%s is a zip archive, but not a Keras model: it has no %s", model->path,
                          members[CONFIG].data ? members[WEIGHTS].name : members[CONFIG].name);
  KN_TRY(take_version(model, &members[METADATA]));
  model->config_text = members[CONFIG].data;
  members[CONFIG].data = NULL;
  return hdf5_file_open_image(model->path, members[WEIGHTS].data, members[WEIGHTS].bytes, &model->file);
}

kn_status keras_archive_open(keras_model *model) {
  zip_member members[MEMBERS] = {[METADATA] = {.name = "metadata.json"},
                                 [CONFIG] = {.name = "config.json"},
                                 [WEIGHTS] = {.name = "model.weights.h5"}};
  KN_TRY(zip_read(model->path, members, MEMBERS));
  kn_status status = take_members(model, members);
  for (size_t i = 0; i < MEMBERS; i++) kn_free(members[i].data);
  return status;
}

/* ---- weights ---- */

/* What the numbered weights of a layer are, in their order: those that training changes, then the others. */
static size_t name_weights(const keras_layer *layer, const char *names[WEIGHT_LIMIT]) {
  static const char *const plain[] = {"Dense", "Conv2D", "Convolution2D", "Conv2DTranspose", "DepthwiseConv2D"};
  const char *class_name = layer->class_name;
  size_t count = 0;
  for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
    if (strcmp(class_name, plain[i]) == 0) names[count++] = "kernel";
  if (strcmp(class_name, "SeparableConv2D") == 0) {
    names[count++] = "depthwise_kernel";
    names[count++] = "pointwise_kernel";
  }
  if (count > 0 && keras_bool(layer->config, "use_bias", true)) names[count++] = "bias";
  bool batch = strcmp(class_name, "BatchNormalization") == 0;
  if (batch || strcmp(class_name, "LayerNormalization") == 0) {
    if (keras_bool(layer->config, "scale", true)) names[count++] = "gamma";
    if (keras_bool(layer->config, "center", true)) names[count++] = "beta";
  }
  if (batch) {
    names[count++] = "moving_mean";
    names[count++] = "moving_variance";
  }
  if (strcmp(class_name, "PReLU") == 0) names[count++] = "alpha";
  yyjson_val *mean = yyjson_obj_get(layer->config, "mean");
  if (strcmp(class_name, "Normalization") == 0 && (!mean || yyjson_is_null(mean))) {
    names[count++] = "mean";
    names[count++] = "variance";
    names[count++] = "count";
  }
  return count;
}

/* "BatchNormalization" -> "batch_normalization", "ReLU" -> "re_lu", "Conv2D" -> "conv2d": an underscore before a
 * capital that a small letter precedes or follows. False when the name is too long. */
static bool snake_case(const char *class_name, char out[NAME_LIMIT]) {
  size_t used = 0;
  for (const char *c = class_name; *c; c++) {
    if (used + 3 > NAME_LIMIT) return false;
    bool capital = isupper((unsigned char)*c);
    if (c > class_name && capital && (islower((unsigned char)c[-1]) || islower((unsigned char)c[1]))) out[used++] = '_';
    out[used++] = (char)tolower((unsigned char)*c);
  }
  out[used] = '\0';
  return true;
}

/* The group of a layer: its class, numbered from the second layer of that class on. NULL with a name too long or
 * without memory. Operations of Keras 3 are no layers and have no numbers. */
static char *layer_path(const keras_network *network, size_t index, const char *parent) {
  char name[NAME_LIMIT];
  size_t before = 0;
  const keras_layer *layer = &network->layers[index];
  if (!snake_case(layer->class_name, name)) return NULL;
  for (size_t i = 0; i < index; i++)
    before += !network->layers[i].module[0] && strcmp(network->layers[i].class_name, layer->class_name) == 0;
  return before ? kn_format("%s/%s_%zu", parent, name, before) : kn_format("%s/%s", parent, name);
}

static kn_status describe_layer(keras_model *model, size_t group, const keras_layer *layer, const char *path) {
  const char *names[WEIGHT_LIMIT];
  size_t count = name_weights(layer, names);
  for (size_t i = 0; i < count; i++) {
    char *file_name = kn_format("%s/%s", layer->name, names[i]), *place = kn_format("%s/vars/%zu", path, i);
    kn_status status =
        file_name && place ? keras_model_describe_weight(model, group, file_name, place) : kn_status_out_of_memory();
    kn_free(file_name);
    kn_free(place);
    KN_TRY(kn_status_annotate(status, "while looking for weight '%s' of layer '%s'", names[i], layer->name));
  }
  char *beyond = count > 0 ? kn_format("%s/vars/%zu", path, count) : NULL;
  bool more = beyond && hdf5_exists(&model->file, beyond);
  kn_free(beyond);
  if (!more) return NULL;
  return kn_status_make(KN_BAD_DATA, "%s: layer '%s' (%s) has more than the %zu weights that its class has",
                        model->path, layer->name, layer->class_name, count);
}

static kn_status describe_network(keras_model *model, const keras_network *network, size_t group, const char *parent) {
  for (size_t i = 0; i < network->layer_count; i++) {
    const keras_layer *layer = &network->layers[i];
    if (layer->module[0]) continue;
    size_t own = group == SIZE_MAX ? i : group;
    char *path = layer_path(network, i, parent);
    char *inner = path && layer->network ? kn_format("%s/layers", path) : NULL;
    kn_status status = !path             ? kn_status_out_of_memory()
                       : !layer->network ? describe_layer(model, own, layer, path)
                       : !inner          ? kn_status_out_of_memory()
                                         : describe_network(model, layer->network, own, inner);
    kn_free(path);
    kn_free(inner);
    KN_TRY(status);
  }
  return NULL;
}

static kn_status add_optimizer(keras_model *model) {
  char path[64];
  for (size_t i = 0;; i++) {
    hdf5_dataset dataset;
    (void)snprintf(path, sizeof path, "/optimizer/vars/%zu", i);
    if (!hdf5_exists(&model->file, path)) return NULL;
    KN_TRY(hdf5_dataset_describe(&model->file, path, &dataset));
    model->optimizer_bytes += dataset.bytes;
  }
}

kn_status keras_archive_describe(keras_model *model) {
  /* Keras 2 before 2.13 used another name. */
  static const char *const roots[] = {"/layers", "/_layer_checkpoint_dependencies"};
  const char *root = hdf5_exists(&model->file, roots[0]) ? roots[0] : roots[1];
  KN_TRY(describe_network(model, &model->network, SIZE_MAX, root));
  return hdf5_exists(&model->file, "/optimizer") ? add_optimizer(model) : NULL;
}
