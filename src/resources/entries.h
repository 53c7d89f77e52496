/* What a part of the cache holds, and what leaves it first when it grows too large. */
#ifndef KENNING_RESOURCES_ENTRIES_H
#define KENNING_RESOURCES_ENTRIES_H

#include <time.h>

#include <kenning/status.h>

typedef struct kn_cache_entry {
  char *path; /* a file, or a directory that goes as a whole */
  uint64_t bytes;
  struct timespec used;
} kn_cache_entry;

typedef struct kn_cache_entries {
  kn_cache_entry *items;
  size_t count;
} kn_cache_entries;

/* Appends what lies at `directory`/`name`; what has vanished, and what is neither file nor directory, is left out. */
kn_status kn_cache_entries_add(kn_cache_entries *list, const char *directory, const char *name) KN_MUST_USE;
/* Appends what lies in a directory, hidden names left out. A missing directory has nothing. */
kn_status kn_cache_entries_add_all(kn_cache_entries *list, const char *directory) KN_MUST_USE;
/* Removes what was not used for longest until `limit` bytes hold; `keep` stays (NULL: nothing must), and so does what
 * kn_cache_entry_hold names. Reorders the list. Returns the bytes that are left. */
uint64_t kn_cache_entries_evict(kn_cache_entries *list, uint64_t limit, const char *keep);
/* A zeroed list is allowed. */
void kn_cache_entries_clear(kn_cache_entries *list);

/* Marks a file or directory as used now. */
void kn_cache_entry_touch(const char *path);
/* The same, and this process does not evict it any more: somebody has been told its path. */
kn_status kn_cache_entry_hold(const char *path) KN_MUST_USE;

/* The value of a variable such as KENNING_CACHE_LIMIT: bytes, or a number with K, M or G behind it. */
kn_status kn_cache_limit(const char *variable, uint64_t preset, uint64_t *out_bytes) KN_MUST_USE;

#endif
