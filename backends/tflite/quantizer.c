/* AIEdgeQuantizer: quantizes .tflite models without TensorFlow. */
#include "compiler.h"
#include "tflite.h"

#include <string.h>

#define ALIASES(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Of ai-edge-quantizer/manifest.json: the file that it writes does not tell. */
static const char version[] = "0.10.0";

typedef struct ai_edge_quantizer {
  kn_optimizer_options options;
  int model_framework;
  int quantization;
  double dataset_percentage;
} ai_edge_quantizer;

enum { STATIC, DYNAMIC, WEIGHT_ONLY };

static const kn_choice frameworks[] = {{"tflite", 0, "TensorFlow Lite"}, {0}};
static const kn_choice quantizations[] = {
    {"static", STATIC, "weights and values as 8 bit integers, calibrated on samples"},
    {"dynamic", DYNAMIC, "weights as 8 bit integers, values quantized while the model runs"},
    {"weight_only", WEIGHT_ONLY, "weights as 8 bit integers, computed in float32"},
    {0}};

static const kn_option rows[] = {
    {"model_framework", "Format of the input model", KN_OPTION_ENUM, 0, KN_FIELD(ai_edge_quantizer, model_framework),
     .choices = frameworks, .aliases = ALIASES("modelframework")},
    {"quantization", "What is quantized", KN_OPTION_ENUM, 0, KN_FIELD(ai_edge_quantizer, quantization),
     .choices = quantizations},
    {"dataset_percentage", "Share of the calibration samples that are used, 0 to 1", KN_OPTION_FLOAT, 0,
     KN_FIELD(ai_edge_quantizer, dataset_percentage), .def.f = 0.25, .min = 0, .max = 1},
    {0}};

/* One quantization under way. */
typedef struct work {
  const ai_edge_quantizer *self;
  const kn_compile_request *request;
  size_t samples; /* to calibrate on; 0: none needed */
  char input_sha256[65];
  kn_iospec *spec;
} work;

static kn_status begin(work *at) {
  if (at->self->quantization == STATIC) {
    const kn_samples *calibration = at->request->calibration;
    if (!calibration || !calibration->count || !(at->self->dataset_percentage > 0))
      return kn_status_make(
          KN_INVALID_ARGUMENT,
          "static quantization is calibrated on samples, and there are none: give the scenario a data "
          "set and a dataset_percentage above 0, or take quantization dynamic");
    at->samples = kn_samples_share(calibration, at->self->dataset_percentage);
  }
  return kn_sha256_file(at->request->input_path, at->input_sha256);
}

/* The parsed model borrows *out_bytes. */
static kn_status read_model(const char *path, char **out_bytes, kn_tflite_model *out_model) {
  size_t count;
  *out_model = (kn_tflite_model){0};
  KN_TRY(kn_file_read(path, (size_t)1 << 36, out_bytes, &count));
  return kn_status_annotate(kn_tflite_model_read(*out_bytes, count, out_model), "while reading %s", path);
}

static kn_status check_input(const char *path) {
  char *bytes = NULL;
  kn_tflite_model model;
  kn_status status = read_model(path, &bytes, &model);
  if (!status && model.layer_weights[KN_TFLITE_INT8])
    status = kn_status_make(KN_INCOMPATIBLE, "%s is quantized already: give the float32 model", path);
  kn_tflite_model_clear(&model);
  kn_free(bytes);
  return status;
}

static kn_status run_tool(const work *at, const char *path, const char *samples, kn_record *record) {
  const kn_samples *calibration = at->request->calibration;
  char *shape = samples ? kn_shape_text(calibration->rank, calibration->shape) : NULL;
  if (samples && !shape) return kn_status_out_of_memory();
  const char *arguments[16] = {"--input", at->request->input_path, "--output",
                               path,      "--quantization",        quantizations[at->self->quantization].name};
  if (samples) {
    const char *const more[] = {"--calibration", samples,         "--sample-shape",
                                shape,           "--sample-type", kn_dtype_name(calibration->dtype)};
    memcpy(arguments + 6, more, sizeof more);
  }
  const kn_tool_request request = {.framework = "ai-edge-quantizer",
                                   .script = "quantize.py",
                                   .arguments = arguments,
                                   .progress = "quantize with AI Edge Quantizer"};
  kn_status status = kn_tool_run(&request, record);
  kn_free(shape);
  return kn_status_annotate(status, "while quantizing %s", at->request->input_path);
}

static kn_status make(void *context, const char *path, kn_record *record) {
  const work *at = context;
  char *samples = NULL;
  KN_TRY(check_input(at->request->input_path));
  kn_status status =
      at->samples ? kn_samples_write_beside(at->request->calibration, at->samples, path, "calibration", &samples, NULL)
                  : NULL;
  if (!status) status = run_tool(at, path, samples, record);
  kn_free(samples);
  return status;
}

/* Every layer with weights must hold them as int8, and work on int8 where that was asked for. */
static kn_status verify(const work *at, const kn_tflite_model *model) {
  size_t weights = model->layer_weights[KN_TFLITE_INT8], values = model->layer_inputs[KN_TFLITE_INT8];
  bool integers = at->self->quantization == STATIC;
  if (model->layers && weights == model->layers && (!integers || values == model->layers)) return NULL;
  return kn_status_make(
      KN_BACKEND_FAILED,
      "quantization %s was asked for, but of %zu convolutions and fully connected layers %zu have int8 "
      "weights and %zu work on int8 values",
      quantizations[at->self->quantization].name, model->layers, weights, values);
}

static kn_status judge(void *context, const char *path, kn_record *record) {
  const work *at = context;
  char *bytes = NULL;
  kn_tflite_model model;
  kn_status status = read_model(path, &bytes, &model);
  if (!status) status = verify(at, &model);
  if (!status) status = kn_tflite_describe_contents(&model, record);
  if (!status) status = kn_tflite_describe_io(&model, at->request->input_spec, at->spec);
  kn_tflite_model_clear(&model);
  kn_free(bytes);
  KN_TRY(status);
  KN_TRY(kn_record_set_string(record, "compiler_framework", "ai-edge-quantizer"));
  KN_TRY(kn_record_set_string(record, "compiler_version", version));
  KN_TRY(kn_record_set_string(record, "quantization", quantizations[at->self->quantization].name));
  return kn_record_set_string(record, "input_sha256", at->input_sha256);
}

static kn_status write_key(const work *at, char **out_key) {
  char *tool;
  KN_TRY(kn_tool_identity("ai-edge-quantizer", "quantize.py", &tool));
  const kn_samples *samples = at->samples ? at->request->calibration : NULL;
  *out_key = kn_format("ai edge quantizer 1\ntool %s\ninput %s\n%s\ncalibration %zu of %s", tool, at->input_sha256,
                       quantizations[at->self->quantization].name, at->samples,
                       samples && samples->identity ? samples->identity : "");
  kn_free(tool);
  return *out_key ? NULL : kn_status_out_of_memory();
}

static kn_status quantizer_compile(void *instance, const kn_compile_request *request, kn_iospec *out_spec,
                                   kn_record *out_record) {
  const ai_edge_quantizer *self = instance;
  work at = {.self = self, .request = request, .spec = out_spec};
  char *key = NULL;
  *out_spec = (kn_iospec){0};
  KN_TRY(begin(&at));
  kn_status status = write_key(&at, &key);
  if (!status)
    status = kn_production_run(
        &(kn_production){
            .path = self->options.compiled_model_path, .key = key, .context = &at, .make = make, .judge = judge},
        out_record);
  kn_free(key);
  if (status) kn_iospec_clear(out_spec);
  return status;
}

static kn_status quantizer_open(void *instance) {
  (void)instance;
  return NULL;
}

static void quantizer_close(void *instance) { (void)instance; }

static bool needs_samples(const void *instance) {
  return ((const ai_edge_quantizer *)instance)->quantization == STATIC;
}

static const kn_optimizer_ops ops = {.struct_size = sizeof ops,
                                     .open = quantizer_open,
                                     .close = quantizer_close,
                                     .compile = quantizer_compile,
                                     .needs_samples = needs_samples};

const kn_class kn_ai_edge_quantizer_class = {.struct_size = sizeof(kn_class),
                                             .name = "kenning.compilers.ai_edge_quantizer.AIEdgeQuantizer",
                                             .kind = KN_KIND_OPTIMIZER,
                                             .summary = "Quantizes TensorFlow Lite models with AI Edge Quantizer",
                                             .framework = "ai-edge-quantizer",
                                             .options = rows,
                                             .instance_size = sizeof(ai_edge_quantizer),
                                             .ops = &ops,
                                             .input_formats = (const char *const[]){"tflite", NULL},
                                             .output_formats = (const char *const[]){"tflite", NULL}};
