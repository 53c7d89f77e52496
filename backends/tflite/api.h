/* TensorFlow Lite's C API: the functions used, under prototypes of our own, found by dlsym. One binary serves the
 * libraries of 2.17 and of 2.21; nothing here is linked. */
#ifndef KN_TFLITE_API_H
#define KN_TFLITE_API_H

#include <kenning/block.h>
#include <kenning/services.h>

typedef struct kn_tfl_model kn_tfl_model;
typedef struct kn_tfl_options kn_tfl_options;
typedef struct kn_tfl_interpreter kn_tfl_interpreter;
typedef struct kn_tfl_tensor kn_tfl_tensor;
typedef struct kn_tfl_context kn_tfl_context;
typedef struct kn_tfl_node kn_tfl_node;
typedef struct kn_tfl_operator kn_tfl_operator;

enum { KN_TFL_OK = 0 };

/* TfLiteQuantizationParams; returned by value, 8 bytes. */
typedef struct kn_tfl_quantization {
  float scale;
  int32_t zero_point;
} kn_tfl_quantization;

/* TfLiteXNNPackDelegateOptions. The first word is the same in every version; the rest is not ours to know (48 bytes in
 * all in 2.21). The struct is returned through memory, so that a larger one than the library's own is filled safely. */
typedef struct kn_tfl_xnnpack_options {
  int32_t num_threads;
  unsigned char rest[508];
} kn_tfl_xnnpack_options;

/* TfLiteDelegate. */
typedef struct kn_tfl_delegate {
  void *data;
  int (*prepare)(kn_tfl_context *context, struct kn_tfl_delegate *delegate);
  void (*unused[3])(void); /* copies between the CPU and the delegate's own buffers */
  int64_t flags;
  void *opaque_delegate_builder;
} kn_tfl_delegate;

enum { KN_TFL_DELEGATE_ALLOWS_DYNAMIC_TENSORS = 1 };

/* TfLiteIntArray. */
typedef struct kn_tfl_int_array {
  int size;
  int data[];
} kn_tfl_int_array;

typedef void (*kn_tfl_reporter)(void *user_data, const char *format, va_list arguments);

/* X(result, name without "TfLite", parameters) */
#define KN_TFLITE_FUNCTIONS(X)                                                                                       \
  X(const char *, Version, (void))                                                                                   \
  X(kn_tfl_model *, ModelCreateWithErrorReporter,                                                                    \
    (const void *data, size_t bytes, kn_tfl_reporter reporter, void *user_data))                                     \
  X(void, ModelDelete, (kn_tfl_model * model))                                                                       \
  X(kn_tfl_options *, InterpreterOptionsCreate, (void))                                                              \
  X(void, InterpreterOptionsDelete, (kn_tfl_options * options))                                                      \
  X(void, InterpreterOptionsSetNumThreads, (kn_tfl_options * options, int32_t threads))                              \
  X(void, InterpreterOptionsAddDelegate, (kn_tfl_options * options, kn_tfl_delegate * delegate))                     \
  X(void, InterpreterOptionsSetErrorReporter, (kn_tfl_options * options, kn_tfl_reporter reporter, void *user_data)) \
  X(kn_tfl_interpreter *, InterpreterCreate, (const kn_tfl_model *model, const kn_tfl_options *options))             \
  X(void, InterpreterDelete, (kn_tfl_interpreter * interpreter))                                                     \
  X(int, InterpreterAllocateTensors, (kn_tfl_interpreter * interpreter))                                             \
  X(int, InterpreterInvoke, (kn_tfl_interpreter * interpreter))                                                      \
  X(int, InterpreterResizeInputTensor,                                                                               \
    (kn_tfl_interpreter * interpreter, int32_t index, const int *shape, int32_t rank))                               \
  X(int32_t, InterpreterGetInputTensorCount, (const kn_tfl_interpreter *interpreter))                                \
  X(int32_t, InterpreterGetOutputTensorCount, (const kn_tfl_interpreter *interpreter))                               \
  X(kn_tfl_tensor *, InterpreterGetInputTensor, (const kn_tfl_interpreter *interpreter, int32_t index))              \
  X(const kn_tfl_tensor *, InterpreterGetOutputTensor, (const kn_tfl_interpreter *interpreter, int32_t index))       \
  X(int, TensorType, (const kn_tfl_tensor *tensor))                                                                  \
  X(int32_t, TensorNumDims, (const kn_tfl_tensor *tensor))                                                           \
  X(int32_t, TensorDim, (const kn_tfl_tensor *tensor, int32_t index))                                                \
  X(size_t, TensorByteSize, (const kn_tfl_tensor *tensor))                                                           \
  X(void *, TensorData, (const kn_tfl_tensor *tensor))                                                               \
  X(kn_tfl_quantization, TensorQuantizationParams, (const kn_tfl_tensor *tensor))                                    \
  X(kn_tfl_xnnpack_options, XNNPackDelegateOptionsDefault, (void))                                                   \
  X(kn_tfl_delegate *, XNNPackDelegateCreate, (const kn_tfl_xnnpack_options *options))                               \
  X(void, XNNPackDelegateDelete, (kn_tfl_delegate * delegate))                                                       \
  X(int, OpaqueContextGetExecutionPlan, (kn_tfl_context * context, kn_tfl_int_array * *out_plan))                    \
  X(int, OpaqueContextGetNodeAndRegistration,                                                                        \
    (kn_tfl_context * context, int node, kn_tfl_node **out_node, kn_tfl_operator **out_operator))                    \
  X(int, OperatorGetBuiltInCode, (const kn_tfl_operator *operator_))

typedef struct kn_tflite_api {
#define KN_TFLITE_SLOT(result, name, parameters) result(*name) parameters;
  KN_TFLITE_FUNCTIONS(KN_TFLITE_SLOT)
#undef KN_TFLITE_SLOT
  char *path; /* of the library; NULL: not opened */
  unsigned major, minor;
} kn_tflite_api;

/* Opens the engine once; a second call does nothing. `library`: path or NULL, see kn_framework_file. KN_NOT_INSTALLED,
 * KN_INCOMPATIBLE for a library that lacks a function or is none of the versions this was written for. */
kn_status kn_tflite_api_open(kn_tflite_api *api, const char *library) KN_MUST_USE;
void kn_tflite_api_clear(kn_tflite_api *api);

/* The kn_dtype of a TfLiteType, KN_DTYPE_NONE for the ones that a tensor view cannot hold. */
kn_dtype kn_tflite_engine_dtype(int type);

#endif
