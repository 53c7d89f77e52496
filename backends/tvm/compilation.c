/* One run of the compiling tool: what it depends on, its arguments, its input files. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <kenning/production.h>

#include "compiler.h"
#include "objects.h"
#include "shared/named_layers.h"

static const double timeout_s = 3600;
static const size_t memory_limit = (size_t)16 << 30;

/* ---- the input ---- */

/* Files of the formats that are told apart by their first bytes; Darknet's by their name. */
static kn_status detect_format(const char *path, const char **out_format) {
  unsigned char head[8] = {0};
  const char *dot = strrchr(path, '.');
  FILE *file = fopen(path, "rbe");
  if (!file)
    return kn_status_make(errno == ENOENT ? KN_NOT_FOUND : KN_IO_ERROR, "cannot read %s: %s", path, strerror(errno));
  size_t length = fread(head, 1, sizeof head, file);
  fclose(file);
  if (length == 8 && !memcmp(head + 4, "TFL3", 4))
    *out_format = "tflite";
  else if (length == 8 && !memcmp(head, "\x89HDF\r\n\x1a\n", 8))
    *out_format = "keras";
  else if (length >= 4 && !memcmp(head, "PK\x03\x04", 4))
    *out_format = dot && !strcmp(dot, ".keras") ? "keras" : "torch";
  else if (dot && !strcmp(dot, ".weights"))
    *out_format = "darknet";
  else if (length >= 2 && head[0] == 0x08 && head[1] < 0x80) /* ModelProto: ir_version comes first */
    *out_format = "onnx";
  else
    return kn_status_make(KN_BAD_DATA, "%s is no model that TVM takes: TensorFlow Lite, ONNX or Darknet weights", path);
  return NULL;
}

static kn_status check_format(const kn_tvm_compilation *compilation) {
  const kn_tvm_compiler *compiler = compilation->compiler;
  const char *path = compilation->request->input_path, *format = compilation->format;
  if (!strcmp(format, "keras") || !strcmp(format, "torch"))
    return kn_status_make(KN_INCOMPATIBLE,
                          "%s is a model of format %s, which TVM does not read: convert it first, to onnx (`kenning "
                          "convert`), or to tflite by TFLiteCompiler before this block",
                          path, format);
  if (compiler->output_conversion_function)
    return kn_status_make(KN_INCOMPATIBLE,
                          "output_conversion_function dict_to_tuple is for models of format torch, and "
                          "%s is of format %s",
                          path, format);
  if (compiler->model_framework_given && strcmp(kn_tvm_framework_name(compiler->model_framework), format) != 0)
    kn_log(KN_LOG_INFO, "model_framework is %s, but %s is of format %s: what the file is decides",
           kn_tvm_framework_name(compiler->model_framework), path, format);
  return NULL;
}

/* The network's description lies beside the weights. */
static kn_status hash_configuration(kn_tvm_compilation *compilation) {
  const char *path = compilation->request->input_path, *dot = strrchr(path, '.');
  char *configuration = kn_format("%.*s.cfg", (int)(dot - path), path);
  if (!configuration) return kn_status_out_of_memory();
  kn_status status = kn_sha256_file(configuration, compilation->extra_sha256);
  if (status)
    status = kn_status_annotate(status, "the description of the network %s is looked for in %s", path, configuration);
  kn_free(configuration);
  return status;
}

static kn_status check_samples(kn_tvm_compilation *compilation) {
  const kn_samples *samples = compilation->request->calibration;
  if (kn_tvm_compiler_precision(compilation->compiler) != KN_TVM_INT8) return NULL;
  if (!samples || !samples->count)
    return kn_status_make(KN_INVALID_ARGUMENT,
                          "use_int8_precision is calibrated on samples, but the scenario has no data "
                          "set with any for it");
  compilation->calibration_count = kn_samples_share(samples, compilation->compiler->dataset_percentage);
  return NULL;
}

kn_status kn_tvm_compilation_begin(const kn_tvm_compiler *compiler, const kn_compile_request *request,
                                   kn_tvm_compilation *out_compilation) {
  *out_compilation = (kn_tvm_compilation){.compiler = compiler, .request = request};
  KN_TRY(detect_format(request->input_path, &out_compilation->format));
  KN_TRY(check_format(out_compilation));
  KN_TRY(kn_sha256_path(request->input_path, out_compilation->input_sha256));
  if (!strcmp(out_compilation->format, "darknet")) KN_TRY(hash_configuration(out_compilation));
  KN_TRY(check_samples(out_compilation));
  if (kn_tvm_compiler_makes_sources(compiler)) return NULL;
  return kn_tvm_find_compiler("linking the compiled model", &out_compilation->cc);
}

void kn_tvm_compilation_clear(kn_tvm_compilation *compilation) {
  kn_free(compilation->cc);
  *compilation = (kn_tvm_compilation){0};
}

/* ---- arguments ---- */

enum { MOST_ARGUMENTS = 48, MOST_INPUTS = 8 };

/* The tool's arguments; all but paths, which come and go, are part of the cache's key. */
typedef struct arguments {
  const char *list[MOST_ARGUMENTS];
  size_t count;
  char *texts[MOST_INPUTS + 4]; /* made for the list */
  size_t text_count;
  bool failed; /* no memory */
} arguments;

static void add(arguments *to, const char *flag, const char *value) {
  if (!value) return;
  to->list[to->count++] = flag;
  to->list[to->count++] = value;
}

static void add_text(arguments *to, const char *flag, char *value) {
  to->texts[to->text_count++] = value;
  to->failed |= !value;
  add(to, flag, value);
}

static void add_input_shapes(arguments *to, const kn_iospec *spec) {
  const kn_iolist *inputs = kn_iospec_model_input(spec);
  for (size_t i = 0; inputs && i < inputs->count && i < MOST_INPUTS; i++) {
    const kn_ioentry *input = &inputs->entries[i];
    char *shape = kn_shape_text(input->rank, input->shape);
    add_text(to, "--input-shape", shape ? kn_format("%s=%s", input->name ? input->name : "", shape) : NULL);
    kn_free(shape);
  }
}

static const char *executor_argument(const kn_tvm_compiler *compiler) {
  if (kn_tvm_compiler_makes_sources(compiler)) return "c";
  if (compiler->compile_use_vm) return "vm";
  return compiler->executor ? kn_tvm_executor_name((kn_tvm_executor)compiler->executor) : "auto";
}

static const char *container_of(const char *path) {
  size_t length = strlen(path);
  return length > 3 && !strcmp(path + length - 3, ".so") ? "so" : "tar";
}

static void fill(const kn_tvm_compilation *compilation, arguments *to) {
  static const char *const precisions[] = {"as-is", "float16", "int8"};
  const kn_tvm_compiler *compiler = compilation->compiler;
  add(to, "--format", compilation->format);
  add(to, "--flavour", kn_tvm_flavour_name((kn_tvm_flavour)compiler->flavour));
  add(to, "--executor", executor_argument(compiler));
  add(to, "--container", container_of(compiler->options.compiled_model_path));
  add(to, "--target", kn_tvm_compiler_target(compiler));
  if (compiler->target_attrs && *compiler->target_attrs)
    add_text(to, "--target-attributes", kn_format(" %s", compiler->target_attrs)); /* it begins with a dash */
  add(to, "--target-host", compiler->target_host);
  add_text(to, "--opt-level", kn_format("%lld", (long long)compiler->opt_level));
  add_text(to, "--batch", kn_format("%lld", (long long)compiler->batch_size));
  add(to, "--data-layout", compiler->conv2d_data_layout);
  add(to, "--kernel-layout", compiler->conv2d_kernel_layout);
  add(to, "--precision", precisions[kn_tvm_compiler_precision(compiler)]);
  add_input_shapes(to, compilation->request->input_spec);
  if (compilation->calibration_count) {
    const kn_samples *samples = compilation->request->calibration;
    add_text(to, "--sample-shape", kn_shape_text(samples->rank, samples->shape));
    add(to, "--sample-type", kn_dtype_name(samples->dtype));
  }
}

static void clear(arguments *at) {
  for (size_t i = 0; i < at->text_count; i++) kn_free(at->texts[i]);
}

/* ---- the cache key ---- */

static kn_status append(char **text, char *line) {
  char *longer = line ? kn_format("%s%s\n", *text, line) : NULL;
  kn_free(line);
  if (!longer) return kn_status_out_of_memory();
  kn_free(*text);
  *text = longer;
  return NULL;
}

static kn_status build_key(const kn_tvm_compilation *compilation, const arguments *list, char **text) {
  char *tool;
  KN_TRY(kn_tool_identity("tvm", "compile.py", &tool));
  kn_status status =
      append(text, kn_format("tvm model 1\ntool %s\ninput %s%s\nseed %llu", tool, compilation->input_sha256,
                             compilation->extra_sha256, (unsigned long long)compilation->request->seed));
  kn_free(tool);
  KN_TRY(status);
  for (size_t i = 0; i < list->count; i++) KN_TRY(append(text, kn_strdup(list->list[i])));
  if (!compilation->calibration_count) return NULL;
  const char *identity = compilation->request->calibration->identity;
  return append(text, kn_format("calibration %zu of %s", compilation->calibration_count, identity ? identity : ""));
}

kn_status kn_tvm_compilation_key(const kn_tvm_compilation *compilation, char **out_key) {
  arguments list = {0};
  *out_key = kn_strdup("");
  fill(compilation, &list);
  kn_status status = *out_key && !list.failed ? build_key(compilation, &list, out_key) : kn_status_out_of_memory();
  clear(&list);
  if (status) {
    kn_free(*out_key);
    *out_key = NULL;
  }
  return status;
}

/* ---- running the tool ---- */

static kn_status run_tool(const kn_tvm_compilation *compilation, const char *path, const char *calibration,
                          kn_record *record) {
  arguments list = {0};
  fill(compilation, &list);
  add(&list, "--input", compilation->request->input_path);
  add(&list, "--output", path);
  add(&list, "--cc", compilation->cc);
  add(&list, "--calibration", calibration);
  kn_tool_request request = {.framework = "tvm",
                             .script = "compile.py",
                             .arguments = list.list,
                             .timeout_s = timeout_s,
                             .memory_limit_bytes = memory_limit,
                             .progress = "compile with TVM"};
  kn_status status = list.failed ? kn_status_out_of_memory() : kn_tool_run(&request, record);
  clear(&list);
  status = kn_status_name_layers(status, compilation->request->input_path);
  return kn_status_annotate(status, "while compiling %s", compilation->request->input_path);
}

kn_status kn_tvm_compilation_run(const kn_tvm_compilation *compilation, const char *path, kn_record *record) {
  char *calibration = NULL;
  kn_status status = NULL;
  if (compilation->calibration_count)
    status = kn_samples_write_beside(compilation->request->calibration, compilation->calibration_count, path,
                                     "calibration", &calibration, NULL);
  if (!status) status = run_tool(compilation, path, calibration, record);
  kn_free(calibration);
  return status;
}
