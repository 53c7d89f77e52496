#include "inference.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "keras_archive.h"

kn_status model_format_of(const char *path, model_format *out_format) {
  struct stat info;
  if (stat(path, &info) != 0)
    return errno == ENOENT || errno == ENOTDIR ? kn_status_make(KN_NOT_FOUND, "there is no model %s", path)
                                               : kn_status_make(KN_IO_ERROR, "%s: %s", path, strerror(errno));
  if (S_ISDIR(info.st_mode)) {
    *out_format = MODEL_SAVED;
    if (saved_model_is_at(path)) return NULL;
    return kn_status_make(KN_BAD_DATA, "%s is a directory without saved_model.pb, so it is no SavedModel", path);
  }
  *out_format = MODEL_KERAS;
  if (keras_model_is_hdf5(path) || keras_archive_is_at(path)) return NULL;
  return kn_status_make(KN_BAD_DATA, "%s is neither a Keras model (.h5, .keras) nor a SavedModel", path);
}

const char *model_format_name(model_format format) { return format == MODEL_KERAS ? "keras" : "saved_model"; }
