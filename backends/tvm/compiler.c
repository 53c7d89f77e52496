/* TVMCompiler: compiles models by either flavour of TVM. */
#include "compiler.h"

#include <stdio.h>
#include <string.h>

#include <kenning/production.h>

#include "tvm.h"

#define ALIASES(...) ((const char *const[]){__VA_ARGS__, NULL})

static const kn_choice frameworks[] = {{"keras", 0, "Keras"},
                                       {"onnx", 1, "ONNX"},
                                       {"darknet", 2, "Darknet: weights, with the .cfg file beside them"},
                                       {"torch", 3, "PyTorch"},
                                       {"tflite", 4, "TensorFlow Lite, float32 and integers"},
                                       {0}};

enum { CONVERSION_DEFAULT, CONVERSION_DICT_TO_TUPLE };
static const kn_choice conversions[] = {
    {"default", CONVERSION_DEFAULT, "outputs as they are"},
    {"dict_to_tuple", CONVERSION_DICT_TO_TUPLE, "a dictionary of boxes, labels, masks and scores to a tuple"},
    {0}};

static const kn_choice flavours[] = {
    {"auto", KN_TVM_AUTO, "relay for integers, C sources and executors that relax lacks; relax for everything else"},
    {"relax", KN_TVM_RELAX, "the official TVM, 0.27: virtual machine, CPU schedules by rules of kenning, float32"},
    {"relay", KN_TVM_RELAY, "TVM 0.16 as built by a processor vendor: integer arithmetic, all executors, C sources"},
    {0}};

static const kn_choice executors[] = {
    {"auto", 0, "graph with relay, vm with relax"},
    {"graph", KN_TVM_GRAPH, "operators in a fixed order, memory planned"},
    {"vm", KN_TVM_VM, "TVM's virtual machine"},
    {"aot", KN_TVM_AOT, "operators called by compiled code"},
    {"c", KN_TVM_C_SOURCES, "C sources with a function that runs the model; target c"},
    {0}};

static const kn_option rows[] = {
    {"model_framework", "Framework of the input model; a hint, the file decides", KN_OPTION_ENUM, 0,
     KN_FIELD(kn_tvm_compiler, model_framework), .def.i = 1, .choices = frameworks,
     .aliases = ALIASES("modelframework"), KN_GIVEN(kn_tvm_compiler, model_framework_given)},
    {"target", "Kind of the target device with its attributes, such as llvm -mcpu=core-avx2; c makes C sources",
     KN_OPTION_STRING, 0, KN_FIELD(kn_tvm_compiler, target), .def.s = "llvm", KN_GIVEN(kn_tvm_compiler, target_given)},
    {"target_attrs", "More attributes of the target, such as -mcpu=core-avx2", KN_OPTION_STRING, KN_OPTION_NULLABLE,
     KN_FIELD(kn_tvm_compiler, target_attrs), .def.s = ""},
    {"target_host", "Kind of the host of the target device, with its attributes", KN_OPTION_STRING, KN_OPTION_NULLABLE,
     KN_FIELD(kn_tvm_compiler, target_host)},
    {"opt_level", "Optimization level of the compilation", KN_OPTION_INT, 0, KN_FIELD(kn_tvm_compiler, opt_level),
     .def.i = 2, .min = 0, .max = 4},
    {"libdarknet_path", "Not needed: Darknet models are read without Darknet", KN_OPTION_STRING, 0,
     KN_FIELD(kn_tvm_compiler, libdarknet_path), .def.s = "/usr/local/lib/libdarknet.so",
     .aliases = ALIASES("libdarknetpath")},
    {"compile_use_vm", "Compile for TVM's virtual machine", KN_OPTION_BOOL, 0,
     KN_FIELD(kn_tvm_compiler, compile_use_vm), .aliases = ALIASES("use_tvm_vm")},
    {"output_conversion_function", "Conversion of the outputs of a PyTorch model", KN_OPTION_ENUM, 0,
     KN_FIELD(kn_tvm_compiler, output_conversion_function), .choices = conversions,
     .aliases = ALIASES("conversion_func")},
    {"conv2d_data_layout", "Layout of the inputs and outputs of 2-D convolutions; empty: the fastest of the flavour",
     KN_OPTION_STRING, 0, KN_FIELD(kn_tvm_compiler, conv2d_data_layout), .def.s = ""},
    {"conv2d_kernel_layout", "Layout of the kernels of 2-D convolutions, such as OIHW; empty: that of the data layout",
     KN_OPTION_STRING, 0, KN_FIELD(kn_tvm_compiler, conv2d_kernel_layout), .def.s = ""},
    {"use_fp16_precision", "Convert float32 weights and values to float16", KN_OPTION_BOOL, 0,
     KN_FIELD(kn_tvm_compiler, use_fp16_precision)},
    {"use_int8_precision", "Quantize float32 weights and values to int8, calibrated on samples", KN_OPTION_BOOL, 0,
     KN_FIELD(kn_tvm_compiler, use_int8_precision)},
    {"use_tensorrt", "Refused: TensorRT is for CUDA targets, which the TVM that can be installed does not have",
     KN_OPTION_BOOL, 0, KN_FIELD(kn_tvm_compiler, use_tensorrt)},
    {"dataset_percentage", "Share of the calibration samples to calibrate on, 0 to 1", KN_OPTION_FLOAT, 0,
     KN_FIELD(kn_tvm_compiler, dataset_percentage), .def.f = 0.25, .min = 0, .max = 1},
    {"flavour", "Which TVM compiles", KN_OPTION_ENUM, 0, KN_FIELD(kn_tvm_compiler, flavour), .choices = flavours},
    {"executor", "What runs the compiled operators", KN_OPTION_ENUM, 0, KN_FIELD(kn_tvm_compiler, executor),
     .choices = executors},
    {"batch_size", "Samples per inference, where the model leaves that open", KN_OPTION_INT, 0,
     KN_FIELD(kn_tvm_compiler, batch_size), .def.i = 1, .min = 1, .max = 65536},
    {0}};

static bool target_is_c(const kn_tvm_compiler *compiler) {
  const char *target = compiler->target + strspn(compiler->target, " ");
  return *target == 'c' && (target[1] == '\0' || target[1] == ' ');
}

bool kn_tvm_compiler_makes_sources(const kn_tvm_compiler *compiler) {
  return compiler->executor == KN_TVM_C_SOURCES || target_is_c(compiler);
}

const char *kn_tvm_compiler_target(const kn_tvm_compiler *compiler) {
  return kn_tvm_compiler_makes_sources(compiler) && !target_is_c(compiler) ? "c" : compiler->target;
}

kn_tvm_precision kn_tvm_compiler_precision(const kn_tvm_compiler *compiler) {
  return compiler->use_int8_precision ? KN_TVM_INT8 : compiler->use_fp16_precision ? KN_TVM_FLOAT16 : KN_TVM_AS_IS;
}

const char *kn_tvm_framework_name(int framework) { return frameworks[framework].name; }

static kn_status fault(kn_status faults, const char *text) {
  return kn_status_join(faults, kn_status_make(KN_INVALID_ARGUMENT, "%s", text));
}

static bool ends_in(const char *path, const char *end) {
  size_t a = path ? strlen(path) : 0, b = strlen(end);
  return a > b && !strcmp(path + a - b, end);
}

static kn_status compiler_check(const void *instance) {
  const kn_tvm_compiler *self = instance;
  kn_status faults = NULL;
  bool sources = kn_tvm_compiler_makes_sources(self), relax = self->flavour == KN_TVM_RELAX;
  if (self->use_tensorrt)
    faults = fault(faults,
                   "use_tensorrt: TensorRT computes on NVIDIA GPUs, for which no TVM can be installed here; "
                   "leave it out");
  if (self->use_fp16_precision && self->use_int8_precision)
    faults = fault(faults, "use_fp16_precision and use_int8_precision exclude each other");
  if (self->use_int8_precision && !(self->dataset_percentage > 0))
    faults = fault(faults, "dataset_percentage is 0, but use_int8_precision has to be calibrated on samples: raise it");
  if (self->compile_use_vm && self->executor && self->executor != KN_TVM_VM)
    faults = fault(faults, "compile_use_vm asks for the virtual machine and executor for something else");
  if (relax && (self->executor == KN_TVM_GRAPH || self->executor == KN_TVM_AOT))
    faults = fault(faults, "flavour relax has the executor vm only; relay has graph and aot");
  if (relax && self->use_int8_precision)
    faults = fault(faults, "flavour relax has no integer arithmetic: use_int8_precision needs flavour relay");
  if (relax && sources) faults = fault(faults, "flavour relax writes no C sources: target c needs flavour relay");
  if (sources && ((self->executor && self->executor != KN_TVM_C_SOURCES) || self->compile_use_vm))
    faults = fault(faults, "target c makes C sources that call each other: there is no other executor to choose");
  if (self->executor == KN_TVM_C_SOURCES && self->target_given && !target_is_c(self))
    faults = fault(faults, "executor c goes with target c: leave the target out");
  if (sources && ends_in(self->options.compiled_model_path, ".so"))
    faults = fault(faults, "target c makes an archive of C sources: compiled_model_path must not end in .so");
  return faults;
}

static kn_status compiler_open(void *instance) { return compiler_check(instance); }

static void compiler_close(void *instance) { (void)instance; /* nothing stays open */ }

static const char *compiler_output_format(void *instance) {
  return kn_tvm_compiler_makes_sources(instance) ? "c_sources" : "tvm";
}

/* ---- compiling ---- */

static kn_status describe_facts(const kn_tvm_model_file *file, kn_record *record) {
  for (size_t i = 0; i < file->fact_count; i++) {
    const kn_tvm_fact *fact = &file->facts[i];
    long long number;
    char rest;
    if (!strcmp(fact->name, "io_specification") || !strcmp(fact->name, "version")) continue;
    if (sscanf(fact->value, "%lld%c", &number, &rest) == 1)
      KN_TRY(kn_record_set_int(record, fact->name, number));
    else
      KN_TRY(kn_record_set_string(record, fact->name, fact->value));
  }
  return kn_record_set_int(record, "library_bytes", (int64_t)file->library_bytes);
}

typedef struct work {
  const kn_tvm_compilation *compilation;
  kn_iospec *spec;
} work;

static kn_status make(void *context, const char *path, kn_record *record) {
  return kn_tvm_compilation_run(((const work *)context)->compilation, path, record);
}

static kn_status describe_file(const work *at, const kn_tvm_model_file *file, kn_record *record) {
  const char *version = kn_tvm_model_file_fact(file, "version");
  KN_TRY(kn_record_set_string(record, "compiler_framework", "tvm"));
  KN_TRY(kn_record_set_string(record, "compiler_version", version ? version : "unknown"));
  KN_TRY(describe_facts(file, record));
  KN_TRY(kn_iospec_copy(&file->spec, at->spec));
  return kn_iolist_inherit(&at->spec->output, &at->compilation->request->input_spec->output);
}

static kn_status judge(void *context, const char *path, kn_record *record) {
  const work *at = context;
  const kn_tvm_compilation *compilation = at->compilation;
  kn_tvm_model_file file;
  kn_status status = kn_tvm_model_file_read(path, &file);
  if (!status) status = kn_tvm_verify(compilation->compiler, &file);
  if (!status) status = describe_file(at, &file, record);
  kn_tvm_model_file_clear(&file);
  if (!status) status = kn_record_set_string(record, "input_format", compilation->format);
  if (!status) status = kn_record_set_string(record, "input_sha256", compilation->input_sha256);
  if (status || !compilation->calibration_count) return status;
  return kn_samples_record(compilation->request->calibration, compilation->calibration_count, "calibration", record);
}

static kn_status compile_to(const kn_tvm_compilation *compilation, kn_iospec *out_spec, kn_record *record) {
  char *key;
  work at = {.compilation = compilation, .spec = out_spec};
  KN_TRY(kn_tvm_compilation_key(compilation, &key));
  kn_status status = kn_production_run(&(kn_production){.path = compilation->compiler->options.compiled_model_path,
                                                        .key = key,
                                                        .context = &at,
                                                        .make = make,
                                                        .judge = judge},
                                       record);
  kn_free(key);
  if (status) kn_iospec_clear(out_spec);
  return status;
}

static kn_status compiler_compile(void *instance, const kn_compile_request *request, kn_iospec *out_spec,
                                  kn_record *out_record) {
  kn_tvm_compilation compilation;
  *out_spec = (kn_iospec){0};
  kn_status status = kn_tvm_compilation_begin(instance, request, &compilation);
  if (!status) status = compile_to(&compilation, out_spec, out_record);
  kn_tvm_compilation_clear(&compilation);
  return status;
}

static bool compiler_needs_samples(const void *instance) { return kn_tvm_compiler_precision(instance) == KN_TVM_INT8; }

static const kn_optimizer_ops ops = {.struct_size = sizeof ops,
                                     .open = compiler_open,
                                     .close = compiler_close,
                                     .output_format = compiler_output_format,
                                     .compile = compiler_compile,
                                     .needs_samples = compiler_needs_samples};

const kn_class kn_tvm_compiler_class = {.struct_size = sizeof(kn_class),
                                        .name = "kenning.compilers.tvm.TVMCompiler",
                                        .kind = KN_KIND_OPTIMIZER,
                                        .summary = "Compiles models with Apache TVM",
                                        .framework = "tvm",
                                        .options = rows,
                                        .instance_size = sizeof(kn_tvm_compiler),
                                        .ops = &ops,
                                        .input_formats = ALIASES("onnx", "tflite", "darknet"),
                                        .output_formats = ALIASES("tvm", "c_sources"),
                                        .check = compiler_check};
