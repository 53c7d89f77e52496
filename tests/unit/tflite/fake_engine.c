/* A stand-in for the TensorFlow Lite library: the functions that the back-end uses, a model of four operators whose
 * outputs are the sum of a sample's inputs plus 0, 1, 2. It writes down what it is asked, and fails where
 * fake_tflite_fail says. FAKE_VERSION is what it says it is; FAKE_INCOMPLETE leaves a function out. */
#include "tflite/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#ifndef FAKE_VERSION
#define FAKE_VERSION "2.21.0"
#endif

enum { OPERATORS = 4, PIXELS = 16, CLASSES = 3, MOST_DELEGATES = 8, DELEGATE_CODE = 51 };

EXPORT extern char fake_tflite_log[4096];
EXPORT extern const char *fake_tflite_fail;
char fake_tflite_log[4096];
const char *fake_tflite_fail; /* "model", "interpreter", "allocate", "invoke", "resize", "shape", "xnnpack" or NULL */

struct kn_tfl_model {
  const void *data;
};

struct kn_tfl_options {
  kn_tfl_delegate *delegates[MOST_DELEGATES];
  int count, threads;
  kn_tfl_reporter reporter;
  void *user_data;
};

struct kn_tfl_tensor {
  int type, dims[4], rank;
  float *data;
};

struct kn_tfl_operator {
  int code;
};

struct kn_tfl_context {
  kn_tfl_operator operators[OPERATORS + 1];
  kn_tfl_int_array *plan;
};

struct kn_tfl_interpreter {
  kn_tfl_tensor input, output;
  kn_tfl_context context;
  const kn_tfl_options *options;
};

static void note(const char *text) {
  size_t length = strlen(fake_tflite_log);
  snprintf(fake_tflite_log + length, sizeof fake_tflite_log - length, "%s ", text);
}

static bool fails(const char *step) { return fake_tflite_fail && !strcmp(fake_tflite_fail, step); }

static void report(kn_tfl_reporter reporter, void *user_data, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  reporter(user_data, format, arguments);
  va_end(arguments);
}

#define FAKE(result, name, parameters)   \
  EXPORT result TfLite##name parameters; \
  EXPORT result TfLite##name parameters

FAKE(const char *, Version, (void)) { return FAKE_VERSION; }

FAKE(kn_tfl_model *, ModelCreateWithErrorReporter,
     (const void *data, size_t bytes, kn_tfl_reporter reporter, void *user_data)) {
  (void)bytes;
  note("model");
  if (fails("model")) {
    report(reporter, user_data, "the model is %s", "odd");
    return NULL;
  }
  kn_tfl_model *model = calloc(1, sizeof *model);
  if (model) model->data = data;
  return model;
}

FAKE(void, ModelDelete, (kn_tfl_model * model)) {
  note("-model");
  free(model);
}

FAKE(kn_tfl_options *, InterpreterOptionsCreate, (void)) { return calloc(1, sizeof(kn_tfl_options)); }

FAKE(void, InterpreterOptionsDelete, (kn_tfl_options * options)) {
  note("-options");
  free(options);
}

FAKE(void, InterpreterOptionsSetNumThreads, (kn_tfl_options * options, int32_t threads)) {
  char text[32];
  snprintf(text, sizeof text, "threads=%d", threads);
  note(text);
  options->threads = threads;
}

FAKE(void, InterpreterOptionsAddDelegate, (kn_tfl_options * options, kn_tfl_delegate *delegate)) {
  if (options->count < MOST_DELEGATES) options->delegates[options->count++] = delegate;
}

FAKE(void, InterpreterOptionsSetErrorReporter, (kn_tfl_options * options, kn_tfl_reporter reporter, void *user_data)) {
  options->reporter = reporter;
  options->user_data = user_data;
}

static void make_tensors(kn_tfl_interpreter *interpreter, int batch) {
  free(interpreter->input.data);
  free(interpreter->output.data);
  interpreter->input = (kn_tfl_tensor){.type = 1, .dims = {batch, 4, 4, 1}, .rank = 4};
  interpreter->output = (kn_tfl_tensor){.type = 1, .dims = {batch, CLASSES}, .rank = 2};
}

FAKE(kn_tfl_interpreter *, InterpreterCreate, (const kn_tfl_model *model, const kn_tfl_options *options)) {
  static const int codes[OPERATORS] = {3, 22, 9, 25}; /* CONV_2D RESHAPE FULLY_CONNECTED SOFTMAX */
  (void)model;
  note("interpreter");
  if (fails("interpreter")) {
    report(options->reporter, options->user_data, "first %d\n", 1);
    report(options->reporter, options->user_data, "second %s", "word");
    return NULL;
  }
  kn_tfl_interpreter *interpreter = calloc(1, sizeof *interpreter);
  if (!interpreter) return NULL;
  interpreter->options = options;
  make_tensors(interpreter, 1);
  kn_tfl_context *context = &interpreter->context;
  context->plan = calloc(1, sizeof *context->plan + (OPERATORS + 1) * sizeof(int));
  for (int i = 0; context->plan && i < OPERATORS; i++) {
    context->operators[i].code = codes[i];
    context->plan->data[context->plan->size++] = i;
  }
  for (int i = 0; i < options->count; i++) options->delegates[i]->prepare(context, options->delegates[i]);
  return interpreter;
}

FAKE(void, InterpreterDelete, (kn_tfl_interpreter * interpreter)) {
  note("-interpreter");
  free(interpreter->input.data);
  free(interpreter->output.data);
  free(interpreter->context.plan);
  free(interpreter);
}

FAKE(int, InterpreterAllocateTensors, (kn_tfl_interpreter * interpreter)) {
  note("allocate");
  if (fails("allocate")) {
    report(interpreter->options->reporter, interpreter->options->user_data, "no room");
    return 1;
  }
  size_t batch = (size_t)interpreter->input.dims[0];
  interpreter->input.data = calloc(batch * PIXELS, sizeof(float));
  interpreter->output.data = calloc(batch * CLASSES, sizeof(float));
  return interpreter->input.data && interpreter->output.data ? 0 : 1;
}

FAKE(int, InterpreterInvoke, (kn_tfl_interpreter * interpreter)) {
  if (fails("invoke")) {
    report(interpreter->options->reporter, interpreter->options->user_data, "node %d broke", 7);
    return 1;
  }
  interpreter->output.dims[1] = fails("shape") ? 1 : CLASSES;
  for (int b = 0; b < interpreter->input.dims[0]; b++) {
    float sum = 0;
    for (int i = 0; i < PIXELS; i++) sum += interpreter->input.data[b * PIXELS + i];
    for (int k = 0; k < CLASSES; k++) interpreter->output.data[b * CLASSES + k] = sum + (float)k;
  }
  return 0;
}

FAKE(int, InterpreterResizeInputTensor,
     (kn_tfl_interpreter * interpreter, int32_t index, const int *shape, int32_t rank)) {
  note("resize");
  if (fails("resize") || index || rank != 4) return 1;
  make_tensors(interpreter, shape[0]);
  return 0;
}

FAKE(int32_t, InterpreterGetInputTensorCount, (const kn_tfl_interpreter *interpreter)) {
  (void)interpreter;
  return 1;
}

FAKE(int32_t, InterpreterGetOutputTensorCount, (const kn_tfl_interpreter *interpreter)) {
  (void)interpreter;
  return 1;
}

FAKE(kn_tfl_tensor *, InterpreterGetInputTensor, (const kn_tfl_interpreter *interpreter, int32_t index)) {
  (void)index;
  return (kn_tfl_tensor *)(uintptr_t)&interpreter->input;
}

FAKE(const kn_tfl_tensor *, InterpreterGetOutputTensor, (const kn_tfl_interpreter *interpreter, int32_t index)) {
  (void)index;
  return &interpreter->output;
}

FAKE(int, TensorType, (const kn_tfl_tensor *tensor)) { return tensor->type; }

FAKE(int32_t, TensorNumDims, (const kn_tfl_tensor *tensor)) { return tensor->rank; }

FAKE(int32_t, TensorDim, (const kn_tfl_tensor *tensor, int32_t index)) { return tensor->dims[index]; }

FAKE(size_t, TensorByteSize, (const kn_tfl_tensor *tensor)) {
  size_t bytes = sizeof(float);
  for (int k = 0; k < tensor->rank; k++) bytes *= (size_t)tensor->dims[k];
  return bytes;
}

FAKE(void *, TensorData, (const kn_tfl_tensor *tensor)) { return tensor->data; }

FAKE(kn_tfl_quantization, TensorQuantizationParams, (const kn_tfl_tensor *tensor)) {
  (void)tensor;
  return (kn_tfl_quantization){0};
}

FAKE(kn_tfl_xnnpack_options, XNNPackDelegateOptionsDefault, (void)) { return (kn_tfl_xnnpack_options){.rest = {3}}; }

/* Takes the first three operators. */
static int take(kn_tfl_context *context, kn_tfl_delegate *delegate) {
  (void)delegate;
  note("xnnpack-takes");
  context->operators[OPERATORS].code = DELEGATE_CODE;
  context->plan->size = 2;
  context->plan->data[0] = OPERATORS;
  context->plan->data[1] = OPERATORS - 1;
  return 0;
}

FAKE(kn_tfl_delegate *, XNNPackDelegateCreate, (const kn_tfl_xnnpack_options *options)) {
  char text[48];
  snprintf(text, sizeof text, "xnnpack=%d/%d", options->num_threads, options->rest[0]);
  note(text);
  if (fails("xnnpack")) return NULL;
  kn_tfl_delegate *delegate = calloc(1, sizeof *delegate);
  if (delegate) delegate->prepare = take;
  return delegate;
}

FAKE(void, XNNPackDelegateDelete, (kn_tfl_delegate * delegate)) {
  note("-xnnpack");
  free(delegate);
}

FAKE(int, OpaqueContextGetExecutionPlan, (kn_tfl_context * context, kn_tfl_int_array **out_plan)) {
  *out_plan = context->plan;
  return 0;
}

FAKE(int, OpaqueContextGetNodeAndRegistration,
     (kn_tfl_context * context, int node, kn_tfl_node **out_node, kn_tfl_operator **out_operator)) {
  *out_node = NULL;
  *out_operator = &context->operators[node];
  return 0;
}

#ifndef FAKE_INCOMPLETE
FAKE(int, OperatorGetBuiltInCode, (const kn_tfl_operator *operator_)) { return operator_->code; }
#endif
