#include "hdf5_api.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

static pthread_mutex_t library_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t open_lock = PTHREAD_MUTEX_INITIALIZER;
static hdf5_api api;
static bool api_ready;

/* Debian and Ubuntu name the library without MPI "serial"; the numbers are those of HDF5 1.10, 1.12 and 1.14. */
static const char *const sonames[] = {"libhdf5_serial.so.103", "libhdf5.so.103", "libhdf5.so.200",
                                      "libhdf5_serial.so.310", "libhdf5.so.310", "libhdf5.so"};

static kn_status load_library(hdf5_api *out_api) {
  void *handle = NULL;
  for (size_t i = 0; i < sizeof sonames / sizeof *sonames && !handle; i++)
    handle = dlopen(sonames[i], RTLD_NOW | RTLD_LOCAL);
  if (!handle)
    return kn_status_make(KN_NOT_INSTALLED,
                          "libhdf5, which reads and writes Keras .h5 files, is not installed: install the package "
                          "libhdf5-103-1 (Debian 12: `apt-get install libhdf5-103-1`)");
#define SYMBOL(result, name, parameters) {#name, offsetof(hdf5_api, name)},
  static const kn_symbol symbols[] = {HDF5_FUNCTIONS(SYMBOL)};
#undef SYMBOL
  KN_TRY(kn_library_functions(handle, "libhdf5", symbols, sizeof symbols / sizeof *symbols, "it is too old", out_api));
  unsigned major = 0, minor = 0, release = 0;
  if (out_api->H5open() < 0 || out_api->H5get_libversion(&major, &minor, &release) < 0)
    return kn_status_make(KN_BACKEND_FAILED, "libhdf5 does not start");
  /* Before 1.10 identifiers had 32 bits. */
  if (major != 1 || minor < 10)
    return kn_status_make(KN_INCOMPATIBLE, "libhdf5 is version %u.%u.%u; 1.10 or a later 1.x is needed", major, minor,
                          release);
#define HDF5_LOAD(name)                                                                                              \
  do {                                                                                                               \
    const hdf5_id *variable = (const hdf5_id *)dlsym(handle, #name);                                                 \
    if (!variable) return kn_status_make(KN_INCOMPATIBLE, "libhdf5 has no variable " #name ": it is another build"); \
    out_api->name = *variable;                                                                                       \
  } while (0);
  HDF5_VARIABLES(HDF5_LOAD)
#undef HDF5_LOAD
  /* Failures come back as statuses; nothing is printed. */
  if (out_api->H5Eset_auto2(HDF5_DEFAULT, NULL, NULL) < 0)
    return kn_status_make(KN_BACKEND_FAILED, "libhdf5 cannot be made quiet");
  return NULL;
}

kn_status hdf5_api_open(const hdf5_api **out_api) {
  *out_api = NULL;
  kn_status status = NULL;
  pthread_mutex_lock(&open_lock);
  if (!api_ready) {
    hdf5_lock();
    status = load_library(&api);
    hdf5_unlock();
    api_ready = !status;
  }
  pthread_mutex_unlock(&open_lock);
  if (!status) *out_api = &api;
  return status;
}

void hdf5_lock(void) { pthread_mutex_lock(&library_lock); }
void hdf5_unlock(void) { pthread_mutex_unlock(&library_lock); }

typedef struct words {
  char *out;
  size_t size;
} words;

static int take_first(unsigned index, const hdf5_error *error, void *context) {
  words *into = context;
  if (index == 0 && error->description) (void)snprintf(into->out, into->size, "%s", error->description);
  return 0;
}

const char *hdf5_words(const hdf5_api *library, char *out, size_t size) {
  (void)snprintf(out, size, "no reason given");
  (void)library->H5Ewalk2(HDF5_DEFAULT, HDF5_UPWARD, take_first, &(words){out, size});
  return out;
}
