/* Finding and opening the libraries of frameworks. */
#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kenning/services.h>

#include "core/dynamic.h"
#include "core/file.h"
#include "resources/installation.h"
#include "resources/library_file.h"

/* "tflite", "library" -> "KENNING_TFLITE_LIBRARY". */
static void variable_name(const char *framework, const char *key, char *out, size_t size) {
  snprintf(out, size, "KENNING_%s_%s", framework, key);
  for (char *c = out; *c; c++) *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
}

/* A file that the user named: taken as it is or refused, never replaced by another. */
static kn_status named_file(const char *path, const char *by, char **out_path) {
  if (!kn_file_exists(path, NULL))
    return kn_status_make(KN_NOT_FOUND, "%s: there is no such file, but %s names it", path, by);
  char *whole = realpath(path, NULL);
  if (!whole) return kn_file_fault(path, "find", errno);
  *out_path = kn_strdup(whole);
  free(whole);
  return *out_path ? NULL : kn_status_out_of_memory();
}

/* Every file of an installation has the size that it was installed with: libraries open each other, and the loader ends
 * the process by a signal where one is cut. Contents are compared by `kenning doctor`. */
static kn_status check_installed(const kn_installation *installation) {
  for (size_t i = 0; i < installation->file_count; i++) {
    const kn_installed_file *file = &installation->files[i];
    uint64_t bytes;
    if (!kn_file_exists(file->path, &bytes))
      return kn_status_make(KN_NOT_INSTALLED, "%s is gone; run: kenning install --force %s", file->path,
                            installation->framework);
    if (bytes != (uint64_t)file->bytes)
      return kn_status_make(
          KN_NOT_INSTALLED,
          "%s is not what was installed: it has %llu bytes, not %lld; run: kenning install --force %s", file->path,
          (unsigned long long)bytes, (long long)file->bytes, installation->framework);
  }
  return NULL;
}

kn_status kn_framework_file(const char *framework, const char *key, const char *parameter, char **out_path) {
  *out_path = NULL;
  if (parameter && *parameter) return named_file(parameter, "the scenario", out_path);
  char name[160];
  variable_name(framework, key, name, sizeof name);
  const char *value = getenv(name);
  if (value && *value) return named_file(value, name, out_path);

  kn_installation installation;
  KN_TRY(kn_installation_read(framework, &installation));
  const kn_installed_file *file = kn_installation_file(&installation, key);
  kn_status status = NULL;
  if (!file) {
    status = kn_status_make(KN_NOT_INSTALLED, "the installed %s has no '%s'; run: kenning install --force %s",
                            framework, key, framework);
  } else if (!(status = check_installed(&installation))) {
    *out_path = kn_strdup(file->path);
    if (!*out_path) status = kn_status_out_of_memory();
  }
  kn_installation_clear(&installation);
  return status;
}

enum { SIGNALS = NSIG };

static void save_handlers(struct sigaction *handlers, bool *known) {
  for (int i = 1; i < SIGNALS; i++) known[i] = sigaction(i, NULL, &handlers[i]) == 0;
}

/* Some engines install handlers for crashes and interrupts when they are opened. */
static void restore_handlers(const struct sigaction *handlers, const bool *known) {
  for (int i = 1; i < SIGNALS; i++) {
    struct sigaction now;
    if (!known[i] || i == SIGKILL || i == SIGSTOP || sigaction(i, NULL, &now) != 0) continue;
    if (now.sa_handler != handlers[i].sa_handler || now.sa_flags != handlers[i].sa_flags)
      (void)sigaction(i, &handlers[i], NULL);
  }
}

kn_status kn_library_open(const char *path, void **out_handle) {
  struct sigaction handlers[SIGNALS];
  bool known[SIGNALS];
  *out_handle = NULL;
  char *whole = NULL;
  if (strchr(path, '/')) {
    whole = realpath(path, NULL);
    if (!whole) return kn_status_make(KN_NOT_INSTALLED, "%s cannot be opened: %s", path, strerror(errno));
    kn_status status = kn_library_file_check(whole);
    if (status) {
      free(whole);
      return status;
    }
  }
  save_handlers(handlers, known);
  const char *words;
  void *handle = kn_dynamic_open(whole ? whole : path, &words);
  restore_handlers(handlers, known);
  free(whole);
  if (!handle) return kn_status_make(KN_NOT_INSTALLED, "the library cannot be loaded: %s", words ? words : path);
  *out_handle = handle;
  return NULL;
}

kn_status kn_library_functions(void *handle, const char *path, const kn_symbol *symbols, size_t count,
                               const char *meaning, void *table) {
  for (size_t i = 0; i < count; i++) {
    void *function = kn_dynamic_symbol(handle, symbols[i].name);
    if (!function) return kn_status_make(KN_INCOMPATIBLE, "%s has no function %s: %s", path, symbols[i].name, meaning);
    memcpy((char *)table + symbols[i].place, &function, sizeof function);
  }
  return NULL;
}

/* ---- one copy per process ---- */

typedef struct opened {
  struct opened *next;
  char *framework, *path;
} opened;

static kn_status check_same(const opened *entry, const char *path) {
  if (!strcmp(entry->path, path)) return NULL;
  return kn_status_make(KN_INCOMPATIBLE, "%s cannot be opened: this process already uses %s", path, entry->path);
}

/* Takes `path` when it succeeds. */
static kn_status open_first(const char *framework, char *path, kn_status (*opener)(const char *path), opened **list) {
  opened *entry = kn_alloc(sizeof *entry);
  char *name = kn_strdup(framework);
  kn_status status = entry && name ? opener(path) : kn_status_out_of_memory();
  if (status) {
    kn_free(entry);
    kn_free(name);
    return status;
  }
  *entry = (opened){.next = *list, .framework = name, .path = path};
  *list = entry;
  return NULL;
}

kn_status kn_library_open_once(const char *framework, const char *parameter, kn_status (*opener)(const char *path)) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  static opened *list; /* for as long as the process lives, as the libraries */
  char *path;
  KN_TRY(kn_framework_file(framework, "library", parameter, &path));
  pthread_mutex_lock(&lock);
  opened *entry = list;
  while (entry && strcmp(entry->framework, framework) != 0) entry = entry->next;
  kn_status status = entry ? check_same(entry, path) : open_first(framework, path, opener, &list);
  pthread_mutex_unlock(&lock);
  if (entry || status) kn_free(path);
  return status;
}
