#include "api.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* MXNet reads these when it is opened. The environment is changed here, when the plug-in itself is opened, because
 * later the process may have other threads. What the user set stays. NaiveEngine runs operators in the calling thread,
 * one after another: what is measured is the model alone, without handing over to the threads of a scheduler. */
__attribute__((constructor)) static void choose_engine(void) {
  setenv("MXNET_ENGINE_TYPE", "NaiveEngine", 0);
  setenv("MXNET_SUBGRAPH_VERBOSE", "0", 0);
}

/* The oneDNN inside MXNet 1.9 writes behind its arrays with AVX-512, where a convolution has fewer channels than a
 * vector has numbers (contract-mxnet-blocks ends with a broken heap): it stays at AVX2. Other engines have a oneDNN
 * that reads this too, so it is said only where MXNet is really opened, unless the user has said something. */
static void stay_at_avx2(void) { (void)setenv("DNNL_MAX_CPU_ISA", "AVX2", 0); }

static mx_api api; /* complete once the library is open */

static kn_status load_symbols(void *handle, const char *path, mx_api *out_api) {
#define SYMBOL(result, name, parameters) {#name, offsetof(mx_api, name)},
  static const kn_symbol symbols[] = {MX_FUNCTIONS(SYMBOL)};
#undef SYMBOL
  KN_TRY(kn_library_functions(
      handle, path, symbols, sizeof symbols / sizeof *symbols,
      "it is not the MXNet library that this plug-in was written for; run `kenning install mxnet`", out_api));
  int version = 0;
  KN_TRY(mx_result(out_api, out_api->MXGetVersion(&version), "tell its version"));
  (void)snprintf(out_api->version, sizeof out_api->version, "%d.%d.%d", version / 10000, version / 100 % 100,
                 version % 100);
  if (version / 100 == 109) return NULL;
  return kn_status_make(KN_INCOMPATIBLE, "%s is MXNet %s; version 1.9 is supported: run `kenning install mxnet`", path,
                        out_api->version);
}

/* MXNet says on stderr which engine it starts, at the first call that needs one. It is started here, with stderr closed
 * to that line. */
static kn_status start_engine(const mx_api *mx) {
  int real = dup(STDERR_FILENO), nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (real >= 0 && nowhere >= 0) (void)dup2(nowhere, STDERR_FILENO);
  int result = mx->MXNDArrayWaitAll();
  if (real >= 0) {
    (void)dup2(real, STDERR_FILENO);
    close(real);
  }
  if (nowhere >= 0) close(nowhere);
  return mx_result(mx, result, "start its engine");
}

static kn_status open_library(const char *path) {
  void *handle = NULL;
  mx_api loaded = {.path = path};
  stay_at_avx2();
  KN_TRY(kn_library_open(path, &handle));
  KN_TRY(load_symbols(handle, path, &loaded));
  KN_TRY(start_engine(&loaded));
  api = loaded;
  return NULL;
}

kn_status mx_api_open(const char *library, const mx_api **out_api) {
  *out_api = NULL;
  KN_TRY(kn_library_open_once("mxnet", library, open_library));
  *out_api = &api;
  return NULL;
}

/* MXNet's messages carry a time, a place in its source and a stack trace; the first line says what is wrong. */
kn_status mx_result(const mx_api *mx, int result, const char *what) {
  if (result == 0) return NULL;
  const char *words = mx->MXGetLastError();
  if (!words || !*words) return kn_status_make(KN_BACKEND_FAILED, "MXNet could not %s and does not say why", what);
  const char *check = strstr(words, "Check failed: "), *error = strstr(words, "Error: ");
  const char *start = check ? check : error ? error + 7 : words;
  return kn_status_make(KN_BACKEND_FAILED, "MXNet could not %s: %.*s", what, (int)strcspn(start, "\n"), start);
}

int64_t mx_threads(const mx_api *mx, int64_t threads) {
  threads = kn_thread_count(threads);
  (void)mx->MXSetNumOMPThreads((int)threads);
  return threads;
}
