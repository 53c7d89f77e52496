#include "api.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* TensorFlow reads this when it is opened, too late for a flag of ours. The environment is changed here, when the
 * plug-in itself is opened, because later the process may have other threads. A value that the user set stays. */
__attribute__((constructor)) static void keep_tensorflow_quiet(void) { setenv("TF_CPP_MIN_LOG_LEVEL", "2", 0); }

void tf_api_prefer_onednn(void) { (void)setenv("TF_ENABLE_ONEDNN_OPTS", "1", 0); }

static tf_api api; /* complete once the library is open */

static kn_status load_symbols(void *handle, const char *path, tf_api *out_api) {
#define SYMBOL(result, name, parameters) {#name, offsetof(tf_api, name)},
  static const kn_symbol symbols[] = {TF_FUNCTIONS(SYMBOL)};
#undef SYMBOL
  return kn_library_functions(
      handle, path, symbols, sizeof symbols / sizeof *symbols,
      "it is not the TensorFlow library that this plug-in was written for; run `kenning install tensorflow`", out_api);
}

/* The library's initializers write two lines to stderr ("oneDNN custom operations are on", ...) whatever the log level.
 * While it is opened stderr is a file in memory, whose lines go to the log. Returns the real stderr, -1 when it stays.
 */
static int divert_stderr(int *out_file) {
  int real = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  *out_file = real < 0 ? -1 : memfd_create("stderr", MFD_CLOEXEC);
  if (*out_file >= 0 && dup2(*out_file, STDERR_FILENO) >= 0) return real;
  if (real >= 0) close(real);
  if (*out_file >= 0) close(*out_file);
  return -1;
}

/* Also says whether oneDNN's kernels are on, which nothing else tells. */
static void restore_stderr(int real, int file, bool *out_onednn) {
  *out_onednn = false;
  if (real < 0) return;
  (void)dup2(real, STDERR_FILENO);
  close(real);
  char text[4096];
  ssize_t length = pread(file, text, sizeof text - 1, 0);
  close(file);
  text[length > 0 ? length : 0] = '\0';
  *out_onednn = strstr(text, "oneDNN custom operations are on") != NULL;
  char *rest = NULL;
  for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
    kn_log(KN_LOG_DEBUG, "TensorFlow: %s", line);
}

static kn_status open_library(const char *path) {
  void *handle = NULL;
  tf_api loaded = {.path = path};
  int diverted, real = divert_stderr(&diverted);
  kn_status status = kn_library_open(path, &handle);
  restore_stderr(real, diverted, &loaded.onednn);
  KN_TRY(status);
  KN_TRY(load_symbols(handle, path, &loaded));
  api = loaded;
  return NULL;
}

kn_status tf_api_open(const char *library, const tf_api **out_api) {
  *out_api = NULL;
  KN_TRY(kn_library_open_once("tensorflow", library, open_library));
  *out_api = &api;
  return NULL;
}

kn_status tf_status_take(const tf_api *tf, const TF_Status *status, const char *what) {
  int code = tf->TF_GetCode(status);
  if (code == TF_OK) return NULL;
  if (code == TF_RESOURCE_EXHAUSTED)
    return kn_status_make(KN_OUT_OF_MEMORY, "TensorFlow ran out of memory to %s: %s", what, tf->TF_Message(status));
  /* What follows the name of an operator that it does not have is the machine's name and advice on tf.contrib. */
  static const char unregistered[] = "Op type not registered '";
  const char *words = tf->TF_Message(status);
  size_t length = strlen(words), head = strlen(unregistered);
  if (!strncmp(words, unregistered, head)) length = head + strcspn(words + head, "'") + 1;
  /* What the model asks for, not what became of it. */
  bool input = code == TF_INVALID_ARGUMENT || code == TF_NOT_FOUND || code == TF_UNIMPLEMENTED;
  return kn_status_make(input ? KN_INCOMPATIBLE : KN_BACKEND_FAILED, "TensorFlow could not %s: %.*s", what, (int)length,
                        words);
}

static const struct {
  kn_dtype dtype;
  TF_DataType type;
} types[] = {{KN_FLOAT32, TF_FLOAT}, {KN_FLOAT16, TF_HALF},  {KN_BFLOAT16, TF_BFLOAT16}, {KN_FLOAT64, TF_DOUBLE},
             {KN_INT8, TF_INT8},     {KN_UINT8, TF_UINT8},   {KN_INT16, TF_INT16},       {KN_UINT16, TF_UINT16},
             {KN_INT32, TF_INT32},   {KN_UINT32, TF_UINT32}, {KN_INT64, TF_INT64},       {KN_UINT64, TF_UINT64},
             {KN_BOOL8, TF_BOOL}};

TF_DataType tf_type_of(kn_dtype dtype) {
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (types[i].dtype == dtype) return types[i].type;
  return (TF_DataType)0;
}

kn_dtype tf_dtype_of(TF_DataType type) {
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (types[i].type == type) return types[i].dtype;
  return KN_DTYPE_NONE;
}
