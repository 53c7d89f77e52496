/* TFLiteCompiler: its options and the steps of a conversion. */
#ifndef KN_TFLITE_COMPILER_H
#define KN_TFLITE_COMPILER_H

#include "model_file.h"

#include <kenning/production.h>

typedef enum kn_tflite_target {
  KN_TFLITE_TARGET_DEFAULT = 0,
  KN_TFLITE_TARGET_INT8,
  KN_TFLITE_TARGET_FLOAT16,
  KN_TFLITE_TARGET_EDGETPU
} kn_tflite_target;

typedef struct kn_tflite_compiler {
  kn_optimizer_options options;
  int model_framework;
  bool model_framework_given;
  int target;               /* kn_tflite_target */
  int inference_input_type; /* KN_TFLITE_FLOAT32, _INT8 or _UINT8 */
  int inference_output_type;
  double dataset_percentage; /* 0..1 */
  bool quantization_aware_training;
  bool use_tf_select_ops;
  int64_t epochs;
  int64_t batch_size;
  int optimizer; /* see kn_tflite_optimizer_name */
  bool disable_from_logits;
} kn_tflite_compiler;

/* One conversion under way. */
typedef struct kn_tflite_conversion {
  const kn_tflite_compiler *compiler;
  const kn_compile_request *request;
  const char *format; /* of the input: "keras" or "saved_model", by looking at it */
  char input_sha256[65];
  size_t calibration_count; /* samples to calibrate on; 0: none needed */
  char *edgetpu_compiler;   /* path; NULL: not needed */
} kn_tflite_conversion;

/* Name of a type as the scenario and the converter spell it: "float32", "int8", "uint8". */
const char *kn_tflite_io_type_name(int type);
/* "default", "int8", "float16", "edgetpu". */
const char *kn_tflite_target_name(int target);
/* "adam", "SGD", "RMSprop". */
const char *kn_tflite_optimizer_name(int optimizer);
/* Whether the target computes on integers. */
bool kn_tflite_target_is_integer(int target);

/* What the input is, its hash, and whether the request has what the options need. Clear also after a failure. */
kn_status kn_tflite_conversion_begin(const kn_tflite_compiler *compiler, const kn_compile_request *request,
                                     kn_tflite_conversion *out_conversion) KN_MUST_USE;
void kn_tflite_conversion_clear(kn_tflite_conversion *conversion);
/* Text that names everything the result depends on. Free with kn_free. */
kn_status kn_tflite_conversion_key(const kn_tflite_conversion *conversion, char **out_key) KN_MUST_USE;
/* Writes the converted model to `path`, a temporary file of the caller; `record` gets what the converter reported. */
kn_status kn_tflite_conversion_run(const kn_tflite_conversion *conversion, const char *path,
                                   kn_record *record) KN_MUST_USE;

/* KN_BACKEND_FAILED unless the model is what the options ask for. `before_edgetpu`: the int8 model that the Edge TPU's
 * compiler still has to work on. */
kn_status kn_tflite_verify(const kn_tflite_compiler *compiler, const kn_tflite_model *model,
                           bool before_edgetpu) KN_MUST_USE;
/* The io specification of the converted model: its own names and types in its own order, with what the specification
 * of the input model says of each. */
kn_status kn_tflite_describe_io(const kn_tflite_model *model, const kn_iospec *input_spec,
                                kn_iospec *out_spec) KN_MUST_USE;
/* Types, sizes and operators of the model. */
kn_status kn_tflite_describe_contents(const kn_tflite_model *model, kn_record *record) KN_MUST_USE;

#endif
