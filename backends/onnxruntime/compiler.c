/* ONNXCompiler: models of other frameworks as .onnx files. */
#include "compiled.h"
#include "onnxruntime.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct onnx_compiler {
  kn_optimizer_options options;
  int model_framework;
  bool model_framework_given;
  int64_t opset_version;
} onnx_compiler;

#define ALIASES(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Formats that are read, and whose tool converts them. Every tool takes the same arguments. */
enum { ANY, KERAS, SAVED_MODEL, TFLITE, MXNET, FORMATS };
static const struct {
  const char *format, *framework, *script;
} converters[FORMATS] = {[KERAS] = {"keras", "onnx", "convert.py"},
                         [SAVED_MODEL] = {"saved_model", "onnx", "convert.py"},
                         [TFLITE] = {"tflite", "onnx", "convert.py"},
                         [MXNET] = {"mxnet", "onnx-mxnet", "onnx_export.py"}};

static const kn_choice frameworks[] = {{"any", ANY, "what the file is"},
                                       {"keras", KERAS, "Keras: .h5, .keras"},
                                       {"tensorflow", SAVED_MODEL, "SavedModel"},
                                       {"tflite", TFLITE, "TensorFlow Lite"},
                                       {"mxnet", MXNET, "MXNet: symbol and parameters"},
                                       {0}};

static const kn_option rows[] = {
    {"model_framework", "Format of the input model; a hint only, what the file is decides", KN_OPTION_ENUM, 0,
     KN_FIELD(onnx_compiler, model_framework), .def.i = ANY, .choices = frameworks,
     .aliases = ALIASES("modelframework"), KN_GIVEN(onnx_compiler, model_framework_given)},
    {"opset_version", "Version of ONNX's operator set to write", KN_OPTION_INT, 0,
     KN_FIELD(onnx_compiler, opset_version), .def.i = 17, .min = 9, .max = 24},
    {0}};

static kn_status compiler_open(void *instance) {
  (void)instance; /* any combination will do */
  return NULL;
}

static void compiler_close(void *instance) { (void)instance; /* nothing stays open */ }

/* ---- what the input is ---- */

static kn_status read_head(const char *path, unsigned char head[8], size_t *out_length) {
  FILE *file = fopen(path, "rbe");
  if (!file) return kn_status_make(KN_IO_ERROR, "cannot read %s: %s", path, strerror(errno));
  *out_length = fread(head, 1, 8, file);
  fclose(file);
  return NULL;
}

static bool ends_with(const char *text, const char *tail) {
  size_t length = strlen(text), tail_length = strlen(tail);
  return length >= tail_length && !strcmp(text + length - tail_length, tail);
}

static kn_status detect_directory(const char *path, int *out_format) {
  char *inner = kn_format("%s/saved_model.pb", path);
  if (!inner) return kn_status_out_of_memory();
  bool whole = access(inner, R_OK) == 0;
  kn_free(inner);
  *out_format = SAVED_MODEL;
  return whole ? NULL : kn_status_make(KN_BAD_DATA, "%s is a directory without saved_model.pb: no SavedModel", path);
}

/* By the file's first bytes; MXNet's files, which are two, by their name and the hint. */
static kn_status detect(const onnx_compiler *self, const char *path, const char *hint, int *out_format) {
  struct stat found;
  unsigned char head[8] = {0};
  size_t length;
  if (stat(path, &found) != 0) return kn_status_make(KN_NOT_FOUND, "%s: %s", path, strerror(errno));
  if (S_ISDIR(found.st_mode)) return detect_directory(path, out_format);
  KN_TRY(read_head(path, head, &length));
  bool mxnet = self->model_framework == MXNET || (hint && !strcmp(hint, "mxnet")) || ends_with(path, ".params") ||
               ends_with(path, "-symbol.json");
  *out_format = ANY;
  if (length == 8 && !memcmp(head, "\x89HDF\r\n\x1a\n", 8)) *out_format = KERAS;
  if (length >= 4 && !memcmp(head, "PK\x03\x04", 4)) *out_format = KERAS;
  if (length == 8 && !memcmp(head + 4, "TFL3", 4)) *out_format = TFLITE;
  if (*out_format == ANY && mxnet) *out_format = MXNET;
  if (*out_format != ANY) return NULL;
  return kn_status_make(KN_BAD_DATA,
                        "%s is none of: Keras model (.h5, .keras), SavedModel directory, TensorFlow Lite model, "
                        "MXNet model (-symbol.json, .params)",
                        path);
}

/* ---- one conversion ---- */

typedef struct conversion {
  const onnx_compiler *self;
  const kn_compile_request *request;
  int format;
} conversion;

/* "name:float32:1,28,28,1;..." of the specification's inputs, for formats that do not tell them. */
static char *inputs_text(const kn_iospec *spec) {
  const kn_iolist *inputs = spec->processed_input.count ? &spec->processed_input : &spec->input;
  char *text = kn_strdup("");
  for (size_t i = 0; text && i < inputs->count; i++) {
    const kn_ioentry *entry = &inputs->entries[i];
    char *longer =
        kn_format("%s%s%s:%s:", text, i ? ";" : "", entry->name ? entry->name : "input", kn_dtype_name(entry->dtype));
    kn_free(text);
    text = longer;
    for (uint32_t k = 0; text && k < entry->rank; k++) {
      longer = kn_format("%s%s%lld", text, k ? "," : "", (long long)entry->shape[k]);
      kn_free(text);
      text = longer;
    }
  }
  return text;
}

static kn_status run_tool(const conversion *at, const char *path, const char *inputs, kn_record *record) {
  bool tells = at->format == KERAS || at->format == SAVED_MODEL || at->format == TFLITE;
  char opset[24], seed[24];
  snprintf(opset, sizeof opset, "%lld", (long long)at->self->opset_version);
  snprintf(seed, sizeof seed, "%llu", (unsigned long long)at->request->seed);
  const char *arguments[] = {"--input",  at->request->input_path,
                             "--format", converters[at->format].format,
                             "--output", path,
                             "--opset",  opset,
                             "--seed",   seed,
                             NULL,       NULL,
                             NULL};
  if (!tells) {
    arguments[10] = "--inputs";
    arguments[11] = inputs;
  }
  const kn_tool_request request = {.framework = converters[at->format].framework,
                                   .script = converters[at->format].script,
                                   .arguments = arguments,
                                   .progress = "convert to ONNX"};
  return kn_status_annotate(kn_tool_run(&request, record), "while converting %s", at->request->input_path);
}

static kn_status produce(void *context, const char *path, kn_record *record) {
  const conversion *at = context;
  char *inputs = inputs_text(at->request->input_spec);
  kn_status status = inputs ? run_tool(at, path, inputs, record) : kn_status_out_of_memory();
  kn_free(inputs);
  return status;
}

static kn_status verify(void *context, const kn_onnx_model *model, const kn_onnx_layers *layers) {
  const conversion *at = context;
  (void)layers;
  if (kn_onnx_model_opset(model) <= at->self->opset_version) return NULL;
  return kn_status_make(KN_BACKEND_FAILED, "the converter wrote operator set %lld, where %lld was asked for",
                        (long long)kn_onnx_model_opset(model), (long long)at->self->opset_version);
}

static kn_status make_key(const conversion *at, char **out_key) {
  char *tool, *inputs = inputs_text(at->request->input_spec), hex[65];
  kn_status status = inputs ? kn_onnx_input_hash(at->request->input_path, hex) : kn_status_out_of_memory();
  if (!status) status = kn_tool_identity(converters[at->format].framework, converters[at->format].script, &tool);
  if (!status) {
    *out_key = kn_format("onnx model 1\ntool %s\ninput %s %s\nopset %lld\ninputs %s\nseed %llu", tool,
                         converters[at->format].format, hex, (long long)at->self->opset_version, inputs,
                         (unsigned long long)at->request->seed);
    kn_free(tool);
    if (!*out_key) status = kn_status_out_of_memory();
  }
  kn_free(inputs);
  return status;
}

static kn_status compiler_compile(void *instance, const kn_compile_request *request, kn_iospec *out_spec,
                                  kn_record *out_record) {
  const onnx_compiler *self = instance;
  conversion at = {.self = self, .request = request};
  char *key = NULL;
  *out_spec = (kn_iospec){0};
  KN_TRY(detect(self, request->input_path, request->input_format, &at.format));
  if (self->model_framework_given && self->model_framework != ANY && self->model_framework != at.format)
    kn_log(KN_LOG_INFO, "model_framework speaks of another format, but %s is of format %s: what the file is decides",
           request->input_path, converters[at.format].format);
  KN_TRY(make_key(&at, &key));
  const kn_onnx_compilation compilation = {.path = self->options.compiled_model_path,
                                           .request = request,
                                           .framework = "onnx",
                                           .key = key,
                                           .format = converters[at.format].format,
                                           .context = &at,
                                           .produce = produce,
                                           .verify = verify};
  kn_status status = kn_onnx_compile(&compilation, out_spec, out_record);
  kn_free(key);
  return status;
}

static const kn_optimizer_ops ops = {
    .struct_size = sizeof ops, .open = compiler_open, .close = compiler_close, .compile = compiler_compile};

const kn_class kn_onnx_compiler_class = {.struct_size = sizeof(kn_class),
                                         .name = "kenning.compilers.onnx.ONNXCompiler",
                                         .kind = KN_KIND_OPTIMIZER,
                                         .summary = "Converts models of other frameworks to ONNX",
                                         .framework = "onnx",
                                         .options = rows,
                                         .instance_size = sizeof(onnx_compiler),
                                         .ops = &ops,
                                         .input_formats = ALIASES("keras", "saved_model", "tflite", "mxnet"),
                                         .output_formats = ALIASES("onnx")};
