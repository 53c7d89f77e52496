/* One run of the converter: what it depends on, its arguments, its input files. */
#include "compiler.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kenning/process.h>

enum { QAT_TIMEOUT_S = 7 * 24 * 3600 };

/* ---- the input ---- */

static kn_status detect_format(const char *path, const char **out_format) {
  struct stat found;
  if (stat(path, &found) != 0) return kn_status_make(KN_NOT_FOUND, "%s: %s", path, strerror(errno));
  if (S_ISDIR(found.st_mode)) {
    char *inner = kn_format("%s/saved_model.pb", path);
    if (!inner) return kn_status_out_of_memory();
    bool whole = access(inner, R_OK) == 0;
    kn_free(inner);
    *out_format = "saved_model";
    return whole ? NULL : kn_status_make(KN_BAD_DATA, "%s is a directory without saved_model.pb: no SavedModel", path);
  }
  unsigned char head[8] = {0};
  FILE *file = fopen(path, "rbe");
  if (!file) return kn_status_make(KN_IO_ERROR, "cannot read %s: %s", path, strerror(errno));
  size_t length = fread(head, 1, sizeof head, file);
  fclose(file);
  bool hdf5 = length == 8 && !memcmp(head, "\x89HDF\r\n\x1a\n", 8), zip = length >= 4 && !memcmp(head, "PK\x03\x04", 4);
  *out_format = "keras";
  if (hdf5 || zip) return NULL;
  return kn_status_make(KN_BAD_DATA, "%s is neither a Keras model (.h5, .keras) nor a SavedModel directory", path);
}

/* ---- what the request must have ---- */

static void compare_hints(const kn_tflite_conversion *conversion) {
  static const char *const frameworks[] = {"keras", "saved_model", "onnx"};
  const kn_tflite_compiler *compiler = conversion->compiler;
  const char *hint = frameworks[compiler->model_framework], *given = conversion->request->input_format;
  if (compiler->model_framework_given && strcmp(hint, conversion->format))
    kn_log(KN_LOG_INFO, "model_framework speaks of another format, but %s is of format %s: what the file is decides",
           conversion->request->input_path, conversion->format);
  if (given && strcmp(given, conversion->format))
    kn_log(KN_LOG_INFO, "%s is said to be of format %s, but is of format %s", conversion->request->input_path, given,
           conversion->format);
}

static size_t elements(uint32_t rank, const int64_t *shape) {
  size_t product = 1;
  for (uint32_t k = 0; k < rank; k++)
    if (shape[k] > 0 && !kn_mul_size(product, (size_t)shape[k], &product)) return 0;
  return product;
}

/* Samples must fit the model's only input. Unknown dimensions fit everything. */
static kn_status check_samples(const kn_samples *samples, const kn_iospec *spec, const char *purpose) {
  if (!samples || !samples->count)
    return kn_status_make(KN_INVALID_ARGUMENT, "%s needs samples, but the scenario has no data set with any for it",
                          purpose);
  const kn_iolist *inputs = spec->processed_input.count ? &spec->processed_input : &spec->input;
  if (inputs->count != 1)
    return kn_status_make(KN_INCOMPATIBLE, "%s works with models of one input; this one has %zu", purpose,
                          inputs->count);
  const kn_ioentry *input = &inputs->entries[0];
  bool known = input->rank > 0;
  for (uint32_t k = 1; k < input->rank; k++) known = known && input->shape[k] > 0;
  size_t wanted = known ? elements(input->rank - 1, input->shape + 1) : 0;
  if (wanted && wanted != elements(samples->rank, samples->shape))
    return kn_status_make(KN_INCOMPATIBLE, "a sample of the data set has %zu values, the model's input '%s' %zu",
                          elements(samples->rank, samples->shape), input->name ? input->name : "", wanted);
  return NULL;
}

static kn_status find_edgetpu_compiler(char **out_path) {
  kn_status status = kn_process_find("edgetpu_compiler", out_path);
  if (kn_status_code(status) != KN_NOT_INSTALLED) return status;
  kn_status_free(status);
  return kn_status_make(
      KN_NOT_INSTALLED,
      "target edgetpu needs the program edgetpu_compiler on PATH; Google distributes it in the package "
      "edgetpu-compiler of its Coral archive. Target int8 works without it, but is made for CPUs");
}

static kn_status begin(kn_tflite_conversion *conversion) {
  const kn_tflite_compiler *compiler = conversion->compiler;
  const kn_compile_request *request = conversion->request;
  KN_TRY(detect_format(request->input_path, &conversion->format));
  compare_hints(conversion);
  if (kn_tflite_target_is_integer(compiler->target)) {
    KN_TRY(check_samples(request->calibration, request->input_spec, "calibrating the quantization"));
    conversion->calibration_count = kn_samples_share(request->calibration, compiler->dataset_percentage);
  }
  if (compiler->quantization_aware_training) {
    KN_TRY(check_samples(request->train, request->input_spec, "quantization-aware training"));
    if (!strcmp(conversion->format, "saved_model"))
      return kn_status_make(KN_INCOMPATIBLE, "quantization-aware training needs a Keras model, and %s is a SavedModel",
                            request->input_path);
  }
  if (compiler->target == KN_TFLITE_TARGET_EDGETPU) KN_TRY(find_edgetpu_compiler(&conversion->edgetpu_compiler));
  return kn_sha256_path(request->input_path, conversion->input_sha256);
}

kn_status kn_tflite_conversion_begin(const kn_tflite_compiler *compiler, const kn_compile_request *request,
                                     kn_tflite_conversion *out_conversion) {
  *out_conversion = (kn_tflite_conversion){.compiler = compiler, .request = request};
  return begin(out_conversion);
}

void kn_tflite_conversion_clear(kn_tflite_conversion *conversion) {
  kn_free(conversion->edgetpu_compiler);
  *conversion = (kn_tflite_conversion){0};
}

/* ---- the cache key ---- */

static kn_status append(char **text, char *line) {
  char *longer = *text && line ? kn_format("%s%s\n", *text, line) : NULL;
  kn_free(line);
  kn_free(*text);
  *text = longer;
  return longer ? NULL : kn_status_out_of_memory();
}

static kn_status append_samples(char **text, const char *what, const kn_samples *samples, size_t count) {
  return append(text, kn_format("%s %zu of %s", what, count, samples->identity ? samples->identity : ""));
}

static kn_status build_key(const kn_tflite_conversion *conversion, char **text) {
  const kn_tflite_compiler *compiler = conversion->compiler;
  const kn_compile_request *request = conversion->request;
  char *tool, hex[65];
  KN_TRY(kn_tool_identity("tflite", "convert.py", &tool));
  kn_status status = append(text, kn_format("tflite model 1\ntool %s\ninput %s %s\nseed %llu", tool, conversion->format,
                                            conversion->input_sha256, (unsigned long long)request->seed));
  kn_free(tool);
  KN_TRY(status);
  KN_TRY(append(text, kn_format("target %s %s %s select_ops %d", kn_tflite_target_name(compiler->target),
                                kn_tflite_io_type_name(compiler->inference_input_type),
                                kn_tflite_io_type_name(compiler->inference_output_type), compiler->use_tf_select_ops)));
  if (conversion->calibration_count)
    KN_TRY(append_samples(text, "calibration", request->calibration, conversion->calibration_count));
  if (compiler->quantization_aware_training) {
    KN_TRY(
        append(text, kn_format("training %lld %lld %s %d", (long long)compiler->epochs, (long long)compiler->batch_size,
                               kn_tflite_optimizer_name(compiler->optimizer), compiler->disable_from_logits)));
    KN_TRY(append_samples(text, "train", request->train, request->train->count));
    if (request->validation)
      KN_TRY(append_samples(text, "validation", request->validation, request->validation->count));
  }
  if (!conversion->edgetpu_compiler) return NULL;
  KN_TRY(kn_sha256_file(conversion->edgetpu_compiler, hex));
  return append(text, kn_format("edgetpu_compiler %s", hex));
}

kn_status kn_tflite_conversion_key(const kn_tflite_conversion *conversion, char **out_key) {
  *out_key = kn_strdup("");
  if (!*out_key) return kn_status_out_of_memory();
  kn_status status = build_key(conversion, out_key);
  if (status) {
    kn_free(*out_key);
    *out_key = NULL;
  }
  return status;
}

/* ---- running the converter ---- */

enum { MOST_ARGUMENTS = 48 };

/* Names of raw files beside the result. */
typedef struct inputs {
  char *calibration, *train, *train_labels, *validation, *validation_labels;
} inputs;

typedef struct arguments {
  const char *list[MOST_ARGUMENTS];
  size_t count;
  char *texts[8]; /* made for the list */
  size_t text_count;
} arguments;

static void add(arguments *to, const char *flag, const char *value) {
  to->list[to->count++] = flag;
  if (value) to->list[to->count++] = value;
}

/* A NULL text is noticed at the end. */
static void add_text(arguments *to, const char *flag, char *value) {
  to->texts[to->text_count++] = value;
  add(to, flag, value ? value : "");
}

static void fill_arguments(const kn_tflite_conversion *conversion, const char *path, const inputs *files,
                           arguments *to) {
  const kn_tflite_compiler *compiler = conversion->compiler;
  bool integer = kn_tflite_target_is_integer(compiler->target);
  add(to, "--input", conversion->request->input_path);
  add(to, "--format", conversion->format);
  add(to, "--output", path);
  add(to, "--target", integer ? "int8" : kn_tflite_target_name(compiler->target));
  add(to, "--input-type", kn_tflite_io_type_name(compiler->inference_input_type));
  add(to, "--output-type", kn_tflite_io_type_name(compiler->inference_output_type));
  add_text(to, "--seed", kn_format("%llu", (unsigned long long)conversion->request->seed));
  if (compiler->use_tf_select_ops) add(to, "--select-ops", NULL);
  if (!files->calibration) return;
  add_text(to, "--sample-shape",
           kn_shape_text(conversion->request->calibration->rank, conversion->request->calibration->shape));
  add(to, "--sample-type", kn_dtype_name(conversion->request->calibration->dtype));
  add(to, "--calibration", files->calibration);
  if (!files->train) return;
  add(to, "--train", files->train);
  add(to, "--train-labels", files->train_labels);
  add_text(to, "--epochs", kn_format("%lld", (long long)compiler->epochs));
  add_text(to, "--batch-size", kn_format("%lld", (long long)compiler->batch_size));
  add(to, "--optimizer", kn_tflite_optimizer_name(compiler->optimizer));
  if (compiler->disable_from_logits) add(to, "--outputs-are-probabilities", NULL);
  if (!files->validation) return;
  add(to, "--validation", files->validation);
  add(to, "--validation-labels", files->validation_labels);
}

static kn_status write_inputs(const kn_tflite_conversion *conversion, const char *path, inputs *files) {
  const kn_compile_request *request = conversion->request;
  if (conversion->calibration_count)
    KN_TRY(kn_samples_write_beside(request->calibration, conversion->calibration_count, path, "calibration",
                                   &files->calibration, NULL));
  if (!conversion->compiler->quantization_aware_training) return NULL;
  KN_TRY(kn_samples_write_beside(request->train, request->train->count, path, "training", &files->train,
                                 &files->train_labels));
  if (!request->validation || !request->validation->count) return NULL;
  return kn_samples_write_beside(request->validation, request->validation->count, path, "validation",
                                 &files->validation, &files->validation_labels);
}

static void clear_inputs(inputs *files) {
  char *list[] = {files->calibration, files->train, files->train_labels, files->validation, files->validation_labels};
  for (size_t i = 0; i < sizeof list / sizeof *list; i++) kn_free(list[i]);
}

static kn_status run_tool(const kn_tflite_conversion *conversion, const char *path, const inputs *files,
                          kn_record *record) {
  arguments list = {0};
  fill_arguments(conversion, path, files, &list);
  kn_status status = NULL;
  for (size_t i = 0; i < list.text_count; i++)
    if (!list.texts[i] && !status) status = kn_status_out_of_memory();
  bool training = conversion->compiler->quantization_aware_training;
  kn_tool_request request = {
      .framework = "tflite",
      .script = "convert.py",
      .arguments = list.list,
      .timeout_s = training ? QAT_TIMEOUT_S : 0,
      .progress = training ? "train and convert to TensorFlow Lite" : "convert to TensorFlow Lite"};
  if (!status) status = kn_tool_run(&request, record);
  for (size_t i = 0; i < list.text_count; i++) kn_free(list.texts[i]);
  return kn_status_annotate(status, "while converting %s", conversion->request->input_path);
}

kn_status kn_tflite_conversion_run(const kn_tflite_conversion *conversion, const char *path, kn_record *record) {
  inputs files = {0};
  kn_status status = write_inputs(conversion, path, &files);
  if (!status) status = run_tool(conversion, path, &files, record);
  clear_inputs(&files);
  return status;
}
