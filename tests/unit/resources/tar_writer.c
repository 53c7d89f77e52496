#include "unit/resources/tar_writer.h"

#include "support/unit.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "support/directory.h"

enum { BLOCK = 512 };

static void put(gzFile file, const void *data, size_t bytes) {
  if (bytes && gzwrite(file, data, (unsigned)bytes) != (int)bytes) kt_fail("an archive cannot be written");
}

static void put_entry(gzFile file, const kt_tar_entry *entry) {
  char header[BLOCK] = {0}, zeros[BLOCK] = {0};
  size_t bytes = entry->bytes ? entry->bytes : entry->content ? strlen(entry->content) : 0;
  snprintf(header, 100, "%s", entry->name);
  snprintf(header + 100, 8, "%07o", 0644);
  snprintf(header + 108, 8, "%07o", 0);
  snprintf(header + 116, 8, "%07o", 0);
  snprintf(header + 124, 12, "%011zo", bytes);
  snprintf(header + 136, 12, "%011o", 0);
  header[156] = entry->type;
  if (entry->link) snprintf(header + 157, 100, "%s", entry->link);
  memcpy(header + 257, "ustar\00000", 8);
  memset(header + 148, ' ', 8);
  unsigned sum = 0;
  for (size_t i = 0; i < BLOCK; i++) sum += (unsigned char)header[i];
  snprintf(header + 148, 8, "%06o", sum);
  put(file, header, BLOCK);
  if (entry->content) {
    put(file, entry->content, bytes);
  } else {
    for (size_t i = 0; i < bytes / BLOCK; i++) put(file, zeros, BLOCK);
    put(file, zeros, bytes % BLOCK);
  }
  put(file, zeros, (BLOCK - bytes % BLOCK) % BLOCK);
}

static gzFile begin(const char *path) {
  gzFile file = gzopen(path, "wb");
  if (!file) kt_fail("%s cannot be written", path);
  return file;
}

static void end(gzFile file) {
  char zeros[2 * BLOCK] = {0};
  put(file, zeros, sizeof zeros);
  if (gzclose(file) != Z_OK) kt_fail("an archive cannot be written");
}

void kt_tar_write(const char *path, const kt_tar_entry *entries) {
  gzFile file = begin(path);
  for (; entries->name; entries++) put_entry(file, entries);
  end(file);
}

void kt_tar_write_directory(const char *path, const char *from, const char *name) {
  gzFile file = begin(path);
  put_entry(file, &(kt_tar_entry){.name = name, .type = '5'});
  DIR *listing = opendir(from);
  if (!listing) kt_fail("%s cannot be read", from);
  for (struct dirent *found; (found = readdir(listing));) {
    if (found->d_name[0] == '.') continue;
    char *source = kt_path(from, found->d_name), *member = kt_path(name, found->d_name);
    size_t bytes;
    char *content = kt_file_read(source, &bytes);
    put_entry(file, &(kt_tar_entry){.name = member, .type = '0', .content = content, .bytes = bytes});
    free(content);
    free(member);
    free(source);
  }
  closedir(listing);
  end(file);
}
