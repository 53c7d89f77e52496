/* Samples of a data set for tools: as raw files, and as what is told of them. */
#include <kenning/block.h>
#include <kenning/services.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

static kn_status write_all(FILE *file, const void *data, size_t bytes, const char *path) {
  if (fwrite(data, 1, bytes, file) == bytes) return NULL;
  return kn_status_make(KN_IO_ERROR, "cannot write %s: %s", path, strerror(errno));
}

static kn_status write_label(const kn_samples *samples, size_t index, FILE *file, const char *path) {
  int64_t label = 0;
  kn_status status = samples->label(samples->context, index, &label);
  return status ? status : write_all(file, &label, sizeof label, path);
}

static kn_status write_samples(const kn_samples *samples, size_t count, const char *what, const kn_tensor_view *sample,
                               FILE *file, const char *path, FILE *labels, const char *labels_path) {
  for (size_t i = 0; i < count; i++) {
    if (kn_cancelled()) return kn_status_make(KN_CANCELLED, "stopped while reading %s", what);
    KN_TRY(samples->load(samples->context, i, sample));
    KN_TRY(write_all(file, sample->data, sample->bytes, path));
    if (labels) KN_TRY(write_label(samples, i, labels, labels_path));
    kn_progress(what, (double)(i + 1), (double)count, NULL);
  }
  return NULL;
}

static kn_status close_file(FILE *file, const char *path, kn_status status) {
  if (file && fclose(file) != 0 && !status)
    return kn_status_make(KN_IO_ERROR, "cannot write %s: %s", path, strerror(errno));
  return status;
}

kn_status kn_samples_write(const kn_samples *samples, size_t count, const char *what, const char *path,
                           const char *labels_path) {
  kn_tensor_view sample;
  KN_TRY(kn_tensor_create(samples->dtype, samples->rank, samples->shape, &sample));
  FILE *file = fopen(path, "wbe"), *labels = file && labels_path ? fopen(labels_path, "wbe") : NULL;
  kn_status status = NULL;
  if (!file || (labels_path && !labels))
    status = kn_status_make(KN_IO_ERROR, "cannot write %s: %s", file ? labels_path : path, strerror(errno));
  else
    status = write_samples(samples, count, what, &sample, file, path, labels, labels_path);
  status = close_file(file, path, status);
  status = close_file(labels, labels_path, status);
  kn_tensor_free(&sample);
  return status;
}

kn_status kn_samples_write_beside(const kn_samples *samples, size_t count, const char *path, const char *name,
                                  char **out_file, char **out_labels) {
  char *what = kn_format("read %s samples", name);
  *out_file = kn_format("%s.%s", path, name);
  if (out_labels) *out_labels = kn_format("%s.%s-labels", path, name);
  bool named = what && *out_file && (!out_labels || *out_labels);
  kn_status status = named ? kn_samples_write(samples, count, what, *out_file, out_labels ? *out_labels : NULL)
                           : kn_status_out_of_memory();
  kn_free(what);
  return status;
}

kn_status kn_samples_record(const kn_samples *samples, size_t count, const char *key, kn_record *record) {
  kn_record *child;
  KN_TRY(kn_record_object(record, key, &child));
  KN_TRY(kn_record_set_int(child, "samples", (int64_t)count));
  return kn_record_set_string(child, "identity", samples->identity ? samples->identity : "");
}
