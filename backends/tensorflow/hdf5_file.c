#include "hdf5_file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum { WORDS_SIZE = 256 };
/* Attributes hold configurations and lists of names: nothing larger is believed. */
static const size_t attribute_limit = (size_t)64 << 20;
/* Deflate cannot shrink data more than about 1032-fold; a data set that claims more than this times its stored bytes
 * was never written. */
enum { COMPRESSION_LIMIT = 1100 };

static kn_status damaged(const hdf5_file *file, const char *what, const char *name) {
  char words[WORDS_SIZE];
  return kn_status_make(KN_BAD_DATA, "%s: %s %s cannot be read: %s", file->path, what, name,
                        hdf5_words(file->api, words, sizeof words));
}

static kn_status unwritten(const hdf5_file *file, const char *what, const char *name) {
  char words[WORDS_SIZE];
  return kn_status_make(KN_IO_ERROR, "%s: %s %s cannot be written: %s", file->path, what, name,
                        hdf5_words(file->api, words, sizeof words));
}

/* A file in memory. */
typedef struct image {
  void *data;
  size_t bytes;
} image;

static kn_status open_locked(hdf5_file *file, const image *unused) {
  (void)unused;
  file->id = file->api->H5Fopen(file->path, HDF5_READ_ONLY, HDF5_DEFAULT);
  if (file->id >= 0) return NULL;
  char words[WORDS_SIZE];
  return kn_status_make(KN_BAD_DATA, "%s is not a readable HDF5 file: %s", file->path,
                        hdf5_words(file->api, words, sizeof words));
}

static kn_status open_image_locked(hdf5_file *file, const image *source) {
  enum { GROWTH = 1 << 16 }; /* nothing is written: any number will do */
  static unsigned opened;
  const hdf5_api *api = file->api;
  /* The library takes files in memory of one name for one file, and refuses the name of a file on disk. */
  char *name = kn_format("%s:%u", file->path, opened++);
  if (!name) return kn_status_out_of_memory();
  hdf5_id list = api->H5Pcreate(api->H5P_CLS_FILE_ACCESS_ID_g);
  if (list >= 0 && api->H5Pset_fapl_core(list, GROWTH, 0) >= 0 &&
      api->H5Pset_file_image(list, source->data, source->bytes) >= 0)
    file->id = api->H5Fopen(name, HDF5_READ_ONLY, list);
  kn_free(name);
  kn_status status = file->id >= 0 ? NULL : damaged(file, "the", "file inside");
  if (list >= 0) api->H5Pclose(list);
  return status;
}

static kn_status create_locked(hdf5_file *file, const image *unused) {
  (void)unused;
  file->id = file->api->H5Fcreate(file->path, HDF5_TRUNCATE, HDF5_DEFAULT, HDF5_DEFAULT);
  return file->id >= 0 ? NULL : unwritten(file, "the", "file");
}

static kn_status attach(const char *path, kn_status (*open)(hdf5_file *, const image *), const image *source,
                        hdf5_file *out_file) {
  *out_file = (hdf5_file){.id = -1};
  KN_TRY(hdf5_api_open(&out_file->api));
  out_file->path = kn_strdup(path);
  if (!out_file->path) return kn_status_out_of_memory();
  hdf5_lock();
  kn_status status = open(out_file, source);
  hdf5_unlock();
  if (!status) return NULL;
  kn_free(out_file->path);
  *out_file = (hdf5_file){0};
  return status;
}

kn_status hdf5_file_open(const char *path, hdf5_file *out_file) {
  *out_file = (hdf5_file){0};
  struct stat info;
  if (stat(path, &info) != 0)
    return errno == ENOENT || errno == ENOTDIR ? kn_status_make(KN_NOT_FOUND, "there is no file %s", path)
                                               : kn_status_make(KN_IO_ERROR, "%s: %s", path, strerror(errno));
  if (!S_ISREG(info.st_mode)) return kn_status_make(KN_BAD_DATA, "%s is not a file", path);
  return attach(path, open_locked, NULL, out_file);
}

kn_status hdf5_file_create(const char *path, hdf5_file *out_file) {
  return attach(path, create_locked, NULL, out_file);
}

kn_status hdf5_file_open_image(const char *name, void *data, size_t bytes, hdf5_file *out_file) {
  return attach(name, open_image_locked, &(image){data, bytes}, out_file);
}

kn_status hdf5_file_close(hdf5_file *file) {
  kn_status status = NULL;
  if (file->path) {
    hdf5_lock();
    if (file->api->H5Fclose(file->id) < 0) status = unwritten(file, "the", "file");
    hdf5_unlock();
    kn_free(file->path);
  }
  *file = (hdf5_file){0};
  return status;
}

bool hdf5_exists(const hdf5_file *file, const char *path) {
  hdf5_lock();
  bool found = file->api->H5Lexists(file->id, path, HDF5_DEFAULT) > 0;
  hdf5_unlock();
  return found;
}

/* ---- string attributes ---- */

void hdf5_strings_free(char **strings, size_t count) {
  if (!strings) return;
  for (size_t i = 0; i < count; i++) kn_free(strings[i]);
  kn_free(strings);
}

typedef struct string_attribute {
  hdf5_id attribute, space, type;
  size_t count;
  size_t element_bytes;
  bool variable;
} string_attribute;

static void close_attribute(const hdf5_api *api, const string_attribute *opened) {
  if (opened->type >= 0) api->H5Tclose(opened->type);
  if (opened->space >= 0) api->H5Sclose(opened->space);
  if (opened->attribute >= 0) api->H5Aclose(opened->attribute);
}

static kn_status open_attribute(const hdf5_file *file, const char *object, const char *name, string_attribute *out) {
  const hdf5_api *api = file->api;
  *out = (string_attribute){-1, -1, -1, 0, 0, false};
  out->attribute = api->H5Aopen_by_name(file->id, object, name, HDF5_DEFAULT, HDF5_DEFAULT);
  if (out->attribute < 0) return damaged(file, "attribute", name);
  out->space = api->H5Aget_space(out->attribute);
  if (out->space < 0) return damaged(file, "attribute", name);
  hdf5_id stored = api->H5Aget_type(out->attribute);
  if (stored < 0) return damaged(file, "attribute", name);
  /* A copy is what may be read into; H5Aget_type's result may be locked. */
  out->type = api->H5Tcopy(stored);
  api->H5Tclose(stored);
  if (out->type < 0) return damaged(file, "attribute", name);
  int64_t points = api->H5Sget_simple_extent_npoints(out->space);
  if (points < 0) return damaged(file, "attribute", name);
  out->count = (size_t)points;
  if (out->count == 0) return NULL; /* h5py writes an empty list as float64: any type will do */
  if (api->H5Tget_class(out->type) != HDF5_CLASS_STRING)
    return kn_status_make(KN_BAD_DATA, "%s: attribute %s is not text", file->path, name);
  out->variable = api->H5Tis_variable_str(out->type) > 0;
  out->element_bytes = out->variable ? sizeof(char *) : api->H5Tget_size(out->type);
  size_t bytes = 0;
  if (out->element_bytes == 0 || !kn_mul_size(out->count, out->element_bytes, &bytes) || bytes > attribute_limit)
    return kn_status_make(KN_BAD_DATA, "%s: attribute %s is larger than 64 MiB", file->path, name);
  return NULL;
}

static kn_status copy_strings(const string_attribute *opened, const char *buffer, char **strings) {
  for (size_t i = 0; i < opened->count; i++) {
    if (opened->variable) {
      const char *text = NULL;
      memcpy(&text, buffer + i * sizeof text, sizeof text);
      strings[i] = kn_strdup(text ? text : "");
    } else {
      strings[i] = kn_strndup(buffer + i * opened->element_bytes,
                              strnlen(buffer + i * opened->element_bytes, opened->element_bytes));
    }
    if (!strings[i]) return kn_status_out_of_memory();
  }
  return NULL;
}

static kn_status read_attribute(const hdf5_file *file, const char *name, const string_attribute *opened,
                                char ***out_strings) {
  char **strings = kn_alloc_array(opened->count, sizeof *strings);
  char *buffer = kn_alloc_array(opened->count, opened->element_bytes);
  kn_status status = NULL;
  if (!strings || !buffer) {
    status = kn_status_out_of_memory();
  } else if (opened->count > 0) {
    if (file->api->H5Aread(opened->attribute, opened->type, buffer) < 0) {
      status = damaged(file, "attribute", name);
    } else {
      status = copy_strings(opened, buffer, strings);
      if (opened->variable) file->api->H5Dvlen_reclaim(opened->type, opened->space, HDF5_DEFAULT, buffer);
    }
  }
  kn_free(buffer);
  if (status)
    hdf5_strings_free(strings, opened->count);
  else
    *out_strings = strings;
  return status;
}

kn_status hdf5_read_strings(const hdf5_file *file, const char *object, const char *attribute, bool *out_found,
                            char ***out_strings, size_t *out_count) {
  *out_found = false;
  *out_strings = NULL;
  *out_count = 0;
  kn_status status = NULL;
  hdf5_lock();
  int exists = file->api->H5Aexists_by_name(file->id, object, attribute, HDF5_DEFAULT);
  if (exists < 0) status = damaged(file, "object", object);
  if (exists > 0) {
    string_attribute opened;
    status = open_attribute(file, object, attribute, &opened);
    if (!status) status = read_attribute(file, attribute, &opened, out_strings);
    close_attribute(file->api, &opened);
    if (!status) {
      *out_found = true;
      *out_count = opened.count;
    }
  }
  hdf5_unlock();
  return status;
}

static kn_status write_strings_locked(const hdf5_file *file, const char *object, const char *name,
                                      const char *const *strings, size_t count, bool scalar) {
  const hdf5_api *api = file->api;
  uint64_t dims[1] = {count};
  hdf5_id type = api->H5Tcopy(api->H5T_C_S1_g);
  hdf5_id space = scalar ? api->H5Screate(HDF5_SCALAR) : api->H5Screate_simple(1, dims, NULL);
  hdf5_id attribute = -1;
  bool written =
      type >= 0 && space >= 0 && api->H5Tset_size(type, HDF5_VARIABLE) >= 0 && api->H5Tset_cset(type, HDF5_UTF8) >= 0;
  if (written) {
    attribute = api->H5Acreate_by_name(file->id, object, name, type, space, HDF5_DEFAULT, HDF5_DEFAULT, HDF5_DEFAULT);
    written = attribute >= 0 && (count == 0 || api->H5Awrite(attribute, type, strings) >= 0);
  }
  kn_status status = written ? NULL : unwritten(file, "attribute", name);
  if (attribute >= 0 && api->H5Aclose(attribute) < 0 && !status) status = unwritten(file, "attribute", name);
  if (space >= 0) api->H5Sclose(space);
  if (type >= 0) api->H5Tclose(type);
  return status;
}

kn_status hdf5_write_strings(const hdf5_file *file, const char *object, const char *attribute,
                             const char *const *strings, size_t count, bool scalar) {
  hdf5_lock();
  kn_status status = write_strings_locked(file, object, attribute, strings, count, scalar);
  hdf5_unlock();
  return status;
}

/* ---- data sets ---- */

static kn_status check_dataset(const hdf5_file *file, const char *path, hdf5_id dataset, hdf5_id space, hdf5_id type,
                               hdf5_dataset *out) {
  const hdf5_api *api = file->api;
  int kind = api->H5Tget_class(type);
  if (kind != HDF5_CLASS_FLOAT && kind != HDF5_CLASS_INTEGER)
    return kn_status_make(KN_BAD_DATA, "%s: data set %s does not hold numbers", file->path, path);
  int rank = api->H5Sget_simple_extent_ndims(space);
  if (rank < 0 || rank > KN_MAX_RANK)
    return kn_status_make(KN_BAD_DATA, "%s: data set %s has %d dimensions", file->path, path, rank);
  uint64_t dims[KN_MAX_RANK];
  if (api->H5Sget_simple_extent_dims(space, dims, NULL) < 0) return damaged(file, "data set", path);
  out->rank = (uint32_t)rank;
  out->elements = 1;
  for (int i = 0; i < rank; i++) {
    if (dims[i] > INT64_MAX || !kn_mul_size(out->elements, (size_t)dims[i], &out->elements))
      return kn_status_make(KN_BAD_DATA, "%s: data set %s is impossibly large", file->path, path);
    out->shape[i] = (int64_t)dims[i];
  }
  size_t stored = (size_t)api->H5Dget_storage_size(dataset), believable = 0;
  if (!kn_mul_size(out->elements, api->H5Tget_size(type), &out->bytes) ||
      !kn_mul_size(stored, COMPRESSION_LIMIT, &believable) || out->bytes > believable)
    return kn_status_make(KN_BAD_DATA, "%s: data set %s claims more values than it stores", file->path, path);
  return NULL;
}

static kn_status describe_locked(const hdf5_file *file, const char *path, hdf5_dataset *out) {
  const hdf5_api *api = file->api;
  hdf5_id dataset = api->H5Dopen2(file->id, path, HDF5_DEFAULT);
  if (dataset < 0) return damaged(file, "data set", path);
  hdf5_id space = api->H5Dget_space(dataset);
  hdf5_id type = api->H5Dget_type(dataset);
  kn_status status =
      space >= 0 && type >= 0 ? check_dataset(file, path, dataset, space, type, out) : damaged(file, "data set", path);
  if (type >= 0) api->H5Tclose(type);
  if (space >= 0) api->H5Sclose(space);
  api->H5Dclose(dataset);
  return status;
}

kn_status hdf5_dataset_describe(const hdf5_file *file, const char *path, hdf5_dataset *out_dataset) {
  *out_dataset = (hdf5_dataset){0};
  hdf5_lock();
  kn_status status = describe_locked(file, path, out_dataset);
  hdf5_unlock();
  return status;
}

kn_status hdf5_dataset_read(const hdf5_file *file, const char *path, float *out, size_t elements) {
  const hdf5_api *api = file->api;
  hdf5_dataset described;
  KN_TRY(hdf5_dataset_describe(file, path, &described));
  if (described.elements != elements)
    return kn_status_make(KN_BAD_DATA, "%s: data set %s changed while it was read", file->path, path);
  kn_status status = NULL;
  hdf5_lock();
  hdf5_id dataset = api->H5Dopen2(file->id, path, HDF5_DEFAULT);
  if (dataset < 0 || api->H5Dread(dataset, api->H5T_NATIVE_FLOAT_g, HDF5_DEFAULT, HDF5_DEFAULT, HDF5_DEFAULT, out) < 0)
    status = damaged(file, "data set", path);
  if (dataset >= 0) api->H5Dclose(dataset);
  hdf5_unlock();
  return status;
}

kn_status hdf5_write_group(const hdf5_file *file, const char *path) {
  hdf5_lock();
  hdf5_id group = file->api->H5Gcreate2(file->id, path, HDF5_DEFAULT, HDF5_DEFAULT, HDF5_DEFAULT);
  kn_status status = group >= 0 ? NULL : unwritten(file, "group", path);
  if (group >= 0) file->api->H5Gclose(group);
  hdf5_unlock();
  return status;
}

static kn_status write_dataset_locked(const hdf5_file *file, const char *path, uint32_t rank, const uint64_t *dims,
                                      const float *values) {
  const hdf5_api *api = file->api;
  hdf5_id dataset = -1;
  hdf5_id space = rank > 0 ? api->H5Screate_simple((int)rank, dims, NULL) : api->H5Screate(HDF5_SCALAR);
  hdf5_id links = api->H5Pcreate(api->H5P_CLS_LINK_CREATE_ID_g);
  hdf5_id creation = api->H5Pcreate(api->H5P_CLS_DATASET_CREATE_ID_g);
  /* No times inside: the same model is the same file. */
  bool written = space >= 0 && links >= 0 && creation >= 0 && api->H5Pset_create_intermediate_group(links, 1) >= 0 &&
                 api->H5Pset_obj_track_times(creation, false) >= 0;
  if (written) {
    dataset = api->H5Dcreate2(file->id, path, api->H5T_IEEE_F32LE_g, space, links, creation, HDF5_DEFAULT);
    written = dataset >= 0 &&
              api->H5Dwrite(dataset, api->H5T_NATIVE_FLOAT_g, HDF5_DEFAULT, HDF5_DEFAULT, HDF5_DEFAULT, values) >= 0;
  }
  kn_status status = written ? NULL : unwritten(file, "data set", path);
  if (dataset >= 0 && api->H5Dclose(dataset) < 0 && !status) status = unwritten(file, "data set", path);
  if (creation >= 0) api->H5Pclose(creation);
  if (links >= 0) api->H5Pclose(links);
  if (space >= 0) api->H5Sclose(space);
  return status;
}

kn_status hdf5_write_dataset(const hdf5_file *file, const char *path, uint32_t rank, const int64_t *shape,
                             const float *values) {
  uint64_t dims[KN_MAX_RANK] = {0};
  if (rank > KN_MAX_RANK) return kn_status_make(KN_INVALID_ARGUMENT, "%s has %u dimensions", path, rank);
  for (uint32_t i = 0; i < rank; i++) dims[i] = (uint64_t)shape[i];
  hdf5_lock();
  kn_status status = write_dataset_locked(file, path, rank, dims, values);
  hdf5_unlock();
  return status;
}
