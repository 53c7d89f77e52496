/* TorchScriptCompiler and AOTInductorCompiler: models that libtorch runs, made by PyTorch's Python in a process of its
 * own (tool/convert.py). */
#include <stdio.h>

#include <kenning/production.h>

#include "package.h"
#include "pytorch.h"
#include "shared/processor_identity.h"
#include "state_dict.h"

typedef struct compiler {
  kn_optimizer_options options;
  bool load_pickled_modules;
  int64_t batch_size; /* of packages; else 0 */
} compiler;

static const char tools[] = "pytorch-tools", script[] = "convert.py";

#define FORMATS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define PICKLED_ROW                                                                                                 \
  {                                                                                                                 \
    "load_pickled_modules",                                                                                         \
        "Load modules that were pickled as a whole, which runs code that is in the file: for files that you trust", \
        KN_OPTION_BOOL, 0, KN_FIELD(compiler, load_pickled_modules)                                                 \
  }

static const kn_option script_rows[] = {PICKLED_ROW, {0}};
static const kn_option package_rows[] = {
    PICKLED_ROW,
    {"batch_size", "Samples per inference: packages are compiled for one number of them", KN_OPTION_INT, 0,
     KN_FIELD(compiler, batch_size), .def.i = 1, .min = 1, .max = 65536},
    {0}};

static kn_status compiler_open(void *self) {
  (void)self; /* any combination will do */
  return NULL;
}

static void compiler_close(void *self) { (void)self; /* nothing stays open */ }

/* ---- one conversion ---- */

typedef struct conversion {
  const compiler *self;
  const kn_compile_request *request;
  const char *to;  /* format of the result */
  torch_file kind; /* what a file of it is */
  kn_iospec *spec; /* of the result */
} conversion;

static kn_status make(void *context, const char *path, kn_record *record) {
  const conversion *at = context;
  char batch[24], seed[24];
  (void)snprintf(batch, sizeof batch, "%lld", (long long)at->self->batch_size);
  (void)snprintf(seed, sizeof seed, "%llu", (unsigned long long)at->request->seed);
  const char *arguments[] = {"--input",
                             at->request->input_path,
                             "--format",
                             at->request->input_format,
                             "--to",
                             at->to,
                             "--output",
                             path,
                             "--batch",
                             batch,
                             "--seed",
                             seed,
                             at->self->load_pickled_modules ? "--load-pickled" : NULL,
                             NULL};
  const kn_tool_request request = {.framework = tools,
                                   .script = script,
                                   .arguments = arguments,
                                   .specification = at->request->input_spec,
                                   .progress = at->to};
  return kn_status_annotate(kn_tool_run(&request, record), "while converting %s", at->request->input_path);
}

static kn_status verify(const conversion *at, const char *path) {
  torch_file kind;
  KN_TRY(torch_file_kind(path, &kind));
  if (kind != at->kind) return kn_status_make(KN_BACKEND_FAILED, "what was written is not of format %s", at->to);
  KN_TRY(package_read_spec(path, at->spec));
  if (!at->spec->input.count || !at->spec->output.count)
    return kn_status_make(KN_BACKEND_FAILED, "what was written holds no io specification");
  return kn_iolist_inherit(&at->spec->output, &at->request->input_spec->output);
}

/* What was allowed is part of the key: a module that was once loaded with permission is refused without it. */
static kn_status make_key(const conversion *at, char **out_key) {
  char *tool, *spec, input[65], processor[65] = "";
  size_t length;
  KN_TRY(kn_sha256_path(at->request->input_path, input));
  if (at->kind == TORCH_FILE_PACKAGE) KN_TRY(kn_processor_identity(processor)); /* code for this one */
  KN_TRY(kn_iospec_text(at->request->input_spec, &spec, &length));
  kn_status status = kn_tool_identity(tools, script, &tool);
  if (status) return kn_free(spec), status;
  *out_key = kn_format("torch model 3\ntool %s\ninput %s %s\nto %s\nbatch %lld\nseed %llu\npickled %d\n%s\n%s", tool,
                       at->request->input_format, input, at->to, (long long)at->self->batch_size,
                       (unsigned long long)at->request->seed, at->self->load_pickled_modules, processor, spec);
  kn_free(spec);
  kn_free(tool);
  return *out_key ? NULL : kn_status_out_of_memory();
}

static kn_status set_version(const char *path, kn_record *record) {
  char *version;
  KN_TRY(package_read_producer(path, &version));
  kn_status status = kn_record_set_string(record, "compiler_version", version);
  kn_free(version);
  return status;
}

static kn_status judge(void *context, const char *path, kn_record *record) {
  const conversion *at = context;
  uint64_t weights;
  KN_TRY(verify(at, path));
  KN_TRY(kn_record_set_string(record, "input_format", at->request->input_format));
  KN_TRY(kn_record_set_string(record, "compiler_framework", "torch"));
  KN_TRY(set_version(path, record));
  if (at->kind != TORCH_FILE_SCRIPT) return NULL;
  KN_TRY(script_weights_bytes(path, &weights));
  return kn_record_set_int(record, "weights_bytes", (int64_t)weights);
}

static kn_status compile(conversion at, kn_iospec *out_spec, kn_record *record) {
  char *key;
  *out_spec = (kn_iospec){0};
  at.spec = out_spec;
  KN_TRY(make_key(&at, &key));
  kn_status status = kn_production_run(
      &(kn_production){
          .path = at.self->options.compiled_model_path, .key = key, .context = &at, .make = make, .judge = judge},
      record);
  kn_free(key);
  if (status) kn_iospec_clear(out_spec);
  return status;
}

static kn_status compile_script(void *self, const kn_compile_request *request, kn_iospec *out_spec, kn_record *record) {
  return compile((conversion){self, request, "torchscript", TORCH_FILE_SCRIPT, NULL}, out_spec, record);
}

static kn_status compile_package(void *self, const kn_compile_request *request, kn_iospec *out_spec,
                                 kn_record *record) {
  return compile((conversion){self, request, "aotinductor", TORCH_FILE_PACKAGE, NULL}, out_spec, record);
}

static const kn_optimizer_ops script_ops = {
    .struct_size = sizeof(kn_optimizer_ops), .open = compiler_open, .close = compiler_close, .compile = compile_script};
static const kn_optimizer_ops package_ops = {.struct_size = sizeof(kn_optimizer_ops),
                                             .open = compiler_open,
                                             .close = compiler_close,
                                             .compile = compile_package};

const kn_class pytorch_script_compiler_class = {.struct_size = sizeof(kn_class),
                                                .name = "kenning.optimizers.pytorch.TorchScriptCompiler",
                                                .kind = KN_KIND_OPTIMIZER,
                                                .summary = "Writes models of PyTorch, and ONNX models, as TorchScript",
                                                .framework = tools,
                                                .options = script_rows,
                                                .instance_size = sizeof(compiler),
                                                .ops = &script_ops,
                                                .input_formats = FORMATS("torch", "onnx"),
                                                .output_formats = FORMATS("torchscript")};

const kn_class pytorch_package_compiler_class = {
    .struct_size = sizeof(kn_class),
    .name = "kenning.optimizers.pytorch.AOTInductorCompiler",
    .kind = KN_KIND_OPTIMIZER,
    .summary = "Compiles models of PyTorch, and ONNX models, ahead of time into packages (.pt2)",
    .framework = tools,
    .options = package_rows,
    .instance_size = sizeof(compiler),
    .ops = &package_ops,
    .input_formats = FORMATS("torch", "torchscript", "onnx"),
    .output_formats = FORMATS("aotinductor")};
