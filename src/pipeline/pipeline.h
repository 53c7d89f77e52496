/* Runs a scenario: training, the chain of optimizers, measured inference. What becomes known on the way is gathered in
 * measurements. */
#ifndef KENNING_PIPELINE_PIPELINE_H
#define KENNING_PIPELINE_PIPELINE_H

#include "core/scenario.h"
#include "measurements/measurements.h"

typedef struct kn_run_options {
  const char *const *command; /* the program's arguments, recorded; or NULL */
  size_t command_count;
  const char *cfg_path;        /* of the scenario, recorded; or NULL */
  bool run_benchmarks_only;    /* no optimizer runs: the last one's compiled_model_path is there already */
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

/* One warm-up inference, seed 0, training parameters 32, 0.001, 1. */
kn_run_options kn_run_options_default(void);

enum { KN_STEP_TRAIN = 1, KN_STEP_OPTIMIZE = 2, KN_STEP_TEST = 4 };

/* Does the chosen steps in their order, the data set being opened once. Inference runs in `runtime`, or where there is
 * none in the model's own framework; without KN_STEP_OPTIMIZE it runs what the optimizers wrote before (KN_NOT_FOUND
 * when that is missing).
 *
 * *out_measurements is what to write with kn_measurements_write and to free with kn_measurements_destroy. It is also
 * there, marked as incomplete, when the run was cancelled, or failed amid inference for another reason than wrong
 * input; after any other failure it is NULL. */
kn_status kn_pipeline_execute(const kn_scenario *scenario, const kn_run_options *options, unsigned steps,
                              kn_measurements **out_measurements) KN_MUST_USE;

/* Trains the model and writes it to the wrapper's model_path. */
kn_status kn_pipeline_train(const kn_scenario *scenario, const kn_run_options *options,
                            kn_measurements **out_measurements) KN_MUST_USE;
kn_status kn_pipeline_optimize(const kn_scenario *scenario, const kn_run_options *options,
                               kn_measurements **out_measurements) KN_MUST_USE;
kn_status kn_pipeline_test(const kn_scenario *scenario, const kn_run_options *options,
                           kn_measurements **out_measurements) KN_MUST_USE;
/* Optimizes, unless options->run_benchmarks_only, and tests: the original's json_inference_tester. */
kn_status kn_pipeline_run(const kn_scenario *scenario, const kn_run_options *options,
                          kn_measurements **out_measurements) KN_MUST_USE;

#endif
