/* Blocks: classes of data sets, model wrappers, optimizers, runtimes, ... as the host sees them.
 *
 * A block is one C file: a struct of options, a table of rows, a table of functions, a kn_class. The host allocates the
 * instance (instance_size bytes, zeroed), fills the options, calls `open`, uses it, calls `close` (also after a failed
 * open) and frees the options and the instance. The options struct starts with the struct of its kind
 * (kn_dataset_options, ...), whose rows are inherited. An instance is used by one thread at a time unless a function
 * says otherwise. */
#ifndef KENNING_BLOCK_H
#define KENNING_BLOCK_H

#include <kenning/iospec.h>
#include <kenning/option.h>
#include <kenning/record.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum kn_kind {
  KN_KIND_DATASET = 1,
  KN_KIND_MODELWRAPPER,
  KN_KIND_OPTIMIZER,
  KN_KIND_RUNTIME,
  KN_KIND_RUNTIMEPROTOCOL,
  KN_KIND_DATAPROVIDER,
  KN_KIND_OUTPUTCOLLECTOR,
  KN_KIND_ONNXCONVERTER,
  KN_KIND_COUNT
} kn_kind;

typedef struct kn_class {
  size_t struct_size; /* sizeof(kn_class) */
  const char *name;   /* dotted path of the original: "kenning.compilers.tflite.TFLiteCompiler" */
  kn_kind kind;
  const char *summary;         /* one sentence */
  const char *framework;       /* what `kenning install` provides for it, or NULL */
  const kn_option *options;    /* ends with {0}; NULL: none of its own */
  const struct kn_class *base; /* class in the same binary whose rows are inherited too, or NULL */
  size_t instance_size;
  const void *ops; /* kn_dataset_ops, kn_runtime_ops, ... of the kind; NULL: it runs in another program */
  const char *const
      *input_formats; /* model formats it reads (optimizers, runtimes), NULL-terminated; "any": every one */
  const char *const
      *output_formats; /* model formats it writes (wrappers, optimizers), NULL-terminated; "none": no file */
  /* Judges options that are fine by themselves but not together, all faults joined: KN_INVALID_ARGUMENT. Called before
   * open, on an instance that nobody opens yet; looks at the options alone. NULL: any combination will do. */
  kn_status (*check)(const void *self);
} kn_class;

/* Names of model formats in the lists above: "keras" (.h5, .keras), "saved_model", "tflite", "onnx", "torch" (.pt,
 * .pth), "torchscript", "aotinductor" (.pt2), "tvm", "iree", "mxnet", "darknet", "openvino", "c_sources" (a model as C
 * code); "any" fits every format. */

/* ---- options of the kinds (first member of a block's instance struct) ---- */

typedef enum kn_split {
  KN_SPLIT_NONE = 0, /* not assigned by the publisher of the data */
  KN_SPLIT_TRAIN,
  KN_SPLIT_VALIDATION,
  KN_SPLIT_CALIBRATION,
  KN_SPLIT_TEST,
  KN_SPLIT_ALL /* every sample: the original's habit of 2022 */
} kn_split;

typedef struct kn_dataset_options {
  char *dataset_root;
  int64_t inference_batch_size;
  bool download_dataset;
  char *external_calibration_dataset; /* or NULL */
  int split;                          /* kn_split to evaluate on */
  double split_fraction_test;         /* used where nothing is published */
  double split_fraction_val;
  double split_fraction_calibration; /* share of the training samples set apart for calibration */
  int64_t split_seed;
} kn_dataset_options;

typedef struct kn_modelwrapper_options {
  char *model_path;
} kn_modelwrapper_options;

typedef enum kn_location { KN_ON_HOST = 0, KN_ON_TARGET } kn_location;

typedef struct kn_optimizer_options {
  char *compiled_model_path;
  int location; /* kn_location; optimizers need not look at it */
} kn_optimizer_options;

typedef struct kn_runtime_options {
  bool disable_performance_measurements;
  bool isolate;              /* run in a process of its own; runtimes need not look at it */
  int64_t isolate_memory;    /* MiB that this process may have; 0: no limit */
  int64_t isolate_processor; /* seconds of processor time that it may use; 0: no limit */
  double isolate_timeout;    /* seconds that loading a model, or one inference, may take there */
} kn_runtime_options;

/* ---- data sets ---- */

typedef enum kn_task { KN_TASK_NONE = 0, KN_TASK_CLASSIFICATION } kn_task;

typedef struct kn_dataset_info {
  kn_task task;
  size_t count;                   /* samples, all splits together */
  int64_t classes;                /* classification: labels are 0 .. classes-1 */
  const char *const *class_names; /* `classes` names in label order; live until close */
  kn_dtype dtype;                 /* of one preprocessed sample */
  uint32_t rank;                  /* without the batch dimension */
  int64_t shape[KN_MAX_RANK];
  const char *layout;   /* "NHWC", "NCHW" or NULL */
  bool split_published; /* published_split tells train from test */
  /* Images: white minus black in each channel of a sample (up to 4 channels), which augmentation needs; 0: not known.
   */
  double range[4];
} kn_dataset_info;

/* For data sets: whether there is a sample `index` among `count`. */
static inline kn_status kn_dataset_check_index(size_t index, size_t count) {
  if (index < count) return NULL;
  return kn_status_make(KN_INVALID_ARGUMENT, "there is no sample %zu; the data set has %zu, counted from 0", index,
                        count);
}

/* An `index` beyond the last sample is KN_INVALID_ARGUMENT. */
typedef struct kn_dataset_ops {
  size_t struct_size;
  kn_status (*open)(void *self); /* reads indexes and labels, not the samples */
  void (*close)(void *self);
  kn_status (*info)(void *self, kn_dataset_info *out_info);
  /* Split that the publisher assigned; NULL slot or KN_SPLIT_NONE (also beyond the last sample): the host draws a
   * seeded stratified one. */
  kn_split (*published_split)(void *self, size_t index);
  kn_status (*label)(void *self, size_t index, int64_t *out_label);
  /* Writes the preprocessed sample into `out` (shape and dtype of kn_dataset_info). Called by several threads at once
   * with different `out`. */
  kn_status (*load)(void *self, size_t index, const kn_tensor_view *out);
  /* Stable identity of a sample ("train/00042", "images/beagle_1.jpg") into `out` (NUL-terminated). */
  kn_status (*sample_id)(void *self, size_t index, char *out, size_t size);
  /* Preprocesses a file from outside the set, for external_calibration_dataset; NULL slot: not possible. */
  kn_status (*load_file)(void *self, const char *path, const kn_tensor_view *out);
} kn_dataset_ops;

/* A sequence of samples handed to a block: a split of a data set after the wrapper's preprocessing. */
typedef struct kn_samples {
  void *context;
  size_t count;
  int64_t classes;
  kn_dtype dtype;
  uint32_t rank; /* of one sample, without batch */
  int64_t shape[KN_MAX_RANK];
  const char *identity; /* text that names the samples and their preprocessing: part of cache keys */
  /* Thread-safe. */
  kn_status (*load)(void *context, size_t index, const kn_tensor_view *out);
  kn_status (*label)(void *context, size_t index, int64_t *out_label);
  const char *layout; /* as in kn_dataset_info */
  double range[4];
} kn_samples;

/* Writes the first `count` samples, raw, to `path`, and their labels (int64) to `labels_path` unless that is NULL: how
 * tools get them. `what` is shown as progress. */
KN_API kn_status kn_samples_write(const kn_samples *samples, size_t count, const char *what, const char *path,
                                  const char *labels_path) KN_MUST_USE;
/* Writes the first `count` samples to PATH.NAME as kn_samples_write does, and, unless `out_labels` is NULL, their
 * labels to PATH.NAME-labels: for tools of a production (production.h), whose result is `path`. Free the names with
 * kn_free, also after a failure. */
KN_API kn_status kn_samples_write_beside(const kn_samples *samples, size_t count, const char *path, const char *name,
                                         char **out_file, char **out_labels) KN_MUST_USE;
/* `share` (0 to 1) of the samples, rounded, at least one: how many a quantization is calibrated on. */
static inline size_t kn_samples_share(const kn_samples *samples, double share) {
  double wanted = share * (double)samples->count + 0.5;
  return wanted < 1 ? 1 : wanted < (double)samples->count ? (size_t)wanted : samples->count;
}
/* Puts the object `key` into `record`: how many "samples" were used, and their "identity". */
KN_API kn_status kn_samples_record(const kn_samples *samples, size_t count, const char *key,
                                   kn_record *record) KN_MUST_USE;

/* ---- inference: what runtimes and model wrappers (native framework) have in common ---- */

typedef struct kn_load_request {
  const char *path;      /* model file or directory */
  const kn_iospec *spec; /* io specification beside the file, or NULL */
  int64_t batch;         /* samples per inference */
} kn_load_request;

/* Without a loaded model everything but load and unload is KN_INVALID_ARGUMENT. */
typedef struct kn_inference_ops {
  size_t struct_size;
  /* Opens the framework and loads the model; may be called again, also after a failure. */
  kn_status (*load)(void *self, const kn_load_request *request);
  void (*unload)(void *self);
  /* Inputs and outputs of the loaded model, batch included; fills quantization. */
  kn_status (*iospec)(void *self, kn_iospec *out_spec);
  /* Copies (and quantizes) the inputs, in the order of the io specification, float32 or the model's own dtype. Shapes
   * must match: KN_INVALID_ARGUMENT. Not part of the measured time. */
  kn_status (*set_input)(void *self, const kn_tensor_view *inputs, size_t count);
  /* Runs the model once and does nothing else: this is what is measured. No allocation of its own after the first. */
  kn_status (*invoke)(void *self);
  /* Copies (and dequantizes to float32 where `outputs` are float32) the results. */
  kn_status (*output)(void *self, const kn_tensor_view *outputs, size_t count);
  /* Facts for the report: "threads" (int), "delegates" ([{name, operators}]), "operators", "library",
   * "library_sha256", "library_version", ... */
  kn_status (*statistics)(void *self, kn_record *out_record);
} kn_inference_ops;

/* ---- model wrappers ---- */

typedef struct kn_train_request {
  const kn_samples *train;
  const kn_samples *validation; /* may be empty */
  int64_t batch_size;
  double learning_rate;
  int64_t num_epochs;
  const char *logdir;
  const char *model_path; /* output; written whole or not at all */
  uint64_t seed;
} kn_train_request;

typedef struct kn_modelwrapper_ops {
  size_t struct_size;
  /* `info` describes the data set (never NULL). Opens neither model nor framework. */
  kn_status (*open)(void *self, const kn_dataset_info *info);
  void (*close)(void *self);
  /* Name and version of the framework ("tensorflow", "2.21.0"); opens it. Strings live until close. */
  kn_status (*framework)(void *self, const char **out_name, const char **out_version);
  /* Format of the file at model_path, one of the class's output_formats; looks at the file. */
  kn_status (*format)(void *self, const char **out_format);
  /* Specification of the model without loading the framework where the file allows it. */
  kn_status (*iospec)(void *self, kn_iospec *out_spec);
  const kn_inference_ops *inference; /* native inference; load uses model_path; NULL: a runtime is needed */
  kn_status (*train)(void *self, const kn_train_request *request, kn_record *out_history); /* NULL: cannot train */
  /* Bytes of the weights alone (parameters times element size), for size comparisons. */
  kn_status (*weights_bytes)(void *self, uint64_t *out_bytes);
  /* What the model file holds besides the weights ("optimizer state, 34.2 MB"), *out_text NULL where there is nothing
   * to tell; free with kn_free. NULL slot: not known. */
  kn_status (*contents)(void *self, char **out_text);
  /* Judges what training needs besides the samples, before anything is downloaded or opened; looks at options and files
   * alone. NULL slot: nothing can be said. */
  kn_status (*check_training)(const void *self);
} kn_modelwrapper_ops;

/* For model wrappers: a classifier's first output has one value for each of the `classes` of the data set (0: it has
 * none). `spec` is that of the model at `path`. KN_INCOMPATIBLE. */
static inline kn_status kn_modelwrapper_check_classes(const char *path, const kn_iospec *spec, int64_t classes) {
  const kn_ioentry *output = spec->output.entries;
  int64_t values = 1;
  for (uint32_t i = 1; i < output->rank; i++)
    if (__builtin_mul_overflow(values, output->shape[i], &values)) values = INT64_MAX;
  if (classes <= 0 || values == classes) return NULL;
  return kn_status_make(
      KN_INCOMPATIBLE,
      "%s tells %lld classes apart, but the data set has %lld; choose a model trained on this data set", path,
      (long long)values, (long long)classes);
}

/* ---- optimizers ---- */

typedef struct kn_compile_request {
  const char *input_path;
  const char *input_format;      /* one of the class's input_formats */
  const kn_iospec *input_spec;   /* of the input model; never NULL */
  const kn_samples *calibration; /* NULL when the scenario has no data set */
  const kn_samples *train;       /* for fine-tuning; NULL when there is none */
  const kn_samples *validation;
  uint64_t seed;
} kn_compile_request;

typedef struct kn_optimizer_ops {
  size_t struct_size;
  kn_status (*open)(void *self); /* checks combinations of options; opens nothing */
  void (*close)(void *self);
  /* Format of the result for these options, one of output_formats; NULL slot: the first of them. */
  const char *(*output_format)(void *self);
  /* Writes compiled_model_path (whole or not at all) and the specification of the result; `out_record` gets what was
   * produced and checked ("compiler_framework", "compiler_version" are mandatory strings; "cached": bool). */
  kn_status (*compile)(void *self, const kn_compile_request *request, kn_iospec *out_spec, kn_record *out_record);
  /* Whether these options cannot do without samples, so that only a scenario with a data set can run it; may be called
   * on an instance that is not open. NULL slot: it does without. */
  bool (*needs_samples)(const void *self);
} kn_optimizer_ops;

/* ---- runtimes ---- */

typedef struct kn_runtime_ops {
  size_t struct_size;
  kn_status (*open)(void *self);
  void (*close)(void *self);
  /* Model file that this runtime loads when the scenario has no optimizer (save_model_path), or NULL. */
  const char *(*model_path)(void *self);
  const kn_inference_ops *inference;
  /* Judges a model file of the first of its input_formats without opening the framework, and tells its specification,
   * -1 for free dimensions; an empty one where the file does not tell. May be called on an instance that is not open.
   * KN_BAD_DATA: damaged, with the place. NULL slot: not possible. */
  kn_status (*describe)(void *self, const char *path, kn_iospec *out_spec);
} kn_runtime_ops;

/* ---- ONNX converters: what of a framework's models goes to ONNX and comes back ---- */

typedef struct kn_onnxconverter_ops {
  size_t struct_size;
  const char *const *models; /* names of the models that it is tried on, NULL-terminated */
  /* Both run in a process of their own. `directory` is the converter's for one model, and holds from export on:
   * "model.onnx"; "inputs.npz" and "outputs.npz": the same samples for the framework's model and what it made of them.
   * Import adds "imported.npz": what the framework makes of them from model.onnx. The record gets "version" (of the
   * framework) and "weights" ("seeded": drawn, not trained) as strings. KN_NOT_INSTALLED; KN_INCOMPATIBLE with the
   * framework's words: it cannot. */
  kn_status (*export_model)(void *self, const char *model, const char *directory, uint64_t seed, kn_record *out_record);
  kn_status (*import_model)(void *self, const char *model, const char *directory, uint64_t seed, kn_record *out_record);
  /* Runs model.onnx by ONNX Runtime and compares: "max_difference" of the exported (and, if they are there, of the
   * imported) outputs relative to the largest, as "export_difference" and "import_difference"; "outputs_vary" yes or
   * no. All strings. */
  kn_status (*compare)(void *self, const char *directory, kn_record *out_record);
} kn_onnxconverter_ops;

#ifdef __cplusplus
}
#endif
#endif
