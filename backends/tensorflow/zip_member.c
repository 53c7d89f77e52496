#include "zip_member.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* libarchive's functions with prototypes of our own: its types are opaque. */
#define ARCHIVE_FUNCTIONS(X)                                                          \
  X(void *, archive_read_new, (void))                                                 \
  X(int, archive_read_free, (void *archive))                                          \
  X(int, archive_read_support_format_zip_seekable, (void *archive))                   \
  X(int, archive_read_open_filename, (void *archive, const char *path, size_t block)) \
  X(int, archive_read_next_header, (void *archive, void **entry))                     \
  X(ssize_t, archive_read_data, (void *archive, void *out, size_t bytes))             \
  X(const char *, archive_error_string, (void *archive))                              \
  X(const char *, archive_entry_pathname, (void *entry))

typedef struct archive_api {
#define ARCHIVE_SLOT(type, name, parameters) type(*name) parameters;
  ARCHIVE_FUNCTIONS(ARCHIVE_SLOT)
#undef ARCHIVE_SLOT
} archive_api;

enum { RESULT_OK = 0, RESULT_END = 1 };                  /* ARCHIVE_OK, ARCHIVE_EOF */
enum { BLOCK_BYTES = 64 << 10, FIRST_BYTES = 64 << 10 }; /* of the file; of a member's buffer */
/* Deflate cannot shrink data more than about 1032-fold. */
enum { COMPRESSION_LIMIT = 1100 };

static pthread_mutex_t open_lock = PTHREAD_MUTEX_INITIALIZER;
static archive_api api;
static bool api_ready;

static kn_status load_library(archive_api *out_api) {
  void *handle = dlopen("libarchive.so.13", RTLD_NOW | RTLD_LOCAL);
  if (!handle)
    return kn_status_make(KN_NOT_INSTALLED,
                          "libarchive, which reads .keras files, is not installed: install the "
                          "package libarchive13 (Debian: `apt-get install libarchive13`)");
#define SYMBOL(result, name, parameters) {#name, offsetof(archive_api, name)},
  static const kn_symbol symbols[] = {ARCHIVE_FUNCTIONS(SYMBOL)};
#undef SYMBOL
  return kn_library_functions(handle, "libarchive", symbols, sizeof symbols / sizeof *symbols, "it is too old",
                              out_api);
}

static kn_status use_library(void) {
  kn_status status = NULL;
  pthread_mutex_lock(&open_lock);
  if (!api_ready) status = load_library(&api);
  api_ready = !status;
  pthread_mutex_unlock(&open_lock);
  return status;
}

bool zip_is_at(const char *path) {
  char start[4] = {0};
  FILE *file = fopen(path, "rb");
  if (!file) return false;
  bool zip = fread(start, 1, sizeof start, file) == sizeof start && memcmp(start, "PK\3\4", sizeof start) == 0;
  (void)fclose(file);
  return zip;
}

static kn_status damaged(const char *path, void *archive) {
  const char *words = api.archive_error_string(archive);
  return kn_status_make(KN_BAD_DATA, "%s is not a readable zip archive: %s", path, words ? words : "no reason given");
}

/* Reads the current entry; the buffer grows by doubling, never beyond `limit`. */
static kn_status read_entry(const char *path, void *archive, size_t limit, zip_member *member) {
  size_t capacity = 0;
  for (;;) {
    if (!member->data || member->bytes == capacity) {
      capacity = capacity ? capacity * 2 : FIRST_BYTES;
      char *grown = capacity <= SIZE_MAX / 2 ? kn_realloc(member->data, capacity + 1) : NULL;
      if (!grown) return kn_status_out_of_memory();
      member->data = grown;
    }
    ssize_t got = api.archive_read_data(archive, member->data + member->bytes, capacity - member->bytes);
    if (got < 0) return damaged(path, archive);
    member->bytes += (size_t)got;
    member->data[member->bytes] = '\0';
    if (got == 0) return NULL;
    if (member->bytes > limit)
      return kn_status_make(KN_BAD_DATA, "%s: %s is larger than the archive can hold", path, member->name);
  }
}

static kn_status read_entries(const char *path, void *archive, size_t limit, zip_member *members, size_t count) {
  if (api.archive_read_support_format_zip_seekable(archive) != RESULT_OK ||
      api.archive_read_open_filename(archive, path, BLOCK_BYTES) != RESULT_OK)
    return damaged(path, archive);
  void *entry;
  int result;
  while ((result = api.archive_read_next_header(archive, &entry)) == RESULT_OK) {
    const char *name = api.archive_entry_pathname(entry);
    for (size_t i = 0; i < count && name; i++) {
      if (strcmp(members[i].name, name) != 0) continue;
      if (members[i].data) return kn_status_make(KN_BAD_DATA, "%s holds %s twice", path, name);
      KN_TRY(read_entry(path, archive, limit, &members[i]));
    }
  }
  return result == RESULT_END ? NULL : damaged(path, archive);
}

kn_status zip_read(const char *path, zip_member *members, size_t count) {
  for (size_t i = 0; i < count; i++) members[i] = (zip_member){.name = members[i].name};
  KN_TRY(use_library());
  struct stat info;
  size_t limit;
  if (stat(path, &info) != 0) return kn_status_make(KN_NOT_FOUND, "there is no file %s", path);
  if (!kn_mul_size((size_t)info.st_size, COMPRESSION_LIMIT, &limit)) limit = SIZE_MAX;
  void *archive = api.archive_read_new();
  if (!archive) return kn_status_out_of_memory();
  kn_status status = read_entries(path, archive, limit, members, count);
  (void)api.archive_read_free(archive);
  for (size_t i = 0; i < count && status; i++) {
    kn_free(members[i].data);
    members[i] = (zip_member){.name = members[i].name};
  }
  return status;
}
