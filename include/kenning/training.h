/* Training of classifiers. The course of a run is the host's: order, augmentation and class weights of the samples,
 * learning rate, validation, the best model, early stop, checkpoints, logs. The arithmetic is the framework's: a
 * trainer makes a step on a batch, evaluates a batch, and hands its state out and takes it back.
 *
 * A model wrapper holds kn_training_options and lists KN_TRAINING_ROWS among its rows; its `train` makes a trainer and
 * calls kn_training_run. */
#ifndef KENNING_TRAINING_H
#define KENNING_TRAINING_H

#include <kenning/block.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum kn_train_optimizer { KN_TRAIN_ADAM = 0, KN_TRAIN_SGD } kn_train_optimizer;

/* Learning rate in the course of training; formulas at kn_learning_rate in src/pipeline/learning_rate.c. */
typedef enum kn_rate_schedule { KN_RATE_CONSTANT = 0, KN_RATE_COSINE, KN_RATE_STEP, KN_RATE_PLATEAU } kn_rate_schedule;

typedef enum kn_class_weights { KN_CLASS_WEIGHTS_NONE = 0, KN_CLASS_WEIGHTS_BALANCED } kn_class_weights;

typedef struct kn_training_options {
  int optimizer;           /* kn_train_optimizer; the trainer's to obey */
  int schedule;            /* kn_rate_schedule */
  int64_t schedule_epochs; /* step: epochs between two; plateau: epochs without a better one */
  double schedule_factor;  /* of the rate at each of them */
  int64_t warmup_epochs;
  int64_t patience; /* epochs without a better one after which training ends; 0: never */
  int class_weights;
  double brightness, contrast_lowest, contrast_highest; /* augmentation of images */
  bool flip;
  char *checkpoint; /* or NULL */
  bool resume;
  int64_t memory_mib; /* sets of samples up to this size are held in memory */
  /* Models with a frozen base. */
  int64_t unfreeze;              /* last layers of the base that are trained too; -1: all; the trainer's to obey */
  int64_t unfreeze_epoch;        /* the first epoch, from 0, in which they are */
  double unfreeze_learning_rate; /* from then on; 0: as before */
} kn_training_options;

/* The rows of `type`'s member `m` of type kn_training_options. A class gives a row of the same name for another
 * default. */
#define KN_TRAINING_ROWS(type, m)                                                                                      \
  {"training_optimizer",                                                                                               \
   "How training moves the weights",                                                                                   \
   KN_OPTION_ENUM,                                                                                                     \
   0,                                                                                                                  \
   KN_FIELD(type, m.optimizer),                                                                                        \
   .def.i = KN_TRAIN_ADAM,                                                                                             \
   .choices =                                                                                                          \
       (const kn_choice[]){                                                                                            \
           {"adam", KN_TRAIN_ADAM, "Adam"}, {"sgd", KN_TRAIN_SGD, "stochastic gradient descent"}, {0}}},               \
      KN_SCHEDULE_ROW(type, m, KN_RATE_CONSTANT),                                                                      \
      {"training_schedule_epochs",                                                                                     \
       "Epochs between two steps of the schedule, or, on a plateau, epochs without a "                                 \
       "better one",                                                                                                   \
       KN_OPTION_INT,                                                                                                  \
       0,                                                                                                              \
       KN_FIELD(type, m.schedule_epochs),                                                                              \
       .def.i = 10,                                                                                                    \
       .min = 1,                                                                                                       \
       .max = 1000000},                                                                                                \
      {"training_schedule_factor",                                                                                     \
       "What the learning rate is multiplied by at each step of the schedule",                                         \
       KN_OPTION_FLOAT,                                                                                                \
       0,                                                                                                              \
       KN_FIELD(type, m.schedule_factor),                                                                              \
       .def.f = 0.1,                                                                                                   \
       .min = 1e-6,                                                                                                    \
       .max = 1},                                                                                                      \
      {"training_warmup_epochs",                                                                                       \
       "Epochs in which the learning rate grows to what is given",                                                     \
       KN_OPTION_INT,                                                                                                  \
       0,                                                                                                              \
       KN_FIELD(type, m.warmup_epochs),                                                                                \
       .def.i = 0,                                                                                                     \
       .min = 0,                                                                                                       \
       .max = 1000000},                                                                                                \
      {"training_patience",                                                                                            \
       "Epochs without a better one after which training ends, 0: it never ends early",                                \
       KN_OPTION_INT,                                                                                                  \
       0,                                                                                                              \
       KN_FIELD(type, m.patience),                                                                                     \
       .def.i = 0,                                                                                                     \
       .min = 0,                                                                                                       \
       .max = 1000000},                                                                                                \
      {"training_class_weights",                                                                                       \
       "How much the samples of a class count",                                                                        \
       KN_OPTION_ENUM,                                                                                                 \
       0,                                                                                                              \
       KN_FIELD(type, m.class_weights),                                                                                \
       .def.i = KN_CLASS_WEIGHTS_NONE,                                                                                 \
       .choices = (const kn_choice[]){{"none", KN_CLASS_WEIGHTS_NONE, "every sample counts the same"},                 \
                                      {"balanced", KN_CLASS_WEIGHTS_BALANCED, "every class counts the same"},          \
                                      {0}}},                                                                           \
      {"training_checkpoint", "File that holds the state of the training after each epoch", KN_OPTION_PATH,            \
       KN_OPTION_NULLABLE | KN_OPTION_OUTPUT, KN_FIELD(type, m.checkpoint)},                                           \
      {"training_resume", "Go on from the state in training_checkpoint", KN_OPTION_BOOL, 0, KN_FIELD(type, m.resume)}, \
      {"training_memory",                                                                                              \
       "MiB of samples held in memory; larger sets are read again in each epoch",                                      \
       KN_OPTION_INT,                                                                                                  \
       0,                                                                                                              \
       KN_FIELD(type, m.memory_mib),                                                                                   \
       .def.i = 1024,                                                                                                  \
       .min = 0,                                                                                                       \
       .max = 1 << 24},                                                                                                \
      KN_AUGMENTATION_ROWS(type, m, 0, 1, 1, false)

#define KN_SCHEDULE_ROW(type, m, value)                                                                            \
  {                                                                                                                \
    "training_schedule", "Learning rate in the course of training", KN_OPTION_ENUM, 0, KN_FIELD(type, m.schedule), \
        .def.i = value, .choices = (const kn_choice[]) {                                                           \
      {"constant", KN_RATE_CONSTANT, "the learning rate as given"},                                                \
          {"cosine", KN_RATE_COSINE, "from it down to 0 along a cosine"},                                          \
          {"step", KN_RATE_STEP, "multiplied by a factor every so many epochs"},                                   \
          {"plateau", KN_RATE_PLATEAU, "multiplied by a factor after so many epochs without a better one"}, {      \
        0                                                                                                          \
      }                                                                                                            \
    }                                                                                                              \
  }

#define KN_AUGMENTATION_ROWS(type, m, brightness_, lowest_, highest_, flip_)                          \
  {"training_brightness",                                                                             \
   "Images in training are made brighter or darker by up to this (black is 0, white is 1)",           \
   KN_OPTION_FLOAT,                                                                                   \
   0,                                                                                                 \
   KN_FIELD(type, m.brightness),                                                                      \
   .def.f = brightness_,                                                                              \
   .min = 0,                                                                                          \
   .max = 1},                                                                                         \
      {"training_contrast_lowest",                                                                    \
       "Contrast of images in training, at least",                                                    \
       KN_OPTION_FLOAT,                                                                               \
       0,                                                                                             \
       KN_FIELD(type, m.contrast_lowest),                                                             \
       .def.f = lowest_,                                                                              \
       .min = 0,                                                                                      \
       .max = 10},                                                                                    \
      {"training_contrast_highest",                                                                   \
       "Contrast of images in training, at most",                                                     \
       KN_OPTION_FLOAT,                                                                               \
       0,                                                                                             \
       KN_FIELD(type, m.contrast_highest),                                                            \
       .def.f = highest_,                                                                             \
       .min = 0,                                                                                      \
       .max = 10},                                                                                    \
  {                                                                                                   \
    "training_flip", "Half of the images in training are mirrored, left to right", KN_OPTION_BOOL, 0, \
        KN_FIELD(type, m.flip), .def.b = flip_                                                        \
  }

#define KN_UNFREEZE_ROWS(type, m)                                                                            \
  {"training_unfreeze",                                                                                      \
   "Last layers of the frozen base that are trained too, -1: all; normalizations stay frozen",               \
   KN_OPTION_INT,                                                                                            \
   0,                                                                                                        \
   KN_FIELD(type, m.unfreeze),                                                                               \
   .def.i = 0,                                                                                               \
   .min = -1,                                                                                                \
   .max = 100000},                                                                                           \
      {"training_unfreeze_epoch",                                                                            \
       "Epochs in which the base is frozen as a whole before",                                               \
       KN_OPTION_INT,                                                                                        \
       0,                                                                                                    \
       KN_FIELD(type, m.unfreeze_epoch),                                                                     \
       .def.i = 0,                                                                                           \
       .min = 0,                                                                                             \
       .max = 1000000},                                                                                      \
  {                                                                                                          \
    "training_unfreeze_learning_rate", "Learning rate from that epoch on, 0: as before", KN_OPTION_FLOAT, 0, \
        KN_FIELD(type, m.unfreeze_learning_rate), .def.f = 0, .min = 0, .max = 100                           \
  }

/* Judges options that do not fit together; for kn_class.check. KN_INVALID_ARGUMENT, all faults. */
KN_API kn_status kn_training_check(const kn_training_options *options) KN_MUST_USE;

/* ---- what a framework gives ---- */

/* Always as many samples as a batch of the run has. */
typedef struct kn_train_batch {
  size_t size;
  const void *samples;   /* [size, shape of a sample], 64-byte aligned */
  const int64_t *labels; /* [size] */
  const float *weights;  /* [size]: of each sample's loss */
} kn_train_batch;

typedef struct kn_train_step {
  int64_t number; /* steps made before, over all epochs */
  double learning_rate;
  uint64_t seed; /* of all random numbers of this step: the same step gives the same result, whatever ran before */
  bool unfrozen; /* the layers of kn_training_options.unfreeze are trained too, */
  int64_t unfrozen_number; /* and so many steps with them were made before */
} kn_train_step;

/* A piece of a trainer's state, float32. */
typedef struct kn_train_tensor {
  const char *name; /* "conv1/kernel", "conv1/kernel/adam_mean"; unique */
  size_t elements;
  bool weight; /* of the model, moving averages included; else the optimizer's */
} kn_train_tensor;

typedef struct kn_trainer_ops {
  size_t struct_size;
  /* One step on the mean over the batch of weight * cross-entropy. `out_logits` [size, classes]: of the batch before
   * the step, as in training, before any softmax. */
  kn_status (*step)(void *self, const kn_train_batch *batch, const kn_train_step *step, float *out_logits);
  /* `out_logits` as at inference. Weights may be NULL here. */
  kn_status (*evaluate)(void *self, const kn_train_batch *batch, float *out_logits);
  /* Copies the state out and in: one pointer for each tensor; NULL pointers are left out. */
  kn_status (*fetch)(void *self, float *const *values);
  kn_status (*store)(void *self, const float *const *values);
  /* Writes the model as it is now to `path`, where there is nothing yet: the run puts it in its place. */
  kn_status (*write)(void *self, const char *path);
} kn_trainer_ops;

typedef struct kn_trainer {
  const kn_trainer_ops *ops;
  void *self;
  /* All that changes in training and all that the next step depends on, besides kn_train_step. */
  const kn_train_tensor *tensors;
  size_t tensor_count;
  /* What its steps depend on that does not change ("frozen weights 3f2a..., dropout 0.5"), or NULL: a checkpoint of
   * another identity is refused. */
  const char *identity;
} kn_trainer;

/* The batch size of a run: what was asked for, or all samples where these are fewer; never 0. KN_INVALID_ARGUMENT
 * without samples, and for a batch size below 1. */
KN_API kn_status kn_training_batch_size(const kn_train_request *request, size_t *out_size) KN_MUST_USE;

/* Trains and writes the model of the epoch with the best validation accuracy (of equals, the one with the lower loss;
 * without validation samples the last) to request->model_path. What does not fill a batch is left out of an epoch;
 * shuffling gives every sample its turn. When the user stops the run, the checkpoint and the best model so far are
 * written and KN_CANCELLED is returned. A run that goes on from a checkpoint does what the interrupted run would have
 * done, bit by bit where the trainer's step is a function of its state, the batch and kn_train_step.
 * `out_history` gets the settings and one entry for each epoch; request->logdir (or NULL) training.csv and the event
 * files of TensorBoard in train/ and validation/. KN_INVALID_ARGUMENT, KN_BAD_DATA and KN_INCOMPATIBLE (checkpoint),
 * KN_BACKEND_FAILED (diverged), KN_IO_ERROR, what the trainer returns. */
KN_API kn_status kn_training_run(const kn_training_options *options, const kn_train_request *request,
                                 const kn_trainer *trainer, kn_record *out_history) KN_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
