#include "pipeline/pipeline.h"

#include "core/crash.h"
#include "pipeline/chain.h"
#include "pipeline/files.h"
#include "pipeline/inference.h"

#include <kenning/services.h>
#include <string.h>

kn_run_options kn_run_options_default(void) {
  return (kn_run_options){.warmup = 1, .seed = 1, .batch_size = 32, .learning_rate = 0.001, .num_epochs = 1};
}

/* ---- training ---- */

static kn_status train(kn_session *session) {
  const kn_scenario *scenario = session->scenario;
  const kn_run_options *options = session->options;
  const kn_instance *wrapper = &scenario->model_wrapper;
  const kn_modelwrapper_ops *ops = wrapper->cls ? wrapper->cls->ops : NULL;
  if (!ops || !scenario->dataset.cls)
    return kn_status_make(KN_INVALID_ARGUMENT, "training needs a model wrapper and a data set");
  if (!ops->train)
    return kn_status_make_at(KN_INVALID_ARGUMENT, wrapper->where, "%s cannot be trained", wrapper->cls->name);
  const kn_modelwrapper_options *wrapper_options = wrapper->self;
  if (kn_sources_downloaded(&session->sources, (const char *const *)&wrapper_options->model_path))
    return kn_status_make_at(KN_INVALID_ARGUMENT, wrapper->where,
                             "training writes 'model_path': give a path on this machine, not a URI");
  kn_sample_list samples = {0}, validation = {0};
  uint64_t seed = (uint64_t)kn_session_dataset_options(session)->split_seed;
  kn_record *history = NULL;
  kn_status status =
      kn_sample_list_of_split(&scenario->dataset, &session->info, &session->plan, KN_SPLIT_TRAIN, seed, &samples);
  if (!status)
    status = kn_sample_list_of_split(&scenario->dataset, &session->info, &session->plan, KN_SPLIT_VALIDATION, seed,
                                     &validation);
  if (!status && !samples.samples.count)
    status = kn_status_make_at(KN_INVALID_ARGUMENT, scenario->dataset.where, "the train split holds no sample");
  if (!status) status = kn_record_object(session->measurements->record, "training", &history);
  if (!status) {
    const kn_train_request request = {.train = &samples.samples,
                                      .validation = &validation.samples,
                                      .batch_size = options->batch_size,
                                      .learning_rate = options->learning_rate,
                                      .num_epochs = options->num_epochs,
                                      .logdir = options->logdir,
                                      .model_path = wrapper_options->model_path,
                                      .seed = options->seed};
    int64_t start = kn_now_ns();
    kn_crash_expect("training", wrapper->cls->name, wrapper_options->model_path, NULL);
    status = kn_session_blame(ops->train(wrapper->self, &request, history), wrapper);
    kn_crash_forget();
    status = kn_session_phase(session, "training", start, status);
  }
  kn_sample_list_clear(&samples);
  kn_sample_list_clear(&validation);
  return status;
}

/* ---- what is recorded of the models ---- */

/* What the wrapper tells about its own model beyond the file: worth a warning at most when it cannot. */
static void ask_wrapper(kn_session *session, kn_held_model *model) {
  const kn_instance *wrapper = &session->scenario->model_wrapper;
  const kn_modelwrapper_ops *ops = wrapper->cls->ops;
  uint64_t weights = 0;
  kn_status status = model->format ? NULL : ops->format(wrapper->self, &model->format);
  if (!status && ops->weights_bytes) {
    status = ops->weights_bytes(wrapper->self, &weights);
    if (!status) model->weights_bytes = (int64_t)weights;
  }
  if (status)
    kn_log(KN_LOG_WARNING, "the size of the weights alone of %s is not recorded: %s", model->main.path,
           kn_status_message(status, 0));
  kn_status_free(status);
}

/* What the file of the wrapper's model holds besides the weights; missing where the wrapper cannot tell. */
static kn_status put_contents(kn_session *session, kn_record *entry) {
  const kn_instance *wrapper = &session->scenario->model_wrapper;
  const kn_modelwrapper_ops *ops = wrapper->cls->ops;
  char *text = NULL;
  kn_status status = ops->contents ? ops->contents(wrapper->self, &text) : NULL;
  kn_status_free(status); /* asking for the weights has warned of what is wrong with the file */
  status = text ? kn_record_set_string(entry, "contents", text) : NULL;
  kn_free(text);
  return status;
}

static kn_status put_model(kn_session *session, kn_held_model *model) {
  kn_record *record = session->measurements->record, *entry;
  if (!kn_held_model_exists(model)) return NULL; /* blocks without a model file */
  /* The wrapper looks at the file: what it says is true of one that is still the same. */
  bool ask = !strcmp(model->role, "input") && !kn_held_model_change(model);
  if (ask) ask_wrapper(session, model);
  KN_TRY(kn_record_append_object(record, "models", &entry));
  KN_TRY(kn_held_model_put(model, entry));
  int64_t bytes = (int64_t)kn_held_model_bytes(model);
  if (model->weights_bytes >= 0) {
    KN_TRY(kn_record_set_int(entry, "weights_bytes", model->weights_bytes));
    KN_TRY(kn_record_set_int(entry, "other_bytes", bytes - model->weights_bytes));
  }
  if (ask) KN_TRY(put_contents(session, entry));
  /* The last one is the model that ran. */
  return kn_record_set_int(record, "compiled_model_size", bytes);
}

static kn_status put_models(kn_session *session) {
  for (size_t i = 0; i < session->model_count; i++) KN_TRY(put_model(session, &session->models[i]));
  return NULL;
}

/* ---- steps ---- */

static kn_status save_spec(const kn_model *model) {
  if (!model->has_spec)
    return kn_status_make(KN_NOT_FOUND, "the io specification of %s is not known, so it cannot be saved", model->path);
  char *path = kn_format("%s.json", model->path);
  if (!path) return kn_status_out_of_memory();
  kn_status status = kn_iospec_write(&model->spec, path);
  if (!status) kn_log(KN_LOG_INFO, "io specification: %s", path);
  kn_free(path);
  return status;
}

static kn_status run_chain(kn_session *session, unsigned steps, kn_model *model) {
  const kn_scenario *scenario = session->scenario;
  if (scenario->model_wrapper.cls) {
    const kn_modelwrapper_options *options = scenario->model_wrapper.self;
    if (options->model_path) KN_TRY(kn_session_hold(session, "input", options->model_path, NULL, -1));
    /* A result of an earlier run is run without opening what it was made from. */
    bool save = session->options->save_io_specification;
    if (steps & KN_STEP_OPTIMIZE || !scenario->optimizer_count || save) KN_TRY(kn_session_model(session, model));
    if (save) KN_TRY(save_spec(model));
  }
  return steps & KN_STEP_OPTIMIZE ? kn_chain_run(session, model) : kn_chain_reuse(session, model);
}

static kn_status run_steps(kn_session *session, unsigned steps) {
  if (steps & KN_STEP_TRAIN) KN_TRY(train(session));
  if (!(steps & (KN_STEP_OPTIMIZE | KN_STEP_TEST))) return NULL;
  kn_model model = {0};
  kn_status status = run_chain(session, steps, &model);
  if (!status && steps & KN_STEP_TEST) status = kn_inference_run(session, &model);
  kn_model_clear(&model);
  if (status && kn_status_code(status) != KN_CANCELLED) return status;
  int64_t start = kn_now_ns();
  /* Last, so that it does not show in what was measured. */
  return kn_session_phase(session, "inspect model files", start, kn_status_join(status, put_models(session)));
}

/* A run that ended early leaves its measurements, unless it ended because the input was wrong. */
static bool worth_keeping(const kn_session *session, kn_status status) {
  switch (kn_status_code(status)) {
    case KN_OK:
    case KN_CANCELLED:
      return session->measurements;
    case KN_INVALID_ARGUMENT:
    case KN_NOT_FOUND:
    case KN_BAD_DATA:
    case KN_INCOMPATIBLE:
    case KN_NOT_INSTALLED:
      return false;
    default:
      return session->measured;
  }
}

kn_status kn_pipeline_execute(const kn_scenario *scenario, const kn_run_options *options, unsigned steps,
                              kn_measurements **out_measurements) {
  *out_measurements = NULL;
  kn_session session = {.scenario = scenario, .options = options};
  kn_status status = kn_files_check(scenario, steps);
  if (!status) status = kn_session_open(scenario, options, &session);
  if (!status) status = run_steps(&session, steps);
  kn_measurements *measurements = session.measurements;
  bool keep = worth_keeping(&session, status);
  kn_session_close(&session);
  if (keep) {
    kn_status marked = kn_measurements_complete(measurements, status ? kn_status_message(status, 0) : NULL);
    keep = !marked;
    status = kn_status_join(status, marked);
  }
  if (keep)
    *out_measurements = measurements;
  else
    kn_measurements_destroy(measurements);
  return status;
}
