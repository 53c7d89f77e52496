/* Whether a compiled model is what was asked for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kenning/services.h>

#include "compiler.h"

static long long number(const kn_tvm_model_file *file, const char *name) {
  const char *value = kn_tvm_model_file_fact(file, name);
  return value ? strtoll(value, NULL, 10) : 0;
}

static kn_status wrong(const char *what, const char *found) {
  return kn_status_make(KN_BACKEND_FAILED, "TVM compiled something else than was asked for: %s %s", what,
                        found ? found : "nothing");
}

static kn_status check_kind(const kn_tvm_compiler *compiler, const kn_tvm_model_file *file) {
  bool sources = kn_tvm_compiler_makes_sources(compiler);
  kn_tvm_executor wanted = sources                    ? KN_TVM_C_SOURCES
                           : compiler->compile_use_vm ? KN_TVM_VM
                                                      : (kn_tvm_executor)compiler->executor;
  if (!file->description) return wrong("the description is", "missing");
  if (compiler->flavour != KN_TVM_AUTO && (int)file->flavour != compiler->flavour)
    return wrong("the flavour is", kn_tvm_flavour_name(file->flavour));
  if (wanted && file->executor != wanted) return wrong("the executor is", kn_tvm_executor_name(file->executor));
  return NULL;
}

/* Every word of the target must be among those that were compiled for. */
static kn_status check_target(const char *wanted, const kn_tvm_model_file *file) {
  const char *made = kn_tvm_model_file_fact(file, "target");
  while (wanted && *wanted) {
    wanted += wanted[0] == '-' && wanted[1] == '-';
    size_t length = strcspn(wanted, " ");
    const char *at = made;
    bool found = !length;
    while (!found && at && (at = memmem(at, strlen(at), wanted, length))) {
      found = at[length] == '\0' || at[length] == ' ' || at[length] == '=';
      at++;
    }
    if (!found) return wrong("the target is", made);
    wanted += length + (wanted[length] == ' ');
  }
  return NULL;
}

static kn_status check_precision(const kn_tvm_compiler *compiler, const kn_tvm_model_file *file) {
  const char *features = kn_tvm_model_file_fact(file, "processor_features");
  long long integers = number(file, "integer_layers");
  if (kn_tvm_compiler_precision(compiler) == KN_TVM_FLOAT16 && !number(file, "float16_layers"))
    return wrong("layers of float16:", "none");
  if (kn_tvm_compiler_precision(compiler) == KN_TVM_FLOAT16 && features && strstr(features, "sse") &&
      !strstr(features, "f16c"))
    kn_log(KN_LOG_WARNING,
           "the target (%s) has no instructions for float16: a function converts every value, which is slower than "
           "float32 by far; name a processor that has them, such as -mcpu=core-avx2",
           kn_tvm_model_file_fact(file, "target"));
  if (kn_tvm_compiler_precision(compiler) == KN_TVM_INT8 && !integers) return wrong("layers of integers:", "none");
  if (integers && features && strstr(features, "avx2") && !number(file, "int8_instructions"))
    return wrong("instructions that multiply 8-bit integers:", "none");
  return NULL;
}

kn_status kn_tvm_verify(const kn_tvm_compiler *compiler, const kn_tvm_model_file *file) {
  KN_TRY(check_kind(compiler, file));
  KN_TRY(check_target(kn_tvm_compiler_target(compiler), file));
  KN_TRY(check_target(compiler->target_attrs, file));
  KN_TRY(check_precision(compiler, file));
  const char *integer = kn_tvm_model_file_fact(file, "quantized_input");
  if (integer && !strcmp(integer, "yes") && file->flavour == KN_TVM_RELAX)
    kn_log(KN_LOG_WARNING,
           "the model is quantized, and flavour relax computes it in float32; flavour relay computes on "
           "integers");
  if (integer && !strcmp(integer, "yes") && file->flavour == KN_TVM_RELAY && !number(file, "integer_layers"))
    return wrong("layers of integers:", "none");
  return NULL;
}
