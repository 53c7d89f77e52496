/* Archives by libarchive, opened on use. What an entry may be is decided here, and every file is written here, so that
 * nothing depends on what the library would do with a hostile name. */
#include <kenning/resource.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "core/file.h"
#include "core/library.h"

/* libarchive's functions with prototypes of our own: its types are opaque. */
#define ARCHIVE_FUNCTIONS(X)                                                          \
  X(void *, archive_read_new, (void))                                                 \
  X(int, archive_read_free, (void *archive))                                          \
  X(int, archive_read_support_format_tar, (void *archive))                            \
  X(int, archive_read_support_format_zip_seekable, (void *archive))                   \
  X(int, archive_read_support_filter_gzip, (void *archive))                           \
  X(int, archive_read_open_filename, (void *archive, const char *path, size_t block)) \
  X(int, archive_read_next_header, (void *archive, void **entry))                     \
  X(ssize_t, archive_read_data, (void *archive, void *out, size_t bytes))             \
  X(int64_t, archive_filter_bytes, (void *archive, int filter))                       \
  X(const char *, archive_error_string, (void *archive))                              \
  X(const char *, archive_entry_pathname, (void *entry))                              \
  X(const char *, archive_entry_pathname_utf8, (void *entry))                         \
  X(const char *, archive_entry_hardlink, (void *entry))                              \
  X(mode_t, archive_entry_filetype, (void *entry))

static struct {
#define ARCHIVE_SLOT(type, name, parameters) type(*name) parameters;
  ARCHIVE_FUNCTIONS(ARCHIVE_SLOT)
#undef ARCHIVE_SLOT
} lib;

#define ARCHIVE_NAME(type, name, parameters) #name,
static const char *const names[] = {ARCHIVE_FUNCTIONS(ARCHIVE_NAME)};
#undef ARCHIVE_NAME

static kn_library library = {.file = "libarchive.so.13",
                             .package = "libarchive13",
                             .names = names,
                             .count = sizeof names / sizeof *names,
                             .table = &lib};

/* libarchive's results. */
enum { RESULT_OK = 0, RESULT_EOF = 1, RESULT_WARNING = -20 };

enum { PIECE_BYTES = 256 << 10, BLOCK_BYTES = 64 << 10, MAX_NAME = 4000, MAX_DEPTH = 64, MAX_ENTRIES = 10000000 };
/* An archive of real files does not grow more than this; a bomb does. */
enum { GROWTH = 200 };
static const uint64_t growth_allowance = (uint64_t)64 << 20, max_bytes = (uint64_t)1 << 40;

typedef struct unpacking {
  void *archive;
  const char *path;      /* of the archive */
  const char *directory; /* that the entries go into */
  char *piece;
  uint64_t archive_bytes, limit_bytes, bytes;
  size_t entries;
} unpacking;

static kn_status damaged(const unpacking *at) {
  const char *reason = lib.archive_error_string(at->archive);
  return kn_status_make_at(KN_BAD_DATA, at->path, "the archive is damaged or incomplete: %s",
                           reason ? reason : "it cannot be read");
}

static kn_status refuse(const unpacking *at, const char *name, const char *why) {
  return kn_status_make_at(KN_BAD_DATA, at->path, "the archive is not unpacked: its entry '%.200s' %s", name, why);
}

/* A relative path whose parts are plain names. "./" at the start is the habit of some archivers. */
static kn_status check_name(const unpacking *at, const char *name) {
  size_t length = strlen(name), depth = 0;
  if (!length || length > MAX_NAME) return refuse(at, name, "has an empty or an overlong name");
  if (*name == '/') return refuse(at, name, "has an absolute path");
  for (const char *part = name; *part;) {
    size_t bytes = strcspn(part, "/");
    if (bytes == 2 && !strncmp(part, "..", 2)) return refuse(at, name, "leads out of the archive");
    if (bytes > 255 || ++depth > MAX_DEPTH) return refuse(at, name, "has too long a path");
    part += bytes;
    part += strspn(part, "/");
  }
  return NULL;
}

static kn_status write_all(int file, const char *path, const char *data, size_t bytes) {
  while (bytes) {
    ssize_t written = write(file, data, bytes);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return kn_file_fault(path, "write", errno);
    data += written;
    bytes -= (size_t)written;
  }
  return NULL;
}

static kn_status copy_content(unpacking *at, int file, const char *path) {
  for (;;) {
    if (kn_cancelled()) return kn_status_make(KN_CANCELLED, "stopped while unpacking %s", at->path);
    ssize_t got = lib.archive_read_data(at->archive, at->piece, PIECE_BYTES);
    if (got < 0) return damaged(at);
    if (!got) return NULL;
    at->bytes += (uint64_t)got;
    if (at->bytes > at->limit_bytes)
      return kn_status_make_at(KN_BAD_DATA, at->path,
                               "the archive is not unpacked: %llu bytes become more than %llu, which no archive of "
                               "real files does",
                               (unsigned long long)at->archive_bytes, (unsigned long long)at->limit_bytes);
    KN_TRY(write_all(file, path, at->piece, (size_t)got));
  }
}

/* Within `directory` there is nothing but what was made here, so no name can be a link to elsewhere. */
static kn_status make_file(unpacking *at, const char *name, const char *path) {
  KN_TRY(kn_directory_make_parent(path));
  /* The later of two entries of one name counts, as everywhere. */
  if (unlink(path) != 0 && errno != ENOENT) return refuse(at, name, "is a file and a directory at once");
  int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (file < 0) return kn_file_fault(path, "write", errno);
  kn_status status = copy_content(at, file, path);
  if (close(file) != 0 && !status) status = kn_file_fault(path, "write", errno);
  return status;
}

static kn_status take_entry(unpacking *at, void *entry) {
  const char *name = lib.archive_entry_pathname(entry);
  if (!name) name = lib.archive_entry_pathname_utf8(entry);
  if (!name) return refuse(at, "?", "has a name that cannot be read");
  KN_TRY(check_name(at, name));
  if (++at->entries > MAX_ENTRIES) return refuse(at, name, "is one of too many");
  mode_t type = lib.archive_entry_filetype(entry);
  if (lib.archive_entry_hardlink(entry) || type == S_IFLNK) return refuse(at, name, "is a link");
  if (type != S_IFREG && type != S_IFDIR) return refuse(at, name, "is neither a file nor a directory");
  char *path = kn_format("%s/%s", at->directory, name);
  if (!path) return kn_status_out_of_memory();
  kn_status status = type == S_IFDIR ? kn_directory_make(path) : make_file(at, name, path);
  kn_free(path);
  return status;
}

static void show(const unpacking *at, const char *what, bool done) {
  char detail[64];
  snprintf(detail, sizeof detail, "%zu entries, %.1f MB", at->entries, (double)at->bytes / 1e6);
  double total = (double)at->archive_bytes, there = (double)lib.archive_filter_bytes(at->archive, -1);
  kn_progress(what, done ? total : there < total ? there : total * 0.99, total, detail);
}

static kn_status take_entries(unpacking *at, const char *what) {
  for (;;) {
    if (kn_cancelled()) return kn_status_make(KN_CANCELLED, "stopped while unpacking %s", at->path);
    void *entry;
    int result = lib.archive_read_next_header(at->archive, &entry);
    if (result == RESULT_EOF) break;
    if (result != RESULT_OK && result != RESULT_WARNING) return damaged(at);
    KN_TRY(take_entry(at, entry));
    show(at, what, false);
  }
  if (!at->entries) return kn_status_make_at(KN_BAD_DATA, at->path, "the archive holds nothing");
  show(at, what, true);
  return NULL;
}

static kn_status read_archive(unpacking *at) {
  const char *slash = strrchr(at->path, '/');
  char *what = kn_format("unpacking %s", slash ? slash + 1 : at->path);
  at->piece = kn_alloc(PIECE_BYTES);
  at->archive = lib.archive_read_new();
  kn_status status = what && at->piece && at->archive ? NULL : kn_status_out_of_memory();
  if (!status && (lib.archive_read_support_format_tar(at->archive) < RESULT_WARNING ||
                  lib.archive_read_support_format_zip_seekable(at->archive) < RESULT_WARNING ||
                  lib.archive_read_support_filter_gzip(at->archive) < RESULT_WARNING))
    status = kn_status_make(KN_INCOMPATIBLE, "libarchive.so.13 reads neither tar nor zip: install libarchive13 anew");
  if (!status && lib.archive_read_open_filename(at->archive, at->path, BLOCK_BYTES) != RESULT_OK) status = damaged(at);
  if (!status) status = take_entries(at, what);
  if (at->archive) (void)lib.archive_read_free(at->archive);
  kn_free(at->piece);
  kn_free(what);
  return status;
}

kn_status kn_archive_unpack(const char *archive, const char *directory) {
  uint64_t bytes;
  if (!kn_file_exists(archive, &bytes)) return kn_status_make(KN_NOT_FOUND, "%s: there is no such file", archive);
  KN_TRY(kn_library_use(&library));
  uint64_t limit = bytes < max_bytes / GROWTH ? bytes * GROWTH + growth_allowance : max_bytes;
  char *temporary;
  if (access(directory, F_OK) == 0)
    return kn_status_make(KN_INVALID_ARGUMENT, "%s exists already: nothing is unpacked over it", directory);
  KN_TRY(kn_file_temporary(directory, &temporary));
  unpacking at = {.path = archive, .directory = temporary, .archive_bytes = bytes, .limit_bytes = limit};
  /* New, so that no link in it leads elsewhere. */
  if (mkdir(temporary, 0777) != 0) {
    kn_status taken = kn_file_fault(temporary, "make the directory", errno);
    kn_free(temporary);
    return taken;
  }
  kn_status status = read_archive(&at);
  if (!status && rename(temporary, directory) != 0) status = kn_file_fault(directory, "make the directory", errno);
  if (status) {
    kn_status left = kn_directory_remove(temporary);
    kn_status_free(left);
  }
  kn_free(temporary);
  return status;
}
