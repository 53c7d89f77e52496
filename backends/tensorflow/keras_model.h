/* A Keras model: architecture and weights. From an .h5 or .keras file of Keras 2 or 3, or made new from a
 * configuration. */
#ifndef TENSORFLOW_KERAS_MODEL_H
#define TENSORFLOW_KERAS_MODEL_H

#include "hdf5_file.h"
#include "keras_network.h"

typedef struct keras_weight {
  char *file_name; /* as the file spells it: "conv1/kernel:0" */
  char *name;      /* what it is to its layer: "kernel" */
  char *owner;     /* name of the layer, where the file says so: "conv1" */
  char *place;     /* of its values in the file; NULL for a new one */
  uint32_t rank;
  int64_t shape[KN_MAX_RANK];
  size_t elements;
  float *values; /* NULL until read or set */
} keras_weight;

/* Weights of one layer of the outermost network; those of a nested model are together in one group. */
typedef struct keras_group {
  keras_weight *weights;
  size_t count, capacity;
} keras_group;

typedef struct keras_model {
  char *path;        /* of the file, or what the model is called in messages */
  char *config_text; /* model_config */
  char *keras_version;
  int keras_major;
  yyjson_doc *document;
  keras_network network;
  keras_group *groups;      /* network.layer_count */
  hdf5_file file;           /* open while weights may still be read; .path NULL for a new model */
  uint64_t weights_bytes;   /* as stored */
  uint64_t optimizer_bytes; /* state of the optimizer, which inference does not need */
  uint64_t file_bytes;
} keras_model;

/* Whether the file begins like HDF5. */
bool keras_model_is_hdf5(const char *path);
/* Reads everything but the values of the weights. KN_NOT_FOUND, KN_NOT_INSTALLED, KN_BAD_DATA (damaged, or not a whole
 * Keras model), KN_INCOMPATIBLE. */
kn_status keras_model_open(const char *path, keras_model *out_model) KN_MUST_USE;
/* A model without weights from the JSON text of a model_config. */
kn_status keras_model_make(const char *name, const char *config_text, const char *keras_version,
                           keras_model *out_model) KN_MUST_USE;
/* A zeroed model is allowed. */
void keras_model_clear(keras_model *model);

/* The weight `name` of the layer `owner` in group `group`; NULL when there is none. In a group of a nested model the
 * owner must match. */
keras_weight *keras_model_weight(keras_model *model, size_t group, const char *owner, const char *name);
/* Appends a weight with values of its own to a group; the file name is "owner/name". Zeroed values. */
kn_status keras_model_add_weight(keras_model *model, size_t group, const char *owner, const char *name, uint32_t rank,
                                 const int64_t *shape, keras_weight **out_weight) KN_MUST_USE;
/* Makes `weight->values` present. */
kn_status keras_model_read_weight(const keras_model *model, keras_weight *weight) KN_MUST_USE;
/* Frees the values of a weight that can be read again. */
void keras_model_drop_weight(const keras_model *model, keras_weight *weight);
/* Writes architecture and weights as an .h5 file in the layout of Keras 3. */
kn_status keras_model_write(keras_model *model, const char *path) KN_MUST_USE;

/* ---- for readers of formats ---- */

kn_status keras_model_set_version(keras_model *model, const char *version) KN_MUST_USE;
/* Appends the weight whose values are at `place` in the file. */
kn_status keras_model_describe_weight(keras_model *model, size_t group, const char *file_name,
                                      const char *place) KN_MUST_USE;

#endif
