#include "core/library.h"

#include "core/dynamic.h"

#include <pthread.h>
#include <string.h>

#include <kenning/services.h>

static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;

static kn_status open_library(kn_library *library) {
  void *handle = NULL;
  kn_status status = kn_library_open(library->file, &handle);
  if (status) return kn_status_annotate(status, "%s comes with the Debian package %s", library->file, library->package);
  for (size_t i = 0; i < library->count; i++) {
    void *function = kn_dynamic_symbol(handle, library->names[i]);
    if (!function)
      return kn_status_make(KN_NOT_INSTALLED, "%s has no function %s: install the Debian package %s", library->file,
                            library->names[i], library->package);
    memcpy((char *)library->table + i * sizeof function, &function, sizeof function);
  }
  return NULL;
}

kn_status kn_library_use(kn_library *library) {
  if (atomic_load_explicit(&library->ready, memory_order_acquire)) return NULL;
  pthread_mutex_lock(&opening);
  kn_status status = NULL;
  if (!atomic_load_explicit(&library->ready, memory_order_relaxed)) {
    status = open_library(library);
    atomic_store_explicit(&library->ready, !status, memory_order_release);
  }
  pthread_mutex_unlock(&opening);
  return status;
}
