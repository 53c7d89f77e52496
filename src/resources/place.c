#include "resources/place.h"

#include <dirent.h>
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "core/home.h"

static const char *variable(const char *name) {
  const char *value = getenv(name);
  return value && *value ? value : NULL;
}

static kn_status absolute(char *path, char **out_path) {
  if (path && *path != '/') {
    char here[4096];
    char *whole = getcwd(here, sizeof here) ? kn_format("%s/%s", here, path) : NULL;
    kn_free(path);
    path = whole;
  }
  *out_path = path;
  return path ? NULL : kn_status_out_of_memory();
}

/* The base directory rules of the XDG Base Directory Specification: relative values are ignored. */
static kn_status place(const char *own, const char *xdg, const char *below_home, char **out_path) {
  *out_path = NULL;
  const char *value = variable(own);
  if (value) return absolute(kn_strdup(value), out_path);
  value = variable(xdg);
  if (value && *value == '/') return absolute(kn_format("%s/kenning", value), out_path);
  const char *home = variable("HOME");
#ifndef KN_STATIC /* the C library would look users up by means of libraries that it opens */
  struct passwd entry, *user = NULL;
  char room[4096];
  if (!home && getpwuid_r(getuid(), &entry, room, sizeof room, &user) == 0 && user) home = user->pw_dir;
#endif
  if (!home) return kn_status_make(KN_INVALID_ARGUMENT, "there is no home directory: set HOME or %s", own);
  return absolute(kn_format("%s/%s/kenning", home, below_home), out_path);
}

kn_status kn_place_data(char **out_path) {
  return place("KENNING_DATA_DIR", "XDG_DATA_HOME", ".local/share", out_path);
}

kn_status kn_place_cache(char **out_path) { return place("KENNING_CACHE_DIR", "XDG_CACHE_HOME", ".cache", out_path); }

kn_status kn_place_state(char **out_path) {
  return place("KENNING_STATE_DIR", "XDG_STATE_HOME", ".local/state", out_path);
}

/* Directory number `index` that share/kenning may be; NULL past the end. */
static kn_status share_candidate(size_t index, char **out_path) {
  *out_path = NULL;
  const char *value = variable("KENNING_SHARE_DIR");
  if (value) return index == 0 ? absolute(kn_strdup(value), out_path) : NULL;
  static const char *const places[] = {"share/kenning", "../share/kenning", "../../share/kenning"};
  const char *base = kn_home_directory();
  if (!base || index >= sizeof places / sizeof *places) return NULL;
  *out_path = kn_format("%s/%s", base, places[index]);
  return *out_path ? NULL : kn_status_out_of_memory();
}

/* `directory`/`name` when it exists, else NULL. */
static kn_status existing(const char *directory, const char *name, char **out_path) {
  *out_path = kn_format("%s/%s", directory, name);
  if (!*out_path) return kn_status_out_of_memory();
  if (access(*out_path, F_OK) == 0) return NULL;
  kn_free(*out_path);
  *out_path = NULL;
  return NULL;
}

kn_status kn_place_share(const char *name, char **out_path) {
  *out_path = NULL;
  for (size_t i = 0;; i++) {
    char *directory;
    KN_TRY(share_candidate(i, &directory));
    if (!directory) break;
    kn_status status = existing(directory, name, out_path);
    kn_free(directory);
    if (status || *out_path) return status;
  }
  return kn_status_make(KN_NOT_FOUND, "share/kenning/%s is missing: the program is not installed completely", name);
}

/* Directory number `index` that holds backends/: those of KENNING_PLUGIN_PATH, then share/kenning; NULL past the end.
 * An empty part of the path yields "" so that later ones keep their number. */
static kn_status backends_candidate(size_t index, char **out_path) {
  *out_path = NULL;
  for (const char *list = variable("KENNING_PLUGIN_PATH"); list && *list;) {
    size_t length = strcspn(list, ":");
    if (index-- == 0) {
      *out_path = kn_strndup(list, length);
      return *out_path ? NULL : kn_status_out_of_memory();
    }
    list += length + (list[length] == ':');
  }
  return share_candidate(index, out_path);
}

kn_status kn_place_backend(const char *framework, const char *name, char **out_path) {
  *out_path = NULL;
  if (!kn_place_is_name(framework)) return kn_status_make(KN_INVALID_ARGUMENT, "'%.64s' is no framework", framework);
  char *below = kn_format("backends/%s/%s", framework, name);
  if (!below) return kn_status_out_of_memory();
  kn_status status = NULL;
  for (size_t i = 0; !status && !*out_path; i++) {
    char *directory;
    status = backends_candidate(i, &directory);
    if (!status && !directory)
      status = kn_status_make(KN_NOT_FOUND, "framework %s has no file %s", framework, name);
    else if (!status && *directory)
      status = existing(directory, below, out_path);
    kn_free(directory);
  }
  kn_free(below);
  return status;
}

bool kn_place_is_name(const char *name) {
  size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");
  return length > 0 && length < 64 && !name[length] && *name != '-';
}

static kn_status add_name(kn_string_list *names, const char *name) {
  for (size_t i = 0; i < names->count; i++)
    if (!strcmp(names->items[i], name)) return NULL;
  char **items = kn_realloc(names->items, (names->count + 1) * sizeof *items);
  if (!items) return kn_status_out_of_memory();
  names->items = items;
  items[names->count] = kn_strdup(name);
  return items[names->count] ? (names->count++, NULL) : kn_status_out_of_memory();
}

/* Adds the names of the directories of `directory`/backends that have a manifest. */
static kn_status add_names(const char *directory, kn_string_list *names) {
  char *path = kn_format("%s/backends", directory);
  if (!path) return kn_status_out_of_memory();
  DIR *listing = opendir(path);
  kn_status status = NULL;
  for (struct dirent *entry; listing && !status && (entry = readdir(listing));) {
    if (!kn_place_is_name(entry->d_name)) continue;
    char *manifest = kn_format("%s/%s/manifest.json", path, entry->d_name);
    if (!manifest)
      status = kn_status_out_of_memory();
    else if (kn_file_exists(manifest, NULL))
      status = add_name(names, entry->d_name);
    kn_free(manifest);
  }
  if (listing) closedir(listing);
  kn_free(path);
  return status;
}

static int compare_names(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

kn_status kn_place_backends(kn_string_list *out_names) {
  *out_names = (kn_string_list){0};
  kn_status status = NULL;
  for (size_t i = 0; !status; i++) {
    char *directory;
    status = backends_candidate(i, &directory);
    if (!status && !directory) break;
    if (!status && *directory) status = add_names(directory, out_names);
    kn_free(directory);
  }
  if (status)
    kn_place_free_names(out_names);
  else if (out_names->count)
    qsort(out_names->items, out_names->count, sizeof *out_names->items, compare_names);
  return status;
}

void kn_place_free_names(kn_string_list *names) {
  for (size_t i = 0; i < names->count; i++) kn_free(names->items[i]);
  kn_free(names->items);
  *names = (kn_string_list){0};
}
