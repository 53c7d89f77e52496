/* Kenning from C: blocks as objects, and what scenarios do with them. Users of the library include <kenning/kenning.h>.
 *
 * A block is created by its class name with the parameters that a scenario would give it, and belongs to its creator.
 * The runs below open the blocks they are given, use them and close them again, so one block may take part in many
 * runs, one after the other. One thread at a time uses a block; runs are started from one thread.
 *
 * Nothing here ends the process, installs signal handlers, or writes to stdout; progress and warnings go to stderr, as
 * much as kn_log_set_level lets through. */
#ifndef KENNING_RUN_H
#define KENNING_RUN_H

#include <kenning/block.h>
#include <kenning/measurements.h>
#include <kenning/services.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the library ---- */

/* "0.1.0" */
KN_API const char *kn_version(void);
/* What stderr shows: this level and those above it. KN_LOG_INFO in the beginning. */
KN_API void kn_log_set_level(kn_log_level level);
/* Asks the run at hand to stop after its step; it then returns KN_CANCELLED, as do later ones until kn_cancel_reset.
 * Async-signal-safe. */
KN_API void kn_cancel(void);
/* Lets later runs begin again. */
KN_API void kn_cancel_reset(void);
/* Frees what the library holds for all runs (the list of classes). Blocks must be destroyed before. Not needed. */
KN_API void kn_shutdown(void);

/* ---- blocks ---- */

typedef struct kn_block kn_block;

/* `class_name` as in scenarios: "kenning.compilers.tflite.TFLiteCompiler", "kenning.optimizers.tflite.TFLiteCompiler"
 * or "TFLiteCompiler". `parameters`: JSON text of an object, as "parameters" of a scenario; NULL: defaults (for now:
 * what is required may still be set). Neither model, data set nor framework is opened. KN_NOT_FOUND (class, parameter),
 * KN_INVALID_ARGUMENT (another kind of class, no object, values; all faults at once). The first call loads the
 * plug-ins: those of KENNING_PLUGIN_PATH and those installed with the library. */
KN_API kn_status kn_block_create(kn_kind kind, const char *class_name, const char *parameters,
                                 kn_block **out_block) KN_MUST_USE;
/* Sets one parameter from text as the command line does: "true", "0.25", "int8". `key` is the JSON key or an alias. For
 * lists, items replace the default one after the other. */
KN_API kn_status kn_block_set(kn_block *block, const char *key, const char *value) KN_MUST_USE;
/* Full name of the block's class. */
KN_API const char *kn_block_class(const kn_block *block);
KN_API void kn_block_destroy(kn_block *block); /* NULL is allowed */

/* ---- runs ---- */

/* The blocks of a run; views, NULL for what there is not. */
typedef struct kn_setup {
  kn_block *dataset;
  kn_block *model_wrapper;
  kn_block *const *optimizers; /* in their order */
  size_t optimizer_count;
  kn_block *runtime;          /* NULL: the model runs in its own framework */
  kn_block *runtime_protocol; /* NULL: on this machine */
} kn_setup;

/* The steps of a run; combined by bitwise or. */
enum { KN_STEP_TRAIN = 1, KN_STEP_OPTIMIZE = 2, KN_STEP_TEST = 4 };

/* How a run is done. Texts must live until it is over. */
typedef struct kn_run_options {
  const char *const *command; /* the program's arguments, recorded; or NULL */
  size_t command_count;
  const char *cfg_path;        /* of the scenario, recorded; or NULL */
  const char *convert_to_onnx; /* path to convert the model to first; NULL: no conversion */
  bool save_io_specification;  /* write the io specification beside the wrapper's model, as <model_path>.json */
  int64_t warmup;              /* inferences before those that count, 0 or more */
  int64_t loaders;             /* threads that decode and preprocess; 0: a number that suits the machine */
  uint64_t seed;               /* of training and of optimizers */
  int64_t batch_size;          /* training only, as are the following */
  double learning_rate;
  int64_t num_epochs;
  const char *logdir; /* or NULL */
} kn_run_options;

/* One warm-up inference, seed 1 (as in every command), training parameters 32, 0.001, 1. */
KN_API kn_run_options kn_run_options_default(void);

/* Does the chosen steps (KN_STEP_...) in their order, the data set being opened once. Inference runs in the runtime, or
 * where there is none in the model's own framework; without KN_STEP_OPTIMIZE it runs what the optimizers wrote before
 * (KN_NOT_FOUND when that is missing). `options` NULL: kn_run_options_default.
 *
 * *out_measurements is to be freed with kn_measurements_destroy. It is also there, marked as incomplete, when the run
 * was cancelled, or failed amid inference for another reason than wrong input; after any other failure it is NULL. */
KN_API kn_status kn_run(const kn_setup *setup, unsigned steps, const kn_run_options *options,
                        kn_measurements **out_measurements) KN_MUST_USE;
/* The same for the JSON scenario in the file `path`. */
KN_API kn_status kn_run_file(const char *path, unsigned steps, const kn_run_options *options,
                             kn_measurements **out_measurements) KN_MUST_USE;

/* ---- single steps ---- */

/* Writes the io specification of the wrapper's model beside it, as <model_path>.json. */
KN_API kn_status kn_save_io_specification(kn_block *model_wrapper, kn_block *dataset) KN_MUST_USE;
/* Compiles the wrapper's model to the optimizer's compiled_model_path; calibration samples come from `dataset` (NULL
 * where none are needed). */
KN_API kn_status kn_compile(kn_block *optimizer, kn_block *dataset, kn_block *model_wrapper) KN_MUST_USE;
/* Runs the compiled model `model_path` (NULL: the runtime's save_model_path) on the test split of `dataset` on this
 * machine, and measures. */
KN_API kn_status kn_run_locally(kn_block *runtime, kn_block *dataset, kn_block *model_wrapper, const char *model_path,
                                kn_measurements **out_measurements) KN_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
