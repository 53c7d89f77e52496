#include "session.h"

#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kenning/services.h>

/* ---- threads ---- */

static const char most_threads[] = "TVM_NUM_THREADS";

/* TVM never uses more threads than its pool was made with, by itself one for two processors on x86, whatever it is told
 * later. The environment is changed here, when the plug-in itself is opened, because later the process may have other
 * threads. What the user set stays. */
__attribute__((constructor)) static void size_pool(void) {
  cpu_set_t processors;
  char text[16];
  if (sched_getaffinity(0, sizeof processors, &processors) != 0) return;
  snprintf(text, sizeof text, "%d", CPU_COUNT(&processors));
  (void)setenv(most_threads, text, 0);
}

int32_t kn_tvm_threads(int64_t wanted) {
  const char *text = getenv(most_threads);
  long most = text ? strtol(text, NULL, 10) : 0;
  if (most < 1) most = 1;
  if (wanted <= most) return (int32_t)wanted;
  kn_log(
      KN_LOG_INFO,
      "num_threads is %lld, but TVM takes no more than %ld: one for each processor, or what %s in the environment says",
      (long long)wanted, most, most_threads);
  return (int32_t)most;
}

const char *kn_tvm_last_line(const char *message, size_t length, int *out_length) {
  for (;;) {
    while (length && (message[length - 1] == '\n' || message[length - 1] == ' ')) length--;
    size_t start = length;
    while (start && message[start - 1] != '\n') start--;
    const char *line = message + start;
    size_t bytes = length - start;
    bool rule = bytes && line[0] == '-' && line[bytes - 1] == '-'; /* a line of dashes */
    if (!rule || !start) {
      *out_length = (int)(bytes < 600 ? bytes : 600);
      return line;
    }
    length = start;
  }
}

static kn_status check_tensor(const kn_ioentry *entry, const kn_dl_tensor *tensor) {
  size_t bytes;
  KN_TRY(kn_tensor_bytes(entry->dtype, entry->rank, entry->shape, &bytes));
  return kn_dl_check(tensor, entry->name, entry->dtype, bytes);
}

kn_status kn_tvm_session_fetch(kn_tvm_session *session) {
  KN_TRY(session->engine->fetch(session));
  for (size_t i = 0; i < session->spec.output.count; i++)
    KN_TRY(check_tensor(&session->spec.output.entries[i], session->outputs[i]));
  return NULL;
}

/* Nothing has to last: without kn_file_write's flushing, which would count as time of loading. */
static kn_status write_library(const char *path, const kn_tvm_model_file *file) {
  FILE *out = fopen(path, "wbxe");
  if (!out) return kn_status_make(KN_IO_ERROR, "cannot write %s: %s", path, strerror(errno));
  bool whole = fwrite(file->library, 1, file->library_bytes, out) == file->library_bytes;
  whole = fclose(out) == 0 && whole;
  return whole ? NULL : kn_status_make(KN_IO_ERROR, "cannot write %s: %s", path, strerror(errno));
}

/* Compiled models call functions of libm and name no library: they count on a program that has it. */
static void offer_mathematics(void) { (void)dlopen("libm.so.6", RTLD_NOW | RTLD_GLOBAL); }

/* Through a private copy: what was judged is what runs, and every instance has its own, since libraries hold memory of
 * their own and the loader opens one file once. */
static kn_status load(kn_tvm_session *session, const kn_tvm_model_file *file) {
  char *directory;
  offer_mathematics();
  KN_TRY(kn_directory_temporary(NULL, "kenning-tvm", &directory));
  char *path = kn_format("%s/model.so", directory);
  kn_status status = path ? write_library(path, file) : kn_status_out_of_memory();
  if (!status) status = session->engine->load(session, path);
  kn_free(path);
  kn_directory_discard(directory);
  return status;
}

static kn_status open_session(kn_tvm_session *session, const kn_tvm_model_file *file, const kn_iospec *spec,
                              const char *library) {
  KN_TRY(session->engine->open(session->libraries, library));
  KN_TRY(kn_iospec_copy(spec, &session->spec));
  session->inputs = kn_alloc_array(session->spec.input.count, sizeof *session->inputs);
  session->outputs = kn_alloc_array(session->spec.output.count, sizeof *session->outputs);
  if (!session->inputs || !session->outputs) return kn_status_out_of_memory();
  KN_TRY(load(session, file));
  for (size_t i = 0; i < session->spec.input.count; i++)
    KN_TRY(check_tensor(&session->spec.input.entries[i], session->inputs[i]));
  return NULL;
}

kn_status kn_tvm_session_open(kn_tvm_session *session, kn_tvm_libraries *libraries, const kn_tvm_model_file *file,
                              const kn_iospec *spec, const char *library, int32_t threads) {
  *session = (kn_tvm_session){
      .engine = file->flavour == KN_TVM_RELAX ? &kn_tvm_relax_engine : &kn_tvm_relay_engine,
      .libraries = libraries,
      .executor = file->executor,
      .threads = threads,
  };
  kn_status status = open_session(session, file, spec, library);
  if (status) kn_tvm_session_close(session);
  return status;
}

void kn_tvm_session_close(kn_tvm_session *session) {
  if (session->engine && session->state) session->engine->unload(session);
  kn_iospec_clear(&session->spec);
  kn_free(session->inputs);
  kn_free(session->outputs);
  *session = (kn_tvm_session){0};
}
