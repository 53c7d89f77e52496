#include "core/scenario.h"
#include "library/block.h"
#include "pipeline/pipeline.h"

#include <string.h>

/* A block as a part of a scenario: the scenario borrows the instance. */
static kn_status lend(const kn_block *block, kn_kind kind, kn_instance *out_instance) {
  KN_TRY(kn_block_check_kind(block, kind));
  if (!block) return NULL;
  *out_instance = block->instance;
  return kn_instance_check_required(out_instance);
}

/* All faults at once. Only the list of optimizers is the scenario's own. */
static kn_status assemble(const kn_setup *setup, kn_scenario *scenario) {
  kn_status faults = lend(setup->dataset, KN_KIND_DATASET, &scenario->dataset);
  faults = kn_status_join(faults, lend(setup->model_wrapper, KN_KIND_MODELWRAPPER, &scenario->model_wrapper));
  faults = kn_status_join(faults, lend(setup->runtime, KN_KIND_RUNTIME, &scenario->runtime));
  faults = kn_status_join(faults, lend(setup->runtime_protocol, KN_KIND_RUNTIMEPROTOCOL, &scenario->runtime_protocol));
  scenario->runtime_given = setup->runtime;
  if (!setup->optimizer_count) return faults;
  scenario->optimizers = kn_alloc_array(setup->optimizer_count, sizeof *scenario->optimizers);
  if (!scenario->optimizers) return kn_status_join(faults, kn_status_out_of_memory());
  for (size_t i = 0; i < setup->optimizer_count; i++) {
    if (!setup->optimizers[i]) {
      faults = kn_status_join(faults, kn_status_make(KN_INVALID_ARGUMENT, "optimizer %zu is NULL", i));
      continue;
    }
    faults = kn_status_join(faults, lend(setup->optimizers[i], KN_KIND_OPTIMIZER, &scenario->optimizers[i]));
  }
  scenario->optimizer_count = setup->optimizer_count;
  return faults;
}

static kn_status execute(const kn_scenario *scenario, unsigned steps, const kn_run_options *options,
                         kn_measurements **out_measurements) {
  const kn_run_options standard = kn_run_options_default();
  KN_TRY(kn_scenario_check_options(scenario));
  KN_TRY(kn_scenario_check_runnable(scenario));
  return kn_pipeline_execute(scenario, options ? options : &standard, steps, out_measurements);
}

kn_status kn_run(const kn_setup *setup, unsigned steps, const kn_run_options *options,
                 kn_measurements **out_measurements) {
  *out_measurements = NULL;
  kn_scenario scenario = {0};
  kn_status status = assemble(setup, &scenario);
  if (!status && (steps & KN_STEP_TEST)) status = kn_scenario_check(&scenario);
  if (!status) status = execute(&scenario, steps, options, out_measurements);
  kn_free(scenario.optimizers);
  return status;
}

kn_status kn_run_file(const char *path, unsigned steps, const kn_run_options *options,
                      kn_measurements **out_measurements) {
  *out_measurements = NULL;
  kn_run_options own = options ? *options : kn_run_options_default();
  if (!own.cfg_path) own.cfg_path = path;
  kn_scenario scenario;
  KN_TRY(kn_scenario_read(path, &scenario));
  kn_status status = execute(&scenario, steps, &own, out_measurements);
  kn_scenario_clear(&scenario);
  return status;
}

/* ---- single steps ---- */

kn_status kn_save_io_specification(kn_block *model_wrapper, kn_block *dataset) {
  kn_run_options options = kn_run_options_default();
  options.save_io_specification = true;
  kn_scenario scenario = {0};
  kn_status status = assemble(&(kn_setup){.dataset = dataset, .model_wrapper = model_wrapper}, &scenario);
  if (!status && !model_wrapper)
    status = kn_status_make(KN_INVALID_ARGUMENT, "a model wrapper is needed: it knows the model");
  /* The optimizing step without an optimizer looks at the model and does nothing else. */
  kn_measurements *measurements = NULL;
  if (!status) status = execute(&scenario, KN_STEP_OPTIMIZE, &options, &measurements);
  kn_measurements_destroy(measurements);
  return status;
}

kn_status kn_compile(kn_block *optimizer, kn_block *dataset, kn_block *model_wrapper) {
  if (!optimizer || !model_wrapper)
    return kn_status_make(KN_INVALID_ARGUMENT, "compiling needs an optimizer and the wrapper of the model");
  const kn_setup setup = {
      .dataset = dataset, .model_wrapper = model_wrapper, .optimizers = &optimizer, .optimizer_count = 1};
  kn_measurements *measurements;
  kn_status status = kn_run(&setup, KN_STEP_OPTIMIZE, NULL, &measurements);
  kn_measurements_destroy(measurements);
  return status;
}

kn_status kn_run_locally(kn_block *runtime, kn_block *dataset, kn_block *model_wrapper, const char *model_path,
                         kn_measurements **out_measurements) {
  *out_measurements = NULL;
  if (!runtime || !dataset || !model_wrapper)
    return kn_status_make(KN_INVALID_ARGUMENT, "running needs a runtime, a data set and a model wrapper");
  if (model_path) KN_TRY(kn_block_set(runtime, "save_model_path", model_path));
  const kn_setup setup = {.dataset = dataset, .model_wrapper = model_wrapper, .runtime = runtime};
  return kn_run(&setup, KN_STEP_TEST, NULL, out_measurements);
}
