/* What was downloaded: <cache>/resources
 *   content/SHA256         the files, read-only, by their content
 *   uri/SHA256/uri         the URI whose hash names the directory
 *   uri/SHA256/file/NAME   a link to the content, under the last name of the URI
 *   tree/SHA256/           an archive of that content, unpacked
 *   partial/SHA256         of a URI: a download that has not ended, and the lock beside it
 * A name appears by one rename, so that what it names is whole. */
#ifndef KENNING_RESOURCES_STORE_H
#define KENNING_RESOURCES_STORE_H

#include <time.h>

#include <kenning/status.h>

typedef struct kn_stored {
  char *uri;
  char *path; /* .../file/NAME */
  uint64_t bytes;
  struct timespec used; /* last time */
} kn_stored;

typedef struct kn_stored_list {
  kn_stored *items;
  size_t count;
} kn_stored_list;

/* The file under a URI, NULL in *out_path when it is not there, has another sum than `sha256` (NULL: any) or is
 * damaged; what is damaged is removed. Counts as a use. `out_sha256` is that of the content. */
kn_status kn_store_find(const char *uri, const char *sha256, char **out_path, char out_sha256[65]) KN_MUST_USE;
/* Moves a whole file into the store. Evicts the oldest above $KENNING_MAX_CACHE_SIZE (50 GB), but nothing that this
 * process has found or put. */
kn_status kn_store_put(const char *uri, const char *path, const char *sha256) KN_MUST_USE;
/* Links a stored content beside a stored file, under the file's name with `ending` behind it. */
kn_status kn_store_attach(const char *path, const char *ending, const char *sha256) KN_MUST_USE;
/* Where the unpacked archive of a content is or will be; free with kn_free. */
kn_status kn_store_tree(const char *sha256, char **out_path) KN_MUST_USE;
/* The tree is whole and somebody is told its path: counts as a use. Evicts as above. */
kn_status kn_store_use_tree(const char *tree) KN_MUST_USE;
/* The file that a download of the URI grows in, with its directory made; free with kn_free. Also for the lock of a
 * tree, by the content's sum. */
kn_status kn_store_partial(const char *uri, char **out_path) KN_MUST_USE;

/* All that is stored, by URI. */
kn_status kn_store_list(kn_stored_list *out_list) KN_MUST_USE;
void kn_stored_list_clear(kn_stored_list *list);
/* Forgets one URI. KN_NOT_FOUND when it is not there. */
kn_status kn_store_remove(const char *uri) KN_MUST_USE;

#endif
