#include "support/directory.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/unit.h"

char *kt_directory_make(void) {
  const char *base = getenv("TMPDIR");
  char *path = kt_path(base && *base ? base : "/tmp", "kenning-test-XXXXXX");
  if (!mkdtemp(path)) kt_fail("mkdtemp %s: %s", path, strerror(errno));
  return path;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where) {
  (void)status;
  (void)type;
  (void)where;
  return remove(path);
}

void kt_directory_remove(char *path) {
  if (!path) return;
  if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0) {
    kt_fail("removing %s: %s", path, strerror(errno));
  }
  free(path);
}

int kt_directory_entries(const char *path) {
  DIR *listing = opendir(path);
  if (!listing) return -1;
  int count = -2; /* "." and ".." */
  while (readdir(listing)) count++;
  closedir(listing);
  return count;
}

char *kt_path(const char *directory, const char *name) {
  char *path = NULL;
  if (asprintf(&path, "%s/%s", directory, name) < 0) kt_fail("out of memory");
  return path;
}

char *kt_source_path(const char *name) {
  const char *source = getenv("KENNING_TEST_SOURCE_DIR");
  if (!source) kt_fail("KENNING_TEST_SOURCE_DIR is not set: run the test with ctest");
  return kt_path(source, name);
}

void kt_file_write(const char *path, const void *data, size_t bytes) {
  FILE *file = fopen(path, "wb");
  if (!file) kt_fail("%s: %s", path, strerror(errno));
  if (fwrite(data, 1, bytes, file) != bytes || fclose(file) != 0) kt_fail("writing %s: %s", path, strerror(errno));
}

void kt_file_write_text(const char *path, const char *text) { kt_file_write(path, text, strlen(text)); }

char *kt_file_read(const char *path, size_t *out_bytes) {
  FILE *file = fopen(path, "rb");
  if (!file) kt_fail("%s: %s", path, strerror(errno));
  size_t bytes = 0, room = 4096;
  char *text = malloc(room);
  while (text) {
    bytes += fread(text + bytes, 1, room - bytes - 1, file);
    if (bytes < room - 1) break;
    room *= 2;
    char *more = realloc(text, room);
    if (!more) free(text);
    text = more;
  }
  if (!text) kt_fail("%s: out of memory", path);
  if (ferror(file)) kt_fail("reading %s: %s", path, strerror(errno));
  fclose(file);
  text[bytes] = '\0';
  if (out_bytes) *out_bytes = bytes;
  return text;
}
