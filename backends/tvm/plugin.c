/* TVM: the parameters of its blocks, so that scenarios that name them are checked in full. The engine behind them is
 * not there yet, which the missing `ops` tell the host. */
#define KN_PLUGIN_MAIN
#include <kenning/plugin.h>

#define ALIASES(...) ((const char *const[]){__VA_ARGS__, NULL})

typedef struct tvm_compiler {
  kn_optimizer_options base;
  int model_framework;
  char *target, *target_host;
  int64_t opt_level;
  char *libdarknet_path;
  bool compile_use_vm;
  int output_conversion_function;
  char *conv2d_data_layout, *conv2d_kernel_layout;
  bool use_fp16_precision, use_int8_precision, use_tensorrt;
  double dataset_percentage;
} tvm_compiler;

static const kn_choice frameworks[] = {{"keras", 0, "Keras .h5"},       {"onnx", 1, "ONNX"},
                                       {"darknet", 2, "Darknet"},       {"torch", 3, "PyTorch"},
                                       {"tflite", 4, "TensorFlow Lite"}, {0}};
static const kn_choice conversions[] = {{"default", 0, "outputs as they are"},
                                        {"dict_to_tuple", 1, "a dictionary of boxes, labels, masks and scores to a tuple"},
                                        {0}};

static const kn_option compiler_options[] = {
    {"model_framework", "Framework of the input model; a hint, the file decides", KN_OPTION_ENUM, 0,
     KN_FIELD(tvm_compiler, model_framework), .def.i = 1, .choices = frameworks, .aliases = ALIASES("modelframework")},
    {"target", "Kind or tag of the target device, with its attributes", KN_OPTION_STRING, 0,
     KN_FIELD(tvm_compiler, target), .def.s = "llvm"},
    {"target_host", "Kind or tag of the host of the target device", KN_OPTION_STRING, KN_OPTION_NULLABLE,
     KN_FIELD(tvm_compiler, target_host)},
    {"opt_level", "Optimization level of the compilation", KN_OPTION_INT, 0, KN_FIELD(tvm_compiler, opt_level),
     .def.i = 2, .min = 0, .max = 4},
    {"libdarknet_path", "Path to libdarknet.so, for Darknet models", KN_OPTION_STRING, 0,
     KN_FIELD(tvm_compiler, libdarknet_path), .def.s = "/usr/local/lib/libdarknet.so",
     .aliases = ALIASES("libdarknetpath")},
    {"compile_use_vm", "Compile for TVM's virtual machine", KN_OPTION_BOOL, 0, KN_FIELD(tvm_compiler, compile_use_vm),
     .aliases = ALIASES("use_tvm_vm")},
    {"output_conversion_function", "Conversion of the outputs of a PyTorch model", KN_OPTION_ENUM, 0,
     KN_FIELD(tvm_compiler, output_conversion_function), .choices = conversions, .aliases = ALIASES("conversion_func")},
    {"conv2d_data_layout", "Layout of the inputs and outputs of 2-D convolutions, such as NCHW", KN_OPTION_STRING, 0,
     KN_FIELD(tvm_compiler, conv2d_data_layout), .def.s = ""},
    {"conv2d_kernel_layout", "Layout of the kernels of 2-D convolutions, such as OIHW", KN_OPTION_STRING, 0,
     KN_FIELD(tvm_compiler, conv2d_kernel_layout), .def.s = ""},
    {"use_fp16_precision", "Convert float32 weights to float16", KN_OPTION_BOOL, 0,
     KN_FIELD(tvm_compiler, use_fp16_precision)},
    {"use_int8_precision", "Quantize float32 weights to int8", KN_OPTION_BOOL, 0,
     KN_FIELD(tvm_compiler, use_int8_precision)},
    {"use_tensorrt", "For CUDA targets: give what TensorRT supports to it", KN_OPTION_BOOL, 0,
     KN_FIELD(tvm_compiler, use_tensorrt)},
    {"dataset_percentage", "Share of the calibration samples to calibrate on", KN_OPTION_FLOAT, 0,
     KN_FIELD(tvm_compiler, dataset_percentage), .def.f = 0.25, .min = 0, .max = 1},
    {0}};

static const kn_class compiler_class = {.struct_size = sizeof(kn_class),
                                        .name = "kenning.compilers.tvm.TVMCompiler",
                                        .kind = KN_KIND_OPTIMIZER,
                                        .summary = "Compiles models with Apache TVM",
                                        .framework = "tvm",
                                        .options = compiler_options,
                                        .instance_size = sizeof(tvm_compiler),
                                        .input_formats = ALIASES("keras", "onnx", "darknet", "torch", "tflite"),
                                        .output_formats = ALIASES("tvm")};

typedef struct tvm_runtime {
  kn_runtime_options base;
  char *save_model_path;
  int target_device_context;
  int64_t target_device_context_id;
  bool runtime_use_vm;
} tvm_runtime;

static const kn_choice contexts[] = {{"cpu", 1, "the processor"},
                                     {"llvm", 1, "the processor"},
                                     {"c", 1, "the processor"},
                                     {"cuda", 2, "NVIDIA GPU"},
                                     {"opencl", 4, "OpenCL device"},
                                     {"vulkan", 7, "Vulkan device"},
                                     {"metal", 8, "Apple GPU"},
                                     {"vpi", 9, "Verilog simulator"},
                                     {"rocm", 10, "AMD GPU"},
                                     {"ext_dev", 12, "extension device"},
                                     {"hexagon", 14, "Qualcomm Hexagon"},
                                     {"webgpu", 15, "WebGPU device"},
                                     {0}};

static const kn_option runtime_options[] = {
    {"save_model_path", "Path of the compiled model", KN_OPTION_PATH, 0, KN_FIELD(tvm_runtime, save_model_path),
     .def.s = "model.tar", .aliases = ALIASES("modelpath")},
    {"target_device_context", "Device that runs the model", KN_OPTION_ENUM, 0,
     KN_FIELD(tvm_runtime, target_device_context), .def.i = 1, .choices = contexts, .aliases = ALIASES("contextname")},
    {"target_device_context_id", "Number of the device", KN_OPTION_INT, 0,
     KN_FIELD(tvm_runtime, target_device_context_id), .min = 0, .max = 1024, .aliases = ALIASES("contextid")},
    {"runtime_use_vm", "The model was compiled for TVM's virtual machine", KN_OPTION_BOOL, 0,
     KN_FIELD(tvm_runtime, runtime_use_vm), .aliases = ALIASES("use_tvm_vm")},
    {0}};

static const kn_class runtime_class = {.struct_size = sizeof(kn_class),
                                       .name = "kenning.runtimes.tvm.TVMRuntime",
                                       .kind = KN_KIND_RUNTIME,
                                       .summary = "Runs models compiled by Apache TVM",
                                       .framework = "tvm",
                                       .options = runtime_options,
                                       .instance_size = sizeof(tvm_runtime),
                                       .input_formats = ALIASES("tvm")};

KN_PLUGIN("tvm", "0.1", "Apache-2.0", NULL, &compiler_class, &runtime_class)
