/* Writes .h5 files in the layout that Keras's legacy HDF5 format has had since Keras 2. */
#include "keras_model.h"

typedef struct name_list {
  const char **items;
  size_t count;
} name_list;

static kn_status write_names(const hdf5_file *file, const char *object, const char *attribute, const name_list *names) {
  return hdf5_write_strings(file, object, attribute, names->items, names->count, false);
}

static kn_status write_weight(const hdf5_file *file, const char *group_path, const keras_weight *weight) {
  char *path = kn_format("%s/%s", group_path, weight->file_name);
  if (!path) return kn_status_out_of_memory();
  kn_status status = hdf5_write_dataset(file, path, weight->rank, weight->shape, weight->values);
  kn_free(path);
  return status;
}

static kn_status write_group(keras_model *model, const hdf5_file *file, size_t index, const char *group_path) {
  keras_group *group = &model->groups[index];
  name_list names = {kn_alloc_array(group->count, sizeof *names.items), group->count};
  if (!names.items) return kn_status_out_of_memory();
  for (size_t i = 0; i < group->count; i++) names.items[i] = group->weights[i].file_name;
  kn_status status = hdf5_write_group(file, group_path);
  if (!status) status = write_names(file, group_path, "weight_names", &names);
  for (size_t i = 0; i < group->count && !status; i++) {
    status = keras_model_read_weight(model, &group->weights[i]);
    if (!status) status = write_weight(file, group_path, &group->weights[i]);
  }
  kn_free(names.items);
  return status;
}

static kn_status write_layers(keras_model *model, const hdf5_file *file) {
  const keras_network *network = &model->network;
  name_list names = {kn_alloc_array(network->layer_count, sizeof *names.items), 0};
  if (!names.items) return kn_status_out_of_memory();
  kn_status status = NULL;
  for (size_t i = 0; i < network->layer_count && !status; i++) {
    if (network->layers[i].made_name) continue; /* Keras knows no layer of this name */
    names.items[names.count++] = network->layers[i].name;
    char *path = kn_format("/model_weights/%s", network->layers[i].name);
    status = path ? write_group(model, file, i, path) : kn_status_out_of_memory();
    kn_free(path);
  }
  if (!status) status = write_names(file, "/model_weights", "layer_names", &names);
  kn_free(names.items);
  return status;
}

static kn_status write_versions(const keras_model *model, const hdf5_file *file, const char *object) {
  const char *backend = "tensorflow", *version = model->keras_version;
  KN_TRY(hdf5_write_strings(file, object, "backend", &backend, 1, true));
  return hdf5_write_strings(file, object, "keras_version", &version, 1, true);
}

static kn_status write_model(keras_model *model, const hdf5_file *file) {
  const char *config = model->config_text;
  const name_list none = {&config, 0};
  KN_TRY(write_versions(model, file, "/"));
  KN_TRY(hdf5_write_strings(file, "/", "model_config", &config, 1, true));
  KN_TRY(hdf5_write_group(file, "/model_weights"));
  KN_TRY(write_versions(model, file, "/model_weights"));
  KN_TRY(write_layers(model, file));
  KN_TRY(hdf5_write_group(file, "/model_weights/top_level_model_weights"));
  return write_names(file, "/model_weights/top_level_model_weights", "weight_names", &none);
}

kn_status keras_model_write(keras_model *model, const char *path) {
  hdf5_file file;
  KN_TRY(hdf5_file_create(path, &file));
  kn_status status = write_model(model, &file);
  return kn_status_join(status, hdf5_file_close(&file));
}
