#include <kenning/resource.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "core/uri.h"
#include "resources/entries.h"
#include "resources/store.h"
#include "resources/transfer.h"

/* Where the original's published models and data are. */
static const char default_base[] = "https://dl.antmicro.com/kenning";

/* Larger files are not downloaded. */
static const uint64_t limit_bytes = (uint64_t)1 << 40;

static kn_resource_settings chosen;

void kn_resource_configure(const kn_resource_settings *settings) { chosen = *settings; }

bool kn_resource_is_remote(const char *path_or_uri) {
  return kn_uri_is(path_or_uri) && !kn_uri_has_scheme(path_or_uri, "file");
}

static bool is_offline(void) {
  const char *value = getenv("KENNING_OFFLINE");
  return chosen.offline || (value && *value && strcmp(value, "0") != 0);
}

static const char *base_uri(void) {
  if (chosen.base_uri && *chosen.base_uri) return chosen.base_uri;
  const char *value = getenv("KENNING_RESOURCES_URI");
  return value && *value ? value : default_base;
}

/* What is to be fetched: a URI that the network or the disk knows, and the sum it must have ("": any). */
typedef struct wanted {
  char *uri;
  char sha256[65];
  int attempts; /* of the transfer, in a row; 0: its own number */
} wanted;

static kn_status read_sum(const char *uri, const char *fragment, char out_sha256[65]) {
  static const char key[] = "sha256=";
  const char *hex = fragment + sizeof key - 1;
  if (strncmp(fragment, key, sizeof key - 1) != 0 || strlen(hex) != 64 || strspn(hex, "0123456789abcdefABCDEF") != 64)
    return kn_status_make(KN_INVALID_ARGUMENT, "%s: behind '#' stands sha256= and 64 hexadecimal digits, or nothing",
                          uri);
  for (size_t i = 0; i <= 64; i++) out_sha256[i] = (char)(hex[i] >= 'A' && hex[i] <= 'F' ? hex[i] - 'A' + 'a' : hex[i]);
  return NULL;
}

/* The URI without its fragment; kenning:/// is below the base URI. */
static kn_status resolve(const char *text, wanted *out) {
  *out = (wanted){0};
  const char *fragment = strchr(text, '#');
  size_t length = fragment ? (size_t)(fragment - text) : strlen(text);
  if (fragment && fragment[1]) KN_TRY(read_sum(text, fragment + 1, out->sha256));
  if (kn_uri_has_scheme(text, "kenning")) {
    const char *path = text + strlen("kenning://");
    if (*path != '/')
      return kn_status_make(KN_INVALID_ARGUMENT, "%s: a kenning URI has three slashes: kenning:///models/model.h5",
                            text);
    const char *base = base_uri();
    size_t base_length = strlen(base);
    while (base_length && base[base_length - 1] == '/') base_length--;
    if (!kn_uri_is(base) || kn_uri_has_scheme(base, "kenning"))
      return kn_status_make(KN_INVALID_ARGUMENT,
                            "the base of kenning:/// is '%.200s'; it must be an https://, http:// or file:// URI",
                            base);
    out->uri = kn_format("%.*s%.*s", (int)base_length, base, (int)(length - strlen("kenning://")), path);
  } else if (kn_uri_has_scheme(text, "https") || kn_uri_has_scheme(text, "http")) {
    out->uri = kn_strndup(text, length);
  } else {
    return kn_status_make(KN_INVALID_ARGUMENT, "%s: this kind of URI cannot be read; file, https, http and kenning can",
                          text);
  }
  return out->uri ? NULL : kn_status_out_of_memory();
}

static kn_status check_sum(const wanted *w, const char *partial, const char *sha256) {
  if (!*w->sha256 || !strcmp(w->sha256, sha256)) return NULL;
  (void)unlink(partial);
  return kn_status_make(KN_BAD_DATA, "%s is not what it should be: its SHA-256 is %s instead of %s", w->uri, sha256,
                        w->sha256);
}

static kn_status download_locked(const wanted *w, const char *partial, char **out_path, char out_sha256[65]) {
  const char *wish = *w->sha256 ? w->sha256 : NULL;
  KN_TRY(kn_store_find(w->uri, wish, out_path, out_sha256)); /* somebody else was first */
  if (*out_path) return NULL;
  const char *slash = strrchr(w->uri, '/');
  char *what = kn_format("downloading %.60s", slash[1] ? slash + 1 : w->uri);
  if (!what) return kn_status_out_of_memory();
  kn_log(KN_LOG_INFO, "downloading %s", w->uri);
  kn_status status = kn_transfer_run(&(kn_transfer){
      .uri = w->uri, .path = partial, .what = what, .limit_bytes = limit_bytes, .attempts = w->attempts});
  kn_free(what);
  KN_TRY(status);
  KN_TRY(kn_sha256_file(partial, out_sha256));
  KN_TRY(check_sum(w, partial, out_sha256));
  KN_TRY(kn_store_put(w->uri, partial, out_sha256));
  char *validator = kn_format("%s.validator", partial);
  if (validator) (void)unlink(validator);
  kn_free(validator);
  KN_TRY(kn_store_find(w->uri, wish, out_path, out_sha256));
  return *out_path
             ? NULL
             : kn_status_make(KN_BUSY, "%s was removed from the cache as soon as it was there: try again", w->uri);
}

static kn_status download(const wanted *w, char **out_path, char out_sha256[65]) {
  char *partial;
  KN_TRY(kn_store_partial(w->uri, &partial));
  char *lock_path = kn_format("%s.lock", partial);
  int lock = -1;
  kn_status status = lock_path
                         ? kn_file_lock(lock_path, false, "waiting for another process that downloads the same", &lock)
                         : kn_status_out_of_memory();
  if (!status) status = download_locked(w, partial, out_path, out_sha256);
  kn_file_unlock(lock);
  kn_free(lock_path);
  kn_free(partial);
  return status;
}

static kn_status offline_fault(const char *uri) {
  return kn_status_make(KN_NOT_FOUND,
                        "%s is not in the cache, and nothing is downloaded offline: leave out --offline and "
                        "KENNING_OFFLINE once, or give a local path",
                        uri);
}

/* `out_sha256` is empty for a local path. *out_new: it was downloaded now. `attempts`: as above. */
static kn_status fetch(const char *text, int attempts, char **out_path, char out_sha256[65], bool *out_new) {
  *out_new = false;
  *out_sha256 = '\0';
  KN_TRY(kn_uri_local_path(text, out_path));
  if (*out_path) return NULL;
  wanted w;
  kn_status status = resolve(text, &w);
  w.attempts = attempts;
  if (!status && kn_uri_has_scheme(w.uri, "file")) { /* a base URI on this machine */
    status = kn_uri_local_path(w.uri, out_path);
  } else if (!status) {
    status = kn_store_find(w.uri, *w.sha256 ? w.sha256 : NULL, out_path, out_sha256);
    *out_new = !status && !*out_path;
    if (*out_new) status = is_offline() ? offline_fault(w.uri) : download(&w, out_path, out_sha256);
  }
  kn_free(w.uri);
  return status;
}

kn_status kn_resource_fetch(const char *path_or_uri, char **out_path) {
  char sha256[65];
  bool is_new;
  *out_path = NULL;
  return fetch(path_or_uri, 0, out_path, sha256, &is_new);
}

/* The name of a model's io specification at its server. */
static char *specification_uri(const char *model_uri) {
  size_t length = strcspn(model_uri, "?#");
  return kn_format("%.*s.json%.*s", (int)length, model_uri, (int)strcspn(model_uri + length, "#"), model_uri + length);
}

/* Not every model has an io specification. That the server has none is kept in the file `none`; after any other failure
 * it is asked again, though not as patiently, the next time. */
static kn_status find_specification(const char *model_uri, const char *model_path, bool is_new, const char *none) {
  char *uri = specification_uri(model_uri), *path = NULL, sha256[65];
  bool found_now = false;
  kn_status status = uri ? fetch(uri, is_new ? 0 : 1, &path, sha256, &found_now) : kn_status_out_of_memory();
  kn_code code = kn_status_code(status);
  if (!status) {
    char *beside = kn_format("%s.json", model_path);
    if (!beside) status = kn_status_out_of_memory();
    (void)unlink(none);
    if (beside && (is_new || found_now || !kn_file_exists(beside, NULL)))
      status = kn_store_attach(model_path, ".json", sha256);
    kn_free(beside);
  } else if (code != KN_OUT_OF_MEMORY && code != KN_CANCELLED) {
    kn_log(KN_LOG_DEBUG, "no io specification comes with %s: %s", model_uri, kn_status_message(status, 0));
    kn_status_free(status);
    status = NULL;
    if (code == KN_NOT_FOUND && !is_offline()) kn_status_free(kn_file_write(none, "", 0));
  }
  kn_free(path);
  kn_free(uri);
  return status;
}

static kn_status fetch_specification(const char *model_uri, const char *model_path, bool is_new) {
  char *none = kn_format("%s.json.none", model_path);
  if (!none) return kn_status_out_of_memory();
  kn_status status = NULL;
  if (is_new || !kn_file_exists(none, NULL)) status = find_specification(model_uri, model_path, is_new, none);
  kn_free(none);
  return status;
}

kn_status kn_resource_fetch_model(const char *path_or_uri, char **out_path) {
  char sha256[65];
  bool is_new;
  *out_path = NULL;
  KN_TRY(fetch(path_or_uri, 0, out_path, sha256, &is_new));
  kn_status status = *sha256 ? fetch_specification(path_or_uri, *out_path, is_new) : NULL;
  if (!status) return NULL;
  kn_free(*out_path);
  *out_path = NULL;
  return status;
}

static kn_status unpack_locked(const char *archive, const char *tree) {
  if (access(tree, F_OK) == 0) return kn_cache_entry_hold(tree);
  KN_TRY(kn_archive_unpack(archive, tree));
  return kn_store_use_tree(tree);
}

/* Others unpack the same content from other URIs: the lock is the content's, beside those of downloads. */
static kn_status lock_of(const char *sha256, char **out_lock_path) {
  char *partial;
  KN_TRY(kn_store_partial(sha256, &partial));
  *out_lock_path = kn_format("%s.lock", partial);
  kn_free(partial);
  return *out_lock_path ? NULL : kn_status_out_of_memory();
}

kn_status kn_resource_fetch_directory(const char *path_or_uri, char **out_path) {
  char sha256[65], *file, *tree = NULL, *lock_path = NULL;
  bool is_new;
  *out_path = NULL;
  KN_TRY(fetch(path_or_uri, 0, &file, sha256, &is_new));
  if (!*sha256) {
    *out_path = file;
    return NULL;
  }
  int lock = -1;
  kn_status status = kn_store_tree(sha256, &tree);
  if (!status) status = lock_of(sha256, &lock_path);
  if (!status) status = kn_file_lock(lock_path, false, "waiting for another process that unpacks the same", &lock);
  if (!status) status = unpack_locked(file, tree);
  kn_file_unlock(lock);
  kn_free(lock_path);
  kn_free(file);
  /* The server may have sent half of it, or something else: the next call asks again. */
  if (kn_status_code(status) == KN_BAD_DATA) kn_status_free(kn_resource_forget(path_or_uri));
  if (status)
    kn_free(tree);
  else
    *out_path = tree;
  return kn_status_annotate(status, "while unpacking %s", path_or_uri);
}

kn_status kn_resource_forget(const char *uri) {
  wanted w;
  kn_status status = resolve(uri, &w);
  if (!status) status = kn_store_remove(w.uri);
  kn_free(w.uri);
  return status;
}
