/* PyTorchPetDatasetMobileNetV2: the original's classifier of pets: torchvision's MobileNetV2 with a head of four
 * layers. It is run from its weights, and trained on a base that has learned from ImageNet, which no package has. */
#include <kenning/random.h>
#include <string.h>
#include <sys/stat.h>

#include "modelwrapper.h"
#include "trainer.h"
#include "weights.h"

typedef struct pytorch_pet_dataset {
  pytorch_wrapper wrapper; /* first: the functions of modelwrapper.c take it */
  char *base_weights;
  bool from_scratch;
  int64_t class_count;
} pytorch_pet_dataset;

enum { STREAM_WEIGHTS = 1 };

static kn_status check(const void *self) {
  const pytorch_pet_dataset *at = self;
  kn_status faults = pytorch_wrapper_check(self);
  if (at->base_weights && at->from_scratch)
    faults = kn_status_join(
        faults,
        kn_status_make(KN_INVALID_ARGUMENT, "base_weights and from_scratch: training begins with one or the other"));
  if (at->from_scratch && at->wrapper.training.unfreeze)
    faults = kn_status_join(
        faults, kn_status_make(KN_INVALID_ARGUMENT, "training_unfreeze: with from_scratch no layer is frozen"));
  if (at->wrapper.training.unfreeze > 0)
    faults =
        kn_status_join(faults, kn_status_make(KN_INVALID_ARGUMENT,
                                              "training_unfreeze: here the base is frozen (0) or trained as a whole "
                                              "(-1)"));
  return faults;
}

static kn_status check_training(const void *self) {
  const pytorch_pet_dataset *at = self;
  struct stat found;
  if (!at->base_weights && !at->from_scratch)
    return kn_status_make(
        KN_INVALID_ARGUMENT,
        "training builds on a MobileNetV2 that has learned from ImageNet, and no package has its weights: "
        "give --base-weights FILE, or a URI, of a state dictionary (where torchvision may download them, "
        "`torch.save(torchvision.models.mobilenet_v2(weights='DEFAULT').state_dict(), 'base.pth')` writes "
        "it); --from-scratch trains all of the network from random weights, which takes far more epochs");
  if (at->base_weights && !strstr(at->base_weights, "://") && stat(at->base_weights, &found) != 0)
    return kn_status_make(KN_NOT_FOUND, "base_weights: there is no file %s", at->base_weights);
  return NULL;
}

/* From scratch nothing is frozen, and the normalizations of all layers learn. */
static kn_status make_network(const pytorch_pet_dataset *at, int64_t classes, network *out_network) {
  return network_mobilenet_v2(classes, true, !at->from_scratch, out_network);
}

static kn_status train(void *self, const kn_train_request *request, kn_record *out_history) {
  pytorch_pet_dataset *at = self;
  const trainer_options options = {
      .library = at->wrapper.library, .threads = at->wrapper.num_threads, .training = &at->wrapper.training};
  network n;
  state_dict state = {0};
  bool whole = false;
  KN_TRY(check_training(self));
  KN_TRY(make_network(at, request->train->classes, &n));
  kn_status status = weights_draw(&n, kn_random(request->seed, STREAM_WEIGHTS), &state);
  if (!status && at->base_weights) status = weights_take(&n, at->base_weights, &state, &whole);
  if (!status && at->base_weights)
    kn_log(KN_LOG_INFO, "base: %s%s", at->base_weights, whole ? ", whose head is trained further" : "");
  if (!status)
    status = kn_record_set_string(out_history, "base_weights", at->from_scratch ? "from scratch" : at->base_weights);
  if (!status) status = trainer_run(&n, &state, &options, request, out_history);
  state_dict_clear(&state);
  network_clear(&n);
  return status;
}

static const kn_modelwrapper_ops ops = {PYTORCH_WRAPPER_OPS, .train = train, .check_training = check_training};

static const kn_option rows[] = {
    {"class_count", "Number of classes that the model tells apart where no data set says it", KN_OPTION_INT, 0,
     KN_FIELD(pytorch_pet_dataset, class_count), .def.i = 37, .min = 1, .max = 1000000, .flag = "--num-classes"},
    {"base_weights", "State dictionary of the MobileNetV2 that training builds on", KN_OPTION_PATH,
     KN_OPTION_NULLABLE | KN_OPTION_RESOURCE, KN_FIELD(pytorch_pet_dataset, base_weights)},
    {"from_scratch", "Train all of the network from random weights", KN_OPTION_BOOL, 0,
     KN_FIELD(pytorch_pet_dataset, from_scratch)},
    KN_UNFREEZE_ROWS(pytorch_pet_dataset, wrapper.training),
    KN_AUGMENTATION_ROWS(pytorch_pet_dataset, wrapper.training, 0.1, 0.9, 1.1, true),
    {0}};

const kn_class pytorch_pet_dataset_class = {
    .struct_size = sizeof(kn_class),
    .name = "kenning.modelwrappers.classification.pytorch_pet_dataset.PyTorchPetDatasetMobileNetV2",
    .kind = KN_KIND_MODELWRAPPER,
    .summary = "MobileNetV2 for the 37 breeds of the Oxford-IIIT Pet data set",
    .framework = "pytorch",
    .options = rows,
    .base = &pytorch_wrapper_class,
    .instance_size = sizeof(pytorch_pet_dataset),
    .ops = &ops,
    .output_formats = pytorch_output_formats,
    .check = check};
