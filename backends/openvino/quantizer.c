/* OpenVINOQuantizer: quantizes models to 8 bits after training, with NNCF, into an OpenVINO IR. */
#include "ir_file.h"
#include "model_file.h"
#include "openvino.h"

#include <stdio.h>
#include <string.h>

#include <kenning/production.h>

enum { PRESET_PERFORMANCE, PRESET_MIXED };

typedef struct vino_quantizer {
  kn_optimizer_options options;
  double dataset_percentage;
  bool accuracy_control;
  double max_accuracy_drop;
  int preset;
  bool reduce_range;
} vino_quantizer;

static const kn_choice presets[] = {
    {"performance", PRESET_PERFORMANCE, "symmetric weights and values"},
    {"mixed", PRESET_MIXED, "symmetric weights, asymmetric values: for models with ELU, PReLU, GELU and the like"},
    {0}};

static const kn_option rows[] = {
    {"dataset_percentage", "Share of the calibration samples that quantization is calibrated on, 0 to 1",
     KN_OPTION_FLOAT, 0, KN_FIELD(vino_quantizer, dataset_percentage), .def.f = 0.25, .min = 0, .max = 1},
    {"accuracy_control",
     "Leave layers in floating point where the accuracy on the validation samples would fall too far", KN_OPTION_BOOL,
     0, KN_FIELD(vino_quantizer, accuracy_control), .def.b = true},
    {"max_accuracy_drop", "How far the share of right answers on the validation samples may fall, 0 to 1",
     KN_OPTION_FLOAT, 0, KN_FIELD(vino_quantizer, max_accuracy_drop), .def.f = 0.01, .min = 0, .max = 1},
    {"preset", "How values are quantized", KN_OPTION_ENUM, 0, KN_FIELD(vino_quantizer, preset),
     .def.i = PRESET_PERFORMANCE, .choices = presets},
    {"reduce_range", "Weights of 7 bits: with 8, sums overflow on x86 processors without VNNI", KN_OPTION_BOOL, 0,
     KN_FIELD(vino_quantizer, reduce_range), .def.b = true},
    {0}};

static kn_status quantizer_check(const void *instance) {
  const vino_quantizer *self = instance;
  if (!(self->dataset_percentage > 0))
    return kn_status_make(KN_INVALID_ARGUMENT,
                          "dataset_percentage is 0, but quantization has to be calibrated on samples: raise it");
  return NULL;
}

static kn_status quantizer_open(void *instance) { return quantizer_check(instance); }

static void quantizer_close(void *instance) { (void)instance; /* nothing stays open */ }

/* ---- one quantization ---- */

typedef struct quantization {
  const vino_quantizer *options;
  const kn_compile_request *request;
  kn_vino_format format;
  size_t calibration, validation; /* samples used */
  kn_iospec *spec;                /* of the result */
  char *input;                    /* a name that OpenVINO reads */
} quantization;

static kn_status check_samples(const kn_samples *samples, const char *what, const char *instead) {
  if (samples && samples->count) return NULL;
  return kn_status_make(KN_INVALID_ARGUMENT, "%s needs samples, but the scenario has no data set with any for it%s",
                        what, instead);
}

static kn_status begin(quantization *q) {
  const kn_compile_request *request = q->request;
  KN_TRY(kn_vino_format_of(request->input_path, &q->format));
  if (q->format == KN_VINO_IR) KN_TRY(kn_vino_ir_check(request->input_path));
  KN_TRY(check_samples(request->calibration, "quantization", ""));
  q->calibration = kn_samples_share(request->calibration, q->options->dataset_percentage);
  if (q->options->accuracy_control) {
    KN_TRY(check_samples(request->validation, "the bound on accuracy",
                         "; without the bound: \"accuracy_control\": false"));
    q->validation = request->validation->count;
  }
  return kn_vino_name_make(q->format, request->input_path, &q->input);
}

/* An IR is two files. */
static kn_status hash_input(const quantization *q, char out_hex[65]) {
  const char *path = q->request->input_path;
  char layers[65], values[65], *weights, *both;
  if (q->format != KN_VINO_IR) return kn_sha256_path(path, out_hex);
  if (!(weights = kn_vino_weights_path(path))) return kn_status_out_of_memory();
  kn_status status = kn_sha256_file(path, layers);
  if (!status) status = kn_sha256_file(weights, values);
  kn_free(weights);
  KN_TRY(status);
  if (!(both = kn_format("%s\n%s\n", layers, values))) return kn_status_out_of_memory();
  status = kn_sha256(both, strlen(both), out_hex);
  kn_free(both);
  return status;
}

static kn_status make_key(const quantization *q, char **out_key) {
  char hex[65], *tool;
  *out_key = NULL;
  KN_TRY(hash_input(q, hex));
  KN_TRY(kn_tool_identity("openvino", "quantize.py", &tool));
  const kn_samples *calibration = q->request->calibration, *validation = q->validation ? q->request->validation : NULL;
  *out_key = kn_format(
      "openvino int8 1\ntool %s\ninput %s %s\nseed %llu\npreset %d reduce_range %d\ncalibration %zu of %s\n"
      "validation %zu of %s drop %.9g\n",
      tool, kn_vino_format_name(q->format), hex, (unsigned long long)q->request->seed, q->options->preset,
      q->options->reduce_range, q->calibration, calibration->identity ? calibration->identity : "", q->validation,
      validation && validation->identity ? validation->identity : "", validation ? q->options->max_accuracy_drop : 0.0);
  kn_free(tool);
  return *out_key ? NULL : kn_status_out_of_memory();
}

/* ---- the tool ---- */

/* Names of files. */
typedef struct sample_files {
  char *shape, *calibration, *validation, *labels;
} sample_files;

static kn_status run_tool(const quantization *q, const char *path, const sample_files *files, kn_record *record) {
  const kn_samples *samples = q->request->calibration;
  char seed[24];
  snprintf(seed, sizeof seed, "%llu", (unsigned long long)q->request->seed);
  char *drop = kn_format("%.9g", q->options->max_accuracy_drop); /* with a point whatever the locale */
  if (!drop) return kn_status_out_of_memory();
  const char *arguments[24] = {"--input",        q->input,
                               "--output",       path,
                               "--calibration",  files->calibration,
                               "--sample-shape", files->shape,
                               "--sample-type",  kn_dtype_name(samples->dtype),
                               "--seed",         seed};
  size_t n = 12;
  if (q->options->preset == PRESET_MIXED) arguments[n++] = "--mixed";
  if (!q->options->reduce_range) arguments[n++] = "--full-range";
  if (q->validation) {
    arguments[n++] = "--validation";
    arguments[n++] = files->validation;
    arguments[n++] = "--validation-labels";
    arguments[n++] = files->labels;
    arguments[n++] = "--max-accuracy-drop";
    arguments[n++] = drop;
  }
  kn_status status = kn_tool_run(
      &(kn_tool_request){
          .framework = "openvino", .script = "quantize.py", .arguments = arguments, .progress = "quantize with NNCF"},
      record);
  kn_free(drop);
  return status;
}

static kn_status make(void *context, const char *path, kn_record *record) {
  const quantization *q = context;
  const kn_compile_request *request = q->request;
  sample_files files = {.shape = kn_shape_text(request->calibration->rank, request->calibration->shape)};
  kn_status status = files.shape ? NULL : kn_status_out_of_memory();
  if (!status)
    status =
        kn_samples_write_beside(request->calibration, q->calibration, path, "calibration", &files.calibration, NULL);
  if (!status && q->validation)
    status = kn_samples_write_beside(request->validation, q->validation, path, "validation", &files.validation,
                                     &files.labels);
  if (!status) status = run_tool(q, path, &files, record);
  kn_free(files.shape);
  kn_free(files.calibration);
  kn_free(files.validation);
  kn_free(files.labels);
  return status;
}

/* ---- the result ---- */

/* Layers that NNCF left in floating point are told; a model without any quantized one is not what was asked for. */
static kn_status check_result(const char *path, kn_record *record) {
  kn_vino_ir_census census;
  KN_TRY(kn_vino_ir_count(path, &census));
  if (!census.fake_quantize || !census.integer_constants)
    return kn_status_make(
        KN_BACKEND_FAILED,
        "NNCF quantized nothing: %zu layers, %zu of them with quantized values, %zu constants of 8 bits", census.layers,
        census.fake_quantize, census.integer_constants);
  KN_TRY(kn_record_set_int(record, "operators", (int64_t)census.layers));
  KN_TRY(kn_record_set_int(record, "layers", (int64_t)census.weighted));
  KN_TRY(kn_record_set_int(record, "fake_quantize", (int64_t)census.fake_quantize));
  return kn_record_set_int(record, "int8_constants", (int64_t)census.integer_constants);
}

static kn_status describe(const quantization *q, kn_record *record) {
  kn_record *child;
  KN_TRY(kn_record_set_string(record, "compiler_framework", "openvino"));
  KN_TRY(kn_record_set_string(record, "compiler_version", "nncf 3.4.0, openvino 2026.4.1"));
  KN_TRY(kn_record_set_string(record, "target", "int8"));
  KN_TRY(kn_record_set_string(record, "input_format", kn_vino_format_name(q->format)));
  KN_TRY(kn_samples_record(q->request->calibration, q->calibration, "calibration", record));
  if (!q->validation) return NULL;
  KN_TRY(kn_record_object(record, "validation", &child));
  KN_TRY(kn_record_set_int(child, "samples", (int64_t)q->validation));
  return kn_record_set_number(child, "max_accuracy_drop", q->options->max_accuracy_drop);
}

/* Inputs and outputs stay float32 and keep their names. */
static kn_status copy_spec(const kn_iospec *before, kn_iospec *out_spec) {
  const kn_iolist *inputs = kn_iospec_model_input(before);
  for (size_t i = 0; inputs && i < inputs->count; i++) KN_TRY(kn_iolist_add(&out_spec->input, &inputs->entries[i]));
  for (size_t i = 0; i < before->output.count; i++)
    KN_TRY(kn_iolist_add(&out_spec->output, &before->output.entries[i]));
  return NULL;
}

static kn_status judge(void *context, const char *path, kn_record *record) {
  const quantization *q = context;
  KN_TRY(check_result(path, record));
  KN_TRY(describe(q, record));
  return copy_spec(q->request->input_spec, q->spec);
}

static kn_status publish(void *context, const char *path) {
  return kn_vino_ir_publish(path, ((const quantization *)context)->options->options.compiled_model_path);
}

static kn_status quantize(quantization *q, kn_record *record) {
  char *key;
  KN_TRY(begin(q));
  KN_TRY(make_key(q, &key));
  kn_status status = kn_production_run(&(kn_production){.path = q->options->options.compiled_model_path,
                                                        .key = key,
                                                        .name = "model.xml",
                                                        .companion = "model.bin",
                                                        .context = q,
                                                        .make = make,
                                                        .judge = judge,
                                                        .publish = publish},
                                       record);
  kn_free(key);
  if (status) kn_iospec_clear(q->spec);
  return kn_status_annotate(status, "while quantizing %s", q->request->input_path);
}

static kn_status quantizer_compile(void *instance, const kn_compile_request *request, kn_iospec *out_spec,
                                   kn_record *out_record) {
  quantization q = {.options = instance, .request = request, .spec = out_spec};
  *out_spec = (kn_iospec){0};
  kn_status status = quantize(&q, out_record);
  kn_vino_name_free(request->input_path, q.input);
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

const kn_class kn_vino_quantizer_class = {
    .struct_size = sizeof(kn_class),
    .name = "kenning.optimizers.openvino.OpenVINOQuantizer",
    .kind = KN_KIND_OPTIMIZER,
    .summary = "Quantizes models to 8 bits with NNCF, within a bound on the loss of accuracy",
    .framework = "openvino",
    .options = rows,
    .instance_size = sizeof(vino_quantizer),
    .ops = &ops,
    .input_formats = (const char *const[]){"onnx", "openvino", "saved_model", "tflite", NULL},
    .output_formats = (const char *const[]){"openvino", NULL},
    .check = quantizer_check};
