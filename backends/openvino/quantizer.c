/* OpenVINOQuantizer: quantizes models to 8 bits after training, with NNCF, into an OpenVINO IR. */
#include "ir_file.h"
#include "model_file.h"
#include "openvino.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ALIASES(...) ((const char *const[]){__VA_ARGS__, NULL})

enum { PRESET_PERFORMANCE, PRESET_MIXED };

typedef struct vino_quantizer {
  kn_optimizer_options options;
  double dataset_percentage;
  bool accuracy_control;
  double max_accuracy_drop;
  int preset;
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
  char *calibration_file, *validation_file, *labels_file;
  char *input; /* a name that OpenVINO reads */
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
  size_t count = request->calibration->count;
  double wanted = floor(q->options->dataset_percentage * (double)count + 0.5);
  q->calibration = wanted < 1 ? 1 : wanted < (double)count ? (size_t)wanted : count;
  if (q->options->accuracy_control) {
    KN_TRY(check_samples(request->validation, "the bound on accuracy",
                         "; without the bound: \"accuracy_control\": false"));
    q->validation = request->validation->count;
  }
  return kn_vino_name_make(q->format, request->input_path, &q->input);
}

/* The hash of what a model is made of; of a SavedModel, its graph and weights. */
static kn_status hash_input(const quantization *q, char out_hex[65]) {
  static const char *const parts[] = {"saved_model.pb", "variables/variables.index",
                                      "variables/variables.data-00000-of-00001"};
  const char *path = q->request->input_path;
  if (q->format == KN_VINO_ONNX || q->format == KN_VINO_TFLITE) return kn_sha256_file(path, out_hex);
  char *list = kn_strdup(""), hex[65];
  kn_status status = list ? NULL : kn_status_out_of_memory();
  for (size_t i = 0; i < 3 && !status && list; i++) {
    char *file = q->format == KN_VINO_SAVED_MODEL ? kn_format("%s/%s", path, parts[i])
                 : i == 0                         ? kn_strdup(path)
                                                  : kn_vino_weights_path(path);
    if (!file)
      status = kn_status_out_of_memory();
    else if (access(file, R_OK) == 0)
      status = kn_sha256_file(file, hex);
    else
      hex[0] = '\0'; /* a SavedModel without variables */
    kn_free(file);
    char *longer = status ? NULL : kn_format("%s%s\n", list, hex);
    kn_free(list);
    list = longer;
  }
  if (!status) status = list ? kn_sha256(list, strlen(list), out_hex) : kn_status_out_of_memory();
  kn_free(list);
  return status;
}

static kn_status make_key(const quantization *q, char **out_key) {
  char hex[65], *tool;
  *out_key = NULL;
  KN_TRY(hash_input(q, hex));
  KN_TRY(kn_tool_identity("openvino", "quantize.py", &tool));
  const kn_samples *calibration = q->request->calibration, *validation = q->validation ? q->request->validation : NULL;
  *out_key = kn_format(
      "openvino int8 1\ntool %s\ninput %s %s\nseed %llu\npreset %d\ncalibration %zu of %s\n"
      "validation %zu of %s drop %.9g\n",
      tool, kn_vino_format_name(q->format), hex, (unsigned long long)q->request->seed, q->options->preset,
      q->calibration, calibration->identity ? calibration->identity : "", q->validation,
      validation && validation->identity ? validation->identity : "", validation ? q->options->max_accuracy_drop : 0.0);
  kn_free(tool);
  return *out_key ? NULL : kn_status_out_of_memory();
}

/* ---- the tool ---- */

static kn_status write_samples(quantization *q, const char *path) {
  const kn_compile_request *request = q->request;
  KN_TRY(kn_file_temporary(path, &q->calibration_file));
  KN_TRY(kn_samples_write(request->calibration, q->calibration, "read calibration samples", q->calibration_file, NULL));
  if (!q->validation) return NULL;
  KN_TRY(kn_file_temporary(path, &q->validation_file));
  KN_TRY(kn_file_temporary(path, &q->labels_file));
  return kn_samples_write(request->validation, q->validation, "read validation samples", q->validation_file,
                          q->labels_file);
}

static void remove_samples(quantization *q) {
  char **files[] = {&q->calibration_file, &q->validation_file, &q->labels_file};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    if (*files[i]) (void)unlink(*files[i]);
    kn_free(*files[i]);
    *files[i] = NULL;
  }
}

static kn_status run_tool(const quantization *q, const char *path, kn_record *record) {
  const kn_samples *samples = q->request->calibration;
  char shape[192] = "", seed[24], drop[32];
  size_t length = 0, n = 0;
  for (uint32_t k = 0; k < samples->rank; k++)
    length +=
        (size_t)snprintf(shape + length, sizeof shape - length, "%s%lld", k ? "," : "", (long long)samples->shape[k]);
  snprintf(seed, sizeof seed, "%llu", (unsigned long long)q->request->seed);
  snprintf(drop, sizeof drop, "%.9g", q->options->max_accuracy_drop);
  const char *arguments[24] = {"--input",        q->input,
                               "--output",       path,
                               "--calibration",  q->calibration_file,
                               "--sample-shape", shape,
                               "--sample-type",  kn_dtype_name(samples->dtype),
                               "--seed",         seed};
  n = 12;
  if (q->options->preset == PRESET_MIXED) arguments[n++] = "--mixed";
  if (q->validation) {
    arguments[n++] = "--validation";
    arguments[n++] = q->validation_file;
    arguments[n++] = "--validation-labels";
    arguments[n++] = q->labels_file;
    arguments[n++] = "--max-accuracy-drop";
    arguments[n++] = drop;
  }
  return kn_tool_run(
      &(kn_tool_request){
          .framework = "openvino", .script = "quantize.py", .arguments = arguments, .progress = "quantize with NNCF"},
      record);
}

/* ---- the cache: an IR is two entries of one key ---- */

static kn_status part_key(const char *key, const char *part, char **out_key) {
  *out_key = kn_format("%s%s", key, part);
  return *out_key ? NULL : kn_status_out_of_memory();
}

static kn_status look_up(const char *key, const char *path, bool *out_hit) {
  char *first, *second = NULL, *weights = kn_vino_weights_path(path);
  bool layers = false, values = false;
  *out_hit = false;
  kn_status status = part_key(key, "layers", &first);
  if (!status) status = weights ? part_key(key, "weights", &second) : kn_status_out_of_memory();
  if (!status) status = kn_cache_lookup(first, path, &layers);
  if (!status && layers) status = kn_cache_lookup(second, weights, &values);
  if (!status && !values) kn_vino_ir_remove(path);
  *out_hit = layers && values;
  kn_free(first);
  kn_free(second);
  kn_free(weights);
  return status;
}

/* A full cache is no reason to lose the result. */
static void keep(const char *key, const char *path) {
  char *first, *second = NULL, *weights = kn_vino_weights_path(path);
  kn_status status = part_key(key, "layers", &first);
  if (!status) status = weights ? part_key(key, "weights", &second) : kn_status_out_of_memory();
  if (!status) status = kn_cache_store(second, weights);
  if (!status) status = kn_cache_store(first, path);
  if (status) kn_log(KN_LOG_WARNING, "the quantized model is not cached: %s", kn_status_message(status, 0));
  kn_status_free(status);
  kn_free(first);
  kn_free(second);
  kn_free(weights);
}

/* ---- the result ---- */

/* Layers that NNCF left in floating point are told; a model without any quantized one is not what was asked for. */
static kn_status check_result(const char *path, kn_record *record) {
  kn_vino_ir_census census;
  char hex[65];
  KN_TRY(kn_vino_ir_count(path, &census));
  if (!census.fake_quantize || !census.integer_constants)
    return kn_status_make(
        KN_BACKEND_FAILED,
        "NNCF quantized nothing: %zu layers, %zu of them with quantized values, %zu constants of 8 bits", census.layers,
        census.fake_quantize, census.integer_constants);
  KN_TRY(kn_sha256_file(path, hex));
  KN_TRY(kn_record_set_string(record, "sha256", hex));
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
  KN_TRY(kn_record_object(record, "calibration", &child));
  KN_TRY(kn_record_set_int(child, "samples", (int64_t)q->calibration));
  const char *identity = q->request->calibration->identity;
  KN_TRY(kn_record_set_string(child, "identity", identity ? identity : ""));
  if (!q->validation) return NULL;
  KN_TRY(kn_record_object(record, "validation", &child));
  KN_TRY(kn_record_set_int(child, "samples", (int64_t)q->validation));
  return kn_record_set_number(child, "max_accuracy_drop", q->options->max_accuracy_drop);
}

static kn_status produce(quantization *q, const char *path, kn_record *record) {
  char *key;
  bool hit;
  kn_record *tool;
  KN_TRY(make_key(q, &key));
  kn_status status = look_up(key, path, &hit);
  if (!status && hit) {
    kn_log(KN_LOG_INFO, "the quantized model is taken from the cache");
    status = check_result(path, record);
  } else if (!status) {
    status = write_samples(q, path);
    if (!status) status = kn_record_object(record, "quantizer", &tool);
    if (!status) status = run_tool(q, path, tool);
    if (!status) status = check_result(path, record);
    if (!status) keep(key, path);
  }
  remove_samples(q);
  kn_free(key);
  return status ? status : kn_record_set_bool(record, "cached", hit);
}

/* Inputs and outputs stay float32 and keep their names. */
static kn_status copy_spec(const kn_iospec *before, kn_iospec *out_spec) {
  const kn_iolist *inputs = kn_iospec_model_input(before);
  for (size_t i = 0; inputs && i < inputs->count; i++) KN_TRY(kn_iolist_add(&out_spec->input, &inputs->entries[i]));
  for (size_t i = 0; i < before->output.count; i++)
    KN_TRY(kn_iolist_add(&out_spec->output, &before->output.entries[i]));
  return NULL;
}

static kn_status quantize_to(quantization *q, const char *path, kn_iospec *out_spec, kn_record *record) {
  char *base, *temporary;
  KN_TRY(kn_file_temporary(path, &base));
  temporary = kn_format("%s.xml", base);
  (void)unlink(base);
  kn_free(base);
  if (!temporary) return kn_status_out_of_memory();
  kn_status status = produce(q, temporary, record);
  if (!status) status = describe(q, record);
  if (!status) status = copy_spec(q->request->input_spec, out_spec);
  if (!status)
    status = kn_vino_ir_publish(temporary, path);
  else
    kn_vino_ir_remove(temporary);
  if (status) kn_iospec_clear(out_spec);
  kn_free(temporary);
  return kn_status_annotate(status, "while quantizing %s", q->request->input_path);
}

static kn_status quantizer_compile(void *instance, const kn_compile_request *request, kn_iospec *out_spec,
                                   kn_record *out_record) {
  quantization q = {.options = instance, .request = request};
  *out_spec = (kn_iospec){0};
  kn_status status = begin(&q);
  if (!status) status = quantize_to(&q, q.options->options.compiled_model_path, out_spec, out_record);
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
