/* ONNXRuntimeQuantizer: static quantization of .onnx models to 8 bit integers. */
#include "compiled.h"
#include "onnxruntime.h"

typedef struct onnx_quantizer {
  kn_optimizer_options options;
  double dataset_percentage;
  bool per_channel;
  int activation_type;
  int calibration_method;
  bool reduce_range;
} onnx_quantizer;

#define ALIASES(...) ((const char *const[]){__VA_ARGS__, NULL})

static const kn_choice types[] = {{"uint8", 0, "the faster on x86"}, {"int8", 1, "symmetric types throughout"}, {0}};
static const kn_choice methods[] = {{"minmax", 0, "smallest and largest value"},
                                    {"entropy", 1, "the range that loses the least information"},
                                    {"percentile", 2, "without the outermost values"},
                                    {0}};

static const kn_option rows[] = {
    {"dataset_percentage", "Share of the calibration samples that quantization is calibrated on, 0 to 1",
     KN_OPTION_FLOAT, 0, KN_FIELD(onnx_quantizer, dataset_percentage), .def.f = 0.25, .min = 0, .max = 1},
    {"per_channel", "A scale for each channel of a layer's weights instead of one for all", KN_OPTION_BOOL, 0,
     KN_FIELD(onnx_quantizer, per_channel), .def.b = true},
    {"activation_type", "Type of the values between the layers; weights are int8", KN_OPTION_ENUM, 0,
     KN_FIELD(onnx_quantizer, activation_type), .choices = types},
    {"calibration_method", "How the range of a value follows from the samples", KN_OPTION_ENUM, 0,
     KN_FIELD(onnx_quantizer, calibration_method), .choices = methods},
    {"reduce_range",
     "Weights of 7 bits, but for depthwise layers: with 8, sums overflow on x86 processors without VNNI",
     KN_OPTION_BOOL, 0, KN_FIELD(onnx_quantizer, reduce_range), .def.b = true},
    {0}};

static kn_status quantizer_open(void *instance) {
  const onnx_quantizer *self = instance;
  if (self->dataset_percentage > 0) return NULL;
  return kn_status_make(KN_INVALID_ARGUMENT,
                        "dataset_percentage is 0, but quantization has to be calibrated on samples: raise it");
}

static void quantizer_close(void *instance) { (void)instance; /* nothing stays open */ }

/* ---- one quantization ---- */

typedef struct quantization {
  const onnx_quantizer *self;
  const kn_compile_request *request;
  size_t count;                     /* samples to calibrate on */
  char *input;                      /* name of the model's input */
  char *sample_shape, *input_shape; /* of one; the latter NULL where the model does not tell */
  size_t layers;                    /* of the input */
} quantization;

static kn_status check_input(quantization *at, const kn_onnx_model *model, const kn_onnx_layers *layers) {
  const kn_samples *samples = at->request->calibration;
  const kn_onnx_value *input = kn_onnx_inputs(model);
  if (model->inputs.count != 1 || input->dtype != KN_FLOAT32)
    return kn_status_make(KN_INCOMPATIBLE,
                          "quantization works with models of one float32 input; this one has %zu, the "
                          "first %s",
                          model->inputs.count, kn_dtype_name(input->dtype));
  if (!layers->count)
    return kn_status_make(KN_INCOMPATIBLE, "the model has neither convolutions nor dense layers to quantize");
  if (layers->quantized_values)
    return kn_status_make(KN_INCOMPATIBLE, "the model is quantized already: %zu of its %zu layers",
                          layers->quantized_values, layers->count);
  size_t wanted = 1, given = 1;
  bool known = input->rank > 0;
  for (uint32_t k = 1; k < input->rank; k++) {
    known = known && input->shape[k] > 0;
    if (known && !kn_mul_size(wanted, (size_t)input->shape[k], &wanted)) known = false;
  }
  for (uint32_t k = 0; k < samples->rank; k++)
    if (!kn_mul_size(given, (size_t)samples->shape[k], &given)) known = false;
  if (known && wanted != given)
    return kn_status_make(KN_INCOMPATIBLE, "a sample of the data set has %zu values, the model's input '%.*s' %zu",
                          given, KN_ONNX_TEXT(input->name), wanted);
  at->layers = layers->count;
  at->input = kn_strndup(input->name.data, input->name.length);
  at->sample_shape = kn_shape_text(samples->rank, samples->shape);
  if (input->rank) at->input_shape = kn_shape_text(input->rank - 1, input->shape + 1);
  return at->input && at->sample_shape && (at->input_shape || !input->rank) ? NULL : kn_status_out_of_memory();
}

static kn_status read_input(quantization *at) {
  kn_onnx_model model = {0};
  kn_onnx_layers layers;
  char *bytes = NULL;
  size_t count;
  kn_status status = kn_file_read(at->request->input_path, (size_t)1 << 36, &bytes, &count);
  if (!status) status = kn_onnx_model_read(bytes, count, &model);
  if (!status) status = kn_onnx_layers_read(bytes, count, &layers);
  if (!status) status = check_input(at, &model, &layers);
  kn_onnx_model_clear(&model);
  kn_free(bytes);
  return kn_status_annotate(status, "while reading %s", at->request->input_path);
}

static kn_status begin(quantization *at) {
  const kn_samples *samples = at->request->calibration;
  if (!samples || !samples->count)
    return kn_status_make(
        KN_INVALID_ARGUMENT,
        "calibrating the quantization needs samples, but the scenario has no data set with any for it");
  at->count = kn_samples_share(samples, at->self->dataset_percentage);
  return read_input(at);
}

static kn_status run_tool(const quantization *at, const char *path, const char *samples, kn_record *record) {
  const onnx_quantizer *self = at->self;
  const char *arguments[22] = {"--input",        at->request->input_path,
                               "--output",       path,
                               "--input-name",   at->input,
                               "--samples",      samples,
                               "--sample-shape", at->sample_shape,
                               "--sample-type",  kn_dtype_name(at->request->calibration->dtype),
                               "--activations",  types[self->activation_type].name,
                               "--method",       methods[self->calibration_method].name};
  size_t count = 16;
  if (!self->per_channel) arguments[count++] = "--per-tensor";
  if (!self->reduce_range) arguments[count++] = "--full-range";
  char *input_shape = at->input_shape ? kn_format("--input-shape=%s", at->input_shape) : NULL; /* -1,... is no flag */
  if (at->input_shape && !input_shape) return kn_status_out_of_memory();
  arguments[count++] = input_shape;
  const kn_tool_request request = {
      .framework = "onnxruntime", .script = "quantize.py", .arguments = arguments, .progress = "quantize"};
  kn_status status = kn_tool_run(&request, record);
  kn_free(input_shape);
  return kn_status_annotate(status, "while quantizing %s", at->request->input_path);
}

static kn_status produce(void *context, const char *path, kn_record *record) {
  const quantization *at = context;
  char *samples;
  kn_status status = kn_samples_write_beside(at->request->calibration, at->count, path, "calibration", &samples, NULL);
  if (!status) status = run_tool(at, path, samples, record);
  kn_free(samples);
  return status;
}

static kn_status verify(void *context, const kn_onnx_model *model, const kn_onnx_layers *layers) {
  const quantization *at = context;
  if (layers->count >= at->layers && layers->quantized_values == layers->count &&
      layers->weights[KN_ONNX_INT8] == layers->count && kn_onnx_model_count(model, "QuantizeLinear"))
    return NULL;
  char *weights = kn_onnx_census_text(layers->weights);
  if (!weights) return kn_status_out_of_memory();
  kn_status status = kn_status_make(
      KN_BACKEND_FAILED,
      "the quantizer was asked for int8, but of %zu convolutions and dense layers (%zu before) the weights are %s, and "
      "%zu compute on quantized values%s%.*s",
      layers->count, at->layers, weights, layers->quantized_values,
      layers->plain.length ? "; the first that is not quantized: " : "", KN_ONNX_TEXT(layers->plain));
  kn_free(weights);
  return status;
}

static kn_status make_key(const quantization *at, char **out_key) {
  const onnx_quantizer *self = at->self;
  char *tool, hex[65];
  KN_TRY(kn_sha256_path(at->request->input_path, hex));
  KN_TRY(kn_tool_identity("onnxruntime", "quantize.py", &tool));
  *out_key = kn_format("onnx quantized 1\ntool %s\ninput %s\n%s %s per_channel %d reduce_range %d\n%zu of %s", tool,
                       hex, types[self->activation_type].name, methods[self->calibration_method].name,
                       self->per_channel, self->reduce_range, at->count,
                       at->request->calibration->identity ? at->request->calibration->identity : "");
  kn_free(tool);
  return *out_key ? NULL : kn_status_out_of_memory();
}

static kn_status quantizer_compile(void *instance, const kn_compile_request *request, kn_iospec *out_spec,
                                   kn_record *out_record) {
  const onnx_quantizer *self = instance;
  quantization at = {.self = self, .request = request};
  char *key = NULL;
  *out_spec = (kn_iospec){0};
  kn_status status = begin(&at);
  if (!status) status = make_key(&at, &key);
  const kn_onnx_compilation compilation = {.path = self->options.compiled_model_path,
                                           .request = request,
                                           .framework = "onnxruntime",
                                           .key = key,
                                           .format = "onnx",
                                           .context = &at,
                                           .produce = produce,
                                           .verify = verify};
  if (!status) status = kn_onnx_compile(&compilation, out_spec, out_record);
  if (!status) status = kn_samples_record(request->calibration, at.count, "calibration", out_record);
  kn_free(key);
  kn_free(at.input);
  kn_free(at.sample_shape);
  kn_free(at.input_shape);
  return status;
}

static bool needs_samples(const void *instance) {
  (void)instance;
  return true;
}

static const kn_optimizer_ops ops = {.struct_size = sizeof ops,
                                     .open = quantizer_open,
                                     .close = quantizer_close,
                                     .compile = quantizer_compile,
                                     .needs_samples = needs_samples};

const kn_class kn_onnx_quantizer_class = {.struct_size = sizeof(kn_class),
                                          .name = "kenning.optimizers.onnxruntime.ONNXRuntimeQuantizer",
                                          .kind = KN_KIND_OPTIMIZER,
                                          .summary = "Quantizes ONNX models to 8 bit integers",
                                          .framework = "onnxruntime",
                                          .options = rows,
                                          .instance_size = sizeof(onnx_quantizer),
                                          .ops = &ops,
                                          .input_formats = ALIASES("onnx"),
                                          .output_formats = ALIASES("onnx")};
