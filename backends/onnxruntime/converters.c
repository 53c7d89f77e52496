/* The ONNX converters of TensorFlow, PyTorch and MXNet: each framework's script does the work in its environment, and
 * ONNX Runtime's compares. */
#include "onnxruntime.h"

#include <kenning/services.h>
#include <stdio.h>

typedef struct converter {
  char unused; /* no options */
} converter;

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

static kn_status run(const char *framework, const char *direction, const char *model, const char *directory,
                     uint64_t seed, kn_record *record) {
  char text[24];
  snprintf(text, sizeof text, "%llu", (unsigned long long)seed);
  const char *arguments[] = {"--direction", direction, "--model", model, "--directory",
                             directory,     "--seed",  text,      NULL};
  return kn_tool_run(&(kn_tool_request){.framework = framework,
                                        .script = "onnx_conversion.py",
                                        .arguments = arguments,
                                        .timeout_s = 1800,
                                        .progress = model},
                     record);
}

static kn_status compare(void *self, const char *directory, kn_record *out_record) {
  (void)self;
  const char *arguments[] = {"--directory", directory, NULL};
  return kn_tool_run(
      &(kn_tool_request){.framework = "onnxruntime", .script = "compare.py", .arguments = arguments, .timeout_s = 600},
      out_record);
}

/* KN_CONVERTER(identifier, class name, framework, summary, models...) */
#define KN_CONVERTER(id, class_name, framework_name, text, ...)                                     \
  static kn_status id##_export(void *self, const char *model, const char *directory, uint64_t seed, \
                               kn_record *out_record) {                                             \
    (void)self;                                                                                     \
    return run(framework_name, "export", model, directory, seed, out_record);                       \
  }                                                                                                 \
  static kn_status id##_import(void *self, const char *model, const char *directory, uint64_t seed, \
                               kn_record *out_record) {                                             \
    (void)self;                                                                                     \
    return run(framework_name, "import", model, directory, seed, out_record);                       \
  }                                                                                                 \
  static const kn_onnxconverter_ops id##_ops = {.struct_size = sizeof(kn_onnxconverter_ops),        \
                                                .models = NAMES(__VA_ARGS__),                       \
                                                .export_model = id##_export,                        \
                                                .import_model = id##_import,                        \
                                                .compare = compare};                                \
  const kn_class kn_##id##_onnx_conversion_class = {.struct_size = sizeof(kn_class),                \
                                                    .name = class_name,                             \
                                                    .kind = KN_KIND_ONNXCONVERTER,                  \
                                                    .summary = text,                                \
                                                    .framework = framework_name,                    \
                                                    .instance_size = sizeof(converter),             \
                                                    .ops = &id##_ops}

KN_CONVERTER(tensorflow, "kenning.onnxconverters.tensorflow.TensorFlowONNXConversion", "onnx",
             "Tries which TensorFlow models go to ONNX and back", "DenseNet201", "MobileNetV2", "ResNet50");

KN_CONVERTER(mxnet, "kenning.onnxconverters.mxnet.MXNetONNXConversion", "onnx-mxnet",
             "Tries which MXNet models go to ONNX and back", "DenseNet201", "MobileNetV2", "ResNet50",
             "DeepLabV3 ResNet50", "Faster R-CNN ResNet50 FPN", "Mask R-CNN");

KN_CONVERTER(pytorch, "kenning.onnxconverters.pytorch.PyTorchONNXConversion", "pytorch-tools",
             "Tries which PyTorch models go to ONNX and back", "DenseNet201", "MobileNetV2", "ResNet50",
             "DeepLabV3 ResNet50", "Faster R-CNN ResNet50 FPN", "RetinaNet ResNet50 FPN", "Mask R-CNN");
