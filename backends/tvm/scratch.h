/* Private directories for files that other programs and the loader want to see. */
#ifndef KN_TVM_SCRATCH_H
#define KN_TVM_SCRATCH_H

#include <kenning/status.h>

typedef struct kn_tvm_scratch {
  char *directory;
} kn_tvm_scratch;

/* Below $TMPDIR, else /tmp. */
kn_status kn_tvm_scratch_make(kn_tvm_scratch *out_scratch) KN_MUST_USE;
/* Writes a file there; *out_path is to be freed with kn_free. */
kn_status kn_tvm_scratch_write(const kn_tvm_scratch *scratch, const char *name, const void *data, size_t bytes,
                               char **out_path) KN_MUST_USE;
/* Removes it with all that is in it; a zeroed one is allowed. */
void kn_tvm_scratch_remove(kn_tvm_scratch *scratch);

#endif
