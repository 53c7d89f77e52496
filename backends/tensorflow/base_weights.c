#include "base_weights.h"

#include <stdio.h>
#include <string.h>

enum { WEIGHTS_OF_LAYER = 4 };

/* Kinds of layers with weights, and the names of these in the order in which Keras saves them. */
static const struct kind {
  const char *class_name;
  const char *weights[WEIGHTS_OF_LAYER];
} kinds[] = {{"Conv2D", {"kernel", "bias"}},
             {"DepthwiseConv2D", {"kernel", "bias"}},
             {"Dense", {"kernel", "bias"}},
             {"BatchNormalization", {"gamma", "beta", "moving_mean", "moving_variance"}}};

/* A layer of the file and where its weights lie. */
typedef struct stored {
  char *layer;
  char *places[WEIGHTS_OF_LAYER];
  size_t count; /* more than WEIGHTS_OF_LAYER: the rest is not kept */
} stored;

typedef struct source {
  keras_model whole; /* .path NULL: weights alone */
  hdf5_file alone;
  const hdf5_file *file;
  stored *layers; /* those with weights, in the order of the file */
  size_t count;
} source;

/* ---- reading the file's list ---- */

static void source_clear(source *from) {
  for (size_t i = 0; i < from->count; i++) {
    kn_free(from->layers[i].layer);
    for (int k = 0; k < WEIGHTS_OF_LAYER; k++) kn_free(from->layers[i].places[k]);
  }
  kn_free(from->layers);
  kn_status_free(hdf5_file_close(&from->alone)); /* opened for reading: nothing can be lost */
  keras_model_clear(&from->whole);
}

/* from->count when there is none. */
static size_t find_layer(const source *from, const char *name) {
  size_t i = 0;
  while (i < from->count && strcmp(from->layers[i].layer, name) != 0) i++;
  return i;
}

static kn_status add_layer(source *from, const char *name) {
  stored *grown = kn_realloc(from->layers, (from->count + 1) * sizeof *grown);
  if (!grown) return kn_status_out_of_memory();
  from->layers = grown;
  from->layers[from->count] = (stored){.layer = kn_strdup(name)};
  if (!from->layers[from->count].layer) return kn_status_out_of_memory();
  from->count++;
  return NULL;
}

/* A weight of a layer, in the layer's order; a nested model has what is trainable before the rest, so that those of one
 * layer need not stand together. Takes `place`. */
static kn_status add_stored(source *from, const char *name, char *place) {
  size_t at = find_layer(from, name);
  kn_status status = place ? NULL : kn_status_out_of_memory();
  if (!status && at == from->count) status = add_layer(from, name);
  if (status || from->layers[at].count >= WEIGHTS_OF_LAYER) {
    kn_free(place);
    if (!status) from->layers[at].count++;
    return status;
  }
  stored *layer = &from->layers[at];
  layer->places[layer->count++] = place;
  return NULL;
}

static kn_status list_whole(source *from) {
  const keras_model *model = &from->whole;
  from->file = &model->file;
  for (size_t i = 0; i < model->network.layer_count; i++)
    for (size_t k = 0; k < model->groups[i].count; k++) {
      const keras_weight *weight = &model->groups[i].weights[k];
      const char *layer = model->network.layers[i].network ? weight->owner : model->network.layers[i].name;
      KN_TRY(add_stored(from, layer, kn_strdup(weight->place)));
    }
  return NULL;
}

static kn_status list_layer(source *from, const char *layer) {
  bool found;
  char **names, *object = kn_format("/%s", layer);
  size_t count;
  if (!object) return kn_status_out_of_memory();
  kn_status status = hdf5_read_strings(from->file, object, "weight_names", &found, &names, &count);
  kn_free(object);
  KN_TRY(status);
  for (size_t i = 0; i < count && !status; i++) status = add_stored(from, layer, kn_format("/%s/%s", layer, names[i]));
  hdf5_strings_free(names, count);
  return status;
}

/* keras.Model.save_weights("x.h5"): the groups of the layers stand at the root. */
static kn_status list_alone(source *from, const char *path) {
  from->file = &from->alone;
  bool found;
  char **names;
  size_t count;
  KN_TRY(hdf5_read_strings(from->file, "/", "layer_names", &found, &names, &count));
  kn_status status = NULL;
  for (size_t i = 0; i < count && !status; i++) status = list_layer(from, names[i]);
  hdf5_strings_free(names, count);
  if (status || found) return status;
  return kn_status_make(KN_BAD_DATA,
                        "%s holds neither a Keras model nor its weights in the layout of save_weights(\"x.h5\")", path);
}

static kn_status source_open(const char *path, source *out) {
  *out = (source){0};
  if (keras_model_is_hdf5(path)) {
    KN_TRY(hdf5_file_open(path, &out->alone));
    bool whole;
    char **strings;
    size_t count;
    kn_status status = hdf5_read_strings(&out->alone, "/", "model_config", &whole, &strings, &count);
    if (!status) {
      hdf5_strings_free(strings, count);
      if (!whole) status = list_alone(out, path);
    }
    if (status || !whole) {
      if (status) source_clear(out);
      return status;
    }
    kn_status_free(hdf5_file_close(&out->alone));
  }
  kn_status status = keras_model_open(path, &out->whole);
  if (!status) status = list_whole(out);
  if (status) source_clear(out);
  return status;
}

/* ---- taking weights ---- */

static const struct kind *kind_of(const keras_layer *layer) {
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (strcmp(kinds[i].class_name, layer->class_name) == 0) return &kinds[i];
  return NULL;
}

static size_t weights_of(const keras_layer *layer, const struct kind *kind) {
  if (strcmp(kind->class_name, "BatchNormalization") == 0) return WEIGHTS_OF_LAYER;
  return keras_bool(layer->config, "use_bias", true) ? 2 : 1;
}

/* The layer in the file that has the weights of `layer`: of its name, or the next one. */
static kn_status locate(const source *from, const char *path, const keras_layer *layer, size_t wanted, bool by_name,
                        size_t *next, const stored **out_stored) {
  size_t at = by_name ? find_layer(from, layer->name) : (*next)++;
  size_t there = at < from->count ? from->layers[at].count : 0;
  *out_stored = &from->layers[at];
  if (there == wanted) return NULL;
  return kn_status_make(KN_INCOMPATIBLE,
                        "%s has %zu weights for the layer '%s' (%s) of a MobileNetV2 of width 1.0, which wants %zu",
                        path, there, layer->name, layer->class_name, wanted);
}

static kn_status take_weight(const source *from, const char *place, keras_model *model, size_t group,
                             const char *name) {
  hdf5_dataset found;
  KN_TRY(hdf5_dataset_describe(from->file, place, &found));
  keras_weight *weight;
  KN_TRY(
      keras_model_add_weight(model, group, model->network.layers[group].name, name, found.rank, found.shape, &weight));
  return hdf5_dataset_read(from->file, place, weight->values, weight->elements);
}

static kn_status take_base(const source *from, const char *path, keras_model *model, size_t base_layers) {
  const keras_network *network = &model->network;
  size_t next = 0, first = 0;
  while (first < base_layers && !kind_of(&network->layers[first])) first++;
  bool by_name = first < base_layers && find_layer(from, network->layers[first].name) < from->count;
  for (size_t i = first; i < base_layers; i++) {
    const struct kind *kind = kind_of(&network->layers[i]);
    if (!kind) continue;
    const stored *layer;
    size_t wanted = weights_of(&network->layers[i], kind);
    KN_TRY(locate(from, path, &network->layers[i], wanted, by_name, &next, &layer));
    for (size_t k = 0; k < wanted; k++) KN_TRY(take_weight(from, layer->places[k], model, i, kind->weights[k]));
  }
  return NULL;
}

/* ---- the head ---- */

/* Shape [inputs, units] of a dense layer in the file, *out_found: it is there with kernel and bias. */
static kn_status describe_dense(const source *from, const keras_layer *layer, bool *out_found, int64_t out_shape[2]) {
  size_t at = find_layer(from, layer->name);
  int64_t units = 0;
  *out_found = false;
  if (at == from->count || from->layers[at].count != 2) return NULL;
  hdf5_dataset kernel;
  KN_TRY(hdf5_dataset_describe(from->file, from->layers[at].places[0], &kernel));
  *out_found = kernel.rank == 2 && keras_integers(layer->config, "units", &units, 1) && kernel.shape[1] == units;
  memcpy(out_shape, kernel.shape, 2 * sizeof *out_shape);
  return NULL;
}

static kn_status take_head(const source *from, keras_model *model, size_t base_layers, bool *out_head) {
  const keras_network *network = &model->network;
  int64_t inputs = 0;
  *out_head = true;
  for (size_t i = base_layers; i < network->layer_count && *out_head; i++) {
    if (!kind_of(&network->layers[i])) continue;
    int64_t shape[2];
    KN_TRY(describe_dense(from, &network->layers[i], out_head, shape));
    if (*out_head && inputs && shape[0] != inputs) *out_head = false;
    inputs = *out_head ? shape[1] : 0;
  }
  for (size_t i = base_layers; i < network->layer_count && *out_head; i++) {
    const struct kind *kind = kind_of(&network->layers[i]);
    if (!kind) continue;
    const stored *layer = &from->layers[find_layer(from, network->layers[i].name)];
    for (size_t k = 0; k < 2; k++) KN_TRY(take_weight(from, layer->places[k], model, i, kind->weights[k]));
  }
  return NULL;
}

kn_status base_weights_load(const char *path, keras_model *model, size_t base_layers, bool *out_head) {
  source from;
  *out_head = false;
  KN_TRY(source_open(path, &from));
  kn_status status = take_base(&from, path, model, base_layers);
  if (!status) status = take_head(&from, model, base_layers, out_head);
  source_clear(&from);
  return status;
}
