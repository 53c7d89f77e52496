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
  bool load_pickled_modules;
} onnx_compiler;

#define ALIASES(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Formats that are read, and whose tool converts them. Every tool takes the same arguments. */
enum { ANY, KERAS, SAVED_MODEL, TFLITE, MXNET, TORCH, TORCHSCRIPT, FORMATS };
static const struct {
  const char *format, *framework, *script;
} converters[FORMATS] = {
    [KERAS] = {"keras", "onnx", "convert.py"},          [SAVED_MODEL] = {"saved_model", "onnx", "convert.py"},
    [TFLITE] = {"tflite", "onnx", "convert.py"},        [MXNET] = {"mxnet", "onnx-mxnet", "onnx_export.py"},
    [TORCH] = {"torch", "pytorch-tools", "convert.py"}, [TORCHSCRIPT] = {"torchscript", "pytorch-tools", "convert.py"}};

static const kn_choice frameworks[] = {{"any", ANY, "what the file is"},
                                       {"keras", KERAS, "Keras: .h5, .keras"},
                                       {"tensorflow", SAVED_MODEL, "SavedModel"},
                                       {"tflite", TFLITE, "TensorFlow Lite"},
                                       {"mxnet", MXNET, "MXNet: symbol and parameters"},
                                       {"torch", TORCH, "PyTorch: TorchScript, state dictionaries of known networks"},
                                       {"torchscript", TORCHSCRIPT, "TorchScript"},
                                       {0}};

static const kn_option rows[] = {
    {"model_framework", "Format of the input model; a hint only, what the file is decides", KN_OPTION_ENUM, 0,
     KN_FIELD(onnx_compiler, model_framework), .def.i = ANY, .choices = frameworks,
     .aliases = ALIASES("modelframework"), KN_GIVEN(onnx_compiler, model_framework_given)},
    {"opset_version", "Version of ONNX's operator set to write", KN_OPTION_INT, 0,
     KN_FIELD(onnx_compiler, opset_version), .def.i = 17, .min = 9, .max = 24},
    {"load_pickled_modules",
     "Load modules of PyTorch that were pickled as a whole, which runs code that is in the file: for files that you "
     "trust",
     KN_OPTION_BOOL, 0, KN_FIELD(onnx_compiler, load_pickled_modules)},
    {0}};

static kn_status compiler_open(void *instance) {
  (void)instance; /* any combination will do */
  return NULL;
}

static void compiler_close(void *instance) { (void)instance; /* nothing stays open */ }

/* ---- what the input is ---- */

enum { HEAD_BYTES = 128 };

static kn_status read_head(const char *path, unsigned char head[HEAD_BYTES], size_t *out_length) {
  FILE *file = fopen(path, "rbe");
  if (!file) return kn_status_make(KN_IO_ERROR, "cannot read %s: %s", path, strerror(errno));
  *out_length = fread(head, 1, HEAD_BYTES, file);
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

/* Zip archives of PyTorch keep everything below one directory, those of Keras do not: the name of the first member
 * tells (30 bytes of header before it, its length at 26). */
static bool is_torch_archive(const unsigned char *head, size_t length) {
  size_t name = length >= HEAD_BYTES ? (size_t)head[26] | (size_t)head[27] << 8 : 0;
  return name && memchr(head + 30, '/', name < HEAD_BYTES - 30 ? name : HEAD_BYTES - 30);
}

static bool means(const onnx_compiler *self, const char *hint, int format) {
  return self->model_framework == format || (hint && !strcmp(hint, converters[format].format));
}

/* By the file's first bytes; MXNet's files, which are two, by their name and the hint. */
static kn_status detect(const onnx_compiler *self, const char *path, const char *hint, int *out_format) {
  struct stat found;
  unsigned char head[HEAD_BYTES] = {0};
  size_t length;
  if (stat(path, &found) != 0) return kn_status_make(KN_NOT_FOUND, "%s: %s", path, strerror(errno));
  if (S_ISDIR(found.st_mode)) return detect_directory(path, out_format);
  KN_TRY(read_head(path, head, &length));
  bool mxnet = means(self, hint, MXNET) || ends_with(path, ".params") || ends_with(path, "-symbol.json");
  *out_format = ANY;
  if (length >= 8 && !memcmp(head, "\x89HDF\r\n\x1a\n", 8)) *out_format = KERAS;
  bool torch = is_torch_archive(head, length) || (hint && !strncmp(hint, "torch", strlen("torch")));
  if (length >= 4 && !memcmp(head, "PK\x03\x04", 4)) *out_format = torch ? TORCH : KERAS;
  if (length >= 2 && head[0] == 0x80 && head[1] >= 2 && head[1] <= 5) *out_format = TORCH; /* a pickle: before 1.6 */
  if (length >= 8 && !memcmp(head + 4, "TFL3", 4)) *out_format = TFLITE;
  if (*out_format == ANY && mxnet) *out_format = MXNET;
  if (*out_format == TORCH && means(self, hint, TORCHSCRIPT)) *out_format = TORCHSCRIPT;
  if (*out_format != ANY) return NULL;
  return kn_status_make(KN_BAD_DATA,
                        "%s is none of: Keras model (.h5, .keras), SavedModel directory, TensorFlow Lite model, "
                        "MXNet model (-symbol.json, .params), model of PyTorch (.pt, .pth)",
                        path);
}

/* ---- one conversion ---- */

typedef struct conversion {
  const onnx_compiler *self;
  const kn_compile_request *request;
  int format;
} conversion;

static bool tells_inputs(int format) { return format == KERAS || format == SAVED_MODEL || format == TFLITE; }

static bool loads_pickled(const conversion *at) {
  return at->self->load_pickled_modules && (at->format == TORCH || at->format == TORCHSCRIPT);
}

/* The input's io specification is told to the tools of formats that do not hold it. */
static kn_status produce(void *context, const char *path, kn_record *record) {
  const conversion *at = context;
  char opset[24], seed[24];
  snprintf(opset, sizeof opset, "%lld", (long long)at->self->opset_version);
  snprintf(seed, sizeof seed, "%llu", (unsigned long long)at->request->seed);
  const char *arguments[] = {"--input",
                             at->request->input_path,
                             "--format",
                             converters[at->format].format,
                             "--output",
                             path,
                             "--opset",
                             opset,
                             "--seed",
                             seed,
                             loads_pickled(at) ? "--load-pickled" : NULL,
                             NULL};
  const kn_tool_request request = {.framework = converters[at->format].framework,
                                   .script = converters[at->format].script,
                                   .arguments = arguments,
                                   .specification = tells_inputs(at->format) ? NULL : at->request->input_spec,
                                   .progress = "convert to ONNX"};
  return kn_status_annotate(kn_tool_run(&request, record), "while converting %s", at->request->input_path);
}

static kn_status verify(void *context, const kn_onnx_model *model, const kn_onnx_layers *layers) {
  const conversion *at = context;
  (void)layers;
  if (kn_onnx_model_opset(model) <= at->self->opset_version) return NULL;
  return kn_status_make(KN_BACKEND_FAILED, "the converter wrote operator set %lld, where %lld was asked for",
                        (long long)kn_onnx_model_opset(model), (long long)at->self->opset_version);
}

/* What was allowed is part of the key: a module that was once loaded with permission is refused without it. */
static kn_status make_key(const conversion *at, char **out_key) {
  char *tool, *spec, hex[65];
  size_t length;
  KN_TRY(kn_sha256_path(at->request->input_path, hex));
  KN_TRY(kn_iospec_text(at->request->input_spec, &spec, &length));
  kn_status status = kn_tool_identity(converters[at->format].framework, converters[at->format].script, &tool);
  if (status) return kn_free(spec), status;
  *out_key = kn_format("onnx model 2\ntool %s\ninput %s %s\nopset %lld\nseed %llu\npickled %d\n%s", tool,
                       converters[at->format].format, hex, (long long)at->self->opset_version,
                       (unsigned long long)at->request->seed, loads_pickled(at), spec);
  kn_free(spec);
  kn_free(tool);
  return *out_key ? NULL : kn_status_out_of_memory();
}

static kn_status compiler_compile(void *instance, const kn_compile_request *request, kn_iospec *out_spec,
                                  kn_record *out_record) {
  const onnx_compiler *self = instance;
  conversion at = {.self = self, .request = request};
  char *key;
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

const kn_class kn_onnx_compiler_class = {
    .struct_size = sizeof(kn_class),
    .name = "kenning.compilers.onnx.ONNXCompiler",
    .kind = KN_KIND_OPTIMIZER,
    .summary = "Converts models of other frameworks to ONNX",
    .framework = "onnx",
    .options = rows,
    .instance_size = sizeof(onnx_compiler),
    .ops = &ops,
    .input_formats = ALIASES("keras", "saved_model", "tflite", "mxnet", "torch", "torchscript"),
    .output_formats = ALIASES("onnx")};
