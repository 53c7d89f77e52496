/* The cache of tool results: <cache>/results/<2 digits>/<hash of the key>-<hash of the content>. The name tells both
 * what was asked and what the answer must be, so an entry appears by one rename and proves itself when it is read. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "resources/entries.h"
#include "resources/hash.h"
#include "resources/place.h"

enum { PIECE_BYTES = 1 << 20, HASH_DIGITS = 64, NAME_LENGTH = 2 * HASH_DIGITS + 1 };
static const uint64_t default_limit = (uint64_t)2 << 30;

/* Adds the entries of a directory whose names start with `prefix`. A missing directory has none. */
static kn_status find_entries(const char *directory, const char *prefix, kn_cache_entries *list) {
  DIR *listing = opendir(directory);
  kn_status status = NULL;
  for (struct dirent *found; listing && !status && (found = readdir(listing));)
    if (strlen(found->d_name) == NAME_LENGTH && !strncmp(found->d_name, prefix, strlen(prefix)))
      status = kn_cache_entries_add(list, directory, found->d_name);
  if (listing) closedir(listing);
  return status;
}

static kn_status find_all_entries(const char *results, kn_cache_entries *list) {
  static const char digits[] = "0123456789abcdef";
  kn_status status = NULL;
  for (int i = 0; i < 256 && !status; i++) {
    char *directory = kn_format("%s/%c%c", results, digits[i >> 4], digits[i & 15]);
    status = directory ? find_entries(directory, "", list) : kn_status_out_of_memory();
    kn_free(directory);
  }
  return status;
}

static kn_status copy_pieces(int from, const char *from_path, int to, const char *to_path, kn_hash *hash, char *piece) {
  for (;;) {
    ssize_t got = read(from, piece, PIECE_BYTES);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return kn_file_fault(from_path, "read", errno);
    if (got == 0) return NULL;
    KN_TRY(kn_hash_add(hash, piece, (size_t)got));
    for (ssize_t done = 0; done < got;) {
      ssize_t written = write(to, piece + done, (size_t)(got - done));
      if (written < 0 && errno != EINTR) return kn_file_fault(to_path, "write", errno);
      if (written > 0) done += written;
    }
  }
}

/* Copies into the new file `to_path`, removed on failure; the hash of what was copied into `out_hex`. */
static kn_status copy_file(const char *from_path, const char *to_path, char out_hex[65]) {
  int from;
  KN_TRY(kn_file_open(from_path, &from));
  int to = open(to_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (to < 0) {
    kn_status status = kn_file_fault(to_path, "write", errno);
    close(from);
    return status;
  }
  kn_hash hash = {0};
  char *piece = kn_alloc(PIECE_BYTES);
  kn_status status = piece ? kn_hash_begin(&hash) : kn_status_out_of_memory();
  if (!status) status = copy_pieces(from, from_path, to, to_path, &hash, piece);
  if (!status)
    status = kn_hash_end(&hash, out_hex);
  else
    kn_hash_abandon(&hash);
  kn_free(piece);
  close(from);
  if (close(to) != 0 && !status) status = kn_file_fault(to_path, "write", errno);
  if (status) (void)unlink(to_path);
  return status;
}

/* <cache>/results, and the directory in it and the hash that belong to `key`. Free both strings. */
static kn_status locate(const char *key, char hex[65], char **out_results, char **out_directory) {
  char *cache;
  *out_results = *out_directory = NULL;
  KN_TRY(kn_sha256(key, strlen(key), hex));
  KN_TRY(kn_place_cache(&cache));
  *out_results = kn_format("%s/results", cache);
  kn_free(cache);
  *out_directory = *out_results ? kn_format("%s/%.2s", *out_results, hex) : NULL;
  if (*out_directory) return NULL;
  kn_free(*out_results);
  *out_results = NULL;
  return kn_status_out_of_memory();
}

/* Copies an entry to `path` when its content is what its name says; otherwise removes the entry. */
static kn_status take_entry(const char *entry_path, const char *path, bool *out_hit) {
  char *temporary, hex[65];
  KN_TRY(kn_file_temporary(path, &temporary));
  kn_status status = copy_file(entry_path, temporary, hex);
  if (!status && strcmp(hex, entry_path + strlen(entry_path) - HASH_DIGITS) != 0) {
    kn_log(KN_LOG_WARNING, "a damaged cache entry was removed: %s", entry_path);
    (void)unlink(temporary);
    (void)unlink(entry_path);
  } else if (!status) {
    status = kn_file_publish(temporary, path);
    *out_hit = !status;
    if (*out_hit) kn_cache_entry_touch(entry_path);
  } else if (access(entry_path, R_OK) != 0) {
    /* Another process evicted it meanwhile. */
    kn_status_free(status);
    status = NULL;
  }
  kn_free(temporary);
  return status;
}

kn_status kn_cache_lookup(const char *key, const char *path, bool *out_hit) {
  char hex[65], *results, *directory;
  *out_hit = false;
  KN_TRY(locate(key, hex, &results, &directory));
  kn_cache_entries list = {0};
  kn_status status = find_entries(directory, hex, &list);
  for (size_t i = 0; i < list.count && !status && !*out_hit; i++)
    status = take_entry(list.items[i].path, path, out_hit);
  kn_cache_entries_clear(&list);
  kn_free(results);
  kn_free(directory);
  return status;
}

/* Removes what was not used for longest until `limit` holds; `keep` stays. */
static kn_status evict(const char *results, uint64_t limit, const char *keep) {
  kn_cache_entries list = {0};
  kn_status status = find_all_entries(results, &list);
  if (!status) (void)kn_cache_entries_evict(&list, limit, keep);
  kn_cache_entries_clear(&list);
  return status;
}

static kn_status store_locked(const char *results, const char *directory, const char *key_hex, uint64_t limit,
                              const char *path) {
  char *wish = kn_format("%s/entry", directory), *temporary = NULL, hex[65];
  if (!wish) return kn_status_out_of_memory();
  kn_cache_entries before = {0};
  kn_status status = find_entries(directory, key_hex, &before);
  if (!status) status = kn_file_temporary(wish, &temporary);
  kn_free(wish);
  if (!status) status = copy_file(path, temporary, hex);
  char *final = status ? NULL : kn_format("%s/%s-%s", directory, key_hex, hex);
  if (!status && !final) {
    (void)unlink(temporary);
    status = kn_status_out_of_memory();
  }
  if (!status) status = kn_file_publish(temporary, final);
  for (size_t i = 0; i < before.count && !status; i++)
    if (strcmp(before.items[i].path, final) != 0) (void)unlink(before.items[i].path);
  if (!status) status = evict(results, limit, final);
  kn_cache_entries_clear(&before);
  kn_free(temporary);
  kn_free(final);
  return status;
}

kn_status kn_cache_store(const char *key, const char *path) {
  char hex[65], *results, *directory;
  uint64_t limit, bytes;
  KN_TRY(kn_cache_limit("KENNING_CACHE_LIMIT", default_limit, &limit));
  if (!kn_file_exists(path, &bytes)) return kn_status_make(KN_NOT_FOUND, "%s: there is no such file to cache", path);
  if (bytes > limit) {
    kn_log(KN_LOG_DEBUG, "%s is larger than the cache may be", path);
    return NULL;
  }
  KN_TRY(locate(key, hex, &results, &directory));
  char *lock_path = kn_format("%s/lock", results);
  int lock = -1;
  kn_status status = lock_path ? kn_file_lock(lock_path, false, NULL, &lock) : kn_status_out_of_memory();
  if (!status) status = store_locked(results, directory, hex, limit, path);
  kn_file_unlock(lock);
  kn_free(lock_path);
  kn_free(results);
  kn_free(directory);
  return status;
}
