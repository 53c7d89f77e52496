/* A compiled model as a file: a library (.so), or an archive (.tar) that holds one, object files or C sources. Models
 * of kenning describe themselves: flavour, executor, target, io specification, what was counted in them. */
#ifndef KN_TVM_MODEL_FILE_H
#define KN_TVM_MODEL_FILE_H

#include <kenning/iospec.h>
#include <kenning/status.h>

/* Which TVM: the official one, or the one with relay. The two share nothing. */
typedef enum kn_tvm_flavour { KN_TVM_AUTO = 0, KN_TVM_RELAX, KN_TVM_RELAY } kn_tvm_flavour;

typedef enum kn_tvm_executor { KN_TVM_GRAPH = 1, KN_TVM_VM, KN_TVM_AOT, KN_TVM_C_SOURCES } kn_tvm_executor;

/* "relax", "relay"; "graph", "vm", "aot", "c". */
const char *kn_tvm_flavour_name(kn_tvm_flavour flavour);
const char *kn_tvm_executor_name(kn_tvm_executor executor);

typedef struct kn_tvm_fact {
  const char *name, *value;
} kn_tvm_fact;

typedef struct kn_tvm_model_file {
  char *contents;      /* of the file, or the library linked of its objects */
  const char *library; /* inside; NULL for C sources */
  size_t library_bytes;
  kn_tvm_flavour flavour;
  kn_tvm_executor executor;
  char *description; /* the facts' text; NULL: a model from elsewhere */
  kn_tvm_fact *facts;
  size_t fact_count;
  kn_iospec spec; /* empty for a model from elsewhere */
} kn_tvm_model_file;

/* Reads a file and judges it without running anything of it. Object files are linked by the system's compiler, which is
 * the only thing that takes time. KN_NOT_FOUND, KN_BAD_DATA (damaged, no compiled model), KN_INCOMPATIBLE (another
 * machine, processor without the instructions), KN_NOT_INSTALLED (no compiler for objects). Clear also after a
 * failure. */
kn_status kn_tvm_model_file_read(const char *path, kn_tvm_model_file *out_file) KN_MUST_USE;
void kn_tvm_model_file_clear(kn_tvm_model_file *file);
/* KN_INCOMPATIBLE unless this machine runs the library: architecture and instructions. */
kn_status kn_tvm_model_file_fits(const kn_tvm_model_file *file) KN_MUST_USE;
/* Value of a fact of the description, or NULL. */
const char *kn_tvm_model_file_fact(const kn_tvm_model_file *file, const char *name);

#endif
