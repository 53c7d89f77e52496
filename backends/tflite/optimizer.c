/* TFLiteCompiler: turns Keras models and SavedModels into .tflite files. */
#include "compiler.h"
#include "tflite.h"

#include <string.h>
#include <unistd.h>

#include <kenning/process.h>

#define ALIASES(...) ((const char *const[]){__VA_ARGS__, NULL})

static const kn_choice frameworks[] = {
    {"keras", 0, "Keras: .h5, .keras"}, {"tensorflow", 1, "SavedModel"}, {"onnx", 2, "ONNX"}, {0}};

static const kn_choice targets[] = {
    {"default", KN_TFLITE_TARGET_DEFAULT, "float32 throughout"},
    {"int8", KN_TFLITE_TARGET_INT8, "weights and values as 8 bit integers, calibrated on samples"},
    {"float16", KN_TFLITE_TARGET_FLOAT16, "weights as float16, values as float32"},
    {"edgetpu", KN_TFLITE_TARGET_EDGETPU, "int8 compiled for the Coral Edge TPU by edgetpu_compiler"},
    {0}};

static const kn_choice io_types[] = {{"float32", KN_TFLITE_FLOAT32, "numbers as the data set delivers them"},
                                     {"int8", KN_TFLITE_INT8, "signed 8 bit integers"},
                                     {"uint8", KN_TFLITE_UINT8, "unsigned 8 bit integers"},
                                     {0}};

enum { OPTIMIZER_ADAM, OPTIMIZER_SGD, OPTIMIZER_RMSPROP };

static const kn_choice optimizers[] = {{"adam", OPTIMIZER_ADAM, "Adam"},
                                       {"SGD", OPTIMIZER_SGD, "stochastic gradient descent"},
                                       {"RMSprop", OPTIMIZER_RMSPROP, "RMSprop"},
                                       {0}};

static const kn_option rows[] = {
    {"model_framework", "Format of the input model; a hint only, what the file is decides", KN_OPTION_ENUM, 0,
     KN_FIELD(kn_tflite_compiler, model_framework), .def.i = 2, .choices = frameworks,
     .aliases = ALIASES("modelframework"), KN_GIVEN(kn_tflite_compiler, model_framework_given)},
    {"target", "What the model is made for", KN_OPTION_ENUM, 0, KN_FIELD(kn_tflite_compiler, target),
     .def.i = KN_TFLITE_TARGET_DEFAULT, .choices = targets},
    {"inference_input_type", "Data type of the model's input", KN_OPTION_ENUM, 0,
     KN_FIELD(kn_tflite_compiler, inference_input_type), .def.i = KN_TFLITE_FLOAT32, .choices = io_types,
     .aliases = ALIASES("inferenceinputtype")},
    {"inference_output_type", "Data type of the model's output", KN_OPTION_ENUM, 0,
     KN_FIELD(kn_tflite_compiler, inference_output_type), .def.i = KN_TFLITE_FLOAT32, .choices = io_types,
     .aliases = ALIASES("inferenceoutputtype")},
    {"dataset_percentage", "Share of the calibration samples that quantization is calibrated on, 0 to 1",
     KN_OPTION_FLOAT, 0, KN_FIELD(kn_tflite_compiler, dataset_percentage), .def.f = 0.25, .min = 0, .max = 1},
    {"quantization_aware_training", "Train the model with simulated quantization before it is converted",
     KN_OPTION_BOOL, 0, KN_FIELD(kn_tflite_compiler, quantization_aware_training)},
    {"use_tf_select_ops",
     "Allow operators of TensorFlow where TensorFlow Lite has none; the runtime needs the Flex "
     "delegate for them",
     KN_OPTION_BOOL, 0, KN_FIELD(kn_tflite_compiler, use_tf_select_ops)},
    {"epochs", "Epochs of quantization-aware training", KN_OPTION_INT, 0, KN_FIELD(kn_tflite_compiler, epochs),
     .def.i = 3, .min = 1, .max = 1000000},
    {"batch_size", "Samples per step of quantization-aware training", KN_OPTION_INT, 0,
     KN_FIELD(kn_tflite_compiler, batch_size), .def.i = 32, .min = 1, .max = 1000000},
    {"optimizer", "Optimizer of quantization-aware training", KN_OPTION_ENUM, 0,
     KN_FIELD(kn_tflite_compiler, optimizer), .def.i = OPTIMIZER_ADAM, .choices = optimizers},
    {"disable_from_logits", "The model's outputs are probabilities; models that end in a softmax are recognized",
     KN_OPTION_BOOL, 0, KN_FIELD(kn_tflite_compiler, disable_from_logits)},
    {0}};

static const char *choice_name(const kn_choice *choices, int value) {
  while (choices->name && choices->value != value) choices++;
  return choices->name ? choices->name : "";
}

const char *kn_tflite_target_name(int target) { return choice_name(targets, target); }

const char *kn_tflite_io_type_name(int type) { return choice_name(io_types, type); }

const char *kn_tflite_optimizer_name(int optimizer) { return choice_name(optimizers, optimizer); }

bool kn_tflite_target_is_integer(int target) {
  return target == KN_TFLITE_TARGET_INT8 || target == KN_TFLITE_TARGET_EDGETPU;
}

static kn_status compiler_open(void *instance) {
  const kn_tflite_compiler *self = instance;
  kn_status faults = NULL;
  bool integer = kn_tflite_target_is_integer(self->target);
  const char *target = kn_tflite_target_name(self->target);
  if (!integer && self->inference_input_type != KN_TFLITE_FLOAT32)
    faults = kn_status_join(
        faults, kn_status_make(KN_INVALID_ARGUMENT, "inference_input_type %s needs target int8 or edgetpu, not %s",
                               kn_tflite_io_type_name(self->inference_input_type), target));
  if (!integer && self->inference_output_type != KN_TFLITE_FLOAT32)
    faults = kn_status_join(
        faults, kn_status_make(KN_INVALID_ARGUMENT, "inference_output_type %s needs target int8 or edgetpu, not %s",
                               kn_tflite_io_type_name(self->inference_output_type), target));
  if (!integer && self->quantization_aware_training)
    faults = kn_status_join(
        faults, kn_status_make(KN_INVALID_ARGUMENT, "quantization_aware_training needs target int8 or edgetpu, not %s",
                               target));
  if (integer && !(self->dataset_percentage > 0))
    faults = kn_status_join(faults, kn_status_make(KN_INVALID_ARGUMENT,
                                                   "dataset_percentage is 0, but target %s has to be calibrated on "
                                                   "samples: raise it",
                                                   target));
  return faults;
}

static void compiler_close(void *instance) { (void)instance; /* nothing stays open */ }

/* ---- compiling ---- */

/* The parsed model borrows `bytes`. */
static kn_status read_model(const char *path, char **out_bytes, kn_tflite_model *out_model) {
  size_t count;
  *out_model = (kn_tflite_model){0};
  KN_TRY(kn_file_read(path, (size_t)1 << 36, out_bytes, &count));
  return kn_tflite_model_read(*out_bytes, count, out_model);
}

static kn_status check_file(const kn_tflite_compiler *self, const char *path, bool before_edgetpu) {
  char *bytes = NULL;
  kn_tflite_model model;
  kn_status status = read_model(path, &bytes, &model);
  if (!status) status = kn_tflite_verify(self, &model, before_edgetpu);
  kn_tflite_model_clear(&model);
  kn_free(bytes);
  return status;
}

static kn_status run_edgetpu_to(const kn_tflite_conversion *conversion, const char *plain, const char *directory,
                                const char *made, const char *path) {
  const char *arguments[] = {conversion->edgetpu_compiler, "-o", directory, plain, NULL};
  kn_process_request request = {.arguments = arguments, .timeout_s = 3600};
  KN_TRY(kn_process_run(&request, NULL));
  if (access(made, R_OK) != 0)
    return kn_status_make(KN_BACKEND_FAILED, "%s ended well, but made no %s", conversion->edgetpu_compiler, made);
  return kn_file_publish(made, path);
}

/* The compiler writes NAME_edgetpu.tflite and a log into the directory it is told, which is the production's. */
static kn_status run_edgetpu(const kn_tflite_conversion *conversion, const char *plain, const char *path) {
  char *directory = kn_strndup(plain, (size_t)(strrchr(plain, '/') - plain) + 1);
  char *made = kn_format("%.*s_edgetpu.tflite", (int)(strlen(plain) - strlen(".tflite")), plain);
  kn_status status =
      directory && made ? run_edgetpu_to(conversion, plain, directory, made, path) : kn_status_out_of_memory();
  kn_free(directory);
  kn_free(made);
  return kn_status_annotate(status, "while compiling for the Edge TPU");
}

static kn_status convert_edgetpu(const kn_tflite_conversion *conversion, const char *path, kn_record *record) {
  char *plain = kn_format("%s.int8.tflite", path);
  kn_status status = plain ? kn_tflite_conversion_run(conversion, plain, record) : kn_status_out_of_memory();
  if (!status) status = check_file(conversion->compiler, plain, true);
  if (!status) status = run_edgetpu(conversion, plain, path);
  kn_free(plain);
  return status;
}

static void warn_of_flex(const kn_tflite_model *model) {
  for (size_t i = 0; i < model->kind_count; i++)
    if (model->kinds[i].custom && model->kinds[i].count && !strncmp(model->kinds[i].name, "Flex", 4))
      kn_log(KN_LOG_WARNING,
             "the model uses TensorFlow's operator %s: it runs only with TensorFlow's Flex delegate in "
             "delegates_list",
             model->kinds[i].name + 4);
}

static kn_status describe(const kn_tflite_conversion *conversion, const char *path, kn_iospec *out_spec,
                          kn_record *record) {
  const kn_tflite_compiler *self = conversion->compiler;
  char *bytes = NULL;
  kn_tflite_model model;
  kn_status status = read_model(path, &bytes, &model);
  if (!status) {
    const char *version = model.converter_version ? model.converter_version : "unknown";
    status = kn_record_set_string(record, "compiler_version", version);
  }
  if (!status) warn_of_flex(&model);
  if (!status) status = kn_tflite_describe_contents(&model, record);
  if (!status) status = kn_tflite_describe_io(&model, conversion->request->input_spec, out_spec);
  kn_tflite_model_clear(&model);
  kn_free(bytes);
  KN_TRY(status);
  KN_TRY(kn_record_set_string(record, "compiler_framework", "tensorflow"));
  KN_TRY(kn_record_set_string(record, "target", kn_tflite_target_name(self->target)));
  KN_TRY(kn_record_set_string(record, "input_format", conversion->format));
  KN_TRY(kn_record_set_string(record, "input_sha256", conversion->input_sha256));
  if (conversion->calibration_count)
    KN_TRY(kn_samples_record(conversion->request->calibration, conversion->calibration_count, "calibration", record));
  if (self->quantization_aware_training)
    KN_TRY(kn_samples_record(conversion->request->train, conversion->request->train->count, "training", record));
  return NULL;
}

typedef struct compilation {
  const kn_tflite_conversion *conversion;
  kn_iospec *spec;
} compilation;

static kn_status make(void *context, const char *path, kn_record *record) {
  const kn_tflite_conversion *conversion = ((compilation *)context)->conversion;
  return conversion->edgetpu_compiler ? convert_edgetpu(conversion, path, record)
                                      : kn_tflite_conversion_run(conversion, path, record);
}

static kn_status judge(void *context, const char *path, kn_record *record) {
  const compilation *at = context;
  KN_TRY(check_file(at->conversion->compiler, path, false));
  return describe(at->conversion, path, at->spec, record);
}

static kn_status compile_to(const kn_tflite_conversion *conversion, kn_iospec *out_spec, kn_record *record) {
  char *key;
  KN_TRY(kn_tflite_conversion_key(conversion, &key));
  compilation at = {.conversion = conversion, .spec = out_spec};
  kn_status status = kn_production_run(&(kn_production){.path = conversion->compiler->options.compiled_model_path,
                                                        .key = key,
                                                        .context = &at,
                                                        .make = make,
                                                        .judge = judge},
                                       record);
  kn_free(key);
  if (status) kn_iospec_clear(out_spec);
  return status;
}

static kn_status compiler_compile(void *instance, const kn_compile_request *request, kn_iospec *out_spec,
                                  kn_record *out_record) {
  kn_tflite_conversion conversion;
  *out_spec = (kn_iospec){0};
  kn_status status = kn_tflite_conversion_begin(instance, request, &conversion);
  if (!status) status = compile_to(&conversion, out_spec, out_record);
  kn_tflite_conversion_clear(&conversion);
  return status;
}

static bool needs_samples(const void *instance) {
  const kn_tflite_compiler *self = instance;
  return kn_tflite_target_is_integer(self->target) || self->quantization_aware_training;
}

static const kn_optimizer_ops ops = {.struct_size = sizeof ops,
                                     .open = compiler_open,
                                     .close = compiler_close,
                                     .compile = compiler_compile,
                                     .needs_samples = needs_samples};

const kn_class kn_tflite_compiler_class = {.struct_size = sizeof(kn_class),
                                           .name = "kenning.compilers.tflite.TFLiteCompiler",
                                           .kind = KN_KIND_OPTIMIZER,
                                           .summary = "Converts TensorFlow models to TensorFlow Lite",
                                           .framework = "tflite",
                                           .options = rows,
                                           .instance_size = sizeof(kn_tflite_compiler),
                                           .ops = &ops,
                                           .input_formats = (const char *const[]){"keras", "saved_model", NULL},
                                           .output_formats = (const char *const[]){"tflite", NULL}};
