#include "resources/store.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/temporary.h"
#include "resources/entries.h"
#include "resources/place.h"

enum { HASH_DIGITS = 64, MAX_NAME = 200, URI_LIMIT_BYTES = 64 << 10 };
static const uint64_t default_limit = 50000000000u;
static const char up_to_content[] = "../../../content/";

/* <cache>/resources */
static kn_status store_place(char **out_path) {
  char *cache;
  *out_path = NULL;
  KN_TRY(kn_place_cache(&cache));
  *out_path = kn_format("%s/resources", cache);
  kn_free(cache);
  return *out_path ? NULL : kn_status_out_of_memory();
}

/* <store>/<part>/<name> */
static kn_status locate(const char *part, const char *name, char **out_path) {
  char *place;
  *out_path = NULL;
  KN_TRY(store_place(&place));
  *out_path = kn_format("%s/%s/%s", place, part, name);
  kn_free(place);
  return *out_path ? NULL : kn_status_out_of_memory();
}

static kn_status locate_uri(const char *part, const char *uri, char **out_path) {
  char hex[65];
  *out_path = NULL;
  KN_TRY(kn_sha256(uri, strlen(uri), hex));
  return locate(part, hex, out_path);
}

kn_status kn_store_tree(const char *sha256, char **out_path) { return locate("tree", sha256, out_path); }

kn_status kn_store_partial(const char *uri, char **out_path) {
  KN_TRY(locate_uri("partial", uri, out_path));
  kn_status status = kn_directory_make_parent(*out_path);
  if (!status) return NULL;
  kn_free(*out_path);
  *out_path = NULL;
  return status;
}

/* The last part of the URI's path as a file name: what a model is, many tell by its ending. */
static void name_of(const char *uri, char out[MAX_NAME + 1]) {
  static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+=@~%,";
  size_t end = strcspn(uri, "?#"), start = end;
  while (start && uri[start - 1] != '/') start--;
  if (end - start > MAX_NAME) start = end - MAX_NAME;
  size_t length = 0;
  for (size_t i = start; i < end; i++) out[length++] = strchr(plain, uri[i]) ? uri[i] : '_';
  if (!length) out[length++] = '_';
  if (*out == '.') *out = '_';
  out[length] = '\0';
}

/* ---- finding ---- */

/* The sum in the name of the content that `link` leads to; false when it is no such link. */
static bool read_link(const char *link, char out_sha256[65]) {
  char target[sizeof up_to_content + HASH_DIGITS + 1];
  ssize_t length = readlink(link, target, sizeof target);
  size_t start = sizeof up_to_content - 1;
  if (length != (ssize_t)(start + HASH_DIGITS) || strncmp(target, up_to_content, start) != 0) return false;
  memcpy(out_sha256, target + start, HASH_DIGITS);
  out_sha256[HASH_DIGITS] = '\0';
  return strspn(out_sha256, "0123456789abcdef") == HASH_DIGITS;
}

static kn_status link_of(const char *uri, char **out_link) {
  char name[MAX_NAME + 1], *directory;
  *out_link = NULL;
  KN_TRY(locate_uri("uri", uri, &directory));
  name_of(uri, name);
  *out_link = kn_format("%s/file/%s", directory, name);
  kn_free(directory);
  return *out_link ? NULL : kn_status_out_of_memory();
}

/* *out_whole: the content is there and what its name says. */
static kn_status check_content(const char *sha256, bool *out_whole) {
  char *path, hex[65];
  *out_whole = false;
  KN_TRY(locate("content", sha256, &path));
  kn_status status = NULL;
  if (kn_file_exists(path, NULL)) {
    status = kn_sha256_file(path, hex);
    if (!status && !strcmp(hex, sha256)) {
      *out_whole = true;
      status = kn_cache_entry_hold(path);
    } else if (!status) {
      kn_log(KN_LOG_WARNING, "a damaged download was removed: %s", path);
      (void)unlink(path);
    }
  }
  kn_free(path);
  return status;
}

kn_status kn_store_find(const char *uri, const char *sha256, char **out_path, char out_sha256[65]) {
  char *link;
  *out_path = NULL;
  KN_TRY(link_of(uri, &link));
  bool whole = false;
  kn_status status = NULL;
  if (read_link(link, out_sha256) && (!sha256 || !strcmp(sha256, out_sha256)))
    status = check_content(out_sha256, &whole);
  if (whole && !status)
    *out_path = link;
  else
    kn_free(link);
  return status;
}

/* ---- putting ---- */

static kn_status evict(void) {
  uint64_t limit, left = 0;
  char *place;
  KN_TRY(kn_cache_limit("KENNING_MAX_CACHE_SIZE", default_limit, &limit));
  KN_TRY(store_place(&place));
  static const char *const parts[] = {"content", "tree"};
  kn_cache_entries list = {0};
  kn_status status = NULL;
  for (size_t i = 0; i < sizeof parts / sizeof *parts && !status; i++) {
    char *directory = kn_format("%s/%s", place, parts[i]);
    status = directory ? kn_cache_entries_add_all(&list, directory) : kn_status_out_of_memory();
    kn_free(directory);
  }
  if (!status) left = kn_cache_entries_evict(&list, limit, NULL);
  if (left > limit)
    kn_log(KN_LOG_WARNING,
           "%s holds %llu bytes, more than the %llu of KENNING_MAX_CACHE_SIZE: this run uses them; allow more, or run "
           "`kenning cache clear resources` when it is over",
           place, (unsigned long long)left, (unsigned long long)limit);
  kn_cache_entries_clear(&list);
  kn_free(place);
  return status;
}

static kn_status write_link(const char *link, const char *sha256) {
  char *target = kn_format("%s%s", up_to_content, sha256), *temporary = kn_temporary_name(link);
  kn_status status = target && temporary ? kn_directory_make_parent(link) : kn_status_out_of_memory();
  if (target && temporary && !status) {
    (void)unlink(temporary);
    if (symlink(target, temporary) != 0 || rename(temporary, link) != 0) status = kn_file_fault(link, "write", errno);
  }
  kn_free(temporary);
  kn_free(target);
  return status;
}

static kn_status write_uri(const char *uri) {
  char *directory;
  KN_TRY(locate_uri("uri", uri, &directory));
  char *path = kn_format("%s/uri", directory);
  kn_status status = path ? kn_file_write(path, uri, strlen(uri)) : kn_status_out_of_memory();
  kn_free(path);
  kn_free(directory);
  return status;
}

kn_status kn_store_put(const char *uri, const char *path, const char *sha256) {
  char *content, *link = NULL;
  KN_TRY(locate("content", sha256, &content));
  kn_status status = kn_directory_make_parent(content);
  if (!status && chmod(path, 0444) != 0) status = kn_file_fault(path, "protect", errno);
  if (!status) status = kn_file_publish(path, content);
  if (!status) status = write_uri(uri);
  if (!status) status = link_of(uri, &link);
  if (!status) status = write_link(link, sha256);
  if (!status) status = kn_cache_entry_hold(content);
  if (!status) status = evict();
  kn_free(link);
  kn_free(content);
  return status;
}

kn_status kn_store_attach(const char *path, const char *ending, const char *sha256) {
  char *link = kn_format("%s%s", path, ending);
  kn_status status = link ? write_link(link, sha256) : kn_status_out_of_memory();
  kn_free(link);
  return status;
}

kn_status kn_store_use_tree(const char *tree) {
  KN_TRY(kn_cache_entry_hold(tree));
  return evict();
}

/* ---- listing ---- */

static kn_status add_stored(kn_stored_list *list, const char *directory) {
  char *path = kn_format("%s/uri", directory), *uri = NULL, *link = NULL;
  size_t bytes;
  kn_status status = path ? kn_file_read(path, URI_LIMIT_BYTES, &uri, &bytes) : kn_status_out_of_memory();
  kn_free(path);
  if (!status) status = link_of(uri, &link);
  struct stat found;
  kn_stored *items = status ? NULL : kn_realloc(list->items, (list->count + 1) * sizeof *items);
  if (items) list->items = items;
  if (!status && !items) status = kn_status_out_of_memory();
  if (items && stat(link, &found) == 0) { /* else it was evicted */
    items[list->count++] = (kn_stored){uri, link, (uint64_t)found.st_size, found.st_mtim};
    return NULL;
  }
  kn_free(uri);
  kn_free(link);
  if (kn_status_code(status) == KN_OUT_OF_MEMORY) return status;
  kn_status_free(status); /* an entry that is being made or removed */
  return NULL;
}

static int by_uri(const void *a, const void *b) {
  return strcmp(((const kn_stored *)a)->uri, ((const kn_stored *)b)->uri);
}

kn_status kn_store_list(kn_stored_list *out_list) {
  *out_list = (kn_stored_list){0};
  char *place;
  KN_TRY(store_place(&place));
  char *directory = kn_format("%s/uri", place);
  kn_free(place);
  if (!directory) return kn_status_out_of_memory();
  kn_cache_entries entries = {0};
  kn_status status = kn_cache_entries_add_all(&entries, directory);
  for (size_t i = 0; i < entries.count && !status; i++) status = add_stored(out_list, entries.items[i].path);
  kn_cache_entries_clear(&entries);
  kn_free(directory);
  if (status) kn_stored_list_clear(out_list);
  if (out_list->count) qsort(out_list->items, out_list->count, sizeof *out_list->items, by_uri);
  return status;
}

void kn_stored_list_clear(kn_stored_list *list) {
  for (size_t i = 0; i < list->count; i++) {
    kn_free(list->items[i].uri);
    kn_free(list->items[i].path);
  }
  kn_free(list->items);
  *list = (kn_stored_list){0};
}

/* Whether another URI has the same content. */
static kn_status is_shared(const char *uri, const char *sha256, bool *out_shared) {
  kn_stored_list list;
  *out_shared = false;
  KN_TRY(kn_store_list(&list));
  char other[65];
  for (size_t i = 0; i < list.count; i++)
    *out_shared |= strcmp(list.items[i].uri, uri) && read_link(list.items[i].path, other) && !strcmp(other, sha256);
  kn_stored_list_clear(&list);
  return NULL;
}

kn_status kn_store_remove(const char *uri) {
  char *link, *directory = NULL, *content = NULL, *tree = NULL, sha256[65];
  bool shared = false;
  KN_TRY(link_of(uri, &link));
  bool there = read_link(link, sha256);
  kn_free(link);
  if (!there) return kn_status_make(KN_NOT_FOUND, "%s is not in the cache; `kenning cache list` tells what is", uri);
  kn_status status = is_shared(uri, sha256, &shared);
  if (!status) status = locate_uri("uri", uri, &directory);
  if (!status) status = locate("content", sha256, &content);
  if (!status) status = kn_store_tree(sha256, &tree);
  if (!status) status = kn_directory_remove(directory);
  if (!status && !shared) status = kn_directory_remove(content);
  if (!status && !shared) status = kn_directory_remove(tree);
  kn_free(tree);
  kn_free(content);
  kn_free(directory);
  return status;
}
