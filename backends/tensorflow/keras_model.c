#include "keras_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "keras_archive.h"

bool keras_model_is_hdf5(const char *path) {
  static const unsigned char signature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
  unsigned char start[sizeof signature] = {0};
  FILE *file = fopen(path, "rb");
  if (!file) return false;
  bool same = fread(start, 1, sizeof start, file) == sizeof start && memcmp(start, signature, sizeof start) == 0;
  (void)fclose(file);
  return same;
}

void keras_model_clear(keras_model *model) {
  if (model->groups)
    for (size_t i = 0; i < model->network.layer_count; i++) {
      keras_group *group = &model->groups[i];
      for (size_t k = 0; k < group->count; k++) {
        kn_free(group->weights[k].file_name);
        kn_free(group->weights[k].name);
        kn_free(group->weights[k].owner);
        kn_free(group->weights[k].place);
        kn_free(group->weights[k].values);
      }
      kn_free(group->weights);
    }
  kn_free(model->groups);
  keras_network_clear(&model->network);
  yyjson_doc_free(model->document);
  kn_free(model->config_text);
  kn_free(model->keras_version);
  kn_free(model->path);
  kn_status_free(hdf5_file_close(&model->file)); /* opened for reading: nothing can be lost */
  *model = (keras_model){0};
}

/* ---- architecture ---- */

static kn_status parse_config(keras_model *model) {
  yyjson_read_err error;
  /* Python's json writes NaN and Infinity. */
  model->document =
      yyjson_read_opts(model->config_text, strlen(model->config_text), YYJSON_READ_ALLOW_INF_AND_NAN, NULL, &error);
  if (!model->document)
    return kn_status_make(KN_BAD_DATA, "%s: model_config is not JSON: %s at byte %zu", model->path, error.msg,
                          error.pos);
  KN_TRY(keras_network_parse(yyjson_doc_get_root(model->document), model->path, &model->network));
  model->groups = kn_alloc_array(model->network.layer_count, sizeof *model->groups);
  return model->groups ? NULL : kn_status_out_of_memory();
}

kn_status keras_model_set_version(keras_model *model, const char *version) {
  model->keras_version = kn_strdup(version);
  if (!model->keras_version) return kn_status_out_of_memory();
  model->keras_major = (int)strtol(version, NULL, 10);
  return NULL;
}

kn_status keras_model_make(const char *name, const char *config_text, const char *keras_version,
                           keras_model *out_model) {
  *out_model = (keras_model){.path = kn_strdup(name), .config_text = kn_strdup(config_text)};
  kn_status status;
  if (!out_model->path || !out_model->config_text) {
    status = kn_status_out_of_memory();
  } else {
    status = keras_model_set_version(out_model, keras_version);
    if (!status) status = parse_config(out_model);
  }
  if (status) keras_model_clear(out_model);
  return status;
}

/* ---- weights ---- */

static kn_status grow_group(keras_group *group) {
  if (group->count < group->capacity) return NULL;
  size_t capacity = group->capacity ? group->capacity * 2 : 4, bytes;
  if (!kn_mul_size(capacity, sizeof *group->weights, &bytes)) return kn_status_out_of_memory();
  keras_weight *grown = kn_realloc(group->weights, bytes);
  if (!grown) return kn_status_out_of_memory();
  group->weights = grown;
  group->capacity = capacity;
  return NULL;
}

/* "block/conv1/kernel:0" is the weight "kernel" of "conv1". */
static kn_status name_weight(const char *file_name, keras_weight *weight) {
  const char *name = strrchr(file_name, '/');
  const char *owner = name;
  name = name ? name + 1 : file_name;
  while (owner && owner > file_name && owner[-1] != '/') owner--;
  weight->file_name = kn_strdup(file_name);
  weight->name = kn_strndup(name, strcspn(name, ":"));
  weight->owner = owner ? kn_strndup(owner, (size_t)(name - 1 - owner)) : kn_strdup("");
  return weight->file_name && weight->name && weight->owner ? NULL : kn_status_out_of_memory();
}

static kn_status append_weight(keras_group *group, const char *file_name, keras_weight **out_weight) {
  KN_TRY(grow_group(group));
  keras_weight *weight = &group->weights[group->count];
  *weight = (keras_weight){0};
  group->count++; /* so that clearing frees what naming made */
  KN_TRY(name_weight(file_name, weight));
  *out_weight = weight;
  return NULL;
}

kn_status keras_model_describe_weight(keras_model *model, size_t group, const char *file_name, const char *place) {
  keras_weight *weight;
  KN_TRY(append_weight(&model->groups[group], file_name, &weight));
  weight->place = kn_strdup(place);
  if (!weight->place) return kn_status_out_of_memory();
  hdf5_dataset dataset;
  KN_TRY(hdf5_dataset_describe(&model->file, place, &dataset));
  weight->rank = dataset.rank;
  memcpy(weight->shape, dataset.shape, sizeof weight->shape);
  weight->elements = dataset.elements;
  model->weights_bytes += dataset.bytes;
  return NULL;
}

static kn_status describe_weight(keras_model *model, size_t group, const char *file_name) {
  char *place = kn_format("/model_weights/%s/%s", model->network.layers[group].name, file_name);
  kn_status status = place ? keras_model_describe_weight(model, group, file_name, place) : kn_status_out_of_memory();
  kn_free(place);
  return status;
}

/* A list attribute that may be cut into pieces NAME0, NAME1, ... because HDF5 limits the size of one. Calls `each` with
 * every string. *out_found: there is such an attribute. */
typedef kn_status (*string_visitor)(keras_model *model, size_t group, const char *text);

static kn_status each_string(keras_model *model, const char *object, const char *name, size_t group,
                             string_visitor each, bool *out_found) {
  enum { PIECE_LIMIT = 1000 };
  *out_found = false;
  for (int piece = -1; piece < PIECE_LIMIT; piece++) {
    char attribute[64];
    if (piece < 0)
      (void)snprintf(attribute, sizeof attribute, "%s", name);
    else
      (void)snprintf(attribute, sizeof attribute, "%s%d", name, piece);
    bool found;
    char **strings;
    size_t count;
    KN_TRY(hdf5_read_strings(&model->file, object, attribute, &found, &strings, &count));
    kn_status status = NULL;
    for (size_t i = 0; i < count && !status; i++) status = each(model, group, strings[i]);
    hdf5_strings_free(strings, count);
    KN_TRY(status);
    *out_found |= found;
    if (found == (piece < 0)) return NULL; /* in one piece, or past the last one */
  }
  return NULL;
}

static kn_status add_optimizer_weight(keras_model *model, size_t group, const char *file_name) {
  (void)group;
  char *path = kn_format("/optimizer_weights/%s", file_name);
  if (!path) return kn_status_out_of_memory();
  hdf5_dataset dataset;
  kn_status status = hdf5_dataset_describe(&model->file, path, &dataset);
  kn_free(path);
  KN_TRY(status);
  model->optimizer_bytes += dataset.bytes;
  return NULL;
}

static kn_status describe_layer(keras_model *model, size_t unused, const char *layer_name) {
  (void)unused;
  size_t group = 0;
  while (group < model->network.layer_count && strcmp(model->network.layers[group].name, layer_name) != 0) group++;
  if (group == model->network.layer_count)
    return kn_status_make(KN_BAD_DATA, "%s holds weights of a layer '%s' that model_config does not mention",
                          model->path, layer_name);
  if (model->groups[group].count > 0)
    return kn_status_make(KN_BAD_DATA, "%s lists the weights of layer '%s' twice", model->path, layer_name);
  char *object = kn_format("/model_weights/%s", layer_name);
  if (!object) return kn_status_out_of_memory();
  bool found;
  kn_status status = each_string(model, object, "weight_names", group, describe_weight, &found);
  if (!status && !found)
    status = kn_status_make(KN_BAD_DATA, "%s: group %s has no attribute weight_names", model->path, object);
  kn_free(object);
  return status;
}

/* One string of a scalar attribute of the root; NULL when there is none. */
static kn_status read_text(keras_model *model, const char *attribute, char **out_text) {
  bool found;
  char **strings;
  size_t count;
  *out_text = NULL;
  KN_TRY(hdf5_read_strings(&model->file, "/", attribute, &found, &strings, &count));
  if (count > 0) {
    *out_text = strings[0];
    strings[0] = NULL;
  }
  hdf5_strings_free(strings, count);
  return NULL;
}

static kn_status read_architecture(keras_model *model) {
  KN_TRY(read_text(model, "model_config", &model->config_text));
  if (!model->config_text) {
    bool weights_only;
    char **names;
    size_t count;
    KN_TRY(hdf5_read_strings(&model->file, "/", "layer_names", &weights_only, &names, &count));
    hdf5_strings_free(names, count);
    if (weights_only || hdf5_exists(&model->file, "/layers"))
      return kn_status_make(KN_BAD_DATA, "%s holds weights without an architecture; save the whole model: model.save()",
                            model->path);
    return kn_status_make(KN_BAD_DATA, "%s is an HDF5 file, but not a Keras model: it has no attribute model_config",
                          model->path);
  }
  char *version = NULL;
  KN_TRY(read_text(model, "keras_version", &version));
  kn_status status = keras_model_set_version(model, version ? version : "2"); /* Keras 2.0 and earlier do not say */
  kn_free(version);
  KN_TRY(status);
  return parse_config(model);
}

static kn_status read_weights_of_file(keras_model *model) {
  bool found;
  if (!hdf5_exists(&model->file, "/model_weights"))
    return kn_status_make(KN_BAD_DATA, "%s holds an architecture without weights (no group model_weights)",
                          model->path);
  KN_TRY(each_string(model, "/model_weights", "layer_names", 0, describe_layer, &found));
  if (!found) return kn_status_make(KN_BAD_DATA, "%s: group model_weights has no attribute layer_names", model->path);
  if (hdf5_exists(&model->file, "/optimizer_weights"))
    KN_TRY(each_string(model, "/optimizer_weights", "weight_names", 0, add_optimizer_weight, &found));
  return NULL;
}

static kn_status open_file(const char *path, keras_model *model) {
  struct stat info;
  model->path = kn_strdup(path);
  if (!model->path) return kn_status_out_of_memory();
  if (stat(path, &info) == 0) model->file_bytes = (uint64_t)info.st_size;
  if (keras_archive_is_at(path)) {
    KN_TRY(keras_archive_open(model));
    KN_TRY(parse_config(model));
    return keras_archive_describe(model);
  }
  KN_TRY(hdf5_file_open(path, &model->file));
  KN_TRY(read_architecture(model));
  return read_weights_of_file(model);
}

kn_status keras_model_open(const char *path, keras_model *out_model) {
  *out_model = (keras_model){0};
  kn_status status = open_file(path, out_model);
  if (status) keras_model_clear(out_model);
  return status;
}

keras_weight *keras_model_weight(keras_model *model, size_t group, const char *owner, const char *name) {
  bool nested = model->network.layers[group].network != NULL;
  for (size_t i = 0; i < model->groups[group].count; i++) {
    keras_weight *weight = &model->groups[group].weights[i];
    if (strcmp(weight->name, name) == 0 && (!nested || strcmp(weight->owner, owner) == 0)) return weight;
  }
  return NULL;
}

kn_status keras_model_add_weight(keras_model *model, size_t group, const char *owner, const char *name, uint32_t rank,
                                 const int64_t *shape, keras_weight **out_weight) {
  size_t bytes;
  KN_TRY(kn_tensor_bytes(KN_FLOAT32, rank, shape, &bytes));
  char *file_name = kn_format("%s/%s", owner, name);
  if (!file_name) return kn_status_out_of_memory();
  keras_weight *weight;
  kn_status status = append_weight(&model->groups[group], file_name, &weight);
  kn_free(file_name);
  KN_TRY(status);
  weight->rank = rank;
  if (rank > 0) memcpy(weight->shape, shape, rank * sizeof *shape);
  weight->elements = bytes / sizeof(float);
  weight->values = kn_alloc(bytes);
  if (!weight->values) return kn_status_out_of_memory();
  model->weights_bytes += bytes;
  *out_weight = weight;
  return NULL;
}

kn_status keras_model_read_weight(const keras_model *model, keras_weight *weight) {
  if (weight->values) return NULL;
  weight->values = kn_alloc_array(weight->elements, sizeof *weight->values);
  if (!weight->values) return kn_status_out_of_memory();
  kn_status status = hdf5_dataset_read(&model->file, weight->place, weight->values, weight->elements);
  if (status) {
    kn_free(weight->values);
    weight->values = NULL;
  }
  return status;
}

void keras_model_drop_weight(const keras_model *model, keras_weight *weight) {
  if (!model->file.path) return;
  kn_free(weight->values);
  weight->values = NULL;
}
