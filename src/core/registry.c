#include "core/registry.h"
#include "core/builtin.h"
#include "core/class.h"
#include "core/dynamic.h"
#include "core/home.h"
#include "core/instance.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
  bool loaded;
  kn_registered *items;
  size_t count;
  char **paths; /* of plug-ins, owned */
  size_t path_count;
} registry;

static kn_status add(const kn_class *cls, const kn_plugin *plugin, const char *path) {
  kn_registered *items = kn_realloc(registry.items, (registry.count + 1) * sizeof *items);
  if (!items) return kn_status_out_of_memory();
  registry.items = items;
  items[registry.count++] = (kn_registered){.cls = cls, .plugin = plugin, .plugin_path = path};
  return NULL;
}

static const kn_registered *registered(const char *name) {
  for (size_t i = 0; i < registry.count; i++)
    if (!strcmp(registry.items[i].cls->name, name)) return &registry.items[i];
  return NULL;
}

static void skip(const char *path, const char *why) { kn_log(KN_LOG_WARNING, "plug-in %s is left out: %s", path, why); }

/* Whether a shared object is as long as its headers say: the loader maps what is missing and dies touching it. */
static bool is_whole(const char *path) {
  struct stat found;
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return true; /* the loader says why */
  Elf64_Ehdr header;
  bool whole = fstat(file, &found) == 0 && S_ISREG(found.st_mode) &&
               pread(file, &header, sizeof header, 0) == (ssize_t)sizeof header;
  if (whole && !memcmp(header.e_ident, ELFMAG, SELFMAG)) {
    uint64_t end = 0, size = (uint64_t)found.st_size;
    whole = !__builtin_add_overflow(header.e_shoff, (uint64_t)header.e_shnum * header.e_shentsize, &end) && end <= size;
    for (unsigned i = 0; whole && i < header.e_phnum; i++) {
      Elf64_Phdr part;
      off_t at = (off_t)(header.e_phoff + (uint64_t)i * sizeof part);
      whole = pread(file, &part, sizeof part, at) == (ssize_t)sizeof part &&
              !__builtin_add_overflow(part.p_offset, part.p_filesz, &end) && end <= size;
    }
  }
  close(file);
  return whole;
}

enum { WHY_SIZE = 256 };

/* What keeps a plug-in from being used, perhaps written into `why`; NULL when nothing does. */
static const char *plugin_fault(const kn_plugin *plugin, char why[WHY_SIZE]) {
  if (!plugin || plugin->magic != KN_PLUGIN_MAGIC) return "it is no Kenning plug-in";
  if (plugin->abi_major != KN_ABI_MAJOR || plugin->abi_minor != KN_ABI_MINOR ||
      plugin->struct_size != sizeof(kn_plugin)) {
    snprintf(why, WHY_SIZE, "it was built for plug-in interface %u.%u, this is %d.%d: build it anew", plugin->abi_major,
             plugin->abi_minor, KN_ABI_MAJOR, KN_ABI_MINOR);
    return why;
  }
  if (plugin->sanitizer != KN_SANITIZER_KIND) return "it was built with another sanitizer setting than this program";
  if (!plugin->name || !plugin->version || !plugin->license || !plugin->classes)
    return "its descriptor lacks name, version, licence or classes";
  for (size_t i = 0; plugin->classes[i]; i++) {
    const char *fault = kn_class_fault(plugin->classes[i]);
    if (!fault) continue;
    snprintf(why, WHY_SIZE, "class %s: %s", plugin->classes[i]->name ? plugin->classes[i]->name : "?", fault);
    return why;
  }
  return NULL;
}

static kn_status load_plugin(const char *path) {
  if (!is_whole(path)) {
    skip(path, "it is no whole file: copy or build it again");
    return NULL;
  }
  const char *words;
  void *handle = kn_dynamic_open(path, &words);
  if (!handle) {
    skip(path, words);
    return NULL;
  }
  kn_plugin_query_fn query;
  *(void **)&query = kn_dynamic_symbol(handle, "kenning_plugin_query");
  const kn_plugin *plugin = query ? query(&kn_host_table) : NULL;
  char why[WHY_SIZE];
  const char *fault = query ? plugin_fault(plugin, why) : "it exports no kenning_plugin_query";
  if (fault) {
    skip(path, fault);
    kn_dynamic_close(handle); /* nothing of it was used */
    return NULL;
  }
  for (size_t i = 0; i < registry.count; i++)
    if (registry.items[i].plugin == plugin) return NULL; /* the same file, found a second time */
  /* A plug-in that worked stays loaded: engines keep threads. */
  char **paths = kn_realloc(registry.paths, (registry.path_count + 1) * sizeof *paths);
  if (!paths) return kn_status_out_of_memory();
  registry.paths = paths;
  char *copy = kn_strdup(path);
  if (!copy) return kn_status_out_of_memory();
  paths[registry.path_count++] = copy;
  for (size_t i = 0; plugin->classes[i]; i++) {
    const kn_registered *there = registered(plugin->classes[i]->name);
    if (there)
      kn_log(KN_LOG_WARNING, "plug-in %s: its class %s is left out: %s has one of that name", path,
             plugin->classes[i]->name, there->plugin_path ? there->plugin_path : "this program");
    else
      KN_TRY(add(plugin->classes[i], plugin, copy));
  }
  return NULL;
}

static int compare_names(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Loads every kenning-*.so of a directory, in order of name. */
static kn_status load_directory(const char *directory) {
  DIR *listing = opendir(directory);
  if (!listing) {
    kn_log(KN_LOG_WARNING, "plug-in directory %s cannot be read: %s", directory, strerror(errno));
    return NULL;
  }
  char **names = NULL;
  size_t count = 0;
  kn_status status = NULL;
  for (struct dirent *entry; !status && (entry = readdir(listing));) {
    size_t length = strlen(entry->d_name);
    if (strncmp(entry->d_name, "kenning-", 8) || length < 11 || strcmp(entry->d_name + length - 3, ".so")) continue;
    char **grown = kn_realloc(names, (count + 1) * sizeof *names);
    if (grown) names = grown;
    if (!grown || !(names[count] = kn_strdup(entry->d_name)))
      status = kn_status_out_of_memory();
    else
      count++;
  }
  closedir(listing);
  if (count) qsort(names, count, sizeof *names, compare_names);
  for (size_t i = 0; i < count; i++) {
    char *path = status ? NULL : kn_format("%s/%s", directory, names[i]);
    if (!status) status = path ? load_plugin(path) : kn_status_out_of_memory();
    kn_free(path);
    kn_free(names[i]);
  }
  kn_free(names);
  return status;
}

static kn_status load_all(void) {
  for (size_t i = 0; kn_builtin_classes[i]; i++) {
    const char *fault = kn_class_fault(kn_builtin_classes[i]);
    if (fault) return kn_status_make(KN_INTERNAL, "built-in class %s: %s", kn_builtin_classes[i]->name, fault);
    KN_TRY(add(kn_builtin_classes[i], NULL, NULL));
  }
  const char *list = getenv("KENNING_PLUGIN_PATH");
  while (list && *list) {
    size_t length = strcspn(list, ":");
    char *directory = kn_strndup(list, length);
    if (!directory) return kn_status_out_of_memory();
    kn_status status = length ? load_directory(directory) : NULL;
    kn_free(directory);
    KN_TRY(status);
    list += length + (list[length] == ':');
  }
  /* In the build tree beside the program, else installed. */
  static const char *const places[] = {"plugins", "../lib/kenning/plugins", "../../lib/kenning/plugins", NULL};
  char *directory;
  KN_TRY(kn_home_find(places, &directory));
  kn_status status = directory ? load_directory(directory) : NULL;
  kn_free(directory);
  return status;
}

kn_status kn_registry_load(void) {
  if (registry.loaded) return NULL;
  kn_status status = load_all();
  if (status)
    kn_registry_unload();
  else
    registry.loaded = true;
  return status;
}

void kn_registry_unload(void) {
  for (size_t i = 0; i < registry.path_count; i++) kn_free(registry.paths[i]);
  kn_free(registry.paths);
  kn_free(registry.items);
  memset(&registry, 0, sizeof registry);
}

size_t kn_registry_count(void) { return registry.count; }

const kn_registered *kn_registry_at(size_t index) { return index < registry.count ? &registry.items[index] : NULL; }

const kn_registered *kn_registry_of(const kn_class *cls) {
  for (size_t i = 0; i < registry.count; i++)
    if (registry.items[i].cls == cls) return &registry.items[i];
  return NULL;
}

/* Packages that changed their name between the original's versions. */
static const char *const renamed[][2] = {
    {"kenning.optimizers.", "kenning.compilers."},
    {"kenning.protocols.", "kenning.runtimeprotocols."},
    {"kenning.interactive.", "kenning.outputcollectors."},
};

/* The seed's spelling of a dotted path, into `out`. */
static const char *seed_spelling(const char *name, char out[256]) {
  snprintf(out, 256, "%s", name);
  for (size_t i = 0; i < sizeof renamed / sizeof renamed[0]; i++)
    if (!strncmp(name, renamed[i][0], strlen(renamed[i][0])))
      snprintf(out, 256, "%s%s", renamed[i][1], name + strlen(renamed[i][0]));
  return out;
}

static bool names_class(const char *name, const char *seed, const kn_class *cls) {
  char canonical[256];
  if (strchr(name, '.')) return !strcmp(cls->name, name) || !strcmp(seed_spelling(cls->name, canonical), seed);
  return !strcmp(strrchr(cls->name, '.') + 1, name);
}

static kn_status not_found(const char *name, kn_kind kind) {
  const char *names[256];
  size_t count = 0;
  const char *last = strrchr(name, '.');
  for (size_t i = 0; i < registry.count && count < 256; i++)
    if (!kind || registry.items[i].cls->kind == kind) names[count++] = strrchr(registry.items[i].cls->name, '.') + 1;
  const char *near = kn_closest_name(last ? last + 1 : name, names, count);
  const char *what = kind ? kn_kind_name(kind) : "class";
  if (near) return kn_status_make(KN_NOT_FOUND, "there is no %s '%.200s'; did you mean '%s'?", what, name, near);
  return kn_status_make(KN_NOT_FOUND, "there is no %s '%.200s'; `kenning list` shows what there is", what, name);
}

kn_status kn_registry_find(const char *name, kn_kind kind, const kn_class **out_class) {
  *out_class = NULL;
  KN_TRY(kn_registry_load());
  char seed[256];
  seed_spelling(name, seed);
  const kn_class *other = NULL;
  for (size_t i = 0; i < registry.count; i++) {
    const kn_class *cls = registry.items[i].cls;
    if (!names_class(name, seed, cls)) continue;
    bool fits = !kind || cls->kind == kind;
    if (fits && !*out_class) *out_class = cls;
    if (fits && !strcmp(cls->name, name)) *out_class = cls; /* today's class of the name may differ from that of 2022 */
    other = cls;
  }
  if (*out_class) return NULL;
  if (other)
    return kn_status_make(KN_INVALID_ARGUMENT, "'%.200s' is of the kind %s; here a %s is needed", name,
                          kn_kind_name(other->kind), kn_kind_name(kind));
  return not_found(name, kind);
}
