/* TensorFlowImageNet: networks of keras.applications, from their files. The original makes the file by downloading the
 * weights; no package has them, so here the file must be there. */
#include "modelwrapper.h"

#include <string.h>
#include <sys/stat.h>

typedef struct tensorflow_imagenet {
  tensorflow_wrapper wrapper; /* first: the functions of modelwrapper.c take it */
  char *model_cls;
  char *model_input_name, *model_output_name;
  kn_int_list input_shape;
  int64_t num_classes;
  bool disable_builtin_preprocessing;
} tensorflow_imagenet;

/* "keras.applications.mobilenet_v2.MobileNetV2" -> "MobileNetV2" */
static const char *short_class(const tensorflow_imagenet *at) {
  if (!at->model_cls || !at->model_cls[0]) return "CLASS";
  const char *dot = strrchr(at->model_cls, '.');
  return dot ? dot + 1 : at->model_cls;
}

static kn_status require_file(const tensorflow_imagenet *at) {
  struct stat info;
  const char *path = at->wrapper.options.model_path;
  if (stat(path, &info) == 0) return NULL;
  return kn_status_make(KN_NOT_FOUND,
                        "there is no model %s, and it cannot be made here: weights trained on ImageNet are in no "
                        "package. Where Keras may download them, `keras.applications.%s(%s).save('%s')` writes it",
                        path, short_class(at), at->disable_builtin_preprocessing ? "include_preprocessing=False" : "",
                        path);
}

/* First layer of the network that scales or normalizes its input; NULL without one. */
static const keras_layer *find_preprocessing(const keras_network *network) {
  for (size_t i = 0; i < network->layer_count; i++) {
    const keras_layer *layer = &network->layers[i];
    if (strcmp(layer->class_name, "Rescaling") == 0 || strcmp(layer->class_name, "Normalization") == 0) return layer;
    if (layer->network) {
      const keras_layer *inner = find_preprocessing(layer->network);
      if (inner) return inner;
    }
  }
  return NULL;
}

/* Preprocessing is part of the file, which other frameworks convert as it is: it can be refused, not removed. */
static kn_status refuse_preprocessing(const tensorflow_imagenet *at) {
  model_format format;
  const char *path = at->wrapper.options.model_path;
  KN_TRY(model_format_of(path, &format));
  if (format != MODEL_KERAS)
    return kn_status_make(KN_INCOMPATIBLE,
                          "%s is a SavedModel, which does not tell its preprocessing from the rest; "
                          "disable_builtin_preprocessing needs an .h5 or .keras file",
                          path);
  keras_model model;
  KN_TRY(keras_model_open(path, &model));
  const keras_layer *layer = find_preprocessing(&model.network);
  kn_status status = NULL;
  if (layer)
    status = kn_status_make(KN_INCOMPATIBLE,
                            "disable_builtin_preprocessing is set, but %s has preprocessing of its own (layer '%s', "
                            "%s); make it with include_preprocessing=False",
                            path, layer->name, layer->class_name);
  keras_model_clear(&model);
  return status;
}

/* What the options promise must be so in the file; what they leave out is as in the file. */
static kn_status check_spec(const tensorflow_imagenet *at, const kn_iospec *spec) {
  const kn_int_list *wanted = &at->input_shape;
  const char *path = at->wrapper.options.model_path;
  if (spec->input.count != 1 || spec->output.count != 1)
    return kn_status_make(KN_INCOMPATIBLE, "%s has %zu inputs and %zu outputs, not one of each", path,
                          spec->input.count, spec->output.count);
  const kn_ioentry *input = &spec->input.entries[0], *output = &spec->output.entries[0];
  if (wanted->count && wanted->count != input->rank)
    return kn_status_make(KN_INCOMPATIBLE, "input_shape has %zu dimensions, but the input of %s has %u", wanted->count,
                          path, input->rank);
  for (size_t i = 1; i < wanted->count; i++)
    if (input->shape[i] != wanted->items[i])
      return kn_status_make(KN_INCOMPATIBLE, "dimension %zu of input_shape is %lld, but in %s it is %lld", i,
                            (long long)wanted->items[i], path, (long long)input->shape[i]);
  int64_t classes = output->rank == 2 ? output->shape[1] : 0;
  if (at->num_classes && classes != at->num_classes)
    return kn_status_make(KN_INCOMPATIBLE, "num_classes is %lld, but %s tells %lld classes apart",
                          (long long)at->num_classes, path, (long long)classes);
  return NULL;
}

static kn_status rename_entry(kn_ioentry *entry, const char *name) {
  char *copy = kn_strdup(name);
  if (!copy) return kn_status_out_of_memory();
  kn_free(entry->name);
  entry->name = copy;
  return NULL;
}

static kn_status iospec(void *self, kn_iospec *out_spec) {
  const tensorflow_imagenet *at = self;
  KN_TRY(require_file(at));
  if (at->disable_builtin_preprocessing) KN_TRY(refuse_preprocessing(at));
  KN_TRY(tensorflow_wrapper_iospec(self, out_spec));
  kn_status status = check_spec(at, out_spec);
  if (!status) status = rename_entry(&out_spec->input.entries[0], at->model_input_name);
  if (!status) status = rename_entry(&out_spec->output.entries[0], at->model_output_name);
  if (status) kn_iospec_clear(out_spec);
  return status;
}

static kn_status format(void *self, const char **out_format) {
  KN_TRY(require_file(self));
  return tensorflow_wrapper_format(self, out_format);
}

static const kn_modelwrapper_ops ops = {.struct_size = sizeof(kn_modelwrapper_ops),
                                        .open = tensorflow_wrapper_open,
                                        .close = tensorflow_wrapper_close,
                                        .framework = tensorflow_wrapper_framework,
                                        .format = format,
                                        .iospec = iospec,
                                        .inference = &tensorflow_inference_ops,
                                        .weights_bytes = tensorflow_wrapper_weights_bytes,
                                        .contents = tensorflow_wrapper_contents};

#define ALIASES(...) ((const char *const[]){__VA_ARGS__, NULL})

static const kn_option options[] = {
    /* Not marked as an input: the message about a file that is missing says where it could come from. */
    {"model_path", "Path to the model", KN_OPTION_PATH, KN_OPTION_REQUIRED | KN_OPTION_RESOURCE | KN_OPTION_MODEL,
     KN_FIELD(tensorflow_imagenet, wrapper.options.model_path), .aliases = ALIASES("modelpath")},
    {"model_cls", "Class of keras.applications that the model is of", KN_OPTION_STRING, KN_OPTION_NULLABLE,
     KN_FIELD(tensorflow_imagenet, model_cls), .aliases = ALIASES("modelcls")},
    {"model_input_name", "What specifications call the model's input", KN_OPTION_STRING, 0,
     KN_FIELD(tensorflow_imagenet, model_input_name), .def.s = "input", .aliases = ALIASES("modelinputname")},
    {"model_output_name", "What specifications call the model's output", KN_OPTION_STRING, 0,
     KN_FIELD(tensorflow_imagenet, model_output_name), .def.s = "output", .aliases = ALIASES("modeloutputname")},
    {"input_shape", "Shape of the input, batch first; empty: as the model has it", KN_OPTION_INT_LIST, 0,
     KN_FIELD(tensorflow_imagenet, input_shape), .min = 1, .max = 65536, .aliases = ALIASES("inputshape")},
    {"num_classes", "Number of classes; 0: as the model has it", KN_OPTION_INT, 0,
     KN_FIELD(tensorflow_imagenet, num_classes), .def.i = 0, .min = 0, .max = 1000000,
     .aliases = ALIASES("numclasses")},
    {"disable_builtin_preprocessing", "Refuse a model with preprocessing of its own", KN_OPTION_BOOL, 0,
     KN_FIELD(tensorflow_imagenet, disable_builtin_preprocessing), .aliases = ALIASES("disablebuiltinpreprocessing")},
    {0}};

const kn_class tensorflow_imagenet_class = {
    .struct_size = sizeof(kn_class),
    .name = "kenning.modelwrappers.classification.tensorflow_imagenet.TensorFlowImageNet",
    .kind = KN_KIND_MODELWRAPPER,
    .summary = "A network of keras.applications trained on ImageNet, from its file",
    .framework = "tensorflow",
    .options = options,
    .base = &tensorflow_classifier_class,
    .instance_size = sizeof(tensorflow_imagenet),
    .ops = &ops,
    .output_formats = tensorflow_output_formats};
