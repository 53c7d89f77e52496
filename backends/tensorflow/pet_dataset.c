/* TensorFlowPetDatasetMobileNetV2: the original's classifier of pets. It is run from its file, and trained on a base
 * that has learned from ImageNet, which no package has. */
#include "base_weights.h"
#include "mobilenet_v2.h"
#include "modelwrapper.h"

#include <string.h>
#include <sys/stat.h>

typedef struct tensorflow_pet_dataset {
  tensorflow_wrapper wrapper; /* first: the functions of modelwrapper.c take it */
  char *base_weights;
  bool from_scratch;
  double dropout;
} tensorflow_pet_dataset;

static kn_status check(const void *self) {
  const tensorflow_pet_dataset *at = self;
  kn_status faults = tensorflow_wrapper_check(self);
  if (at->base_weights && at->from_scratch)
    faults = kn_status_join(faults, kn_status_make(KN_INVALID_ARGUMENT,
                                                   "base_weights and from_scratch: training begins with one or the "
                                                   "other"));
  if (at->from_scratch && at->wrapper.training.unfreeze)
    faults = kn_status_join(
        faults, kn_status_make(KN_INVALID_ARGUMENT, "training_unfreeze: with from_scratch no layer is frozen"));
  return faults;
}

static bool same_file(const char *one, const char *other) {
  struct stat a, b;
  return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static kn_status check_training(const void *self) {
  const tensorflow_pet_dataset *at = self;
  if (!at->base_weights && !at->from_scratch)
    return kn_status_make(KN_INVALID_ARGUMENT,
                          "training builds on a MobileNetV2 that has learned from ImageNet, and no package has its "
                          "weights: give --base-weights FILE, or a URI, of a Keras .h5 (where Keras may download them, "
                          "`keras.applications.MobileNetV2(input_shape=(224, 224, 3), include_top=False)"
                          ".save('base.h5')` writes it); --from-scratch trains all of the network from random "
                          "weights, which takes far more epochs");
  struct stat found;
  if (at->base_weights && !strstr(at->base_weights, "://") && stat(at->base_weights, &found) != 0)
    return kn_status_make(KN_NOT_FOUND, "base_weights: there is no file %s", at->base_weights);
  if (at->base_weights && at->wrapper.options.model_path && same_file(at->base_weights, at->wrapper.options.model_path))
    return kn_status_make(KN_INVALID_ARGUMENT,
                          "base_weights and model_path are one file, %s: the trained model would "
                          "replace its base",
                          at->base_weights);
  return NULL;
}

static kn_status load_base(const tensorflow_pet_dataset *at, keras_model *model, size_t base_layers) {
  bool head;
  KN_TRY(base_weights_load(at->base_weights, model, base_layers, &head));
  kn_log(KN_LOG_INFO, "base: %s%s", at->base_weights, head ? ", whose head is trained further" : "");
  return NULL;
}

static kn_status train(void *self, const kn_train_request *request, kn_record *out_history) {
  tensorflow_pet_dataset *at = self;
  KN_TRY(check_training(self));
  const mobilenet_v2 settings = {.classes = request->train->classes,
                                 .dropout = at->dropout,
                                 .frozen = !at->from_scratch,
                                 .unfrozen = at->wrapper.training.unfreeze};
  keras_model model;
  size_t base_layers;
  KN_TRY(mobilenet_v2_make(&settings, &model, &base_layers));
  kn_status status = at->from_scratch ? NULL : load_base(at, &model, base_layers);
  if (!status)
    status = kn_record_set_string(out_history, "base_weights", at->from_scratch ? "from scratch" : at->base_weights);
  if (!status) status = kn_record_set_number(out_history, "dropout", at->dropout);
  if (!status)
    status =
        tensorflow_wrapper_train_model(&at->wrapper, &model, at->from_scratch ? 0 : base_layers, request, out_history);
  if (at->base_weights) status = kn_status_annotate(status, "with the base %s", at->base_weights);
  keras_model_clear(&model);
  return status;
}

static const kn_modelwrapper_ops ops = {TENSORFLOW_WRAPPER_OPS, .open = tensorflow_wrapper_open, .train = train,
                                        .check_training = check_training};

static const kn_option options[] = {
    {"base_weights",
     "Keras .h5 or .keras of the MobileNetV2 that training builds on: a model with or without a top, or "
     "weights alone",
     KN_OPTION_PATH, KN_OPTION_NULLABLE | KN_OPTION_RESOURCE, KN_FIELD(tensorflow_pet_dataset, base_weights)},
    {"from_scratch", "Train all of the network from random weights", KN_OPTION_BOOL, 0,
     KN_FIELD(tensorflow_pet_dataset, from_scratch)},
    {"dropout", "Share of the values dropped after each hidden layer of the head in training", KN_OPTION_FLOAT, 0,
     KN_FIELD(tensorflow_pet_dataset, dropout), .def.f = 0.5, .min = 0, .max = 0.99},
    KN_UNFREEZE_ROWS(tensorflow_pet_dataset, wrapper.training),
    KN_AUGMENTATION_ROWS(tensorflow_pet_dataset, wrapper.training, 0.1, 0.7, 1, true),
    {0}};

const kn_class tensorflow_pet_dataset_class = {
    .struct_size = sizeof(kn_class),
    .name = "kenning.modelwrappers.classification.tensorflow_pet_dataset.TensorFlowPetDatasetMobileNetV2",
    .kind = KN_KIND_MODELWRAPPER,
    .summary = "MobileNetV2 for the 37 breeds of the Oxford-IIIT Pet data set",
    .framework = "tensorflow",
    .options = options,
    .base = &tensorflow_classifier_class,
    .instance_size = sizeof(tensorflow_pet_dataset),
    .ops = &ops,
    .output_formats = tensorflow_output_formats,
    .check = check};
