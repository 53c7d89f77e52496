/* ModelInserter: puts a model from elsewhere into a chain of optimizers. */
#include <kenning/block.h>
#include <kenning/services.h>

#include <string.h>

#define ALIASES(...) ((const char *const[]){__VA_ARGS__, NULL})

typedef struct model_inserter {
  kn_optimizer_options options;
  int model_framework;
  char *input_model_path;
} model_inserter;

/* Formats of models that are one file. */
static const kn_choice formats[] = {{"keras", 0, "Keras .h5 or .keras"},
                                    {"tflite", 1, "TensorFlow Lite"},
                                    {"onnx", 2, "ONNX"},
                                    {"torch", 3, "PyTorch"},
                                    {"tvm", 4, "compiled by Apache TVM"},
                                    {"iree", 5, "compiled by IREE"},
                                    {0}};

static const kn_option rows[] = {
    {"model_framework", "Format of the inserted model", KN_OPTION_ENUM, KN_OPTION_REQUIRED,
     KN_FIELD(model_inserter, model_framework), .choices = formats, .aliases = ALIASES("modelframework")},
    {"input_model_path", "The model to insert; what comes out of the chain before it is not used", KN_OPTION_PATH,
     KN_OPTION_REQUIRED | KN_OPTION_INPUT | KN_OPTION_RESOURCE | KN_OPTION_MODEL,
     KN_FIELD(model_inserter, input_model_path)},
    {0}};

static kn_status inserter_open(void *self) {
  (void)self;
  return NULL;
}

static void inserter_close(void *self) { (void)self; }

static const char *output_format(void *self) { return formats[((const model_inserter *)self)->model_framework].name; }

/* The first bytes of the formats that have some; others are judged by who reads them. Sources: FlatBuffers file
 * identifier of TensorFlow Lite's schema.fbs, HDF5 file format specification, ZIP APPNOTE. */
static bool looks_like(const char *data, size_t bytes, const char *format) {
  if (!strcmp(format, "tflite")) return bytes >= 8 && !memcmp(data + 4, "TFL3", 4);
  if (!strcmp(format, "keras"))
    return bytes >= 8 && (!memcmp(data, "\x89HDF\r\n\x1a\n", 8) || !memcmp(data, "PK\x03\x04", 4));
  return bytes > 0;
}

/* Beside the inserted model, else that of the model before it. */
static kn_status find_spec(const model_inserter *self, const kn_compile_request *request, kn_iospec *out_spec) {
  char *path = kn_format("%s.json", self->input_model_path);
  if (!path) return kn_status_out_of_memory();
  kn_status status = kn_iospec_read(path, out_spec);
  if (kn_status_code(status) == KN_NOT_FOUND) {
    kn_log(KN_LOG_WARNING,
           "%s does not exist: the inserted model is taken to have the inputs and outputs of the model "
           "before it",
           path);
    kn_status_free(status);
    status = kn_iospec_copy(request->input_spec, out_spec);
  }
  kn_free(path);
  return status;
}

static kn_status insert(const model_inserter *self, const kn_compile_request *request, const char *data, size_t bytes,
                        kn_iospec *out_spec, kn_record *record) {
  const char *format = formats[self->model_framework].name;
  if (!looks_like(data, bytes, format))
    return kn_status_make(KN_BAD_DATA, "%s is no model of format %s", self->input_model_path, format);
  char hash[65];
  KN_TRY(find_spec(self, request, out_spec));
  KN_TRY(kn_sha256(data, bytes, hash));
  KN_TRY(kn_record_set_string(record, "compiler_framework", "kenning"));
  KN_TRY(kn_record_set_string(record, "compiler_version", KENNING_VERSION));
  KN_TRY(kn_record_set_string(record, "inserted", self->input_model_path));
  KN_TRY(kn_record_set_string(record, "sha256", hash));
  return kn_file_write(self->options.compiled_model_path, data, bytes);
}

static kn_status inserter_compile(void *instance, const kn_compile_request *request, kn_iospec *out_spec,
                                  kn_record *out_record) {
  const model_inserter *self = instance;
  char *data;
  size_t bytes;
  *out_spec = (kn_iospec){0};
  kn_log(KN_LOG_WARNING, "%s takes the place of %s, which is not used", self->input_model_path, request->input_path);
  KN_TRY(kn_file_read(self->input_model_path, (size_t)1 << 36, &data, &bytes));
  kn_status status = insert(self, request, data, bytes, out_spec, out_record);
  if (status) kn_iospec_clear(out_spec);
  kn_free(data);
  return status;
}

static const kn_optimizer_ops ops = {.struct_size = sizeof(kn_optimizer_ops),
                                     .open = inserter_open,
                                     .close = inserter_close,
                                     .output_format = output_format,
                                     .compile = inserter_compile};

extern const kn_class kn_model_inserter_class;
const kn_class kn_model_inserter_class = {
    .struct_size = sizeof(kn_class),
    .name = "kenning.compilers.model_inserter.ModelInserter",
    .kind = KN_KIND_OPTIMIZER,
    .summary = "Puts a model from elsewhere into the chain",
    .options = rows,
    .instance_size = sizeof(model_inserter),
    .ops = &ops,
    .input_formats = (const char *const[]){"any", NULL},
    .output_formats = (const char *const[]){"keras", "tflite", "onnx", "torch", "tvm", "iree", NULL}};
