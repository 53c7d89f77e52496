#include "pipeline/files.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/model_file.h"
#include "core/uri.h"
#include "pipeline/chain.h"
#include "pipeline/inference.h"
#include "pipeline/session.h"

static const char *model_path(const kn_scenario *scenario) {
  return scenario->model_wrapper.cls ? ((const kn_modelwrapper_options *)scenario->model_wrapper.self)->model_path
                                     : NULL;
}

static const char *compiled_path(const kn_instance *optimizer) {
  return ((const kn_optimizer_options *)optimizer->self)->compiled_model_path;
}

/* The status with the place of a block. Takes `status`. */
static kn_status at(const kn_instance *block, const char *row, kn_status status) {
  if (!status || kn_status_code(status) == KN_OUT_OF_MEMORY) return status;
  kn_status placed =
      kn_status_make_at(kn_status_code(status), block->where, "'%s': %s", row, kn_status_message(status, 0));
  kn_status_free(status);
  return placed;
}

/* ---- inputs ---- */

static kn_status check_training(const kn_instance *wrapper) {
  const kn_modelwrapper_ops *ops = wrapper->cls ? wrapper->cls->ops : NULL;
  if (!ops || !ops->check_training) return NULL;
  kn_status status = ops->check_training(wrapper->self);
  return wrapper->where ? kn_status_annotate(status, "in %s at %s", wrapper->cls->name, wrapper->where) : status;
}

/* The content of the wrapper's model; `whole`: a tool is about to read it. What is to be downloaded is judged then. */
kn_status kn_files_check_model(const kn_scenario *scenario, bool whole) {
  const kn_instance *wrapper = &scenario->model_wrapper;
  const char *text = model_path(scenario), *format;
  char *path = NULL;
  if (!text) return NULL;
  KN_TRY(kn_uri_local_path(text, &path));
  if (!path || access(path, F_OK) != 0) { /* why there is none, its wrapper knows best */
    kn_free(path);
    return NULL;
  }
  const char *const *formats = wrapper->cls->output_formats;
  kn_status status = whole ? kn_model_file_check(path, formats) : kn_model_file_recognize(path, formats, &format);
  kn_free(path);
  return kn_session_blame(status, wrapper);
}

static kn_status check_inputs(const kn_scenario *scenario, unsigned steps) {
  const kn_instance *wrapper = &scenario->model_wrapper;
  bool compiles = steps & KN_STEP_OPTIMIZE && scenario->optimizer_count;
  bool reuses = !compiles && steps & KN_STEP_TEST && scenario->optimizer_count; /* of an earlier run, not the model */
  kn_status faults = NULL;
  if (steps & KN_STEP_TRAIN)
    faults = check_training(wrapper);
  else if (wrapper->cls && !reuses)
    faults = kn_instance_check_files(&scenario->json, wrapper);
  if (!(steps & KN_STEP_TRAIN) && !reuses && !faults) faults = kn_files_check_model(scenario, compiles);
  if (compiles && wrapper->cls && !model_path(scenario))
    faults = kn_status_join(
        faults, kn_status_make_at(KN_INVALID_ARGUMENT, wrapper->where, "optimizers need a model: give 'model_path'"));
  if (scenario->dataset.cls)
    faults = kn_status_join(faults, kn_instance_check_files(&scenario->json, &scenario->dataset));
  for (size_t i = 0; compiles && i < scenario->optimizer_count; i++)
    faults = kn_status_join(faults, kn_instance_check_files(&scenario->json, &scenario->optimizers[i]));
  if (scenario->runtime.cls && steps & KN_STEP_TEST) {
    faults = kn_status_join(faults, kn_instance_check_files(&scenario->json, &scenario->runtime));
    if (!(steps & KN_STEP_TRAIN)) faults = kn_status_join(faults, kn_inference_check_model(scenario));
  }
  return reuses ? kn_status_join(faults, kn_chain_check_reuse(scenario)) : faults;
}

/* ---- outputs ---- */

/* Blocks that write a directory make it themselves. */
static kn_status check_writable(const char *path) {
  struct stat found;
  return stat(path, &found) == 0 && S_ISDIR(found.st_mode) ? NULL : kn_file_check_replaced(path);
}

/* A model, and its io specification beside it. */
static kn_status check_model_output(const char *path) {
  KN_TRY(check_writable(path));
  char *spec = kn_format("%s.json", path);
  kn_status status = spec ? kn_file_check_replaced(spec) : kn_status_out_of_memory();
  kn_free(spec);
  return status;
}

static kn_status check_compiled(const kn_scenario *scenario, size_t index) {
  const kn_instance *optimizer = &scenario->optimizers[index];
  const char *path = compiled_path(optimizer);
  if (!path || kn_uri_is(path)) return NULL;
  bool taken = kn_file_same(path, model_path(scenario));
  for (size_t i = 0; i < index; i++) taken |= kn_file_same(path, compiled_path(&scenario->optimizers[i]));
  if (taken)
    return kn_status_make_at(KN_INVALID_ARGUMENT, optimizer->where,
                             "'compiled_model_path': %s is a model that this run reads: name another file", path);
  return at(optimizer, "compiled_model_path", check_model_output(path));
}

/* What training writes: the model, and what else the wrapper's options name. */
static kn_status check_trained(const kn_scenario *scenario) {
  const kn_instance *wrapper = &scenario->model_wrapper;
  const char *trained = model_path(scenario);
  kn_status faults = NULL;
  if (trained && !kn_uri_is(trained)) faults = at(wrapper, "model_path", check_writable(trained));
  const kn_option *row;
  for (size_t i = 0; wrapper->cls && (row = kn_option_at(wrapper->cls, i)); i++) {
    if (row->type != KN_OPTION_PATH || !(row->flags & KN_OPTION_OUTPUT)) continue;
    const char *path = *(char *const *)(const void *)((const char *)wrapper->self + row->offset);
    if (path) faults = kn_status_join(faults, at(wrapper, row->name, kn_file_check_output(path)));
  }
  return faults;
}

static kn_status check_outputs(const kn_scenario *scenario, unsigned steps) {
  kn_status faults = steps & KN_STEP_TRAIN ? check_trained(scenario) : NULL;
  for (size_t i = 0; steps & KN_STEP_OPTIMIZE && i < scenario->optimizer_count; i++)
    faults = kn_status_join(faults, check_compiled(scenario, i));
  return faults;
}

kn_status kn_files_check(const kn_scenario *scenario, unsigned steps) {
  KN_TRY(check_inputs(scenario, steps)); /* below, directories are made */
  return check_outputs(scenario, steps);
}
