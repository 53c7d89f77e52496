#include "resources/entries.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"

kn_status kn_cache_limit(const char *variable, uint64_t preset, uint64_t *out_bytes) {
  *out_bytes = preset;
  const char *text = getenv(variable);
  if (!text || !*text) return NULL;
  char *end;
  errno = 0;
  unsigned long long number = strtoull(text, &end, 10);
  unsigned shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
  if (errno || end == text || *text == '-' || end[shift ? 1 : 0] || number > UINT64_MAX >> shift)
    return kn_status_make(KN_INVALID_ARGUMENT, "%s is '%.40s'; it takes bytes, or 500M, 2G", variable, text);
  *out_bytes = number << shift;
  return NULL;
}

kn_status kn_cache_entries_add(kn_cache_entries *list, const char *directory, const char *name) {
  char *path = kn_format("%s/%s", directory, name);
  kn_cache_entry *items = path ? kn_realloc(list->items, (list->count + 1) * sizeof *items) : NULL;
  if (items) list->items = items;
  struct stat found;
  bool there = items && lstat(path, &found) == 0 && (S_ISREG(found.st_mode) || S_ISDIR(found.st_mode));
  if (!there) {
    kn_free(path);
    return items ? NULL : kn_status_out_of_memory();
  }
  uint64_t bytes = S_ISDIR(found.st_mode) ? kn_directory_bytes(path) : (uint64_t)found.st_size;
  items[list->count++] = (kn_cache_entry){.path = path, .bytes = bytes, .used = found.st_mtim};
  return NULL;
}

kn_status kn_cache_entries_add_all(kn_cache_entries *list, const char *directory) {
  DIR *listing = opendir(directory);
  kn_status status = NULL;
  for (struct dirent *found; listing && !status && (found = readdir(listing));)
    if (found->d_name[0] != '.') status = kn_cache_entries_add(list, directory, found->d_name);
  if (listing) closedir(listing);
  return status;
}

static uint64_t bytes_of(const kn_cache_entries *list) {
  uint64_t total = 0;
  for (size_t i = 0; i < list->count; i++) total += list->items[i].bytes;
  return total;
}

static int older_first(const void *a, const void *b) {
  const kn_cache_entry *x = a, *y = b;
  if (x->used.tv_sec != y->used.tv_sec) return x->used.tv_sec < y->used.tv_sec ? -1 : 1;
  if (x->used.tv_nsec != y->used.tv_nsec) return x->used.tv_nsec < y->used.tv_nsec ? -1 : 1;
  return 0;
}

/* Paths that this process has been given, until it ends. */
static struct {
  pthread_mutex_t lock;
  char **paths;
  size_t count;
} held = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool is_held(const char *path) {
  bool found = false;
  pthread_mutex_lock(&held.lock);
  for (size_t i = 0; i < held.count && !found; i++) found = !strcmp(held.paths[i], path);
  pthread_mutex_unlock(&held.lock);
  return found;
}

kn_status kn_cache_entry_hold(const char *path) {
  kn_cache_entry_touch(path);
  if (is_held(path)) return NULL;
  char *copy = kn_strdup(path);
  if (!copy) return kn_status_out_of_memory();
  pthread_mutex_lock(&held.lock);
  char **paths = kn_realloc(held.paths, (held.count + 1) * sizeof *paths);
  if (paths) {
    held.paths = paths;
    paths[held.count++] = copy;
  }
  pthread_mutex_unlock(&held.lock);
  if (paths) return NULL;
  kn_free(copy);
  return kn_status_out_of_memory();
}

uint64_t kn_cache_entries_evict(kn_cache_entries *list, uint64_t limit, const char *keep) {
  uint64_t total = bytes_of(list);
  if (list->count) qsort(list->items, list->count, sizeof *list->items, older_first);
  for (size_t i = 0; i < list->count && total > limit; i++) {
    if ((keep && !strcmp(list->items[i].path, keep)) || is_held(list->items[i].path)) continue;
    kn_status status = kn_directory_remove(list->items[i].path);
    if (!status) total -= list->items[i].bytes;
    kn_status_free(status);
  }
  return total;
}

void kn_cache_entries_clear(kn_cache_entries *list) {
  for (size_t i = 0; i < list->count; i++) kn_free(list->items[i].path);
  kn_free(list->items);
  *list = (kn_cache_entries){0};
}

void kn_cache_entry_touch(const char *path) { (void)utimensat(AT_FDCWD, path, NULL, 0); }
