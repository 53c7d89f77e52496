/* What the processor of this machine can do. */
#ifndef KN_TVM_PROCESSOR_H
#define KN_TVM_PROCESSOR_H

#include <kenning/base.h>

/* Of a comma-separated list of features by LLVM's names ("avx2,avx512vnni"): those that this processor has not, into
 * `out`. False when it has all. Names that say nothing about instructions, and all on other machines than x86-64, are
 * not judged. */
bool kn_tvm_processor_lacks(const char *features, char *out, size_t size);

#endif
