/* A compiled model in its engine: one of two, behind the same functions. */
#ifndef KN_TVM_SESSION_H
#define KN_TVM_SESSION_H

#include <kenning/iospec.h>

#include "dlpack.h"
#include "model_file.h"
#include "relax_api.h"
#include "relay_api.h"

typedef struct kn_tvm_session kn_tvm_session;

/* What was opened of the engines; in the instance of the block. */
typedef struct kn_tvm_libraries {
  kn_relay_api relay;
  kn_relax_api relax;
} kn_tvm_libraries;

/* The functions of a flavour. */
typedef struct kn_tvm_engine {
  /* Opens the engine's library unless it is open. `library` is the block's parameter or NULL. */
  kn_status (*open)(kn_tvm_libraries *libraries, const char *library);
  /* Loads the library of the model at `path` and makes room for its inputs; session->spec is filled already. */
  kn_status (*load)(kn_tvm_session *session, const char *path);
  kn_status (*run)(kn_tvm_session *session);
  /* One inference by the engine's own function and nothing else; 0: done. What `run` does besides is the rest. */
  int (*invoke)(kn_tvm_session *session);
  /* Sets session->outputs to the results of the last run; KN_INVALID_ARGUMENT before the first. */
  kn_status (*fetch)(kn_tvm_session *session);
  void (*unload)(kn_tvm_session *session); /* session->state, also half-loaded */
} kn_tvm_engine;

extern const kn_tvm_engine kn_tvm_relax_engine, kn_tvm_relay_engine;

struct kn_tvm_session {
  const kn_tvm_engine *engine;
  kn_tvm_libraries *libraries; /* borrowed */
  kn_tvm_executor executor;
  int32_t threads;
  kn_iospec spec;               /* in the engine's order */
  kn_dl_tensor **inputs;        /* places that the engine reads from */
  const kn_dl_tensor **outputs; /* after fetch */
  void *state;                  /* the engine's */
};

/* Loads the model and checks its inputs against the specification. After a failure nothing is left to do. */
kn_status kn_tvm_session_open(kn_tvm_session *session, kn_tvm_libraries *libraries, const kn_tvm_model_file *file,
                              const kn_iospec *spec, const char *library, int32_t threads) KN_MUST_USE;
/* Sets session->outputs, each of the type and size that the specification says. KN_INVALID_ARGUMENT before a run,
 * KN_INCOMPATIBLE. */
kn_status kn_tvm_session_fetch(kn_tvm_session *session) KN_MUST_USE;
void kn_tvm_session_close(kn_tvm_session *session);

/* How many threads TVM uses of those that are wanted; says so where these are fewer. */
int32_t kn_tvm_threads(int64_t wanted);

/* The last line with something to say of an engine's message, which is a trace of its source files otherwise. */
const char *kn_tvm_last_line(const char *message, size_t length, int *out_length);

#endif
