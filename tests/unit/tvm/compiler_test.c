/* TVMCompiler: options that exclude each other, what it takes, and that a result which is not what was asked for is
 * refused. */
#include <stdio.h>
#include <string.h>

#include <kenning/services.h>

#include "support/directory.h"
#include "support/instance.h"
#include "tvm/compiler.h"
#include "tvm/tvm.h"

static void options_are_judged_together(void **state) {
  (void)state;
  static const struct {
    const char *settings[8];
    const char *fault; /* NULL: fine */
  } cases[] = {
      {{"target", "llvm -mcpu=core-avx2", "opt_level", "3", "conv2d_data_layout", "NCHW"}, NULL},
      {{"use_tensorrt", "true"}, "TensorRT computes on NVIDIA GPUs"},
      {{"use_fp16_precision", "true", "use_int8_precision", "true"}, "exclude each other"},
      {{"use_int8_precision", "true", "dataset_percentage", "0"}, "dataset_percentage is 0"},
      {{"compile_use_vm", "true", "executor", "graph"}, "something else"},
      {{"use_tvm_vm", "true", "executor", "vm"}, NULL},
      {{"flavour", "relax", "executor", "aot"}, "executor vm only"},
      {{"flavour", "relax", "use_int8_precision", "true"}, "no integer arithmetic"},
      {{"flavour", "relax", "target", "c"}, "no C sources"},
      {{"target", "c", "executor", "graph"}, "no other executor"},
      {{"target", "c", "executor", "c"}, NULL},
      {{"executor", "c"}, NULL},
      {{"executor", "c", "target", "llvm"}, "leave the target out"},
      {{"executor", "c", "compiled_model_path", "x.so"}, "must not end in .so"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    kn_instance instance = kt_instance_make(&kn_tvm_compiler_class, cases[i].settings);
    kn_status status = kn_tvm_compiler_class.check(instance.self);
    if (cases[i].fault)
      kt_assert_fault(status, KN_INVALID_ARGUMENT, cases[i].fault);
    else
      kt_assert_ok(status);
    kn_instance_destroy(&instance);
  }
}

static void the_format_tells_sources_from_libraries(void **state) {
  (void)state;
  const kn_optimizer_ops *ops = kn_tvm_compiler_class.ops;
  kn_instance library = kt_instance_make(&kn_tvm_compiler_class, KT_SETTINGS("target", "llvm")),
              sources = kt_instance_make(&kn_tvm_compiler_class, KT_SETTINGS("executor", "c")),
              cuda = kt_instance_make(&kn_tvm_compiler_class, KT_SETTINGS("target", "cuda"));
  assert_string_equal(ops->output_format(library.self), "tvm");
  assert_string_equal(ops->output_format(sources.self), "c_sources");
  assert_string_equal(ops->output_format(cuda.self), "tvm");
  assert_string_equal(kn_tvm_compiler_target(sources.self), "c");
  kn_instance_destroy(&library);
  kn_instance_destroy(&sources);
  kn_instance_destroy(&cuda);
}

static kn_status verify(const char *name, const char *const *settings) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", TVM_DATA, name);
  kn_tvm_model_file file;
  kt_assert_ok(kn_tvm_model_file_read(path, &file));
  kn_instance instance = kt_instance_make(&kn_tvm_compiler_class, settings);
  kn_status status = kn_tvm_verify(instance.self, &file);
  kn_instance_destroy(&instance);
  kn_tvm_model_file_clear(&file);
  return status;
}

static void results_are_compared_with_what_was_asked(void **state) {
  (void)state;
  kt_assert_ok(verify("int8.tar", KT_SETTINGS("flavour", "relay")));
  kt_assert_ok(verify("relax.tar", KT_SETTINGS("flavour", "relax", "target_attrs", "-mtriple=x86_64-linux-gnu")));
  kt_assert_ok(verify("sources.tar", KT_SETTINGS("executor", "c")));
  kt_assert_ok(verify("vm.tar", KT_SETTINGS("compile_use_vm", "true")));
  kt_assert_fault(verify("relax.tar", KT_SETTINGS("flavour", "relay")), KN_BACKEND_FAILED, "the flavour is relax");
  kt_assert_fault(verify("aot.tar", KT_SETTINGS("executor", "graph")), KN_BACKEND_FAILED, "the executor is aot");
  kt_assert_fault(verify("aot.tar", KT_SETTINGS("target", "c")), KN_BACKEND_FAILED, "the executor is aot");
  kt_assert_fault(verify("int8.tar", KT_SETTINGS("target", "llvm -mcpu=core-avx2")), KN_BACKEND_FAILED,
                  "the target is llvm");
  kt_assert_fault(verify("vm.tar", KT_SETTINGS("use_int8_precision", "true")), KN_BACKEND_FAILED,
                  "layers of integers: none");
  kt_assert_fault(verify("vm.tar", KT_SETTINGS("use_fp16_precision", "true")), KN_BACKEND_FAILED,
                  "layers of float16: none");
}

/* ---- the input ---- */

static kn_status begin(const char *name, const void *data, size_t bytes, const char *const *settings,
                       const char **out_format) {
  char *directory = kt_directory_make(), *path = kt_path(directory, name);
  kt_file_write(path, data, bytes);
  kn_instance instance = kt_instance_make(&kn_tvm_compiler_class, settings);
  kn_iospec spec = {0};
  const kn_compile_request request = {.input_path = path, .input_spec = &spec};
  kn_tvm_compilation compilation;
  kn_status status = kn_tvm_compilation_begin(instance.self, &request, &compilation);
  *out_format = compilation.format;
  kn_tvm_compilation_clear(&compilation);
  kn_instance_destroy(&instance);
  free(path);
  kt_directory_remove(directory);
  return status;
}

static void the_file_decides_what_it_is(void **state) {
  (void)state;
  const char *format;
  const char *const none[] = {"executor", "c", NULL}; /* needs no linker */
  kt_assert_ok(begin("m", "\x1c\0\0\0TFL3", 8, none, &format));
  assert_string_equal(format, "tflite");
  kt_assert_ok(begin("m", "\x08\x08\x12\x04", 4, none, &format));
  assert_string_equal(format, "onnx");
  kt_assert_fault(begin("m.h5", "\x89HDF\r\n\x1a\n", 8, none, &format), KN_INCOMPATIBLE, "convert it first");
  kt_assert_fault(begin("m.pt", "PK\x03\x04....", 8, none, &format), KN_INCOMPATIBLE, "of format torch");
  kt_assert_fault(begin("m", "hello", 5, none, &format), KN_BAD_DATA, "no model that TVM takes");
  kt_assert_fault(begin("m.weights", "\0\0\0\0", 4, none, &format), KN_NOT_FOUND, "m.cfg");
  kt_assert_fault(begin("m", "\x1c\0\0\0TFL3", 8, KT_SETTINGS("output_conversion_function", "dict_to_tuple"), &format),
                  KN_INCOMPATIBLE, "is for models of format torch");
  kt_assert_fault(begin("m", "\x1c\0\0\0TFL3", 8, KT_SETTINGS("use_int8_precision", "true"), &format),
                  KN_INVALID_ARGUMENT, "has no data set");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(options_are_judged_together), cmocka_unit_test(the_format_tells_sources_from_libraries),
      cmocka_unit_test(results_are_compared_with_what_was_asked), cmocka_unit_test(the_file_decides_what_it_is)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
