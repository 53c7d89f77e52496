/* Archives of object files, as TVM's own export writes them: linked to a library by the system's compiler. */
#ifndef KN_TVM_OBJECTS_H
#define KN_TVM_OBJECTS_H

#include <kenning/status.h>

/* KN_BAD_DATA when the archive holds no object files, KN_NOT_INSTALLED without a compiler. Free *out_library with
 * kn_free. */
kn_status kn_tvm_objects_link(const char *archive, size_t count, char **out_library, size_t *out_bytes) KN_MUST_USE;

/* Path of the system's C compiler: cc, gcc or clang; free with kn_free. KN_NOT_INSTALLED says what it is wanted for. */
kn_status kn_tvm_find_compiler(const char *purpose, char **out_path) KN_MUST_USE;

#endif
