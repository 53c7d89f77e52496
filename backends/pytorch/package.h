/* AOTInductor packages (.pt2): models compiled ahead of time into a shared library. Loading one runs its code: it is a
 * program, and to be trusted like one. */
#ifndef PYTORCH_PACKAGE_H
#define PYTORCH_PACKAGE_H

#include "api.h"

typedef struct package package;

/* The io specification that a package or TorchScript archive carries in the member kenning.json; *out_spec is empty
 * where there is none. */
kn_status package_read_spec(const char *path, kn_iospec *out_spec) KN_MUST_USE;

/* Version of the PyTorch that made an archive of ours, in its member kenning.version; "unknown" where there is none.
 * Free with kn_free. */
kn_status package_read_producer(const char *path, char **out_version) KN_MUST_USE;

/* Unpacks the library into a directory that goes again at once, and opens it; `threads` run its loops. */
kn_status package_open(const torch_api *torch, const char *path, int64_t threads, package **out_package) KN_MUST_USE;
/* NULL is allowed. */
void package_close(package *opened);
size_t package_input_count(const package *opened);
size_t package_output_count(const package *opened);
/* Declares the inputs: shapes, types and where the data are; `inputs` must outlive the package. The code of a package
 * believes what it is told, so the number must be right: KN_INCOMPATIBLE. */
kn_status package_set_inputs(package *opened, const torch_shim_tensor *inputs, size_t count) KN_MUST_USE;
kn_status package_run(package *opened) KN_MUST_USE;
/* The data live until the next run. */
kn_status package_output(package *opened, size_t index, torch_shim_tensor *out) KN_MUST_USE;

#endif
