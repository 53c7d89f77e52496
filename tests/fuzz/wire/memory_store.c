#include "memory_store.h"

#include "core/file.h"
#include "measurements/procfs.h"
#include "target/upload.h"

#include <kenning/iospec.h>
#include <stdlib.h>
#include <string.h>

enum { FILES = 4, PATH_BYTES = 128 };

typedef struct stored {
  char path[PATH_BYTES]; /* "": none */
  char *data;
  size_t bytes;
} stored;

static stored files[FILES];

static stored *find(const char *path) {
  for (int i = 0; i < FILES; i++)
    if (!strcmp(files[i].path, path)) return &files[i];
  return NULL;
}

static void drop(stored *file) {
  kn_free(file->data);
  *file = (stored){0};
}

static kn_status add(const char *path, const void *data, size_t bytes) {
  stored *file = find(path);
  if (!file) file = find("");
  if (!file || strlen(path) >= PATH_BYTES) abort(); /* the session knows of three */
  char *more = kn_realloc(file->data, file->bytes + bytes + 1);
  if (!more) return kn_status_out_of_memory();
  if (bytes) memcpy(more + file->bytes, data, bytes);
  strcpy(file->path, path);
  file->data = more;
  file->bytes += bytes;
  return NULL;
}

static kn_status missing(const char *path) {
  return kn_status_make(KN_NOT_FOUND, "%s: there is no such file or directory", path);
}

void kt_memory_store_clear(void) {
  for (int i = 0; i < FILES; i++) drop(&files[i]);
}

/* ---- target/upload.h: what is under way has a name of its own ---- */

kn_status __wrap_kn_upload_begin(const char *path, kn_upload *out_upload);
kn_status __wrap_kn_upload_begin(const char *path, kn_upload *out_upload) {
  *out_upload = (kn_upload){.path = kn_strdup(path), .temporary = kn_format("%s.upload", path), .fd = -1};
  if (!out_upload->path || !out_upload->temporary) abort();
  return add(out_upload->temporary, NULL, 0);
}

kn_status __wrap_kn_upload_add(kn_upload *upload, const void *data, size_t bytes);
kn_status __wrap_kn_upload_add(kn_upload *upload, const void *data, size_t bytes) {
  upload->bytes += bytes;
  return add(upload->temporary, data, bytes);
}

kn_status __wrap_kn_upload_commit(kn_upload *upload);
kn_status __wrap_kn_upload_commit(kn_upload *upload) {
  stored *before = find(upload->path), *now = find(upload->temporary);
  if (!now) abort();
  if (before) drop(before);
  strcpy(now->path, upload->path);
  return NULL;
}

void __wrap_kn_upload_clear(kn_upload *upload);
void __wrap_kn_upload_clear(kn_upload *upload) {
  stored *left = upload->temporary ? find(upload->temporary) : NULL;
  if (left) drop(left);
  kn_free(upload->path);
  kn_free(upload->temporary);
  *upload = (kn_upload){.fd = -1};
}

/* ---- core/file.h, kenning/services.h, unistd.h ---- */

bool __wrap_kn_file_exists(const char *path, uint64_t *out_bytes);
bool __wrap_kn_file_exists(const char *path, uint64_t *out_bytes) {
  const stored *file = find(path);
  if (file && out_bytes) *out_bytes = file->bytes;
  return file;
}

kn_status __wrap_kn_file_read(const char *path, size_t limit, char **out_data, size_t *out_bytes);
kn_status __wrap_kn_file_read(const char *path, size_t limit, char **out_data, size_t *out_bytes) {
  const stored *file = find(path);
  *out_data = NULL;
  *out_bytes = 0;
  if (!file) return missing(path);
  if (file->bytes > limit) return kn_status_make(KN_BAD_DATA, "%s has %zu bytes", path, file->bytes);
  *out_data = kn_alloc(file->bytes + 1);
  if (!*out_data) return kn_status_out_of_memory();
  memcpy(*out_data, file->data, file->bytes);
  *out_bytes = file->bytes;
  return NULL;
}

kn_status __wrap_kn_file_write(const char *path, const void *data, size_t bytes);
kn_status __wrap_kn_file_write(const char *path, const void *data, size_t bytes) {
  stored *before = find(path);
  if (before) drop(before);
  return add(path, data, bytes);
}

kn_status __wrap_kn_sha256_file(const char *path, char out_hex[65]);
kn_status __wrap_kn_sha256_file(const char *path, char out_hex[65]) {
  const stored *file = find(path);
  return file ? kn_sha256(file->data, file->bytes, out_hex) : missing(path);
}

kn_status __wrap_kn_iospec_read(const char *path, kn_iospec *out_spec);
kn_status __wrap_kn_iospec_read(const char *path, kn_iospec *out_spec) {
  *out_spec = (kn_iospec){0};
  return missing(path); /* no model here has one of its own */
}

int __wrap_unlink(const char *path);
int __wrap_unlink(const char *path) {
  stored *file = find(path);
  if (file) drop(file);
  return file ? 0 : -1;
}

/* ---- measurements/procfs.h: a file of the kernel ---- */

uint64_t __wrap_kn_process_peak_rss_bytes(void);
uint64_t __wrap_kn_process_peak_rss_bytes(void) { return 1 << 20; }
