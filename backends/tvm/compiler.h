/* TVMCompiler: its options and the steps of a compilation. */
#ifndef KN_TVM_COMPILER_H
#define KN_TVM_COMPILER_H

#include <kenning/block.h>

#include "model_file.h"

typedef enum kn_tvm_precision { KN_TVM_AS_IS = 0, KN_TVM_FLOAT16, KN_TVM_INT8 } kn_tvm_precision;

typedef struct kn_tvm_compiler {
  kn_optimizer_options options;
  int model_framework;
  bool model_framework_given;
  char *target, *target_attrs, *target_host;
  bool target_given;
  int64_t opt_level;
  char *libdarknet_path;
  bool compile_use_vm;
  int output_conversion_function;
  char *conv2d_data_layout, *conv2d_kernel_layout;
  bool use_fp16_precision, use_int8_precision, use_tensorrt;
  double dataset_percentage;
  int flavour;  /* kn_tvm_flavour */
  int executor; /* kn_tvm_executor; 0: what fits */
  int64_t batch_size;
} kn_tvm_compiler;

/* Whether C sources are asked for, by the target or by the executor. */
bool kn_tvm_compiler_makes_sources(const kn_tvm_compiler *compiler);
/* The target, which is c where C sources are asked for. */
const char *kn_tvm_compiler_target(const kn_tvm_compiler *compiler);
kn_tvm_precision kn_tvm_compiler_precision(const kn_tvm_compiler *compiler);
/* "keras", "onnx", ... as the format of model files. */
const char *kn_tvm_framework_name(int framework);

/* One compilation under way. */
typedef struct kn_tvm_compilation {
  const kn_tvm_compiler *compiler;
  const kn_compile_request *request;
  const char *format; /* of the input, by looking at it */
  char input_sha256[65];
  char extra_sha256[65];    /* of the network description beside Darknet weights, or "" */
  size_t calibration_count; /* samples to calibrate on; 0: none needed */
  char *cc;                 /* path of the system's compiler */
} kn_tvm_compilation;

/* What the input is, its hash, and whether the request has what the options need. Clear also after a failure. */
kn_status kn_tvm_compilation_begin(const kn_tvm_compiler *compiler, const kn_compile_request *request,
                                   kn_tvm_compilation *out_compilation) KN_MUST_USE;
void kn_tvm_compilation_clear(kn_tvm_compilation *compilation);
/* Text that names everything the result depends on. Free with kn_free. */
kn_status kn_tvm_compilation_key(const kn_tvm_compilation *compilation, char **out_key) KN_MUST_USE;
/* Runs the tool, which writes to `path`, a temporary file of the caller. */
kn_status kn_tvm_compilation_run(const kn_tvm_compilation *compilation, const char *path,
                                 kn_record *record) KN_MUST_USE;

/* KN_BACKEND_FAILED unless the result is what the options ask for: flavour, executor, target, data types of its layers,
 * instructions. */
kn_status kn_tvm_verify(const kn_tvm_compiler *compiler, const kn_tvm_model_file *file) KN_MUST_USE;

#endif
