/* An HDF5 file: string attributes and float32 data sets by path. All functions take hdf5_lock themselves; failures of
 * reading are KN_BAD_DATA with the library's words, failures of writing KN_IO_ERROR. */
#ifndef TENSORFLOW_HDF5_FILE_H
#define TENSORFLOW_HDF5_FILE_H

#include "hdf5_api.h"

typedef struct hdf5_file {
  const hdf5_api *api;
  hdf5_id id;
  char *path;
} hdf5_file;

typedef struct hdf5_dataset {
  uint32_t rank;
  int64_t shape[KN_MAX_RANK];
  size_t elements;
  size_t bytes; /* as stored, before compression: elements times the size of the stored type */
} hdf5_dataset;

/* KN_NOT_FOUND, KN_NOT_INSTALLED, KN_BAD_DATA. */
kn_status hdf5_file_open(const char *path, hdf5_file *out_file) KN_MUST_USE;
/* The same for a file that is in memory, which is copied; `name` is used in messages. */
kn_status hdf5_file_open_image(const char *name, void *data, size_t bytes, hdf5_file *out_file) KN_MUST_USE;
/* Replaces what is there. */
kn_status hdf5_file_create(const char *path, hdf5_file *out_file) KN_MUST_USE;
/* Flushes and closes; a zeroed file is allowed. The status tells whether everything was written. */
kn_status hdf5_file_close(hdf5_file *file) KN_MUST_USE;

/* Whether a group or data set is at `path`, which has one component ("/optimizer_weights"). */
bool hdf5_exists(const hdf5_file *file, const char *path);

/* Strings of an attribute (scalar or list, fixed or variable length) of the object at `object`. *out_found tells
 * whether there is such an attribute. Free with hdf5_strings_free. */
kn_status hdf5_read_strings(const hdf5_file *file, const char *object, const char *attribute, bool *out_found,
                            char ***out_strings, size_t *out_count) KN_MUST_USE;
void hdf5_strings_free(char **strings, size_t count);

/* Shape of the numeric data set at `path`. */
kn_status hdf5_dataset_describe(const hdf5_file *file, const char *path, hdf5_dataset *out_dataset) KN_MUST_USE;
/* Reads all of it, converted to float32; `elements` must be what describe said. */
kn_status hdf5_dataset_read(const hdf5_file *file, const char *path, float *out, size_t elements) KN_MUST_USE;

kn_status hdf5_write_group(const hdf5_file *file, const char *path) KN_MUST_USE;
/* A list attribute, or a scalar one when `scalar` (count 1). */
kn_status hdf5_write_strings(const hdf5_file *file, const char *object, const char *attribute,
                             const char *const *strings, size_t count, bool scalar) KN_MUST_USE;
/* A float32 data set; missing groups on the way are made. */
kn_status hdf5_write_dataset(const hdf5_file *file, const char *path, uint32_t rank, const int64_t *shape,
                             const float *values) KN_MUST_USE;

#endif
